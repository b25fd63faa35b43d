"""Makes of a monitor the search that it runs, so that OpenSearch can judge it without the Alerting plugin."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from oktalogger.detections.engine import refusals
from oktalogger.detections.monitors.render import render_monitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import CompiledDetection, MonitorSettings
    from oktalogger.opensearch.names import IndexNames

_MOMENT = "{{period_end}}"


class AnyChannel(dict[str, str]):
    """Ids of channels where nobody is told anything, for monitors that are never stored."""

    def __missing__(self, name: str) -> str:
        return name


def trial_search(monitor: Mapping[str, Any], period_end: datetime) -> dict[str, Any]:
    """Return the search that a monitor runs, with its trigger's condition among the aggregations.

    Alerting appends a pipeline aggregation that selects among the groups. The one used here is its core twin: the same
    `buckets_path`, the same script, evaluated by the server.

    :param monitor: the monitor as it is sent to Alerting
    :param period_end: when it runs, which is the end of its period
    """
    (given,) = monitor["inputs"]
    moment = str(int(period_end.timestamp() * 1000))
    body: dict[str, Any] = json.loads(json.dumps(given["search"]["query"]).replace(_MOMENT, moment))
    condition = monitor["triggers"][0]["bucket_level_trigger"]["condition"]
    groups = _inside(body)[condition["parent_bucket_path"]]
    selector = {key: condition[key] for key in ("buckets_path", "script", "gap_policy") if key in condition}
    _inside(groups)["okta_trigger"] = {"bucket_selector": selector}
    return body


def monitor_refusals(
    client: OpenSearch, monitor: Mapping[str, Any], *, sleep: Callable[[float], None] = time.sleep
) -> tuple[str, ...]:
    """Ask OpenSearch what keeps a monitor's search from running as it is meant, on the indices that it names.

    :param client: the client
    :param monitor: the monitor as it is sent to Alerting
    :param sleep: waits for a number of seconds
    :return: a sentence for each fault; empty if there is none
    :raises OpenSearchLoadError: if OpenSearch cannot be asked
    """
    ((_, given),) = monitor["inputs"][0].items()
    search = trial_search(monitor, datetime.now(UTC))
    return refusals(client, ",".join(given["indices"]), search, title=str(monitor["name"]), sleep=sleep)


def refused_detections(
    client: OpenSearch, names: IndexNames, detections: Iterable[CompiledDetection], settings: MonitorSettings
) -> dict[str, tuple[str, ...]]:
    """Ask OpenSearch about the monitors of detections, without storing any.

    :param client: the client
    :param names: the index names to use; their alias must be there
    :param detections: the rules
    :param settings: what monitors of this deployment have in common
    :return: what keeps OpenSearch from running it, by the id of each detection that it cannot run
    :raises OpenSearchLoadError: if OpenSearch cannot be asked
    """
    found: dict[str, tuple[str, ...]] = {}
    for detection in (one for one in detections if one.risk_sum is None):
        body = render_monitor(detection, names=names, channel_ids=AnyChannel(), settings=settings).body
        if said := monitor_refusals(client, body):
            found[detection.id] = said
    return found


def _inside(part: dict[str, Any]) -> dict[str, Any]:
    """Return what is aggregated inside a search or an aggregation, under either name that OpenSearch has for it."""
    inner: dict[str, Any] = part.setdefault("aggs" if "aggs" in part else "aggregations", {})
    return inner
