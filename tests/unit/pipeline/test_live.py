"""However long they fail, live windows leave room for those after them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oktalogger.pipeline.live import LONGEST_RUN, LONGEST_TRY, most_runs, patience
from oktalogger.settings import Settings

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("minutes", "tried"), [(1, 15 * MINUTE), (2, 24 * MINUTE), (5, 60 * MINUTE), (15, 60 * MINUTE), (60, 60 * MINUTE)]
)
def test_how_long_a_window_is_tried(minutes: int, tried: timedelta) -> None:
    assert patience(minutes * MINUTE) == tried
    assert tried + LONGEST_TRY < LONGEST_RUN


@pytest.mark.parametrize("minutes", [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60])
@pytest.mark.parametrize("tasks", [1, 4])
def test_if_every_run_lasts_as_long_as_it_may_the_next_one_still_begins(minutes: int, tasks: int) -> None:
    interval = minutes * MINUTE
    begins = [n * interval for n in range(int(2 * LONGEST_RUN / interval))]
    for now in begins[:: max(1, len(begins) // 20)]:
        under_way = [begin for begin in begins if begin < now < begin + LONGEST_RUN]
        assert len(under_way) + tasks <= most_runs(interval, tasks)


def test_an_interval_is_a_time_span() -> None:
    assert Settings().interval == 5 * MINUTE
    assert Settings(interval_minutes=60).interval == timedelta(hours=1)
