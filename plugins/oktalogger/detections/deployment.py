"""From the settings of a deployment to what its monitors have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oktalogger.detections.model import MonitorSettings

if TYPE_CHECKING:
    from oktalogger.settings import Settings


def monitor_settings(settings: Settings, *, dashboards_url: str | None = None) -> MonitorSettings:
    """Return what the monitors of a deployment have in common.

    :param settings: the deployment's
    :param dashboards_url: address of OpenSearch Dashboards, where the settings have none
    """
    return MonitorSettings(
        default_channels=settings.detection_channels,
        default_channels_from=settings.detection_channels_from,
        dashboards_url=settings.dashboards_url or dashboards_url,
    )
