from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.okta.rate_budget import RateBudget, Share
from oktalogger.okta.rate_limit import RateLimit

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Bucket:
    """Okta's counter as documented: a fixed number a minute, in minutes that begin at some second of the clock."""

    def __init__(self, limit: int, *, offset: float = 0.0) -> None:
        self.limit = limit
        self.offset = offset
        self.now = 0.0
        self.used: dict[int, int] = {}
        self.violations = 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> float:
        return self.now

    @property
    def minute(self) -> int:
        return int((self.now + self.offset) // 60)

    def ask(self, seconds: float = 0.2) -> RateLimit:
        minute = self.minute
        self.used[minute] = self.used.get(minute, 0) + 1
        remaining = self.limit - self.used[minute]
        if remaining <= 0:
            self.violations += 1
        ends = (minute + 1) * 60 - self.offset
        # Both are told in whole seconds.
        limit = RateLimit(
            limit=self.limit,
            remaining=max(0, remaining),
            reset=NOON + timedelta(seconds=int(ends)),
            date=NOON + timedelta(seconds=int(self.now)),
        )
        self.now += seconds
        return limit


def budget(bucket: Bucket, share: Share) -> RateBudget:
    return RateBudget(share, sleep=bucket.sleep, clock=bucket.clock, jitter=lambda low, high: high)


def run(bucket: Bucket, gate: RateBudget, requests: int) -> None:
    for _ in range(requests):
        gate.before_request()
        gate.after_response(bucket.ask())


@pytest.mark.parametrize(("limit", "part", "expected"), [(120, 0.5, 60), (60, 0.25, 15), (20, 0.25, 5), (20, 0.01, 1)])
def test_a_task_uses_its_share_and_no_more(limit: int, part: float, expected: int) -> None:
    bucket = Bucket(limit)
    run(bucket, budget(bucket, Share(part)), expected * 5)
    assert max(bucket.used.values()) == expected
    assert bucket.now < 5 * 65


def test_tasks_of_a_kind_divide_its_share() -> None:
    bucket = Bucket(120)
    run(bucket, budget(bucket, Share(0.5, among=4)), 30)
    assert max(bucket.used.values()) == 15


def test_a_quiet_window_waits_for_nothing() -> None:
    bucket = Bucket(20)
    gate = budget(bucket, Share(0.25))
    run(bucket, gate, 1)
    assert gate.waits == 0


def test_one_wait_lasts_until_the_reset() -> None:
    bucket = Bucket(20, offset=17.3)
    gate = budget(bucket, Share(0.25))
    run(bucket, gate, 6)
    assert gate.waits == 1
    assert bucket.used == {0: 5, 1: 1}


def test_the_last_request_is_never_taken_whatever_others_use() -> None:
    bucket = Bucket(20)
    bucket.used = {0: 18}
    gate = budget(bucket, Share(1.0))
    run(bucket, gate, 3)
    assert bucket.used == {0: 19, 1: 2}
    assert bucket.violations == 0


def test_a_reserve_stays_for_more_important_work() -> None:
    bucket = Bucket(100)
    bucket.used = {0: 40}
    run(bucket, budget(bucket, Share(0.25, reserve=0.5)), 20)
    assert bucket.used[0] == 50


def test_numbers_of_a_concurrency_violation_are_not_those_of_the_bucket() -> None:
    bucket = Bucket(100)
    gate = budget(bucket, Share(0.5))
    run(bucket, gate, 1)
    gate.after_response(RateLimit(limit=0, remaining=0, reset=NOON + timedelta(seconds=600)))
    gate.after_response(None)
    run(bucket, gate, 10)
    assert gate.waits == 0


@pytest.mark.parametrize(
    "wrong", [{"part": 0.0}, {"part": 1.1}, {"part": 0.5, "among": 0}, {"part": 0.5, "reserve": 1}]
)
def test_a_share_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="is no share"):
        Share(**wrong)  # type: ignore[arg-type]


@given(
    limit=st.integers(3, 200),
    part=st.floats(0.01, 1.0),
    offset=st.floats(0, 59),
    others=st.lists(st.integers(0, 30), max_size=30),
)
def test_no_mixture_with_other_programs_makes_us_cause_a_violation(
    limit: int, part: float, offset: float, others: list[int]
) -> None:
    bucket = Bucket(limit, offset=offset)
    gate = budget(bucket, Share(part))
    for other in [0, *others]:
        gate.before_request()
        gate.after_response(bucket.ask())
        # Others take some as well, but never so many that they cause the violation themselves.
        minute = bucket.minute
        used = bucket.used.get(minute, 0)
        bucket.used[minute] = min(max(used, limit - 2), used + other)
    assert bucket.violations == 0
    assert all(used < limit for used in bucket.used.values())


