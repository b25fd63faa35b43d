"""From a compiled detection to the monitor that OpenSearch Alerting runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from oktalogger.detections.model import ALERTING_SEVERITY, RenderedMonitor, source_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oktalogger.detections.model import CompiledDetection, MonitorSettings
    from oktalogger.opensearch.names import IndexNames


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
    actions = [
        {
            "id": stable_id(detection, "action", name),
            "name": name,
            "destination_id": channel_ids[name],
            "subject_template": {"source": detection.title, "lang": "mustache"},
            "message_template": {"source": detection.description, "lang": "mustache"},
            "throttle_enabled": False,
        }
        for name in channels
    ]
    body: dict[str, Any] = {
        "type": "monitor",
        "monitor_type": "doc_level_monitor",
        "name": detection.monitor_name,
        "enabled": detection.enabled,
        "schedule": {"period": {"interval": settings.event_interval_minutes, "unit": "MINUTES"}},
        "inputs": [
            {
                "doc_level_input": {
                    "description": "",
                    "indices": [names.alias],
                    "queries": [
                        {"id": detection.id, "name": detection.name, "tags": [], "fields": [], "query": detection.query}
                    ],
                }
            }
        ],
        "triggers": [
            {
                "document_level_trigger": {
                    "id": stable_id(detection, "trigger"),
                    "name": detection.title,
                    "severity": ALERTING_SEVERITY[detection.severity],
                    "condition": {"script": {"source": f"query[name={detection.name}]", "lang": "painless"}},
                    "actions": actions,
                }
            }
        ],
    }
    return RenderedMonitor(detection.id, detection.monitor_name, body, channels, source_hash(body))


def stable_id(detection: CompiledDetection, *parts: str) -> str:
    """Return an id that stays the same over edits of the rule, so that an update keeps open alerts and throttles."""
    return str(uuid5(UUID(detection.id), "/".join(parts)))
