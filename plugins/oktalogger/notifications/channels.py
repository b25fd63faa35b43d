"""Makes the Airflow notifier of a channel by the settings, and notifies it of alerts."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from oktalogger.compat import BaseNotifier
from oktalogger.settings import SettingsError
from oktalogger.text import written_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oktalogger.compat import Context
    from oktalogger.detections.replay.alerts import Alert
    from oktalogger.text import Markup

logger = logging.getLogger(__name__)

# What the notifiers of Airflow's providers take for markup, by the beginning of their path.
_MARKUP_OF: Final[dict[str, Markup]] = {
    "airflow.providers.slack.": "slack",
    "airflow.providers.smtp.": "html",
    "airflow.providers.microsoft.": "markdown",
    "airflow.providers.discord.": "markdown",
}


def notify(alert: Alert, notifiers: Mapping[str, Mapping[str, Any]], context: Context) -> None:
    """Tell a channel about an alert.

    The notifier's templated arguments may hold ``{{ alert.text }}`` and everything else of ``Alert.as_dict``. Text
    from an event is never rendered as a template, and every text is written for the markup of the notifier's target.

    :param alert: the text, and the channel to tell
    :param notifiers: the setting ``OKTALOGGER_DETECTION_NOTIFIERS``; an alert for a channel that is not in
        it goes to the task's log as a warning
    :param context: of the running task
    :raises SettingsError: if the notifier cannot be made
    :raises Exception: whatever the notifier raises
    """
    definition = notifiers.get(alert.channel)
    if definition is None:
        logger.warning(
            "The channel %r has no notifier (OKTALOGGER_DETECTION_NOTIFIERS), so the alert is only in this log:\n%s",
            alert.channel,
            written_for("plain", alert.text),
        )
        return
    send_to(alert.channel, definition, alert.as_dict(), context)


def send_to(channel: str, definition: Mapping[str, Any], alert: Mapping[str, Any], context: Context) -> None:
    """Render a notifier's templates, and call it.

    :param channel: the channel's name, for error messages
    :param definition: the notifier's class and the arguments
    :param alert: the value of ``alert`` in templates
    :param context: of the running task
    :raises SettingsError: if the notifier cannot be made
    :raises Exception: whatever the notifier raises
    """
    notifier = make_notifier(channel, definition)
    markup = markup_of(definition)
    texts = {name: written_for(markup, value) if isinstance(value, str) else value for name, value in alert.items()}
    values: dict[str, Any] = {**context, "alert": texts}
    values |= {name: getattr(notifier, name) for name in notifier.template_fields}
    # Not `notifier(values)`: in Airflow 2.11 that swallows errors.
    notifier.render_template_fields(values)  # type: ignore[arg-type]
    notifier.notify(values)  # type: ignore[arg-type]


def markup_of(definition: Mapping[str, Any]) -> Markup:
    """Return what the target of a notifier takes for markup: as the setting says, or as its provider is known for.

    :param definition: the notifier's class and the arguments
    """
    known = (markup for path, markup in _MARKUP_OF.items() if definition["class"].startswith(path))
    given: Markup | None = definition.get("markup")
    return next(known, "plain") if given is None else given


def make_notifier(channel: str, definition: Mapping[str, Any]) -> BaseNotifier:
    """Make the notifier of a channel. Each alert needs a new one, because rendering its templates changes it.

    :param channel: the channel's name, for error messages
    :param definition: the notifier's class and the arguments
    :raises SettingsError: if it cannot be made
    """
    arguments = {name: value for name, value in definition.items() if name not in ("class", "markup")}
    path = definition["class"]
    module, _, name = path.rpartition(".")
    try:
        made = getattr(import_module(module), name)(**arguments)
    except (ImportError, AttributeError, TypeError) as error:
        # Without the arguments, which may be secret.
        raise SettingsError(
            f"The notifier {path} of the channel {channel!r} (OKTALOGGER_DETECTION_NOTIFIERS) cannot be made: "
            f"{type(error).__name__}: {error}."
        ) from None
    if not isinstance(made, BaseNotifier):
        raise SettingsError(f"{path}, of the channel {channel!r} (OKTALOGGER_DETECTION_NOTIFIERS), is not a notifier.")
    return made
