"""Reads the test cases of a rule: which events must make it fire, and which must not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.model import SEVERITIES
from oktalogger.detections.rules.problems import RuleError

if TYPE_CHECKING:
    from oktalogger.detections.rules.yaml_source import YamlDocument

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SPAN: Final = re.compile(r"(\d{1,6})([smhd])")
_CASE_KEYS: Final = frozenset({"name", "match", "severity", "assumed", "event", "events"})
_STEP_KEYS: Final = frozenset({"event", "repeat", "every", "after", "loaded_after"})
MOST_EVENTS: Final = 5000


@dataclass(frozen=True, slots=True)
class CaseEvents:
    """Events of one kind in a test case.

    :param event: the fields that differ from an ordinary event; ``{n}`` in a text is the number of the repetition
    :param repeat: how many such events there are
    :param every: the time between two events
    :param after: the time from the start of the case to the first event's ``published``
    :param loaded_after: the time from each event's ``published`` to its load
    """

    event: dict[str, Any]
    repeat: int = 1
    every: timedelta = timedelta(seconds=1)
    after: timedelta = timedelta(0)
    loaded_after: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Case:
    """One test case of a rule.

    :param name: one phrase that says what it shows
    :param match: whether the rule must fire
    :param steps: its events
    :param line: where it stands in the rule's file
    :param severity: with which severity it must fire, where the rule's severity moves; empty for any
    :param is_assumed: whether neither Okta's catalogue nor a public sample shows an event of this shape
    """

    name: str
    match: bool
    steps: tuple[CaseEvents, ...]
    line: int
    is_assumed: bool = False
    severity: str = ""


def parse_span(value: Any, *, what: str) -> timedelta:
    """Read a time span like ``30s``, ``10m``, ``2h`` or ``1d``.

    :param what: its key in the rule, for the message
    :raises RuleError: if it is not a time span
    """
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise RuleError(f"`{what}` is {value!r}; write a time span like 30s, 10m, 2h or 1d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def parse_cases(document: YamlDocument, tests: Any) -> tuple[Case, ...]:
    """Read `oktalogger.tests`.

    :raises RuleError: if a part of it cannot be used, with its line
    """
    if not isinstance(tests, list):
        raise RuleError("`oktalogger.tests` must be a list of test cases", document.line("oktalogger", "tests"))
    return tuple(_case(document, number, given) for number, given in enumerate(tests))


def _case(document: YamlDocument, number: int, given: Any) -> Case:
    line = document.line("oktalogger", "tests", number)
    if not isinstance(given, dict):
        raise RuleError("a test case is a mapping with `name`, `match` and `event` or `events`", line)
    if unknown := set(map(str, given)) - _CASE_KEYS:
        raise RuleError(
            f"a test case has no key `{min(unknown)}`; it takes name, match, severity, assumed, event, events",
            document.line("oktalogger", "tests", number, min(unknown)),
        )
    name = given.get("name")
    if not isinstance(name, str) or not name.strip():
        raise RuleError("a test case needs a `name` that says what it shows", line)
    if not isinstance(given.get("match"), bool):
        raise RuleError(f"the test case {name!r} needs `match: true` or `match: false`", line)
    assumed = given.get("assumed", False)
    if not isinstance(assumed, bool):
        raise RuleError(f"`assumed` of the test case {name!r} is {assumed!r}; it must be true or false", line)
    severity = given.get("severity", "")
    if severity and (severity not in SEVERITIES or not given["match"]):
        raise RuleError(
            f"`severity` of the test case {name!r} is {severity!r}; it is one of {', '.join(SEVERITIES)}, for a case "
            "with `match: true`",
            document.line("oktalogger", "tests", number, "severity"),
        )
    if ("event" in given) == ("events" in given):
        raise RuleError(f"the test case {name!r} needs either `event` or `events`", line)
    held = [{"event": given["event"]}] if "event" in given else given["events"]
    if not isinstance(held, list) or not held:
        raise RuleError(f"`events` of the test case {name!r} must be a list of steps, each with an `event`", line)
    try:
        steps = tuple(_step(step) for step in held)
    except RuleError as error:
        raise RuleError(f"in the test case {name!r}: {error}", line) from None
    if sum(step.repeat for step in steps) > MOST_EVENTS:
        raise RuleError(f"the test case {name!r} has more than {MOST_EVENTS} events", line)
    return Case(name, given["match"], steps, line, assumed, severity)


def _step(given: Any) -> CaseEvents:
    if not isinstance(given, dict) or not isinstance(given.get("event"), dict):
        raise RuleError("each of `events` is a mapping with an `event`, which is a mapping of Okta's fields")
    if unknown := set(map(str, given)) - _STEP_KEYS:
        raise RuleError(f"`events` has no key `{min(unknown)}`; it takes event, repeat, every, after, loaded_after")
    if not isinstance(given["event"].get("eventType"), str):
        raise RuleError("the event needs an `eventType`")
    repeat = given.get("repeat", 1)
    if not isinstance(repeat, int) or isinstance(repeat, bool) or repeat < 1:
        raise RuleError(f"`repeat` is {repeat!r}; write how many events there are")
    spans = {name: parse_span(given[name], what=name) for name in ("every", "after", "loaded_after") if name in given}
    return CaseEvents(event=given["event"], repeat=repeat, **spans)
