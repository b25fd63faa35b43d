"""Reads the keys under ``oktalogger:`` that make kinds of rules which Sigma does not know, or move a severity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.criteria import Absence, FirstSeen, RiskSum
from oktalogger.detections.model import SEVERITIES
from oktalogger.detections.rules.cases import parse_span
from oktalogger.detections.rules.problems import RuleError

if TYPE_CHECKING:
    from collections.abc import Collection

    from oktalogger.setting_readers import Severity

# Okta keeps its log for 90 days, so a backfill brings no more.
_LONGEST_HISTORY: Final = timedelta(days=90)
_SHORTEST_HISTORY: Final = timedelta(days=1)
_SHORTEST_SILENCE: Final = timedelta(minutes=10)
_MOST_CHANGES: Final = 4
_LEVELS: Final = ", ".join(SEVERITIES)
_DEFAULT_HISTORY: Final = {"first_seen": timedelta(days=30), "absent": timedelta(days=7)}


@dataclass(frozen=True, slots=True)
class SeverityChange:
    """Another severity than the rule's `level`, and when it is so.

    :param level: the severity
    :param when: a selection of Sigma
    """

    level: Severity
    when: Any


def read_severity_changes(value: Any) -> tuple[SeverityChange, ...]:
    """Read ``severity``: other severities than `level`, and when each is so. The first that is so counts.

    :raises RuleError: if it cannot be used
    """
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_CHANGES:
        raise RuleError(
            f"`oktalogger.severity` must be a list of 1 to {_MOST_CHANGES} mappings with `level` and `when`"
        )
    changes = []
    for given in value:
        if not isinstance(given, dict) or set(given) != {"level", "when"}:
            raise RuleError("each of `oktalogger.severity` is a mapping with `level` and `when`")
        if given["level"] not in SEVERITIES:
            raise RuleError(f"a `level` of `oktalogger.severity` is {given['level']!r}; it must be one of {_LEVELS}")
        changes.append(SeverityChange(given["level"], given["when"]))
    if len({change.level for change in changes}) < len(changes):
        raise RuleError("`oktalogger.severity` has a `level` twice; join what leads to it in one `when`, as a list")
    return tuple(changes)


def read_risk(value: Any) -> int:
    """Read ``risk``: how much a finding adds to the risk of its actor.

    :raises RuleError: if it cannot be used
    """
    return _number(value, "risk", 1, 100)


def read_risk_sum(value: Any) -> RiskSum:
    """Read ``risk_sum``: from which sum of risk on an actor is a finding itself.

    :raises RuleError: if it cannot be used
    """
    given = _mapping(value, "risk_sum", ("at_least", "rules"))
    at_least = _number(given.get("at_least"), "risk_sum.at_least", 1, 10_000)
    return RiskSum(at_least=at_least, rules=_number(given.get("rules", 2), "risk_sum.rules", 1, 100))


def _number(value: Any, what: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise RuleError(f"`oktalogger.{what}` is {value!r}; it must be a whole number from {least} to {most}")
    return value


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
