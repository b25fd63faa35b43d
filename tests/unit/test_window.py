from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.window import Window, WindowError, format_instant, parse_instant, resolve_window, understood

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)


def test_a_window_holds_its_start_and_not_its_end() -> None:
    window = Window(TEN, TEN + FIVE_MINUTES)
    assert TEN in window
    assert TEN + FIVE_MINUTES - timedelta(microseconds=1) in window
    assert TEN + FIVE_MINUTES not in window
    assert TEN - timedelta(microseconds=1) not in window
    assert str(window) == "[2026-11-23T10:00:00Z, 2026-11-23T10:05:00Z)"


def test_a_window_is_kept_in_utc() -> None:
    window = Window(datetime(2026, 11, 23, 11, tzinfo=timezone(timedelta(hours=1))), TEN + FIVE_MINUTES)
    assert window == Window(TEN, TEN + FIVE_MINUTES)
    assert window.start.tzinfo is UTC


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [
        (TEN, TEN, "not before its end"),
        (TEN + FIVE_MINUTES, TEN, "Give a `since` before `until`"),
        (TEN, datetime.max.replace(tzinfo=UTC), "end 9999-.* is at the edge of the calendar"),
        (TEN.replace(tzinfo=None), TEN, "start 2026-11-23T10:00:00 has no time zone"),
    ],
)
def test_a_window_that_is_none_is_refused(start: datetime, end: datetime, sentence: str) -> None:
    with pytest.raises(WindowError, match=sentence):
        Window(start, end)


@given(
    length=st.integers(1, 10_000_000).map(lambda seconds: timedelta(seconds=seconds)),
    width=st.integers(1_000, 10_000_000).map(lambda seconds: timedelta(seconds=seconds)),
)
def test_parts_of_a_window_touch_and_cover_it(length: timedelta, width: timedelta) -> None:
    whole = Window(TEN, TEN + length)
    parts = list(whole.split(width))
    assert parts[0].start == whole.start
    assert parts[-1].end == whole.end
    assert all(one.end == other.start for one, other in itertools.pairwise(parts))
    assert all(part.duration == width for part in parts[:-1])
    assert timedelta(0) < parts[-1].duration <= width


@pytest.mark.parametrize("width", [timedelta(0), timedelta(seconds=-1)])
def test_a_window_cannot_be_cut_into_nothing(width: timedelta) -> None:
    with pytest.raises(WindowError, match="cannot be cut"):
        list(Window(TEN, TEN + FIVE_MINUTES).split(width))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-23T10:00:00Z", TEN),
        ("2026-11-23T10:00:00", TEN),
        (" 2026-11-23T11:00:00+01:00 ", TEN),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
    ],
)
def test_instants_are_read(text: str, instant: datetime) -> None:
    assert parse_instant(text, name="since") == instant


def test_an_instant_that_is_none_is_named_with_an_example() -> None:
    with pytest.raises(WindowError, match=r"since='yesterday' is not a date and time. Write it like 2026-"):
        parse_instant("yesterday", name="since")


def test_instants_are_written_as_okta_does() -> None:
    assert format_instant(TEN) == "2026-11-23T10:00:00Z"
    assert format_instant(TEN + timedelta(milliseconds=7)) == "2026-11-23T10:00:00.007Z"


class TestWhichWindowARunHas:
    def test_params_come_first(self) -> None:
        window = resolve_window("2026-11-23T08:00:00Z", "2026-11-23T09:00:00Z", TEN, TEN + FIVE_MINUTES)
        assert window == Window(TEN - timedelta(hours=2), TEN - timedelta(hours=1))

    @pytest.mark.parametrize("absent", [None, ""])
    def test_then_the_data_interval(self, absent: str | None) -> None:
        assert resolve_window(absent, absent, TEN, TEN + FIVE_MINUTES) == Window(TEN, TEN + FIVE_MINUTES)

    def test_one_param_alone_is_an_error_even_with_a_data_interval(self) -> None:
        with pytest.raises(WindowError, match="`since` was given without `until`"):
            resolve_window("2026-11-23T08:00:00Z", None, TEN, TEN + FIVE_MINUTES)
        with pytest.raises(WindowError, match="`until` was given without `since`"):
            resolve_window(None, "2026-11-23T08:00:00Z", TEN, TEN + FIVE_MINUTES)

    def test_no_data_interval_says_which_params_to_give(self) -> None:
        with pytest.raises(WindowError, match=r"no data interval.*`since` and `until`.*\"since\": \"2026"):
            resolve_window(None, None, None, None)

    def test_a_window_of_airflows_own_instants_keeps_its_time_zone(self) -> None:
        pendulum = pytest.importorskip("pendulum")
        start = pendulum.datetime(2026, 11, 23, 10)
        window = resolve_window(None, None, start, start.add(minutes=5))
        assert (window.end + timedelta(seconds=30)).utcoffset() == timedelta(0)

    def test_an_empty_data_interval_names_the_timetable(self) -> None:
        with pytest.raises(WindowError, match="CronDataIntervalTimetable"):
            resolve_window(None, None, TEN, TEN)


