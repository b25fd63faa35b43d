from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.pipeline.ledger import LedgerEntry
from oktalogger.pipeline.reconcile import (
    MOST_GAPS,
    RETENTION,
    Findings,
    Ledgered,
    Reread,
    closed_hours,
    covered_time,
    plan_reconcile,
)
from oktalogger.settings import Limit
from oktalogger.window import Window, gaps, merge

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = NOON + timedelta(minutes=7)
HOLD_BACK = timedelta(seconds=30)


def entry(
    start: datetime, end: datetime, *, kind: str = "scheduled", complete: bool = True, **more: str
) -> LedgerEntry:
    return LedgerEntry(
        id=f"{kind}/{start}/{more}",
        org="o",
        kind=kind,
        window_start=start,
        window_end=end,
        state="complete" if complete else "failed",
        completed_at=end if complete else None,
        **more,  # type: ignore[arg-type]
    )


def live(start: datetime, end: datetime) -> list[LedgerEntry]:
    return [entry(window.start, window.end) for window in Window(start, end).split(timedelta(minutes=5))]


def covered(
    entries: list[LedgerEntry], interval: timedelta = timedelta(minutes=5), *, begins: datetime | None = None
) -> Window | None:
    return covered_time(Ledgered.of(entries), begins=begins, interval=interval, now=NOW, hold_back=HOLD_BACK)


def test_the_hours_whose_turn_it_is() -> None:
    assert closed_hours(NOW, [HOUR, timedelta(hours=24)]) == [
        Window(NOON - 2 * HOUR, NOON - HOUR),
        Window(NOON - 25 * HOUR, NOON - 24 * HOUR),
    ]


def test_over_time_each_hour_is_read_once_for_each_delay() -> None:
    seen = [window for n in range(48) for window in closed_hours(NOW + n * HOUR, [HOUR, 24 * HOUR])]
    hour = Window(NOON, NOON + HOUR)
    assert seen.count(hour) == 2


class TestCoveredTime:
    def test_before_the_first_scheduled_load_there_is_none(self) -> None:
        assert covered([entry(NOON - 9 * HOUR, NOON, kind="backfill")]) is None

    def test_it_begins_with_the_first_scheduled_load_and_ends_before_those_under_way(self) -> None:
        found = covered(live(NOON - 3 * HOUR, NOON))
        assert found == Window(NOON - 3 * HOUR, NOW - timedelta(minutes=5, seconds=30))

    def test_it_begins_with_the_start_date_if_the_first_loads_left_no_entry(self) -> None:
        found = covered(live(NOON - 3 * HOUR, NOON), begins=NOON - 5 * HOUR)
        assert found is not None
        assert found.start == NOON - 5 * HOUR

    def test_hours_that_no_load_ever_opened_are_gaps(self) -> None:
        whole = covered([], begins=NOON - 5 * HOUR - timedelta(minutes=2))
        assert whole == Window(NOON - 5 * HOUR, NOW - timedelta(minutes=5) - HOLD_BACK), "from the first full interval"
        plan = plan_reconcile([], whole, Ledgered.of([]))
        assert plan.gaps == (whole,)
        assert len(plan.windows) == 6

    def test_there_is_none_before_a_start_date_to_come(self) -> None:
        assert covered([], begins=NOW + HOUR) is None

    def test_what_a_backfill_brought_from_before_is_not_part_of_it(self) -> None:
        found = covered([entry(NOON - 90 * HOUR, NOON - 80 * HOUR, kind="backfill"), *live(NOON - 3 * HOUR, NOON)])
        assert found is not None
        assert found.start == NOON - 3 * HOUR

    def test_what_a_start_date_that_was_moved_on_leaves_out_is_part_of_it(self) -> None:
        # Loads stopped at ten, and began again at eleven by another start date.
        entries = [*live(NOON - 3 * HOUR, NOON - 2 * HOUR), *live(NOON - HOUR, NOON + timedelta(minutes=5))]
        whole = covered(entries, begins=NOON - HOUR)
        assert whole is not None
        assert plan_reconcile([], whole, Ledgered.of(entries)).gaps == (Window(NOON - 2 * HOUR, NOON - HOUR),)

    def test_it_ends_a_live_window_ago_however_long_that_is(self) -> None:
        found = covered(live(NOON - 3 * HOUR, NOON), timedelta(minutes=30))
        assert found is not None
        assert found.end == NOW - timedelta(minutes=30) - HOLD_BACK

    def test_there_is_none_while_the_first_load_is_under_way(self) -> None:
        end = NOW - timedelta(minutes=5) - HOLD_BACK
        assert covered(live(end, end + timedelta(minutes=5))) is None

    def test_what_okta_has_deleted_is_no_gap(self) -> None:
        found = covered([entry(NOON - timedelta(days=200), NOON)])
        assert found is not None
        assert found.start == NOW - RETENTION

    def test_a_load_that_began_and_failed_counts_as_the_first(self) -> None:
        found = covered([entry(NOON - HOUR, NOON, complete=False)])
        assert found is not None
        assert found.start == NOON - HOUR


