from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oktalogger.pipeline.coverage import HourCoverage
from oktalogger.pipeline.ledger import LedgerEntry, State
from oktalogger.ui.hours import page_hours
from oktalogger.ui.snapshot import PageHour
from oktalogger.window import Window, gaps

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
NOW = TEN + timedelta(hours=3, minutes=20)
# Loads answer for everything from nine on, up to the window that has just ended.
ASKED = Window(TEN - timedelta(hours=1), NOW - timedelta(minutes=6))


def minutes(start: int, end: int) -> Window:
    return Window(TEN + timedelta(minutes=start), TEN + timedelta(minutes=end))


def entry(window: Window, state: State = "complete", *, kind: str = "scheduled", **more: Any) -> LedgerEntry:
    return LedgerEntry(
        id=f"{kind}/{window}",
        org="o",
        kind=kind,
        window_start=window.start,
        window_end=window.end,
        state=state,
        run_id=f"run of {window.start:%H:%M}",
        completed_at=window.end if state == "complete" else None,
        **more,
    )


def covered(window: Window, *loaded: Window, **more: Any) -> HourCoverage:
    missing = tuple(gaps(window, loaded))
    values = {"events": 0, "rejected": 0, "late": 0, "max_lateness_seconds": 0.0, "outlived": bool(missing), **more}
    return HourCoverage(window, missing, **values)


def shown(hour: HourCoverage, entries: Sequence[LedgerEntry] = (), asked: Window | None = ASKED) -> PageHour:
    [found] = page_hours([hour], entries, {}, asked=asked, now=NOW)
    return found


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({}, "whole"),
        ({"late": 2}, "late"),
        ({"late": 2, "rejected": 1}, "refused"),
        ({"drifted": 1}, "refused"),
        ({"expired": True}, "expired"),
        ({"strays": {"copy": 3}, "rejected": 1}, "doubled"),
        ({"damaged": True, "strays": {"copy": 3}}, "damaged"),
        ({"outlived": True, "damaged": True}, "too old"),
    ],
)
def test_the_worst_of_an_hour_is_its_state(more: dict[str, Any], state: str) -> None:
    assert shown(covered(minutes(0, 60), minutes(0, 60), **more)).state == state


def test_what_the_schedule_answers_for_and_nobody_loaded_is_missing() -> None:
    hour = shown(covered(minutes(0, 60), minutes(0, 10), minutes(15, 60)))
    assert hour.state == "missing"
    assert hour.missing == (minutes(10, 15),)


def test_a_damaged_hour_is_to_be_loaded_again_as_a_whole() -> None:
    assert shown(covered(minutes(0, 60), minutes(0, 60), damaged=True)).missing == (minutes(0, 60),)


def test_an_hour_that_has_begun_is_whole_as_far_as_it_is_due() -> None:
    assert shown(covered(minutes(180, 240), minutes(180, 195))).state == "whole"
    assert shown(covered(minutes(180, 240), minutes(180, 190))).missing == (minutes(190, 194),)


def test_a_window_whose_load_has_just_begun_is_not_missing_yet() -> None:
    began = entry(minutes(195, 200), "running", updated_at=NOW)
    assert shown(covered(minutes(180, 240), minutes(180, 195)), [began]).state == "whole"


def test_an_hour_that_nobody_has_come_to_is_not_due() -> None:
    assert shown(covered(minutes(240, 300))).state == "not due"


def test_hours_before_the_first_load_are_missing_only_if_a_backfill_began_them() -> None:
    before = minutes(-120, -60)
    assert shown(covered(before)).state == "not asked for"
    began = [entry(minutes(-120, -60), "failed", kind="backfill", error="OktaError: refused")]
    hour = shown(covered(before), began)
    assert hour.state == "missing"
    assert hour.missing == (before,)
    assert [(run.kind, run.state, run.error) for run in hour.runs] == [("backfill", "failed", "OktaError: refused")]


def test_without_a_scheduled_load_nothing_is_missing() -> None:
    assert shown(covered(minutes(0, 60)), asked=None).state == "not asked for"
    assert shown(covered(minutes(240, 300)), asked=None).state == "not due"


def test_a_load_that_is_at_work_is_told_from_one_that_was_killed() -> None:
    hour = covered(minutes(0, 60), minutes(0, 30))
    at_work = entry(minutes(30, 60), "running", updated_at=NOW - timedelta(minutes=1))
    killed = entry(minutes(30, 60), "running", updated_at=NOW - timedelta(hours=1))
    failed = entry(minutes(30, 60), "failed", updated_at=NOW)
    elsewhere = entry(minutes(0, 30), "running", updated_at=NOW)
    assert shown(hour, [at_work]).state == "running"
    assert shown(hour, [killed]).state == "missing"
    assert shown(hour, [failed]).state == "missing"
    assert shown(hour, [elsewhere]).state == "missing"


def test_the_loads_worth_a_look_come_first_and_those_of_a_whole_hour_do_not_come() -> None:
    quiet = entry(minutes(0, 5))
    late = entry(minutes(5, 10), counts={"late": 1})
    failed = entry(minutes(10, 15), "failed")
    hour = shown(covered(minutes(0, 60), minutes(0, 60), late=1), [quiet, late, failed])
    assert [run.run_id for run in hour.runs] == ["run of 10:10", "run of 10:05"]
    assert shown(covered(minutes(0, 60), minutes(0, 60)), [quiet]).runs == ()


def test_old_hours_lose_their_runs_where_there_are_too_many() -> None:
    found = [covered(minutes(60 * at, 60 * at + 60), minutes(60 * at, 60 * at + 60), late=1) for at in range(800)]
    entries = [entry(hour.window, counts={"late": 1}) for hour in found]
    made = page_hours(found, entries, {}, asked=Window(TEN, TEN + timedelta(hours=800)), now=NOW + timedelta(hours=800))
    assert [bool(hour.runs) for hour in made] == [False] * 200 + [True] * 600
