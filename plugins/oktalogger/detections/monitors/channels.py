"""Notification channels: rules name them, monitors carry their ids, and a wrong name stops the sync before it writes.

Source: opensearch-project/notifications, ``NotificationChannelListRestHandler``. That call shows names and ids but no
webhook addresses, which are secrets.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from oktalogger.detections.monitors.api import AlertingMissingError, MonitorMissingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oktalogger.detections.monitors.api import AlertingClient

CHANNELS: Final = "/_plugins/_notifications/channels"


class ChannelError(Exception):
    """Rules name channels that cannot be used. Nothing was written; the message names each channel and the reason."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A notification channel.

    :param id: what a monitor's action calls it
    :param name: what people call it
    :param type: ``slack``, ``email``, ``webhook`` and so on
    :param enabled: whether it sends
    """

    id: str
    name: str
    type: str
    enabled: bool


def read_channels(client: AlertingClient) -> list[Channel]:
    """Read all channels of the cluster that the caller may see.

    :raises ChannelError: if the cluster has no Notifications plugin
    :raises OpenSearchLoadError: if they cannot be read
    """
    try:
        answer = client.read(CHANNELS, doing="while reading the notification channels")
    except (AlertingMissingError, MonitorMissingError) as error:
        raise ChannelError(
            "This cluster has no Notifications plugin, so that no monitor can notify anybody: take the channels out of "
            "the rules and settings, or install the plugin."
        ) from error
    return [
        Channel(
            str(entry["config_id"]), str(entry["name"]), str(entry.get("config_type", "")), bool(entry["is_enabled"])
        )
        for entry in answer.get("channel_list", [])
    ]


def resolve_channels(client: AlertingClient, names: Iterable[str]) -> dict[str, str]:
    """Find the ids of channels by their names.

    :param names: what rules and settings ask for; without any, nothing is sent
    :return: the id of each name
    :raises ChannelError: if one is missing, disabled, or not the only one of its name
    :raises OpenSearchLoadError: if they cannot be read
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    by_name: dict[str, list[Channel]] = defaultdict(list)
    for channel in read_channels(client):
        by_name[channel.name].append(channel)
    problems: list[str] = []
    for name in wanted:
        found = by_name.get(name, [])
        if not found:
            problems.append(f"{name!r} does not exist")
        elif len(found) > 1:
            problems.append(f"{name!r} is the name of {len(found)} channels")
        elif not found[0].enabled:
            problems.append(f"{name!r} is disabled")
    if problems:
        there = ", ".join(sorted(by_name)) or "none"
        raise ChannelError(
            f"Rules name notification channels that cannot be used: {'; '.join(problems)}. Nothing was written. "
            f"The cluster has: {there}."
        )
    return {name: by_name[name][0].id for name in wanted}