class TestClosedHours:
    """Which of the closed hours whose turn it is are read again."""

    LOADED = Ledgered(NOON - 3 * HOUR, (Window(NOON - 3 * HOUR, NOON),))

    def due(self, hour: Window, whole: Window, *begun: Window) -> tuple[Window, ...]:
        return plan_reconcile([hour], whole, Ledgered(whole.start, (whole,), begun)).windows

    def test_before_the_first_scheduled_load_nothing_is_read(self) -> None:
        plan = plan_reconcile([Window(NOON - HOUR, NOON)], None, self.LOADED)
        assert (plan.windows, plan.gaps, plan.left) == ((), (), 0)

    def test_one_that_ends_with_the_covered_time_is(self) -> None:
        hour = Window(NOON - HOUR, NOON)
        assert self.due(hour, Window(NOON - 3 * HOUR, NOON)) == (hour,)

    def test_one_that_ends_after_the_covered_time_is_not(self) -> None:
        whole = Window(NOON - 3 * HOUR, NOON - timedelta(seconds=1))
        assert self.due(Window(NOON - HOUR, NOON), whole) == ()

    def test_one_that_ends_where_the_covered_time_begins_is_not(self) -> None:
        assert self.due(Window(NOON - 3 * HOUR, NOON - 2 * HOUR), Window(NOON - 2 * HOUR, NOON)) == ()

    @pytest.mark.parametrize("before", [3, 4, 9])
    def test_what_a_backfill_loads_beside_an_hour_does_not_widen_it(self, before: int) -> None:
        hour, whole = Window(NOON - 3 * HOUR, NOON - 2 * HOUR), Window(NOON - HOUR, NOON)
        after = Window(NOON - 2 * HOUR, NOON - HOUR)
        assert self.due(hour, whole, Window(NOON - (before + 1) * HOUR, NOON - before * HOUR), after) == ()


