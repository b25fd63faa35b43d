"""Writes the search of a threshold, for monitors, replay and tests.

Events are counted in slots of ``published`` that are as long as the rule's timespan, and once more in slots shifted by
half of it, so that a burst shorter than half a timespan always falls into one slot. A slot counts only if it holds a
fresh event. So a catch-up that loads hours at once does not inflate a count, a late event can complete one, and no
event is judged twice.

The time of loading, not ``published``, decides which events are counted. So an attack during an outage of the scheduler
still alerts days later, and the search does not grow with the history.

This avoids two traps of OpenSearch Alerting. It drops the ``offset`` of a composite aggregation's
``date_histogram`` when it stores a monitor; that of an ordinary ``date_histogram`` below the composite is kept. And it
searches only some of an alias's indices, chosen by the dates on which they were made, when the query has a range under
``must`` or ``should``; under ``filter`` it does not look (InputService.findRangeQuery, 2.19 to 3.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oktalogger.detections.model import CompiledDetection, Threshold

GROUPS: Final = "groups"
SLOTS: Final = "slots"
SHIFTED_SLOTS: Final = "shifted_slots"
FRESH: Final = "fresh"
VALUES: Final = "values"
REACHED: Final = "reached"
ORG_FIELD: Final = "oktalogger.org"
PUBLISHED: Final = "published"
INGESTED: Final = "oktalogger.ingested_at"

# OpenSearch refuses more than 65,535 buckets; both slots and groups count.
PAGE_OF_GROUPS: Final = 2000
_EXACT_UP_TO: Final = 3000

CONDITION: Final = {
    "buckets_path": {"slots": f"{SLOTS}._bucket_count", "shifted": f"{SHIFTED_SLOTS}._bucket_count"},
    "script": {"source": "params.slots > 0 || params.shifted > 0", "lang": "painless"},
}


def group_fields(threshold: Threshold) -> dict[str, str]:
    """Return the fields to group by, by their names in the aggregation; the org is always among them."""
    return {field.replace(".", "_"): field for field in dict.fromkeys((ORG_FIELD, *threshold.group_by))}


def search_body(
    detection: CompiledDetection,
    *,
    query: str,
    counted: Mapping[str, Any],
    fresh: Mapping[str, Any],
    least_fresh: int = 1,
    after: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the search of a threshold.

    :param detection: a detection with a threshold
    :param query: the query_string that selects the events, ``detection.query`` or ``detection.selection``
    :param counted: a query clause for the events to count
    :param fresh: a query clause for the fresh events
    :param least_fresh: how many fresh events a slot must hold
    :param after: the key of the last group of the page before
    :param more: further aggregations inside each slot
    :return: the body; its groups hold the slots in which the threshold was reached, often none
    """
    threshold = detection.threshold
    if threshold is None:
        raise ValueError(f"{detection.title} has no threshold")
    composite: dict[str, Any] = {
        "size": PAGE_OF_GROUPS,
        "sources": [{name: {"terms": {"field": field}}} for name, field in group_fields(threshold).items()],
    }
    if after is not None:
        composite["after"] = dict(after)
    half = threshold.seconds * 1000 // 2
    return {
        "size": 0,
        "query": {"bool": {"filter": [{"query_string": {"query": query}}, dict(counted)]}},
        "aggregations": {
            GROUPS: {
                "composite": composite,
                "aggregations": {
                    SLOTS: _slots(threshold, 0, fresh, least_fresh, more),
                    SHIFTED_SLOTS: _slots(threshold, half, fresh, least_fresh, more),
                },
            }
        },
    }


def _slots(
    threshold: Threshold, offset: int, fresh: Mapping[str, Any], least_fresh: int, more: Mapping[str, Any] | None
) -> dict[str, Any]:
    inside: dict[str, Any] = {FRESH: {"filter": dict(fresh)}, **(more or {})}
    if threshold.counted is not None:
        precision = min(max(_EXACT_UP_TO, 2 * threshold.at_least), 40_000)
        inside[VALUES] = {"cardinality": {"field": threshold.counted, "precision_threshold": precision}}
    inside[REACHED] = {
        "bucket_selector": {
            "buckets_path": {"n": "_count" if threshold.counted is None else VALUES, "fresh": f"{FRESH}._count"},
            # The numbers are parameters, so that the server compiles one script for all thresholds.
            "script": {
                "source": "params.n >= params.at_least && params.fresh >= params.least_fresh",
                "lang": "painless",
                "params": {"at_least": threshold.at_least, "least_fresh": least_fresh},
            },
            "gap_policy": "skip",
        }
    }
    # Every default is written out, as the server stores it, because the two are compared.
    histogram = {
        "field": PUBLISHED,
        "fixed_interval": f"{threshold.seconds}s",
        "offset": offset,
        "order": {"_key": "asc"},
        "keyed": False,
        "min_doc_count": 1,
    }
    return {"date_histogram": histogram, "aggregations": inside}