class TestRest:
    def test_a_row_of_short_paced_tasks_keeps_to_the_share(self) -> None:
        bucket = Bucket(120)
        for _ in range(100):
            gate = budget(bucket, Share(0.25, paced=True))
            run(bucket, gate, 1)
            gate.rest()
        assert 100 / (bucket.now / 60) <= 120 * 0.25 * 1.02
        assert bucket.violations == 0

    def test_a_paced_task_that_took_its_time_rests_no_more(self) -> None:
        bucket = Bucket(120)
        gate = budget(bucket, Share(0.25, paced=True))
        gate.before_request()
        gate.after_response(bucket.ask(seconds=10))
        began = bucket.now
        gate.rest()
        assert bucket.now == began

    def test_short_live_tasks_follow_at_once_until_the_floor(self) -> None:
        bucket = Bucket(20)
        for _ in range(40):
            gate = budget(bucket, Share(0.5, tasks=6))
            run(bucket, gate, 1)
            gate.rest()
        assert bucket.violations == 0
        assert max(bucket.used.values()) == 20 - 6

    @pytest.mark.parametrize("limit", [20, 50, 60, 120, 600])
    @pytest.mark.parametrize("requests", [1, 3, 7, 26])
    def test_a_row_of_longer_tasks_keeps_to_the_share_and_uses_it(self, limit: int, requests: int) -> None:
        bucket = Bucket(limit, offset=13.0)
        count = 40
        for _ in range(count):
            gate = budget(bucket, Share(0.25, paced=True))
            run(bucket, gate, requests)
            gate.rest()
        allowed = limit * 0.25
        assert count * requests / (bucket.now / 60) <= allowed * 1.03
        assert max(bucket.used.values()) <= allowed + 2
        assert bucket.violations == 0

    def test_before_any_answer_there_is_nothing_to_rest_for(self) -> None:
        bucket = Bucket(20)
        budget(bucket, Share(0.5, paced=True)).rest()
        assert bucket.now == 0


def test_as_many_requests_stay_as_there_are_tasks() -> None:
    bucket = Bucket(20)
    run(bucket, budget(bucket, Share(1.0, tasks=5)), 30)
    assert max(bucket.used.values()) == 15


@pytest.mark.parametrize(("limit", "part"), [(50, 0.25), (25, 0.25), (20, 0.33), (120, 0.1)])
def test_parts_of_a_request_are_carried_into_the_next_minute(limit: int, part: float) -> None:
    bucket = Bucket(limit)
    minutes = 40
    run(bucket, budget(bucket, Share(part)), math.floor(limit * part * minutes))
    assert len(bucket.used) <= minutes + 1
    assert max(bucket.used.values()) <= math.ceil(limit * part)


@pytest.mark.parametrize(("left", "expected"), [(60, 15), (40, 10), (20, 5), (1, 1)])
def test_a_task_in_a_row_takes_its_part_of_the_minute_in_which_it_begins(left: int, expected: int) -> None:
    bucket = Bucket(60, offset=60.0 - left)
    run(bucket, budget(bucket, Share(0.25, paced=True)), expected + 1)
    assert list(bucket.used.values()) == [expected, 1]


def test_a_live_task_takes_all_of_its_share_whenever_it_begins() -> None:
    bucket = Bucket(60, offset=40.0)
    run(bucket, budget(bucket, Share(0.5)), 30)
    assert list(bucket.used.values()) == [30]


def test_a_minute_that_ends_while_requests_go_on_is_noticed_by_its_reset() -> None:
    bucket = Bucket(60, offset=55.0)
    gate = budget(bucket, Share(0.5))
    # 25 requests fill what is left of the minute, and what they used must not count in the next one.
    run(bucket, gate, 25 + 30)
    assert bucket.used == {0: 25, 1: 30}
    assert gate.waits == 0


def said(limit: RateLimit, now: float, how: str) -> RateLimit:
    """Return what a server says whose times cannot be believed."""
    odd = {
        "no reset": None,
        "an hour ahead": NOON + timedelta(seconds=now + 5445),
        "long ago": NOON - timedelta(days=300),
        "for ever the same": NOON + timedelta(seconds=30),
    }
    return replace(limit, reset=odd[how], date=NOON + timedelta(seconds=int(now)))


@pytest.mark.parametrize("how", ["no reset", "an hour ahead", "long ago", "for ever the same"])
def test_times_that_cannot_be_neither_stop_a_task_nor_let_it_use_the_limit_up(how: str) -> None:
    bucket = Bucket(20)
    gate = budget(bucket, Share(0.25))
    for number in range(50):
        before = bucket.now
        gate.before_request()
        assert bucket.now - before <= 65, number
        gate.after_response(said(bucket.ask(), bucket.now, how))
    # The minutes that are assumed need not begin with Okta's.
    assert max(bucket.used.values()) <= 10
    assert bucket.violations == 0
    assert bucket.now <= 50 / 5 * 66


def test_rest_is_bounded_as_well() -> None:
    bucket = Bucket(20)
    gate = budget(bucket, Share(0.5, tasks=19))
    gate.before_request()
    gate.after_response(said(bucket.ask(), 0.0, "an hour ahead"))
    gate.rest()
    assert bucket.now <= 65
