from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from oktalogger.pipeline.coverage import coverage, hours
from oktalogger.pipeline.ledger import LedgerEntry
from oktalogger.window import Window, gaps, merge

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)


def minutes(start: int, end: int) -> Window:
    return Window(TEN + timedelta(minutes=start), TEN + timedelta(minutes=end))


def entry(window: Window, *, complete: bool = True, filter: str | None = None, late: int = 0) -> LedgerEntry:
    return LedgerEntry(
        id="i",
        org="o",
        kind="scheduled",
        window_start=window.start,
        window_end=window.end,
        filter=filter,
        completed_at=TEN if complete else None,
        counts={"late": late},
        lateness={"max": 77.0},
    )


class FakeLedger:
    def __init__(self, *entries: LedgerEntry) -> None:
        self._entries = entries

    def entries(self, org: str, within: Window) -> Iterable[LedgerEntry]:
        return self._entries


class FakeCensus:
    def events_by_hour(self, org: str, within: Window) -> Mapping[datetime, int]:
        return {TEN: 5}

    def rejected_by_hour(self, org: str, within: Window) -> Mapping[datetime, int]:
        return {TEN + timedelta(hours=1): 2}

    def ids(self, org: str, within: Window) -> set[str]:
        raise NotImplementedError

    def rejected_among(self, uuids: set[str]) -> set[str]:
        raise NotImplementedError


def test_an_hour_is_covered_by_any_windows_that_touch() -> None:
    ledger = FakeLedger(entry(minutes(0, 25)), entry(minutes(20, 60)), entry(minutes(-60, 5), late=3))
    (hour,) = coverage(ledger, FakeCensus(), "o", minutes(0, 60))
    assert hour.covered
    assert (hour.events, hour.rejected, hour.late) == (5, 0, 0)


def test_a_window_that_was_never_complete_or_was_filtered_covers_nothing() -> None:
    ledger = FakeLedger(
        entry(minutes(0, 20)), entry(minutes(20, 40), complete=False), entry(minutes(40, 60), filter="x")
    )
    (hour,) = coverage(ledger, FakeCensus(), "o", minutes(0, 60))
    assert not hour.covered
    assert hour.missing == (minutes(20, 60),)
    assert hour.as_dict()["missing"] == [["2026-11-23T10:20:00Z", "2026-11-23T11:00:00Z"]]


def test_late_events_are_counted_in_the_hour_of_their_window() -> None:
    ledger = FakeLedger(entry(minutes(0, 60), late=2), entry(minutes(60, 120), late=1), entry(minutes(5, 10), late=1))
    first, second = coverage(ledger, FakeCensus(), "o", minutes(0, 120))
    assert (first.late, second.late) == (3, 1)
    assert (first.max_lateness_seconds, second.rejected) == (77.0, 2)


def test_hours_are_cut_at_full_hours() -> None:
    assert list(hours(minutes(30, 150))) == [minutes(30, 60), minutes(60, 120), minutes(120, 150)]


windows = st.lists(st.tuples(st.integers(-10, 100), st.integers(1, 30)).map(lambda t: minutes(t[0], t[0] + t[1])))


@given(windows, st.integers(-5, 90))
def test_gaps_are_just_the_minutes_that_nothing_covers(covered: list[Window], start: int) -> None:
    whole = minutes(start, start + 20)
    missing = gaps(whole, covered)
    for minute in range(start, start + 20):
        instant = TEN + timedelta(minutes=minute)
        assert any(instant in gap for gap in missing) == (not any(instant in window for window in covered))
    assert missing == merge(missing)
