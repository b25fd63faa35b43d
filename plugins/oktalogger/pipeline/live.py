"""How long a live window is tried, and how many may be under way, so that no window that fails stops those after it."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Final

SHORTEST_PATIENCE: Final = timedelta(minutes=15)
LONGEST_PATIENCE: Final = timedelta(hours=1)
INTERVALS: Final = 12

# A window that was caught up long after its end is tried as often, so that one short trouble does not cost it.
FEWEST_TRIES: Final = 3
# A try that hangs must not keep its slot from others. The next try goes on where this one was ended.
LONGEST_TRY: Final = timedelta(minutes=10)
# Airflow ends a run after that. Long, for runs that somebody starts for a wide range.
LONGEST_RUN: Final = timedelta(hours=12)


def patience(interval: timedelta) -> timedelta:
    """Return how long after its end a live window that fails is tried again; after that it is left to reconcile.

    :param interval: how long a live window is
    """
    return max(SHORTEST_PATIENCE, min(LONGEST_PATIENCE, INTERVALS * interval))


def most_runs(interval: timedelta, tasks: int) -> int:
    """Return how many runs of live loads may be under way.

    A run that waits for its next try counts for Airflow as one under way, and none is begun beyond this number. So it
    is more than the clock begins within the longest life of one: if all of these fail, the next one still begins.

    :param interval: how long a live window is
    :param tasks: how many live loads may run at once
    """
    return math.ceil(LONGEST_RUN / interval) + tasks
