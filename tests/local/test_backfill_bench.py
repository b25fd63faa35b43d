"""The backfill's benchmark, over less time: the same figures each time, and the same bounds."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from local.bench.backfill.figures import figures, problems
from local.bench.backfill.scenario import BEGINS, Scenario, run
from local.bench.backfill.virtual import VirtualTime
from oktalogger.settings import Settings

A_DAY = Scenario(limit=20, days=1, rate=1.4)


@pytest.mark.parametrize("limit", [20, 50])
def test_a_day_beside_live_loads_uses_its_share_and_no_more(limit: int) -> None:
    scenario = replace(A_DAY, limit=limit)
    row = figures(scenario, run(scenario))
    assert problems(row) == []
    assert row["live_windows"] >= 4
    assert row["quiet_windows"] >= 1


def test_a_run_is_the_same_each_time() -> None:
    scenario = replace(A_DAY, settings=Settings(backfill_tasks=2))
    assert run(scenario) == run(scenario)


def test_windows_of_five_minutes_cost_a_request_each() -> None:
    scenario = replace(A_DAY, days=0.25, limit=60, chunk=timedelta(minutes=5))
    outcome = run(scenario)
    assert outcome.windows == 72
    assert outcome.requests >= 72
    assert (outcome.violations, outcome.late_windows, outcome.lost, outcome.unknown) == (0, 0, 0, 0)


def test_what_is_not_as_it_has_to_be_is_said() -> None:
    row = figures(A_DAY, run(replace(A_DAY, days=0.25)))
    wrong = {"share_used": 0.9, "violations": 1, "late_windows": 2, "requests_over_minimum": 0.03, "lost": 1}
    assert len(problems(row | wrong)) == 5


class TestVirtualTime:
    def test_whoever_waits_least_goes_on_first(self) -> None:
        time = VirtualTime(BEGINS)
        seen: list[tuple[str, float]] = []

        def actor(name: str, seconds: float) -> None:
            for _ in range(2):
                time.sleep(seconds)
                seen.append((name, time.seconds()))

        time.run(lambda: actor("a", 3), lambda: actor("b", 2))
        assert seen == [("b", 2), ("a", 3), ("b", 4), ("a", 6)]
        assert time.now() == BEGINS + timedelta(seconds=6)

    def test_an_error_ends_the_run(self) -> None:
        time = VirtualTime(BEGINS)
        ended = threading.Event()

        def forever() -> None:
            try:
                while True:
                    time.sleep(1)
            finally:
                ended.set()

        def failing() -> None:
            time.sleep(10)
            raise RuntimeError("broken")

        with pytest.raises(RuntimeError, match="broken"):
            time.run(forever, failing)
        assert ended.is_set()
