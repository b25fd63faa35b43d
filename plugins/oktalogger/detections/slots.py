"""Writes what is computed inside each time slot of a threshold, and when the slot counts as reached.

Each kind of correlation has an aggregation of a name of its own. OpenSearch Alerting stores alerts with these
aggregations in an index whose mapping grows, so that a name must never stand for two types of values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from oktalogger.detections.criteria import Threshold

PUBLISHED: Final = "published"
VALUES: Final = "okta_values"
SUM: Final = "okta_sum"
AVERAGE: Final = "okta_average"
PERCENTILE: Final = "okta_percentile"
PART: Final = "okta_part_"
PART_FIRST: Final = "okta_part_first"
PART_LAST: Final = "okta_part_last"
WITH: Final = "okta_with"
WITHOUT: Final = "okta_without"
SEVERITY: Final = "okta_severity"

_EXACT_UP_TO: Final = 3000
_KEYS: Final = {"sum": SUM, "average": AVERAGE, "percentile": PERCENTILE}

_REACHED: Final = "params.n >= params.at_least && params.fresh >= params.least_fresh"
# Whether each rule has an event, and, where the order matters, whether the last event of each is not before the
# earliest moment at which the rules before it can all have had theirs. For two rules that is exact.
_ALL_PARTS: Final = """
if (params.fresh < params.least_fresh) { return false; }
double at = Double.NEGATIVE_INFINITY;
for (int i = 0; i < params.parts; i++) {
  if (!(params['n' + i] > 0)) { return false; }
  if (params.in_order) {
    if (params['last' + i] < at) { return false; }
    at = Math.max(at, params['first' + i]);
  }
}
return true;
"""
ALL_PARTS: Final = " ".join(_ALL_PARTS.split())


def measured(threshold: Threshold) -> dict[str, Any]:
    """Return the aggregations that a slot needs before anybody can say whether it was reached."""
    return {**_numbers(threshold), **_severity(threshold)}


def _severity(threshold: Threshold) -> dict[str, Any]:
    """Return what decides whether a slot is one of this form of a rule, where a rule's severity moves."""
    given = {WITH: threshold.with_query, WITHOUT: threshold.without_query}
    asked = {name: {"filter": {"query_string": {"query": query}}} for name, query in given.items() if query}
    if not asked:
        return {}
    wanted = [f"params.{'with' if name == WITH else 'without'} {'> 0' if name == WITH else '== 0'}" for name in asked]
    paths = {"with" if name == WITH else "without": f"{name}._count" for name in asked}
    return {**asked, SEVERITY: _selector(paths, " && ".join(wanted), {})}


def _numbers(threshold: Threshold) -> dict[str, Any]:
    if threshold.parts:
        return {f"{PART}{number}": _part(threshold, number) for number in range(len(threshold.parts))}
    field = threshold.counted
    if field is None:
        return {}
    if threshold.measure == "sum":
        return {SUM: {"sum": {"field": field}}}
    if threshold.measure == "average":
        return {AVERAGE: {"avg": {"field": field}}}
    if threshold.measure == "percentile":
        # Every default is written out, because that is how the server stores it.
        return {
            PERCENTILE: {
                "percentiles": {
                    "field": field,
                    "percents": [_percent(threshold)],
                    "keyed": True,
                    "tdigest": {"compression": 100.0},
                }
            }
        }
    precision = min(max(_EXACT_UP_TO, 2 * int(threshold.at_least)), 40_000)
    return {VALUES: {"cardinality": {"field": field, "precision_threshold": precision}}}


def reached(threshold: Threshold, *, fresh: str, least_fresh: int) -> dict[str, Any]:
    """Return the pipeline aggregation that keeps the slots in which a threshold was reached.

    :param fresh: the path of the number of fresh events
    :param least_fresh: how many fresh events a slot must hold
    """
    # The numbers are parameters, so that the server compiles one script for all thresholds.
    if threshold.parts:
        paths: dict[str, str] = {"fresh": fresh}
        for number in range(len(threshold.parts)):
            paths[f"n{number}"] = f"{PART}{number}._count"
            if threshold.in_order:
                paths[f"first{number}"] = f"{PART}{number}>{PART_FIRST}"
                paths[f"last{number}"] = f"{PART}{number}>{PART_LAST}"
        order = {"parts": len(threshold.parts), "in_order": threshold.in_order, "least_fresh": least_fresh}
        return _selector(paths, ALL_PARTS, order)
    params = {"at_least": threshold.at_least, "least_fresh": least_fresh}
    return _selector({"n": _path(threshold), "fresh": fresh}, _REACHED, params)


def value_in(threshold: Threshold, slot: dict[str, Any]) -> float | None:
    """Return the number that a slot of a search's answer holds for a threshold; ``None`` where it counts events."""
    if threshold.counted is None or threshold.parts:
        return None
    if threshold.measure == "percentile":
        found: float = next(iter(slot[PERCENTILE]["values"].values()))
    else:
        found = slot[_KEYS.get(threshold.measure, VALUES)]["value"]
    return found


def _part(threshold: Threshold, number: int) -> dict[str, Any]:
    part: dict[str, Any] = {"filter": {"query_string": {"query": threshold.parts[number].query}}}
    if threshold.in_order:
        part["aggregations"] = {
            PART_FIRST: {"min": {"field": PUBLISHED}},
            PART_LAST: {"max": {"field": PUBLISHED}},
        }
    return part


def _path(threshold: Threshold) -> str:
    if threshold.counted is None:
        return "_count"
    if threshold.measure == "percentile":
        return f"{PERCENTILE}[{_percent(threshold)}]"
    return _KEYS.get(threshold.measure, VALUES)


def _percent(threshold: Threshold) -> float:
    return float(threshold.percentile if threshold.percentile is not None else 50)


def _selector(paths: dict[str, str], source: str, params: dict[str, Any]) -> dict[str, Any]:
    return {
        "bucket_selector": {
            "buckets_path": paths,
            "script": {"source": source, "lang": "painless", **({"params": params} if params else {})},
            "gap_policy": "skip",
        }
    }
