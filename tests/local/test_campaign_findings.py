"""How much of a campaign's time no complete window covers."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from local.campaign.findings import Entry, uncovered
from local.campaign.plan import campaign

PLAN = campaign(1, 20_000)
START, END = PLAN.start, PLAN.end
HOUR = timedelta(hours=1)


def entry(start: datetime, end: datetime) -> Entry:
    return Entry(start, end, end)


@pytest.mark.parametrize(
    ("windows", "missing"),
    [
        ([(START, END)], 0),
        ([(START - HOUR, START + HOUR), (START + HOUR, END + HOUR)], 0),
        ([(START + HOUR, END), (START, START + HOUR)], 0),
        ([(START, START + 2 * HOUR), (START + HOUR, END)], 0),
        ([(START, START + HOUR), (START + 2 * HOUR, END)], 3600),
        ([(START + HOUR, END - HOUR)], 7200),
        ([(START, END - HOUR), (END + HOUR, END + 2 * HOUR)], 3600),
    ],
)
def test_what_is_not_covered_is_measured(windows: list[tuple[datetime, datetime]], missing: float) -> None:
    assert uncovered(PLAN, [entry(*window) for window in windows]) == missing


def test_with_no_window_at_all_everything_is_uncovered() -> None:
    assert uncovered(PLAN, []) == (END - START).total_seconds()
