"""Reads a Sigma correlation: what is counted or measured, over which time, and from where on it fires.

pySigma parses it; what a search can do with it is decided here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.criteria import RulePart, Threshold
from oktalogger.detections.rules.fields import field_table
from oktalogger.detections.rules.problems import RuleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from oktalogger.detections.criteria import Measure
    from oktalogger.detections.rules.yaml_source import YamlDocument

LONGEST_TIMESPAN_SECONDS: Final = 7 * 24 * 3600
SHORTEST_TIMESPAN_SECONDS: Final = 10
TEMPORAL: Final = ("temporal", "temporal_ordered")
_MEASURES: Final[dict[str, Measure]] = {
    "value_sum": "sum",
    "value_avg": "average",
    "value_percentile": "percentile",
    "value_median": "percentile",
}
_TYPES: Final = ("event_count", "value_count", *_MEASURES, *TEMPORAL)
_NUMBERS: Final = ("byte", "integer", "long")
# A slot's script has a parameter or three for each.
_MOST_PARTS: Final = 10
_MEDIAN: Final = 50


def references(body: Mapping[str, Any]) -> list[str]:
    """Return the names or ids of the rules that a correlation is about."""
    rules = body.get("rules")
    given: Iterable[Any] = [rules] if isinstance(rules, str) else rules if isinstance(rules, list) else []
    return [str(reference) for reference in given]


def check_type(document: YamlDocument, given: Any) -> None:
    """Refuse a type of correlation that no search can do.

    :raises RuleError: if it is none of Sigma's
    """
    if given not in _TYPES:
        message = f"the correlation's `type` is {given!r}; it must be one of {', '.join(_TYPES)}"
        raise RuleError(message, document.line("correlation", "type"))


def read_threshold(document: YamlDocument, correlation: Any, parts: Sequence[RulePart]) -> Threshold:
    """Read what a correlation counts or measures.

    :param document: the rule
    :param correlation: the same, parsed by pySigma
    :param parts: the rules that it refers to, in its order
    :raises RuleError: if a search cannot do that
    :raises FieldError: if a field cannot be used
    """
    kind = str(document.data["correlation"]["type"])
    seconds = _seconds(document, correlation)
    group_by = _group_by(document, correlation)
    if kind in TEMPORAL:
        _check_temporal(document, correlation, parts)
        ordered = kind == "temporal_ordered"
        return Threshold(
            counted=None, group_by=group_by, seconds=seconds, at_least=1, parts=tuple(parts), in_order=ordered
        )
    at_least = _at_least(document, correlation.condition, is_count=kind not in _MEASURES)
    return Threshold(
        counted=_counted(document, correlation.condition, kind),
        group_by=group_by,
        seconds=seconds,
        at_least=at_least,
        measure=_MEASURES.get(kind, "count"),
        percentile=_percentile(document, correlation.condition, kind),
    )


def _at_least(document: YamlDocument, condition: Any, *, is_count: bool) -> float:
    operator = str(condition.op.name).lower()
    at = document.line("correlation", "condition")
    if operator not in ("gt", "gte") or (is_count and condition.count != int(condition.count)):
        raise RuleError(
            f"the correlation's condition is `{operator}: {condition.count}`; a search can tell that something was "
            f"reached (`gte` or `gt` {'a whole number' if is_count else 'a number'}), not that something stayed away",
            at,
        )
    if not is_count:
        above = math.nextafter(float(condition.count), math.inf)
        return float(above) if operator == "gt" else _whole_if_possible(float(condition.count))
    at_least = int(condition.count) + (operator == "gt")
    if at_least < 1:
        raise RuleError("the correlation's condition holds without any event; count to 1 at least", at)
    return at_least


def _whole_if_possible(number: float) -> float:
    return int(number) if number.is_integer() else number


def _seconds(document: YamlDocument, correlation: Any) -> int:
    seconds = int(correlation.timespan.seconds)
    if not SHORTEST_TIMESPAN_SECONDS <= seconds <= LONGEST_TIMESPAN_SECONDS:
        raise RuleError(
            f"the correlation's `timespan` is {correlation.timespan.spec}; a monitor can count over 10s to 7d",
            document.line("correlation", "timespan"),
        )
    return seconds


def _group_by(document: YamlDocument, correlation: Any) -> tuple[str, ...]:
    table = field_table()
    aliases = {alias.alias: set(alias.mapping.values()) for alias in correlation.aliases}
    group_by = []
    for name in correlation.group_by or ():
        meant = {table.resolve_countable(field).path for field in aliases.get(name, {name})}
        if len(meant) > 1:
            raise RuleError(
                f"the alias `{name}` stands for several fields, and a monitor groups all events by the same; use a "
                "field that all of them have",
                document.line("correlation", "aliases", name),
            )
        group_by.append(meant.pop())
    return tuple(dict.fromkeys(group_by))


def _counted(document: YamlDocument, condition: Any, kind: str) -> str | None:
    at = document.line("correlation", "condition")
    if kind == "event_count":
        if condition.fieldref is not None:
            raise RuleError("`event_count` counts events, so `field` has no meaning; use `value_count`", at)
        return None
    if not isinstance(condition.fieldref, str):
        raise RuleError("a monitor counts the values of one field, not of several", at)
    field = field_table().resolve_countable(condition.fieldref)
    if kind in _MEASURES and field.type not in _NUMBERS:
        raise RuleError(f"`{kind}` computes with numbers, and `{condition.fieldref}` is a {field.type}", at)
    return field.path


def _percentile(document: YamlDocument, condition: Any, kind: str) -> float | None:
    at = document.line("correlation", "condition")
    given = condition.percentile
    if kind != "value_percentile":
        if given is not None:
            raise RuleError(f"`percentile` has no meaning for `{kind}`; leave it out, or use `value_percentile`", at)
        return _MEDIAN if kind == "value_median" else None
    if given is None or not 0 < given <= 100:
        raise RuleError("`value_percentile` needs a `percentile` from 1 to 100 in its condition", at)
    return float(given)


def _check_temporal(document: YamlDocument, correlation: Any, parts: Sequence[RulePart]) -> None:
    at = document.line("correlation", "rules")
    if not 2 <= len(parts) <= _MOST_PARTS:
        raise RuleError(f"a `temporal` correlation needs 2 to {_MOST_PARTS} rules, and has {len(parts)}", at)
    if len({part.query for part in parts}) < len(parts):
        raise RuleError("a `temporal` correlation names two rules that select the same events", at)
    given = document.data["correlation"].get("condition")
    if given is None:
        return
    at = document.line("correlation", "condition")
    condition = correlation.condition
    if isinstance(given, str):
        raise RuleError(
            "a `temporal` correlation with `and`, `or` or `not` in its condition is not supported; leave the condition "
            "out, so that all rules must match, and write a correlation for each alternative",
            at,
        )
    if condition.op.name != "GTE" or condition.count != len(parts):
        raise RuleError(
            f"the condition of a `temporal` correlation can only be that all rules match: leave it out, or write "
            f"`gte: {len(parts)}`",
            at,
        )
