"""Reads ``first_seen`` and ``absent`` under ``oktalogger:``, the kinds of rules that Sigma does not know."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.model import Absence, FirstSeen
from oktalogger.detections.rules.cases import parse_span
from oktalogger.detections.rules.problems import RuleError

if TYPE_CHECKING:
    from collections.abc import Collection

# Okta keeps its log for 90 days, so a backfill brings no more.
_LONGEST_HISTORY: Final = timedelta(days=90)
_SHORTEST_HISTORY: Final = timedelta(days=1)
_SHORTEST_SILENCE: Final = timedelta(minutes=10)
_DEFAULT_HISTORY: Final = {"first_seen": timedelta(days=30), "absent": timedelta(days=7)}


def read_first_seen(value: Any) -> FirstSeen:
    """Read ``first_seen``: which fields, over which history.

    :raises RuleError: if it cannot be used
    """
    given = _mapping(value, "first_seen", ("fields", "history", "newcomers"))
    fields = _names(given.get("fields"), "first_seen.fields")
    if not fields:
        raise RuleError("`oktalogger.first_seen` needs `fields`, whose combination of values is new")
    newcomers = given.get("newcomers", False)
    if not isinstance(newcomers, bool):
        raise RuleError(f"`oktalogger.first_seen.newcomers` is {newcomers!r}; it must be true or false")
    history = _history(given, "first_seen")
    return FirstSeen(fields=fields, seconds=int(history.total_seconds()), newcomers=newcomers)


def read_absence(value: Any) -> Absence:
    """Read ``absent``: what is expected how often.

    :raises RuleError: if it cannot be used
    """
    given = _mapping(value, "absent", ("after", "group-by", "history"))
    silence = parse_span(given.get("after"), what="oktalogger.absent.after")
    history = _history(given, "absent")
    if not _SHORTEST_SILENCE <= silence < history:
        raise RuleError(
            f"`oktalogger.absent.after` is {given['after']}; it must be 10m or more, and shorter than the `history` "
            "within which such an event must have come before"
        )
    return Absence(
        seconds=int(silence.total_seconds()),
        group_by=_names(given.get("group-by", []), "absent.group-by"),
        history_seconds=int(history.total_seconds()),
    )


def _mapping(value: Any, key: str, known: Collection[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RuleError(f"`oktalogger.{key}` must be a mapping with some of {', '.join(known)}")
    for name in value:
        if name not in known:
            raise RuleError(f"`oktalogger.{key}` has no key `{name}`; it takes {', '.join(known)}")
    return value


def _names(value: Any, what: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise RuleError(f"`oktalogger.{what}` must be a list of the names of fields")
    return tuple(value)


def _history(given: dict[str, Any], key: str) -> timedelta:
    if "history" not in given:
        return _DEFAULT_HISTORY[key]
    history = parse_span(given["history"], what=f"oktalogger.{key}.history")
    if not _SHORTEST_HISTORY <= history <= _LONGEST_HISTORY:
        raise RuleError(f"`oktalogger.{key}.history` is {given['history']}; it must be 1d to 90d")
    return history
