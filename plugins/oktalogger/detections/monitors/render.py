"""Renders a compiled detection as the monitor that OpenSearch Alerting runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from oktalogger.detections import messages
from oktalogger.detections import threshold_search as threshold
from oktalogger.detections.model import ALERTING_SEVERITY, MonitorSettings, RenderedMonitor, source_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.settings import Settings


def monitor_settings(settings: Settings) -> MonitorSettings:
    """Return what the monitors of a deployment have in common.

    All of it is from the settings, nothing from a connection, so that whoever syncs (a DAG, the command line) renders
    the same monitors, and none puts back what another has just changed.

    :param settings: the deployment's
    """
    return MonitorSettings(
        default_channels=settings.detection_channels,
        default_channels_from=settings.detection_channels_from,
        dashboards_url=settings.dashboards_url,
        okta_orgs=settings.okta_hosts,
    )


# Alerting works in milliseconds and knows the time as `{{period_end}}`.
_PERIOD_END: Final = "{{period_end}}"


def render_monitor(
    detection: CompiledDetection,
    *,
    names: IndexNames,
    channel_ids: Mapping[str, str],
    settings: MonitorSettings,
) -> RenderedMonitor:
    """Make the monitor of one detection.

    :param detection: what to watch for
    :param names: the index names to use
    :param channel_ids: the id of each notification channel, by name
    :param settings: what monitors of this deployment have in common
    :return: the monitor; the same input always gives the same one, ids of triggers and actions included
    :raises KeyError: where ``channel_ids`` lacks one of ``detection.channels_under(settings)``
    """
    channels = detection.channels_under(settings)
    actions = [_action(detection, settings, name, channel_ids[name]) for name in channels]
    is_event = detection.threshold is None
    interval = settings.event_interval_minutes if is_event else settings.threshold_interval_minutes
    body: dict[str, Any] = {
        "type": "monitor",
        "monitor_type": "doc_level_monitor" if is_event else "bucket_level_monitor",
        "name": detection.monitor_name,
        "enabled": detection.enabled,
        "schedule": {"period": {"interval": interval, "unit": "MINUTES"}},
        "inputs": [_event_input(detection, names) if is_event else _threshold_input(detection, names, settings)],
        "triggers": [_trigger(detection, actions)],
    }
    place = f"{detection.file}:{detection.line}"
    return RenderedMonitor(detection.id, detection.monitor_name, body, channels, source_hash(body), place)


def stable_id(detection: CompiledDetection, *parts: str) -> str:
    """Return an id that stays the same over edits of the rule, so that an update keeps open alerts and throttles."""
    return str(uuid5(UUID(detection.id), "/".join(parts)))


def threshold_search(detection: CompiledDetection, settings: MonitorSettings) -> dict[str, Any]:
    """Return the search of a bucket-level monitor, with the monitor's time as ``{{period_end}}`` in it."""
    return threshold.search_body(
        detection,
        query=detection.query,
        counted=_loaded_within(f"{settings.lookback_hours}h"),
        fresh=_loaded_within(f"{fresh_minutes(detection, settings)}m"),
    )


def fresh_minutes(detection: CompiledDetection, settings: MonitorSettings) -> int:
    """Return for how long after its loading an event can make a threshold fire.

    An alert stays active for as long as that, and a group with an active alert raises no other: so this is also for how
    long a group that fired stays quiet, and how a rule's throttle comes about.
    """
    return max(settings.fresh_minutes, detection.throttle_minutes or 0)


def _event_input(detection: CompiledDetection, names: IndexNames) -> dict[str, Any]:
    tags = [detection.severity, *(f"attack.{technique.lower()}" for technique in detection.attack)]
    document_query = {
        "id": detection.id,
        "name": detection.name,
        "query": detection.query,
        "fields": [],
        "tags": tags,
    }
    return {"doc_level_input": {"description": "", "indices": [names.alias], "queries": [document_query]}}


def _threshold_input(detection: CompiledDetection, names: IndexNames, settings: MonitorSettings) -> dict[str, Any]:
    return {"search": {"indices": [names.alias], "query": threshold_search(detection, settings)}}


def _loaded_within(span: str) -> dict[str, Any]:
    return {
        "range": {
            threshold.INGESTED: {
                "gt": f"{_PERIOD_END}||-{span}",
                "lte": _PERIOD_END,
                "format": "epoch_millis",
            }
        }
    }


def _trigger(detection: CompiledDetection, actions: list[dict[str, Any]]) -> dict[str, Any]:
    trigger: dict[str, Any] = {
        "id": stable_id(detection, "trigger"),
        "name": detection.title,
        "severity": ALERTING_SEVERITY[detection.severity],
    }
    if detection.threshold is None:
        trigger["condition"] = {"script": {"source": f"query[name={detection.name}]", "lang": "painless"}}
        return {"document_level_trigger": {**trigger, "actions": actions}}
    trigger["condition"] = {**threshold.CONDITION, "parent_bucket_path": threshold.GROUPS, "gap_policy": "skip"}
    return {"bucket_level_trigger": {**trigger, "actions": actions}}


def _action(detection: CompiledDetection, settings: MonitorSettings, channel: str, channel_id: str) -> dict[str, Any]:
    return {
        "id": stable_id(detection, "action", channel),
        "name": channel,
        "destination_id": channel_id,
        "subject_template": {"source": messages.subject(detection), "lang": "mustache"},
        "message_template": {"source": messages.body(detection, settings), "lang": "mustache"},
        "throttle_enabled": False,
        "action_execution_policy": {"action_execution_scope": {"per_alert": {"actionable_alerts": ["NEW"]}}},
    }