class TestTheWindowThatARunWasMadeFor:
    def test_params_of_another_window_are_refused(self) -> None:
        with pytest.raises(WindowError, match=r"\[2026-11-23T10:00:00Z, .*name \[2026-11-23T08:00:00Z, "):
            resolve_window("2026-11-23T08:00:00Z", "2026-11-23T08:05:00Z", TEN, TEN + FIVE_MINUTES, fixed=True)
        with pytest.raises(WindowError, match="no other"):
            resolve_window("2026-11-23T10:00:00Z", "2026-11-23T10:04:00Z", TEN, TEN + FIVE_MINUTES, fixed=True)

    def test_params_of_the_same_window_pass(self) -> None:
        window = resolve_window("2026-11-23T10:00:00Z", "2026-11-23T10:05:00Z", TEN, TEN + FIVE_MINUTES, fixed=True)
        assert window == Window(TEN, TEN + FIVE_MINUTES)

    def test_without_params_it_is_the_data_interval(self) -> None:
        assert resolve_window(None, None, TEN, TEN + FIVE_MINUTES, fixed=True) == Window(TEN, TEN + FIVE_MINUTES)


class TestPartsOfAMillisecond:
    """Okta publishes by the millisecond: the events of a window are those of the whole milliseconds in it."""

    @given(st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 3))
    def test_the_same_events_belong_to_it(self, start: int, length: int, event: int) -> None:
        begins, ends = (TEN + timedelta(microseconds=number) for number in (start, start + length + 1000))
        window = Window(begins, ends)
        assert window.start.microsecond % 1000 == window.end.microsecond % 1000 == 0
        published = TEN + timedelta(milliseconds=event)
        assert (published in window) == (begins <= published < ends)

    def test_windows_that_touch_still_do(self) -> None:
        border = TEN + timedelta(microseconds=123_456)
        first, second = Window(TEN, border), Window(border, TEN + FIVE_MINUTES)
        assert first.end == second.start == TEN + timedelta(milliseconds=124)
        assert str(second) == "[2026-11-23T10:00:00.124Z, 2026-11-23T10:05:00Z)"

    def test_one_without_a_whole_millisecond_is_refused(self) -> None:
        with pytest.raises(WindowError, match="not before its end"):
            Window(TEN + timedelta(microseconds=1), TEN + timedelta(microseconds=2))


class TestUnderstood:
    WINDOW = Window(TEN, TEN + timedelta(days=1))
    NOW = TEN + timedelta(days=3, hours=5, minutes=7)

    def test_in_utc_it_says_how_long_ago_that_is(self) -> None:
        assert understood(self.WINDOW, now=self.NOW, zone="UTC") == (
            "2026-11-23T10:00:00Z to 2026-11-24T10:00:00Z, so from 3 days 5 hours to 2 days 5 hours ago"
        )

    def test_in_another_zone_it_names_both(self) -> None:
        said = understood(self.WINDOW, now=self.NOW, zone="America/New_York")
        assert "(2026-11-23 05:00 EST to 2026-11-24 05:00 EST in America/New_York)" in said

    @pytest.mark.parametrize("zone", ["system", "../etc/passwd", ""])
    def test_a_zone_that_nobody_knows_is_left_out(self, zone: str) -> None:
        assert "(" not in understood(self.WINDOW, now=self.NOW, zone=zone)

    def test_the_end_may_be_now(self) -> None:
        assert understood(self.WINDOW, now=self.WINDOW.end, zone="UTC").endswith("from 1 day to 0 minutes ago")


def test_params_need_a_time_zone() -> None:
    with pytest.raises(WindowError, match="since='2026-11-23T10:00:00' has no time zone"):
        resolve_window("2026-11-23T10:00:00", "2026-11-23T10:05:00Z", None, None, zoned=True)
    window = resolve_window("2026-11-23T05:00:00-05:00", "2026-11-23T10:05:00Z", None, None, zoned=True)
    assert window == Window(TEN, TEN + FIVE_MINUTES)
