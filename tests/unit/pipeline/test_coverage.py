from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.opensearch.inventory import HourCount
from oktalogger.pipeline.coverage import HourCoverage, coverage
from oktalogger.pipeline.ledger import LedgerEntry
from oktalogger.window import Window, gaps, hours, merge

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)


def minutes(start: int, end: int) -> Window:
    return Window(TEN + timedelta(minutes=start), TEN + timedelta(minutes=end))


def entry(
    window: Window, *, complete: bool = True, filter: str | None = None, late: int = 0, most: float | None = 77.0
) -> LedgerEntry:
    return LedgerEntry(
        id="i",
        org="o",
        kind="scheduled",
        window_start=window.start,
        window_end=window.end,
        filter=filter,
        completed_at=TEN if complete else None,
        counts={"late": late},
        lateness={} if most is None else {"max": most},
    )


class FakeLedger:
    def __init__(self, *entries: LedgerEntry) -> None:
        self._entries = entries

    def entries(self, org: str, within: Window) -> Iterable[LedgerEntry]:
        return self._entries


class FakeCensus:
    def refresh(self) -> bool:
        return True

    def events_by_hour(self, org: str, within: Window) -> Mapping[datetime, HourCount]:
        return {TEN: HourCount(5)}

    def rejected_by_hour(self, org: str, within: Window) -> Mapping[datetime, int]:
        return {TEN + timedelta(hours=1): 2}


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


def test_lateness_is_the_greatest_of_the_loads_that_had_late_events() -> None:
    ledger = FakeLedger(
        entry(minutes(0, 60), late=1, most=0.25),
        entry(minutes(0, 60)),
        entry(minutes(60, 120), late=1, most=None),
        entry(minutes(120, 180), late=1, most=3.0),
        entry(minutes(130, 140), late=1, most=2.0),
    )
    found = coverage(ledger, FakeCensus(), "o", minutes(0, 240))
    assert [hour.max_lateness_seconds for hour in found] == [0.25, 0.0, 3.0, 0.0]
    assert [hour.late for hour in found] == [1, 1, 2, 0]
    assert [hour.events for hour in found] == [5, 0, 0, 0]


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


class Counting(FakeCensus):
    """An OpenSearch that holds so many events of ten o'clock, and so many of them once more elsewhere."""

    def __init__(self, events: int, **strays: int) -> None:
        self._count = HourCount(events, strays)

    def events_by_hour(self, org: str, within: Window) -> Mapping[datetime, HourCount]:
        return {TEN: self._count}

    def rejected_by_hour(self, org: str, within: Window) -> Mapping[datetime, int]:
        return {}


def checked(census: Counting, within: Window, kept: timedelta | None = None) -> HourCoverage:
    full = msgspec.structs.replace(entry(minutes(0, 60)), stored={"2026-11-23T10:00:00Z": 5}, stored_at=TEN)
    (hour,) = coverage(FakeLedger(full), census, "o", within, now=TEN + timedelta(days=40), kept=kept)
    return hour


@pytest.mark.parametrize("within", [minutes(0, 60), minutes(10, 20)])
def test_an_hour_that_holds_less_than_was_stored_is_damaged(within: Window) -> None:
    assert checked(Counting(5), within).state == "complete"
    hour = checked(Counting(4), within)
    assert (hour.state, hour.covered, hour.well, hour.expected) == ("damaged", False, False, 5)
    assert checked(Counting(4, copy=5), within).state == "damaged", "a copy is not what was lost"


def test_documents_in_other_indices_are_counted_and_named() -> None:
    hour = checked(Counting(5, copy=5), minutes(0, 60))
    assert (hour.state, hour.covered, hour.well, hour.events) == ("doubled", True, False, 10)
    assert hour.as_dict()["strays"] == {"copy": 5}


def test_what_retention_deleted_is_said_and_is_well() -> None:
    hour = checked(Counting(0), minutes(0, 60), kept=timedelta(days=30))
    assert (hour.state, hour.well) == ("expired", True)
    assert checked(Counting(0), minutes(0, 60), kept=timedelta(days=50)).state == "damaged"


def test_what_was_first_read_when_okta_no_longer_kept_it_proves_nothing() -> None:
    def state(*entries: LedgerEntry) -> str:
        (hour,) = coverage(FakeLedger(*entries), Counting(0), "o", minutes(0, 60))
        return hour.state

    in_time = entry(minutes(0, 60))
    too_late = msgspec.structs.replace(in_time, completed_at=None, state="older_than_kept")
    half = msgspec.structs.replace(too_late, window_end=minutes(0, 30).end)
    assert state(in_time) == "complete"
    assert state(too_late) == "older than Okta keeps"
    assert state(too_late, in_time) == "complete"
    assert state(half) == state() == "not loaded"