class TestGaps:
    def plan(self, entries: list[LedgerEntry], closed: list[Window] | None = None) -> list[Window]:
        ledgered = Ledgered.of(entries)
        return list(plan_reconcile(closed or [], covered(entries), ledgered).windows)

    def test_none_where_all_is_complete(self) -> None:
        assert self.plan(live(NOON - 3 * HOUR, NOON + timedelta(minutes=5))) == []

    def test_a_window_that_failed_is_one(self) -> None:
        entries = live(NOON - 3 * HOUR, NOON + timedelta(minutes=5))
        hurt = entries[7]
        entries[7] = entry(hurt.window_start, hurt.window_end, complete=False)
        assert self.plan(entries) == [hurt.window]

    def test_a_window_that_never_began_is_one(self) -> None:
        entries = live(NOON - 3 * HOUR, NOON + timedelta(minutes=5))
        missing = entries.pop(7)
        assert self.plan(entries) == [missing.window]

    def test_a_window_that_was_read_through_a_filter_is_one(self) -> None:
        entries = live(NOON - 3 * HOUR, NOON + timedelta(minutes=5))
        missing = entries[7]
        entries[7] = entry(missing.window_start, missing.window_end, filter='severity eq "WARN"')
        assert self.plan(entries) == [missing.window]
        same = Ledgered.of(entries, 'severity eq "WARN"', None)
        assert len(same.complete) == len(entries), "but not for a deployment that reads through the same one"

    def test_any_kind_of_load_closes_one(self) -> None:
        entries = live(NOON - 3 * HOUR, NOON + timedelta(minutes=5))
        missing = entries.pop(7)
        assert self.plan([*entries, entry(missing.window_start, missing.window_end, kind="manual")]) == []

    def test_a_long_one_is_cut_at_full_hours_newest_first(self) -> None:
        early = live(NOON - 6 * HOUR, NOON - 5 * HOUR - timedelta(minutes=30))
        late = live(NOON - timedelta(minutes=30), NOON + timedelta(minutes=5))
        windows = self.plan([*early, *late])
        assert windows[0] == Window(NOON - HOUR, NOON - timedelta(minutes=30))
        assert windows[-1] == Window(NOON - 5 * HOUR - timedelta(minutes=30), NOON - 5 * HOUR)
        assert len(windows) == 6

    def test_what_a_closed_hour_brings_is_not_read_twice(self) -> None:
        entries = live(NOON - 6 * HOUR, NOON + timedelta(minutes=5))
        missing = entries.pop(50)
        hour = Window(NOON - 2 * HOUR, NOON - HOUR)
        assert missing.window.start in hour
        assert self.plan(entries, [hour]) == [hour]

    def test_a_very_long_one_is_shared_out_over_runs(self) -> None:
        entries = [*live(NOON - 500 * HOUR, NOON - 499 * HOUR), *live(NOON, NOON + timedelta(minutes=5))]
        plan = plan_reconcile([], covered(entries), Ledgered.of(entries))
        assert len(plan.windows) == MOST_GAPS == 100
        assert plan.windows[0] == Window(NOON - HOUR, NOON), "the newest first"
        assert plan.left == 499 - MOST_GAPS

    def test_what_no_run_can_read_does_not_keep_the_others_from_their_turn(self) -> None:
        entries = [*live(NOON - 150 * HOUR, NOON - 149 * HOUR), *live(NOON, NOON + timedelta(minutes=5))]
        newest = list(Window(NOON - 100 * HOUR, NOON).split(HOUR))
        entries += [entry(hour.start, hour.end, kind="reconcile", complete=False) for hour in newest]
        plan = plan_reconcile([], covered(entries), Ledgered.of(entries))
        assert len(plan.windows) == MOST_GAPS
        never_tried = list(Window(NOON - 149 * HOUR, NOON - 100 * HOUR).split(HOUR))[::-1]
        assert list(plan.windows) == [*never_tried, *newest[::-1][: MOST_GAPS - len(never_tried)]]
        assert plan.left == 49

    def test_what_fits_into_one_run_leaves_nothing(self) -> None:
        entries = [*live(NOON - 102 * HOUR, NOON - 100 * HOUR), *live(NOON, NOON + timedelta(minutes=5))]
        plan = plan_reconcile([], covered(entries), Ledgered.of(entries))
        assert (len(plan.windows), plan.left) == (MOST_GAPS, 0)

    def test_the_first_hour_is_read_from_the_first_load_on(self) -> None:
        entries = live(NOON - HOUR - timedelta(minutes=20), NOON + timedelta(minutes=5))
        hour = Window(NOON - 2 * HOUR, NOON - HOUR)
        day = Window(NOON - 25 * HOUR, NOON - 24 * HOUR)
        assert self.plan(entries, [hour, day]) == [Window(NOON - HOUR - timedelta(minutes=20), NOON - HOUR)]

    @pytest.mark.parametrize("complete", [True, False], ids=["complete", "under way"])
    def test_an_hour_before_the_first_load_is_read_as_far_as_a_backfill_loads_it(self, *, complete: bool) -> None:
        """What a backfill of the last day reads, some events of it can still come late."""
        day = Window(NOON - 25 * HOUR, NOON - 24 * HOUR)
        middle = day.start + HOUR / 2
        entries = [
            *live(NOON - HOUR, NOON + timedelta(minutes=5)),
            entry(middle, NOON - HOUR, kind="backfill", complete=complete),
        ]
        assert self.plan(entries, [day]) == [Window(middle, day.end)]
        entries.append(entry(day.start - HOUR, middle, kind="backfill", filter='severity eq "WARN"'))
        assert self.plan(entries, [day]) == [Window(middle, day.end)], "what was read through a filter is not"
        entries.append(entry(day.start - HOUR, middle, kind="backfill"))
        assert self.plan(entries, [day]) == [day]


