"""Asks whether the rules of a ``temporal_ordered`` correlation matched in their order within a slot of time.

The search of the rule knows the first and the last event of each rule, which decides for two rules. For more, the
earliest event of each rule that is not before the chosen event of the rule before it is asked for, one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oktalogger.detections.replay.groups import ask, instant, value_clauses
from oktalogger.detections.replay.span import time_range
from oktalogger.detections.slots import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opensearchpy import OpenSearch

    from oktalogger.detections.criteria import Threshold
    from oktalogger.detections.model import CompiledDetection
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.window import Window

_EARLIEST = "okta_earliest"


def is_in_order(
    client: OpenSearch,
    names: IndexNames,
    detection: CompiledDetection,
    threshold: Threshold,
    values: Mapping[str, str],
    slot: Window,
) -> bool:
    """Say whether a group's events of a slot hold one of each rule, in the order of the rules.

    :param values: the group's values, by field
    :raises OpenSearchLoadError: where OpenSearch refuses, or stays out of reach
    """
    at = slot.start
    for part in threshold.parts:
        filters = [{"query_string": {"query": part.query}}, *value_clauses(values), time_range(PUBLISHED, at, slot.end)]
        body = {
            "size": 0,
            "query": {"bool": {"filter": filters}},
            "aggregations": {_EARLIEST: {"min": {"field": PUBLISHED}}},
        }
        earliest = ask(client, names, detection, body)["aggregations"].get(_EARLIEST, {}).get("value")
        if earliest is None:
            return False
        at = instant(earliest)
    return True
