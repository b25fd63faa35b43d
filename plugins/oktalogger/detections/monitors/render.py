"""Renders a compiled detection as the monitor that OpenSearch Alerting runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from oktalogger.detections import grouped_search as search
from oktalogger.detections import messages
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
    :raises KeyError: if ``channel_ids`` lacks one of ``detection.channels_under(settings)``
    """
    channels = detection.channels_under(settings)
    actions = [_action(detection, settings, name, channel_ids[name]) for name in channels]
    interval = settings.event_interval_minutes if detection.threshold is None else settings.threshold_interval_minutes
    body: dict[str, Any] = {
        "type": "monitor",
        "monitor_type": "bucket_level_monitor",
        "name": detection.monitor_name,
        "enabled": detection.enabled,
        "schedule": {"period": {"interval": interval, "unit": "MINUTES"}},
        "inputs": [{"search": {"indices": [names.alias], "query": monitor_search(detection, settings)}}],
        "triggers": [_trigger(detection, actions)],
    }
    place = f"{detection.file}:{detection.line}"
    return RenderedMonitor(detection.id, detection.monitor_name, body, channels, source_hash(body), place)


def stable_id(detection: CompiledDetection, *parts: str) -> str:
    """Return an id that stays the same over edits of the rule, so that an update keeps open alerts and throttles."""
    return str(uuid5(UUID(detection.id), "/".join(parts)))


def monitor_search(detection: CompiledDetection, settings: MonitorSettings) -> dict[str, Any]:
    """Return the search of a rule's monitor, with the monitor's time as ``{{period_end}}`` in it."""
    return search.search_body(
        detection,
        query=detection.query,
        looked_at=_loaded_within(f"{window_minutes(detection, settings)}m"),
        fresh=_loaded_within(f"{fresh_minutes(detection, settings)}m"),
    )


def window_minutes(detection: CompiledDetection, settings: MonitorSettings) -> int:
    """Return how long after their loading a rule looks at events.

    A group's alert ends when none of its events is left in this time, and its next event raises another. So for a rule
    of single events it is longer than the period in which a group is to raise one alert.
    """
    if detection.threshold is not None:
        return settings.lookback_hours * 60
    return max(settings.window_hours * 60, detection.period_minutes + 60)


def fresh_minutes(detection: CompiledDetection, settings: MonitorSettings) -> int:
    """Return for how long after its loading an event can make a threshold fire.

    An alert stays active for as long as that, and a group with an active alert raises no other: so this is also for how
    long a group that fired stays quiet, and how a rule's throttle comes about.
    """
    return max(settings.fresh_minutes, detection.throttle_minutes or 0)


def _loaded_within(span: str) -> dict[str, Any]:
    return {
        "range": {
            search.INGESTED: {
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
    trigger["condition"] = search.condition(detection)
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