@given(complete=st.lists(st.tuples(st.integers(0, 600), st.integers(1, 90)), max_size=20))
def test_whatever_is_complete_reading_the_plan_leaves_no_gap(complete: list[tuple[int, int]]) -> None:
    minute = timedelta(minutes=1)
    begin = NOON - 10 * HOUR
    entries = [entry(begin + start * minute, begin + (start + length) * minute) for start, length in complete]
    entries.append(entry(begin, begin + minute, complete=False))
    whole = covered(entries)
    assert whole is not None
    ledgered = Ledgered.of(entries)
    closed = closed_hours(NOW, [HOUR])
    plan = plan_reconcile(closed, whole, ledgered)
    assert gaps(whole, [*ledgered.complete, *plan.windows]) == []
    read = sum((window.duration for window in plan.windows), timedelta())
    once = sum((window.duration for window in merge(plan.windows)), timedelta())
    assert read == once, "nothing is read twice"


def alarms_of(found: Findings) -> list[str]:
    return found.alarms(late_seconds=3600, gap_seconds=600, late=Limit(10, 1.0), refused=Limit(5, 0.5))


def reread(late: int = 0, of: int = 1000, *, refused: int = 0, missed: float = 0.0, hour: int = 0) -> Reread:
    window = Window(NOON - (hour + 2) * HOUR, NOON - (hour + 1) * HOUR)
    return Reread(window, events=of, late=late, refused=refused, missed_seconds=missed)


