"""What an hour has to hold, and when it is damaged: never more than is there, however it was loaded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.pipeline.expected import Damage, damaged_hours, expected_events
from oktalogger.pipeline.ledger import LedgerEntry
from oktalogger.pipeline.stored_events import StoredEvents
from oktalogger.window import Window, format_instant

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
ELEVEN = TEN + timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NOW = TEN + timedelta(days=2)


def minutes(start: float, end: float) -> Window:
    return Window(TEN + start * MINUTE, TEN + end * MINUTE)


def loaded(window: Window, at: int, **stored: int) -> LedgerEntry:
    """Return the entry of a load that was complete so many minutes after ten; hours are called ``h10``, ``h11``."""
    hours = {format_instant(TEN.replace(hour=int(name[1:]))): number for name, number in stored.items()}
    return LedgerEntry(
        id="i",
        org="o",
        kind="scheduled",
        window_start=window.start,
        window_end=window.end,
        completed_at=TEN + at * MINUTE,
        stored=hours,
        stored_at=TEN + at * MINUTE,
    )


def damage(*entries: LedgerEntry, found: int, kept: timedelta | None = None, settling: int = 0) -> list[Damage]:
    return damaged_hours(
        expected_events(entries), {TEN: found}, now=NOW, kept=kept, settling=timedelta(minutes=settling)
    )


def test_windows_that_touch_add_up() -> None:
    both = loaded(minutes(0, 30), 70, h10=3), loaded(minutes(30, 60), 71, h10=4)
    assert damage(*both, found=7) == []
    assert damage(*both, found=6) == [Damage(minutes(0, 60), 7, 6)]


def test_windows_that_touch_add_up_in_whatever_order_they_were_loaded() -> None:
    assert damage(loaded(minutes(0, 30), 71, h10=3), loaded(minutes(30, 60), 70, h10=4), found=6)


def test_an_hour_that_no_count_names_holds_nothing() -> None:
    expected = expected_events([loaded(minutes(0, 60), 2 * 24 * 60 - 1, h10=1)])
    assert damaged_hours(expected, {}, now=NOW) == [Damage(minutes(0, 60), 1, 0)]
    assert damaged_hours(expected, {}, now=NOW, kept=NOW - ELEVEN) == []


def test_windows_that_overlap_do_not() -> None:
    assert damage(loaded(minutes(0, 40), 70, h10=5), loaded(minutes(20, 60), 71, h10=5), found=5) == []


def test_a_newer_reading_takes_the_place_of_older_ones() -> None:
    older = loaded(minutes(0, 30), 70, h10=300), loaded(minutes(30, 60), 71, h10=4)
    assert damage(*older, loaded(minutes(0, 60), 90, h10=5), found=5) == [], "what Okta no longer has"


def test_a_window_over_several_hours_is_told_apart_by_hours() -> None:
    found = expected_events([loaded(minutes(30, 90), 100, h10=2, h11=9)])
    assert {hour: one.events for hour, one in found.items()} == {TEN: 2, ELEVEN: 9}
    assert (found[TEN].window, found[ELEVEN].window) == (minutes(30, 60), minutes(60, 90))


@pytest.mark.parametrize(
    "entry",
    [
        LedgerEntry(id="i", org="o", kind="manual", window_start=TEN, window_end=ELEVEN, completed_at=TEN),
        LedgerEntry(
            id="i",
            org="o",
            kind="manual",
            window_start=TEN,
            window_end=ELEVEN,
            completed_at=TEN,
            stored_at=TEN,
            stored={"2026-11-23T10:00:00Z": 5},
            filter="x",
        ),
    ],
    ids=["of an older version", "filtered"],
)
def test_what_says_nothing_of_the_whole_hour_expects_nothing(entry: LedgerEntry) -> None:
    assert expected_events([entry]) == {}
    assert expected_events([entry, loaded(minutes(0, 60), 70, h10=5)])[TEN].events == 5


def test_what_retention_deleted_is_no_damage() -> None:
    entry = loaded(minutes(0, 60), 70, h10=5)
    old_enough = NOW - ELEVEN
    assert damage(entry, found=0, kept=old_enough) == []
    assert damage(entry, found=0, kept=old_enough + MINUTE), "it was still to be kept"
    assert damage(entry, found=4, kept=old_enough), "retention deletes whole months"
    assert damage(entry, found=0, kept=None), "all is kept for ever"


def test_what_may_not_be_visible_yet_is_no_damage() -> None:
    entry = loaded(minutes(0, 60), 48 * 60 - 1, h10=5)
    assert damage(entry, found=0, settling=2) == []
    assert damage(entry, found=0, settling=1)


class TestStoredEvents:
    def test_what_lies_outside_the_window_belongs_to_another(self) -> None:
        stored = StoredEvents(minutes(5, 10))
        for minute in (4, 5, 9.99, 10):
            stored.add(TEN + minute * MINUTE)
        assert stored.counts() == {"2026-11-23T10:00:00Z": 2}

    def test_a_day_has_its_hours(self) -> None:
        stored = StoredEvents(minutes(0, 24 * 60))
        for hour in range(24):
            for _ in range(hour + 1):
                stored.add(TEN + hour * 60 * MINUTE)
        assert sorted(stored.counts().values()) == list(range(1, 25))

    def test_hours_may_come_in_any_order(self) -> None:
        stored = StoredEvents(minutes(0, 24 * 60))
        for hour in (*range(24), 0):
            stored.add(TEN + hour * 60 * MINUTE)
        assert stored.counts()["2026-11-23T10:00:00Z"] == 2
        assert sum(stored.counts().values()) == 25


loads = st.lists(
    st.tuples(st.integers(0, 110), st.integers(1, 120), st.integers(0, 3), st.lists(st.integers(0, 40), max_size=40)),
    max_size=12,
)


@given(events=st.lists(st.integers(0, 119), max_size=40), some=loads)
def test_nothing_that_loads_do_to_each_other_looks_like_damage(
    events: list[int], some: list[tuple[int, int, int, list[int]]]
) -> None:
    """Windows overlap, overlaps read twice, Okta publishes some events late: all of it is there."""
    published = {f"u-{number}": TEN + minute * MINUTE for number, minute in enumerate(events)}
    there: set[str] = set()
    entries = []
    for number, (start, length, overlap, late) in enumerate(some):
        window = minutes(start, start + length)
        reads = Window(window.start - overlap * MINUTE, window.end)
        stored = StoredEvents(window)
        shown = [uuid for index, (uuid, at) in enumerate(published.items()) if at in reads and index not in late]
        for uuid in shown:
            there.add(uuid)
            stored.add(published[uuid])
        entry = loaded(window, number)
        entries.append(
            LedgerEntry(
                **{name: getattr(entry, name) for name in entry.__struct_fields__} | {"stored": stored.counts()}
            )
        )
    found: dict[datetime, int] = {}
    for uuid in there:
        hour = published[uuid].replace(minute=0)
        found[hour] = found.get(hour, 0) + 1
    assert damaged_hours(expected_events(entries), found, now=NOW) == []
