"""Says of each hour what the calendar shows: its state, what is to be loaded again, and which loads to look at."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from oktalogger.ui.snapshot import KINDS, LedgerRun, PageHour
from oktalogger.window import Window, hour_of, hours, merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from oktalogger.pipeline.coverage import HourCoverage
    from oktalogger.pipeline.ledger import LedgerEntry
    from oktalogger.ui.snapshot import PageState

# A load writes to the ledger after each page, so one that has not for this long is not at work.
_AT_WORK: Final = timedelta(minutes=15)
_RUNS_OF_AN_HOUR: Final = 4
_MOST_RUNS: Final = 600
_LONGEST_ERROR: Final = 200
_TROUBLE: Final[frozenset[PageState]] = frozenset(
    ("missing", "running", "damaged", "doubled", "too old", "refused", "late")
)


def page_hours(
    found: Iterable[HourCoverage],
    entries: Iterable[LedgerEntry],
    kinds: Mapping[datetime, tuple[int, ...]],
    *,
    asked: Window | None,
    now: datetime,
) -> tuple[PageHour, ...]:
    """Return the hours of the calendar.

    :param found: the coverage of whole hours
    :param entries: the ledger's entries of these, that read all that this deployment reads
    :param kinds: documents of each kind, by hour
    :param asked: the time that scheduled loads answer for by now
    :param now: the time, in UTC
    """
    by_hour: dict[datetime, list[LedgerEntry]] = {}
    for entry in entries:
        for part in hours(entry.window):
            by_hour.setdefault(hour_of(part.start), []).append(entry)
    made = [
        _page_hour(hour, by_hour.get(hour.window.start, []), kinds.get(hour.window.start), asked, now) for hour in found
    ]
    return tuple(_without_most_runs(made))


def _page_hour(
    hour: HourCoverage,
    entries: Sequence[LedgerEntry],
    kinds: tuple[int, ...] | None,
    asked: Window | None,
    now: datetime,
) -> PageHour:
    missing = _wanted(hour, entries, asked)
    state = _state(hour, entries, missing, asked, now)
    return PageHour(
        start=hour.window.start,
        state=state,
        events=hour.events,
        expected=hour.expected,
        late=hour.late,
        rejected=hour.rejected,
        drifted=hour.drifted,
        lateness=hour.max_lateness_seconds,
        missing=(hour.window,) if state == "damaged" else missing,
        runs=_runs(entries) if state in _TROUBLE else (),
        kinds=kinds or (0,) * len(KINDS),
    )


def _wanted(hour: HourCoverage, entries: Iterable[LedgerEntry], asked: Window | None) -> tuple[Window, ...]:
    """Return the parts that are missing although somebody wants them: the schedule, or a load that began to read."""
    wanted = [entry.window for entry in entries]
    if asked is not None:
        wanted.append(asked)
    parts = [
        Window(max(gap.start, one.start), min(gap.end, one.end))
        for gap in hour.missing
        for one in merge(wanted)
        if max(gap.start, one.start) < min(gap.end, one.end)
    ]
    # A live window that is being loaded is wanted by its load, and not due yet.
    due = hour.window.end if asked is None else asked.end
    return tuple(part for part in parts if part.start < due)


def _state(
    hour: HourCoverage,
    entries: Iterable[LedgerEntry],
    missing: Sequence[Window],
    asked: Window | None,
    now: datetime,
) -> PageState:
    if missing:
        return "running" if any(_is_at_work(entry, missing, now) for entry in entries) else "missing"
    if sum((gap.duration for gap in hour.missing), timedelta()) == hour.window.duration:
        due = now if asked is None else asked.end
        return "not due" if hour.window.end > due else "not asked for"
    if hour.outlived and not hour.missing:
        return "too old"
    if hour.damaged:
        return "damaged"
    if hour.strays:
        return "doubled"
    if hour.expired:
        return "expired"
    if hour.rejected or hour.drifted:
        return "refused"
    return "late" if hour.late else "whole"


def _is_at_work(entry: LedgerEntry, missing: Iterable[Window], now: datetime) -> bool:
    if entry.state != "running" or entry.updated_at is None or entry.updated_at < now - _AT_WORK:
        return False
    return any(gap.start < entry.window_end and entry.window_start < gap.end for gap in missing)


def _runs(entries: Sequence[LedgerEntry]) -> tuple[LedgerRun, ...]:
    """Return an hour's loads that are worth a look, those that went wrong first; any of them if none did."""
    notable = [entry for entry in entries if entry.state != "complete" or _counted(entry)]
    some = sorted(notable or entries, key=lambda entry: (entry.state == "complete", entry.window_start, entry.id))
    return tuple(
        LedgerRun(
            kind=entry.kind,
            run_id=entry.run_id,
            url=entry.run_url or "",
            state=entry.state,
            error=(entry.error or "")[:_LONGEST_ERROR],
        )
        for entry in some[:_RUNS_OF_AN_HOUR]
    )


def _counted(entry: LedgerEntry) -> bool:
    return any(entry.counts.get(name) for name in ("late", "rejected", "drifted"))


def _without_most_runs(made: Sequence[PageHour]) -> list[PageHour]:
    """Leave out the runs of old hours, so that a snapshot stays small."""
    left = _MOST_RUNS
    kept = []
    for hour in reversed(made):
        left -= len(hour.runs)
        kept.append(hour if left >= 0 else replace(hour, runs=()))
    kept.reverse()
    return kept