class TestFindings:
    def findings(self, **more: object) -> Findings:
        values: dict[str, object] = {"windows": 2, "unread": (), "late": 0, "late_max_seconds": 0.0, "gaps": ()}
        return Findings(**(values | more))  # type: ignore[arg-type]

    def alarms(self, **more: object) -> list[str]:
        return alarms_of(self.findings(**more))

    def of(self, *windows: Reread) -> Findings:
        return self.findings(late=sum(one.late for one in windows), reread=windows)

    def test_all_well(self) -> None:
        assert self.alarms() == []
        assert self.of(reread()).sentence() == "Read 2 windows again: 0 of 1,000 events late."

    def test_a_little_is_no_alarm(self) -> None:
        assert self.alarms(gaps=(Window(NOON, NOON + timedelta(minutes=10)),)) == []
        assert alarms_of(self.of(reread(10, of=10), reread(refused=5, of=5))) == [], "so few"
        assert alarms_of(self.of(reread(11, of=1100), reread(refused=6, of=100))) == [], "of so many"

    def test_each_event_that_is_stored_otherwise_is_an_alarm(self) -> None:
        found = self.of(reread(), replace(reread(hour=1), altered=1))
        (alarm,) = alarms_of(found)
        assert alarm.startswith("1 of 2,000 events (0.05 %) are stored otherwise than in Okta: 1 in [")
        assert "coverage --verify" in alarm
        assert found.as_dict()["altered"] == 1
        assert "1 event is stored otherwise than in Okta" in found.sentence()

    def test_many_late_events_are_an_alarm_however_soon_they_were_found(self) -> None:
        [alarm] = alarms_of(self.of(reread(1117, of=5848, missed=3599.0), reread(3, hour=23)))
        assert "The loads missed 1,120 of 6,848 events (16 %)" in alarm
        assert "not in OpenSearch for up to 60 min (alert beyond 10 events and 1 %)" in alarm
        assert f"1,117 in {reread().window}, 3 in {reread(hour=23).window}." in alarm

    def test_the_share_counts_over_all_windows(self) -> None:
        assert alarms_of(self.of(reread(11, of=1000), reread(of=101))) == []
        assert alarms_of(self.of(reread(11, of=1000), reread(of=99)))

    def test_one_that_was_missing_for_long_is_an_alarm(self) -> None:
        assert alarms_of(self.of(reread(1, missed=3600.0))) == []
        [alarm] = alarms_of(self.of(reread(1, missed=3601.0)))
        assert "1 of 1,000 events (0.1 %)" in alarm
        assert "(alert beyond 60 min)" in alarm

    def test_how_late_okta_published_it_is_no_alarm(self) -> None:
        assert self.alarms(late=1, late_max_seconds=10**6, reread=(reread(1, missed=60.0),)) == []

    def test_rejected_and_drifted_events_are_an_alarm(self) -> None:
        assert alarms_of(self.of(reread(refused=6), reread(of=200, hour=3))) == []
        [alarm] = alarms_of(self.of(reread(refused=11), reread(hour=3)))
        assert alarm.startswith("11 of 2,000 events (0.55 %) were rejected, or stored without parts")
        assert alarm.endswith(f"11 in {reread().window}.")

    def test_the_windows_are_named_the_worst_first_and_the_list_stays_short(self) -> None:
        [alarm] = alarms_of(self.of(*(reread(20 + hour, hour=hour) for hour in range(13))))
        assert f"now: 32 in {reread(hour=12).window}, 31 in" in alarm
        assert alarm.endswith(" and 3 more windows.")

    def test_what_each_window_missed_is_in_the_figures(self) -> None:
        figures = self.of(reread(4, missed=5.0), reread(refused=2, hour=1)).as_dict()
        assert (figures["events"], figures["late"], figures["refused"]) == (2000, 4, 2)
        assert figures["missed_max_seconds"] == 5.0
        assert figures["late_windows"] == [
            {"start": "2026-11-23T10:00:00Z", "end": "2026-11-23T11:00:00Z", "late": 4, "events": 1000}
        ]

    def test_gaps_count_together(self) -> None:
        gap = Window(NOON, NOON + timedelta(minutes=6))
        [alarm] = self.alarms(gaps=(gap, Window(NOON + HOUR, NOON + HOUR + timedelta(minutes=5))))
        assert alarm.startswith("11 min of the covered time had no complete window")
        assert str(gap) in alarm

    def test_what_is_left_to_the_next_run_is_said(self) -> None:
        assert self.findings(left=1399).sentence().endswith("1,399 hours of that are left to the next run.")

    @pytest.mark.parametrize(
        ("seconds", "said"), [(119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2.0 h"), (9000, "2.5 h")]
    )
    def test_a_span_is_said_in_the_unit_that_fits(self, seconds: float, said: str) -> None:
        found = self.of(reread(1, missed=seconds)).sentence()
        assert f"missing from OpenSearch for up to {said}." in found

    @pytest.mark.parametrize("count", [10, 11])
    def test_the_list_stays_short(self, count: int) -> None:
        found = tuple(Window(NOON + n * HOUR, NOON + n * HOUR + timedelta(minutes=5)) for n in range(count))
        assert self.findings(gaps=found).sentence().count(" more") == (count == 11)
        assert ("and 1 more" in self.findings(gaps=found).sentence()) == (count == 11)


class TestDamage:
    DAMAGED = Window(NOON - 30 * HOUR, NOON - 29 * HOUR)

    def test_a_damaged_hour_is_read_again_though_no_window_is_missing(self) -> None:
        entries = live(NOON - 40 * HOUR, NOON + HOUR)
        plan = plan_reconcile([], covered(entries), Ledgered.of(entries), [self.DAMAGED])
        assert (plan.windows, plan.gaps) == ((self.DAMAGED,), ())

    def test_also_where_no_load_is_scheduled(self) -> None:
        assert plan_reconcile([], None, Ledgered.of([]), [self.DAMAGED]).windows == (self.DAMAGED,)

    def test_it_is_not_read_twice(self) -> None:
        entries = live(NOON - 40 * HOUR, NOON + HOUR)
        plan = plan_reconcile([self.DAMAGED], covered(entries), Ledgered.of(entries), [self.DAMAGED])
        assert plan.windows == (self.DAMAGED,)

    def test_it_is_an_alarm_whatever_the_settings(self) -> None:
        found = Findings(1, (), 0, 0.0, (), damaged=(self.DAMAGED,), restored=17)
        nobody = Limit(10**9, 100.0)
        (alarm,) = found.alarms(late_seconds=10**9, gap_seconds=10**9, late=nobody, refused=nobody)
        assert f"1 hour held fewer events than had been stored: {self.DAMAGED}." in alarm
        assert "17 of them are there again" in found.sentence()
        assert found.as_dict()["damaged"] == [["2026-11-22T06:00:00Z", "2026-11-22T07:00:00Z"]]
