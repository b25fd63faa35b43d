from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.okta.system_log import SystemLogClient, SystemLogQuery
from oktalogger.opensearch.inventory import HourCount
from oktalogger.pipeline.coverage import Comparison, HourCoverage, compare_with_okta, coverage
from oktalogger.pipeline.ledger import LedgerEntry
from oktalogger.window import Window, gaps, hours, merge
from tests.unit.pipeline.test_load import ScriptedSource, event

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


class Holding(FakeCensus):
    """An OpenSearch that holds these ids."""

    def __init__(self, documents: set[str], rejected: set[str]) -> None:
        self._documents = documents
        self._rejected = rejected
        self.asked: list[set[str]] = []

    def ids(self, org: str, within: Window) -> set[str]:
        assert within == minutes(0, 60)
        return self._documents

    def rejected_among(self, uuids: set[str]) -> set[str]:
        self.asked.append(set(uuids))
        return self._rejected & uuids


class TestComparison:
    """Reading Okta again, uuid by uuid."""

    QUERY = SystemLogQuery(since=minutes(0, 60).start, until=minutes(0, 60).end)

    def compare(self, census: Holding, *pages: list[bytes]) -> Comparison:
        source = ScriptedSource([[msgspec.Raw(raw) for raw in events] for events in pages])
        return compare_with_okta(cast("SystemLogClient", source), census, "o", self.QUERY)

    def test_where_both_hold_the_same_it_is_exact(self) -> None:
        census = Holding({"u-1", "u-2"}, set())
        found = self.compare(census, [bytes(event(1))], [bytes(event(2))])
        assert found == Comparison(minutes(0, 60), 2, (), ())
        assert found.exact
        assert census.asked == [], "nothing is missing, so nothing is asked of the rejected"

    def test_what_is_missing_and_what_okta_does_not_know_are_named(self) -> None:
        found = self.compare(Holding({"u-2", "u-9", "u-8"}, set()), [bytes(event(n)) for n in (3, 2, 1)])
        assert (found.in_okta, found.missing, found.unknown) == (3, ("u-1", "u-3"), ("u-8", "u-9"))
        assert not found.exact
        assert found.as_dict() == {
            "start": "2026-11-23T10:00:00Z",
            "end": "2026-11-23T11:00:00Z",
            "in_okta": 3,
            "missing": ["u-1", "u-3"],
            "unknown": ["u-8", "u-9"],
        }

    def test_either_alone_is_not_exact(self) -> None:
        assert not self.compare(Holding(set(), set()), [bytes(event(1))]).exact
        assert not self.compare(Holding({"u-1"}, set()), []).exact

    def test_what_was_rejected_is_not_missing(self) -> None:
        census = Holding(set(), {"u-1"})
        assert self.compare(census, [bytes(event(1)), bytes(event(2))]).missing == ("u-2",)
        assert census.asked == [{"u-1", "u-2"}]

    def test_an_event_outside_the_window_or_without_an_id_does_not_count_and_one_without_a_time_does(self) -> None:
        outside = bytes(event(1, minutes(60, 61).start))
        found = self.compare(Holding(set(), set()), [outside, b"{}", b'{"uuid": "u-5", "published": "soon"}'])
        assert (found.in_okta, found.missing) == (1, ("u-5",))


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
