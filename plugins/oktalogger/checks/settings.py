"""Checks of the settings: whether they can be read, and where the schedule begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from oktalogger.checks.model import Check, Verdict, note, ok, wrong
from oktalogger.checks.sentences import one_sentence
from oktalogger.okta.kept import KEEPS
from oktalogger.settings import SettingsError
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from oktalogger.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The settings to ask about.

    :param settings: reads them
    :param now: the time, in UTC
    """

    settings: Callable[[], Settings]
    now: datetime


def _settings(environment: Environment) -> Verdict:
    try:
        environment.settings()
    except SettingsError as error:
        return wrong(one_sentence(str(error)), error)
    return ok("Every variable OKTALOGGER_* that is set can be read.")


def _start(environment: Environment) -> Verdict:
    try:
        begins = environment.settings().begins
    except SettingsError as error:
        return wrong(one_sentence(str(error)), error)
    now = environment.now
    if begins > now:
        return note(f"OKTALOGGER_START_DATE is in the future: loads begin at {format_instant(begins)}.")
    if begins < now - KEEPS:
        return note(
            f"OKTALOGGER_START_DATE ({format_instant(begins)}) is over 90 days ago, and Okta keeps no older events: a "
            "first start loads nothing for the windows before."
        )
    return ok(f"Loads begin at {format_instant(begins)}.")


CHECKS: Final[tuple[Check[Environment], ...]] = (
    Check("settings", _settings),
    Check("start date", _start, after=("settings",)),
)
