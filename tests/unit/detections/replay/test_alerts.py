"""What people are told of matches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from local.standins.monitors import detection_id
from oktalogger.detections.replay.alerts import Alert
from oktalogger.detections.replay.matches import Match
from oktalogger.detections.replay.report import MOST_PARTS, merge_rows, replay_windows, rows_text
from oktalogger.window import Window
from tests.unit.detections.bundles import detection

AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def match(number: int, **changes: Any) -> Match:
    """A match of a single event, a minute after the one before."""
    at = AT + timedelta(minutes=number)
    values: dict[str, Any] = {
        "id": str(number),
        "org": "example.okta.com",
        "first": at,
        "last": at,
        "events": 1,
        "values": None,
        "group": {},
        "event_id": f"event-{number}",
        "example": f"test.rule by ada-{number}",
    }
    return Match(**values | changes)


def test_says_what_happened_what_it_means_and_what_to_do() -> None:
    text = Alert(detection(1), "soc", (match(1),)).text
    assert text.splitlines()[0] == "[Okta, high] Rule 1"
    assert "- 2026-11-20T10:01:00Z example.okta.com: test.rule by ada-1" in text
    assert "What rule 1 finds." in text
    assert "Ask the person." in text


def test_names_the_group_and_how_many_there_were() -> None:
    counted = match(1, last=AT + timedelta(minutes=9), events=12, values=5, group={"client.ipAddress": "192.0.2.1"})
    text = Alert(detection(1), "soc", (counted,)).text
    assert "2026-11-20T10:01:00Z to 2026-11-20T10:09:00Z" in text
    assert "[client.ipAddress=192.0.2.1]: 5 different values in 12 events, for example: test.rule by ada-1" in text


def test_a_flood_is_cut() -> None:
    text = Alert(detection(1), "soc", tuple(match(number) for number in range(25))).text
    assert "(25 matches)" in text
    assert text.count("test.rule by") == 10
    assert "and 15 more" in text


def test_templates_see_plain_values() -> None:
    values = Alert(detection(1), "soc", (match(3), match(1))).as_dict()
    assert values["first"] == "2026-11-20T10:01:00Z"
    assert values["detection_id"] == detection_id(1)
    assert values["matches"] == 2


def cut(days: float, rules: int, start: datetime = AT) -> list[Window]:
    return list(replay_windows(Window(start, start + timedelta(days=days)), rules=rules))


def test_a_range_is_cut_at_midnight() -> None:
    windows = cut(2, rules=3)
    assert [window.start.hour for window in windows] == [10, 0, 0]
    assert [window.end.hour for window in windows] == [0, 0, 10]
    assert len(cut(1, rules=1, start=AT.replace(hour=0))) == 1


def test_the_parts_are_the_range_and_never_too_many() -> None:
    for days, rules in ((90, 33), (0.01, 5), (400, 500), (1, 1), (25, 40), (1000, 1)):
        windows = cut(days, rules)
        assert windows[0].start == AT
        assert windows[-1].end == AT + timedelta(days=days)
        assert all(one.end == other.start for one, other in pairwise(windows))
        assert len(windows) * rules <= MOST_PARTS


def row(rule: str, **changes: Any) -> dict[str, Any]:
    empty = {"matches": 0, "more": False, "new": 0, "first": None, "last": None, "example": None}
    return {"id": rule, "rule": rule, "title": rule, "severity": "low", **empty, **changes}


def test_the_rows_of_a_rule_are_put_together() -> None:
    rows = [
        row("a"),
        row("b", matches=2, new=1, first="2026-11-02", last="2026-11-02", example="second"),
        row("b", matches=1, first="2026-11-01", last="2026-11-01", example="first", more=True),
    ]
    merged = merge_rows(rows)
    assert [(one["rule"], one["matches"]) for one in merged] == [("b", 3), ("a", 0)]
    assert (merged[0]["first"], merged[0]["last"], merged[0]["new"]) == ("2026-11-01", "2026-11-02", 1)
    lines = rows_text(merged).splitlines()
    assert lines[0].split() == ["rule", "severity", "matches", "new", "first", "last", "example"]
    assert lines[1].split() == ["b", "low", "3+", "1", "2026-11-01", "2026-11-02", "second"]
    assert lines[2].split() == ["a", "low", "0", "0", "-", "-", "-"]
