"""Since when a moment is covered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from oktalogger.pipeline.covered import CoveredTime
from oktalogger.window import Window

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)


def at(minute: float) -> datetime:
    return TEN + timedelta(minutes=minute)


def test_the_first_of_several_loads_says_since_when() -> None:
    covered = CoveredTime([(Window(at(0), at(60)), at(120)), (Window(at(10), at(20)), at(25))])
    assert [covered.since(at(minute)) for minute in (-1, 0, 9.99, 10, 19.99, 20, 59.99, 60)] == [
        *(None, at(120), at(120), at(25), at(25), at(120), at(120), None)
    ]


def test_where_nothing_is_complete_nothing_is_covered() -> None:
    assert CoveredTime().since(at(0)) is None


complete = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 30), st.integers(0, 90)), max_size=12)


@given(complete)
def test_it_is_what_looking_at_each_window_says(some: list[tuple[int, int, int]]) -> None:
    windows = [(Window(at(start), at(start + length)), at(since)) for start, length, since in some]
    covered = CoveredTime(windows)
    for minute in range(-1, 85):
        every = [since for window, since in windows if at(minute) in window]
        assert covered.since(at(minute)) == (min(every) if every else None)
