"""Lets somebody hear of what a check found: by a channel, or by a task that fails."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from oktalogger.compat import AirflowFailException
from oktalogger.notifications.channels import send_to
from oktalogger.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oktalogger.compat import Context
    from oktalogger.settings import Settings

log = logging.getLogger(__name__)


def raise_alarm(
    text: str,
    *,
    title: str,
    figures: Mapping[str, Any],
    channel: str | None,
    settings: Settings,
    context: Context,
) -> None:
    """Tell a channel, or fail the task if there is none or it cannot be told.

    :param text: what was found
    :param title: the same in a few words
    :param figures: what else goes to the channel
    :param channel: the channel of ``OKTALOGGER_DETECTION_NOTIFIERS``; None for none
    :param settings: of the deployment
    :param context: of the running task
    :raises AirflowFailException: if the task is to fail
    """
    if channel is None:
        raise AirflowFailException(text)
    definition: Mapping[str, Any] | None = settings.detection_notifiers.get(channel)
    if definition is None:
        raise AirflowFailException(
            f"{text} (Nobody was told: OKTALOGGER_DETECTION_NOTIFIERS has no channel {channel!r}.)"
        )
    log.warning("%s", text)
    try:
        send_to(channel, definition, {"text": text, "title": title, "channel": channel, **figures}, context)
    except SettingsError as error:
        raise AirflowFailException(f"{text} (Nobody was told: {error})") from error
