"""From the settings of a deployment to what its monitors have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oktalogger.detections.model import MonitorSettings

if TYPE_CHECKING:
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
