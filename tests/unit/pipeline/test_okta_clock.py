"""A clock here that is ahead must not make a window complete before it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from oktalogger.okta.system_log import Page, SystemLogQuery
from oktalogger.pipeline.document import Stamp
from oktalogger.pipeline.load import LoadPlan, load_window
from oktalogger.pipeline.load_result import LoadResult
from oktalogger.pipeline.okta_clock import TooEarlyError, ripe_pages
from oktalogger.window import Window
from tests.unit.pipeline.loading import MemoryStore, event, page

if TYPE_CHECKING:
    from collections.abc import Iterator

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
WINDOW = Window(TEN, TEN + timedelta(minutes=5))
HOLD_BACK = timedelta(seconds=30)


class Okta:
    """Has an event every ten seconds, each readable three seconds later, and a clock of its own."""

    def __init__(self, now: datetime, *, tells_the_time: bool = True) -> None:
        self.now = now
        self.tells_the_time = tells_the_time
        self.asked: list[datetime] = []

    def pages(self, query: SystemLogQuery, *, resume_from: str | None = None) -> Iterator[Page]:
        self.asked.append(self.now)
        instants = [TEN + timedelta(seconds=10 * number) for number in range(30)]
        known = [event(number, at) for number, at in enumerate(instants) if at + timedelta(seconds=3) <= self.now]
        answered_at = self.now.replace(microsecond=0) if self.tells_the_time else None
        yield replace(page(1, known, last=True), answered_at=answered_at)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def load(okta: Okta, *, ahead: float, hold_back: timedelta = HOLD_BACK) -> tuple[LoadResult, MemoryStore]:
    stamp = Stamp(org="example.okta.com", window=WINDOW, run_id="run-1", kind="scheduled")
    store = MemoryStore()
    plan = LoadPlan(stamp, hold_back=hold_back)
    result = load_window(okta, store, plan, wait=okta.wait, clock=lambda: okta.now + timedelta(seconds=ahead))
    return result, store


def test_with_a_clock_a_minute_ahead_the_last_events_are_waited_for() -> None:
    okta = Okta(WINDOW.end - timedelta(seconds=30))
    result, store = load(okta, ahead=60)
    assert len(store.documents) == 30
    assert okta.asked == [WINDOW.end - timedelta(seconds=30), WINDOW.end + timedelta(seconds=28)]
    assert (result.requests, result.waited_seconds) == (2, 58.5)
    assert "Okta's clock" in result.notes[0]


@pytest.mark.parametrize("after", [28, 30, 3600])
def test_a_window_that_waited_for_its_hold_back_costs_one_request(after: int) -> None:
    okta = Okta(WINDOW.end + timedelta(seconds=after))
    result, store = load(okta, ahead=0)
    assert (len(store.documents), result.requests, result.notes) == (30, 1, [])


def test_without_a_hold_back_a_window_still_has_to_be_over() -> None:
    okta = Okta(WINDOW.end - timedelta(seconds=20))
    load(okta, ahead=60, hold_back=timedelta(0))
    assert okta.asked[-1] == WINDOW.end


def test_where_okta_tells_no_time_ours_has_to_do() -> None:
    okta = Okta(WINDOW.end - timedelta(seconds=30), tells_the_time=False)
    _, store = load(okta, ahead=60)
    assert len(store.documents) == 27


def test_a_clock_that_is_hours_ahead_fails_the_load_and_says_so() -> None:
    okta = Okta(TEN)
    with pytest.raises(TooEarlyError, match=r"this machine's clock is ahead\. Set it right"):
        load(okta, ahead=7200)
    assert len(okta.asked) == 1


@pytest.mark.parametrize(("early", "waits"), [(60, [60]), (59.5, [60]), (0.4, [1])])
def test_the_longest_wait_is_one_and_parts_of_a_second_are_waited_for_whole(early: float, waits: list[int]) -> None:
    answered = [TEN - timedelta(seconds=early), TEN]
    waited: list[float] = []
    pages = list(
        ripe_pages(
            lambda: iter([replace(page(1, [], last=True), answered_at=answered.pop(0))]),
            TEN,
            longest=timedelta(seconds=60),
            waiting=lambda _, seconds: waited.append(seconds),
        )
    )
    assert waited == waits
    assert [page.answered_at for page in pages] == [TEN]


def test_a_reading_without_a_page_ends() -> None:
    assert list(ripe_pages(lambda: iter([]), TEN, longest=timedelta(0), waiting=lambda *_: None)) == []
