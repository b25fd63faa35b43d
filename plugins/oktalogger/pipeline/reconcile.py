"""Reading closed hours again: which, what is missing in the covered time, and whether somebody must hear of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from oktalogger.okta.kept import KEEPS
from oktalogger.pipeline.owed import meets, owed_of
from oktalogger.text import counted
from oktalogger.window import HOUR, Window, format_instant, gaps, hours, merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oktalogger.pipeline.ledger import LedgerEntry
    from oktalogger.settings import Limit

# An older gap cannot be filled any more.
RETENTION: Final = KEEPS
# A run that fills more than this holds all others up; the next run goes on.
MOST_GAPS: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ledgered:
    """What the ledger says of a range.

    :param first_live: start of the first window that a scheduled load began, None if there is none
    :param complete: windows that are complete
    :param begun: windows that a load was begun for, complete or not
    :param owed: what reconcile began to read again and could not
    """

    first_live: datetime | None
    complete: tuple[Window, ...]
    begun: tuple[Window, ...] = ()
    owed: tuple[Window, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[LedgerEntry], filter: str | None = None, q: str | None = None) -> Ledgered:
        """Sum entries up.

        :param entries: of one org
        :param filter: Okta's filter expression that this deployment reads through
        :param q: Okta's keyword search, likewise
        """
        first: datetime | None = None
        complete, begun, ours = [], [], []
        for entry in entries:
            if entry.kind == "scheduled":
                first = min(first or entry.window_start, entry.window_start)
            if entry.reads_for(filter, q):
                begun.append(entry.window)
                ours.append(entry)
            if entry.covers_for(filter, q):
                complete.append(entry.window)
        return cls(first, tuple(complete), tuple(begun), owed_of(ours))


@dataclass(frozen=True, slots=True)
class ReconcilePlan:
    """What a run is to read again.

    :param windows: all of it, in the order to read; first the closed hours, then gaps and damaged hours, newest first
    :param gaps: all parts of the covered time without a complete window, in order
    :param left: gaps and damaged hours, cut into hours, that this run leaves to the next
    """

    windows: tuple[Window, ...]
    gaps: tuple[Window, ...]
    left: int


def closed_hours(at: datetime, after: Iterable[timedelta]) -> list[Window]:
    """Return the hours that ended so and so long before the last full hour.

    :param at: the time of the run
    :param after: how long after its end an hour is read again
    """
    full = at.replace(minute=0, second=0, microsecond=0)
    return [Window(full - delay - HOUR, full - delay) for delay in after]


def covered_time(
    ledgered: Ledgered, *, begins: datetime | None, interval: timedelta, now: datetime, hold_back: timedelta
) -> Window | None:
    """Return the time that scheduled loads answer for by now, None if there is none yet.

    It begins with the start date, or with the first window that a scheduled load ever began if that is earlier. A start
    date that was moved on leaves windows out, and these are gaps. So are windows whose loads failed before they could
    begin an entry, and all of them if no load ever ran.

    :param ledgered: what the ledger says
    :param begins: from when on the settings say that scheduled loads run; None if they do not say
    :param interval: how long a live window is
    :param now: the time
    :param hold_back: how long loads wait after their window's end
    """
    # The first window begins with the first full interval.
    first = begins and begins + (_EPOCH - begins) % interval
    known = [moment for moment in (first, ledgered.first_live) if moment is not None]
    if not known:
        return None
    start = max(min(known), now - RETENTION)
    end = now - interval - hold_back
    return Window(start, end) if start < end else None


def plan_reconcile(
    closed: Sequence[Window], covered: Window | None, ledgered: Ledgered, damaged: Iterable[Window] = ()
) -> ReconcilePlan:
    """Decide what to read again.

    :param closed: the closed hours whose turn it is; of what lies before the covered time, only what was ever loaded
    :param covered: the time that scheduled loads answer for
    :param ledgered: what the ledger says
    :param damaged: hours that do not hold what was stored
    """
    due, missing = [], []
    if covered is not None:
        due = [part for hour in closed if (part := _due(hour, covered, ledgered.begun)) is not None]
        missing = gaps(covered, ledgered.complete)
    # What the closed hours bring anyway is not read twice.
    wanted = merge([*missing, *damaged])
    parts = [part for one in wanted for rest in _without(one, due) for part in hours(rest)]
    parts.reverse()
    # What an earlier run could not read comes after all else: else it would take up every run's number again.
    parts.sort(key=lambda part: meets(part, ledgered.owed))
    return ReconcilePlan((*due, *parts[:MOST_GAPS]), tuple(missing), max(0, len(parts) - MOST_GAPS))


def _due(hour: Window, covered: Window, begun: Iterable[Window]) -> Window | None:
    """Return what of an hour is to be read again.

    Before the first scheduled load nobody said that events are wanted, unless a backfill has begun to load them: what
    came late after it was there would else be missing for good.
    """
    if hour.end > covered.end:
        return None
    loaded = [window.start for window in begun if window.start < hour.end and hour.start < window.end]
    start = max(hour.start, min([covered.start, *loaded]))
    return Window(start, hour.end) if start < hour.end else None


def _without(window: Window, others: Iterable[Window]) -> list[Window]:
    return gaps(window, others)


@dataclass(frozen=True, slots=True)
class Reread:
    """What reading one window again counted.

    :param window: the window
    :param events: events that Okta sent
    :param late: events that no load before it had stored
    :param refused: events that were rejected, or stored without parts that do not fit the mapping
    :param missed_seconds: how long a late one was not in OpenSearch, after the load of its window was complete
    :param altered: events that are stored otherwise than Okta has them
    """

    window: Window
    events: int = 0
    late: int = 0
    refused: int = 0
    missed_seconds: float = 0.0
    altered: int = 0


@dataclass(frozen=True, slots=True)
class Findings:
    """What reading again found.

    :param windows: how many windows were to be read again
    :param unread: those that were not, or not to their end
    :param late: late events
    :param late_max_seconds: the greatest lateness among these: from ``published`` to loading
    :param gaps: parts of the covered time that had no complete window before the run
    :param left: gaps and damaged hours, cut into hours, that were left to the next run
    :param damaged: hours that held fewer events than had been stored
    :param restored: events that were created in these
    :param reread: what each window counted that was read to its end and not damaged
    """

    windows: int
    unread: tuple[Window, ...]
    late: int
    late_max_seconds: float
    gaps: tuple[Window, ...]
    left: int = 0
    damaged: tuple[Window, ...] = ()
    restored: int = 0
    reread: tuple[Reread, ...] = ()

    @property
    def gap_seconds(self) -> float:
        """How much of the covered time had no complete window."""
        return sum((gap.duration for gap in self.gaps), timedelta()).total_seconds()

    @property
    def events(self) -> int:
        """How many events Okta has in the windows that were read again."""
        return sum(one.events for one in self.reread)

    @property
    def refused(self) -> int:
        """How many of these were rejected, or stored without a part of them."""
        return sum(one.refused for one in self.reread)

    @property
    def altered(self) -> int:
        """How many of these are stored otherwise than Okta has them."""
        return sum(one.altered for one in self.reread)

    @property
    def missed_seconds(self) -> float:
        """How long a late event was not in OpenSearch, after the load of its window was complete."""
        return max((one.missed_seconds for one in self.reread), default=0.0)

    def sentence(self) -> str:
        """Say it in a line."""
        read = counted(self.windows - len(self.unread), "window")
        said = f"Read {read} again: {self.late:,} of {counted(self.events, 'event')} late"
        if self.late:
            said += f", and missing from OpenSearch for up to {_span(self.missed_seconds)}"
        said += "."
        if self.refused:
            said += f" {counted(self.refused, 'event was', 'events were')} rejected or stored without a part."
        if self.altered:
            said += f" {counted(self.altered, 'event is', 'events are')} stored otherwise than in Okta."
        if self.gaps:
            said += f" {_span(self.gap_seconds)} of the covered time had no complete window: {_listed(self.gaps)}."
        if self.damaged:
            said += f" {self._damage()} {self.restored:,} of them are there again."
        if self.left:
            said += f" {counted(self.left, 'hour of that is', 'hours of that are')} left to the next run."
        return said

    def alarms(self, *, late_seconds: float, gap_seconds: float, late: Limit, refused: Limit) -> list[str]:
        """Return what somebody must hear of, in sentences.

        :param late_seconds: how long a late event may have been missing
        :param gap_seconds: length of all gaps together that is still no reason
        :param late: how many late events are still no reason
        :param refused: how many rejected and drifted events are still no reason
        """
        found = []
        many, long = late.exceeded_by(self.late, self.events), self.missed_seconds > late_seconds
        if self.late and (many or long):
            limits = [str(late)] * many + [_span(late_seconds)] * long
            found.append(
                f"The loads missed {_share(self.late, self.events)}, which were not in OpenSearch for up to "
                f"{_span(self.missed_seconds)} (alert beyond {' or '.join(limits)}). They are stored now: "
                f"{_counted([(one.window, one.late) for one in self.reread])}."
            )
        if refused.exceeded_by(self.refused, self.events):
            found.append(
                f"{_share(self.refused, self.events)} were rejected, or stored without parts that do not fit the "
                f"mapping (alert beyond {refused}): {_counted([(one.window, one.refused) for one in self.reread])}."
            )
        if self.altered:
            found.append(
                f"{_share(self.altered, self.events)} are stored otherwise than in Okta: "
                f"{_counted([(one.window, one.altered) for one in self.reread])}. Somebody stored them first, or "
                "changed them, or what is redacted was changed since. `python -m oktalogger coverage --verify` names "
                "them."
            )
        if self.gap_seconds > gap_seconds:
            found.append(
                f"{_span(self.gap_seconds)} of the covered time had no complete window (alert beyond "
                f"{_span(gap_seconds)}): {_listed(self.gaps)}."
            )
        if self.damaged:
            found.append(f"{self._damage()} Somebody deletes from OpenSearch. They are loaded again.")
        return found

    def _damage(self) -> str:
        return f"{counted(len(self.damaged), 'hour')} held fewer events than had been stored: {_listed(self.damaged)}."

    def as_dict(self) -> dict[str, object]:
        """Return it as plain JSON values."""
        return {
            "windows": self.windows,
            "unread": [str(window) for window in self.unread],
            "events": self.events,
            "late": self.late,
            "late_max_seconds": self.late_max_seconds,
            "missed_max_seconds": self.missed_seconds,
            "late_windows": [
                {**_as_pair(one.window), "late": one.late, "events": one.events} for one in self.reread if one.late
            ],
            "refused": self.refused,
            "altered": self.altered,
            "gaps": [[format_instant(gap.start), format_instant(gap.end)] for gap in self.gaps],
            "gap_seconds": self.gap_seconds,
            "left": self.left,
            "damaged": [[format_instant(hour.start), format_instant(hour.end)] for hour in self.damaged],
            "restored": self.restored,
        }


def _as_pair(window: Window) -> dict[str, object]:
    return {"start": format_instant(window.start), "end": format_instant(window.end)}


def _share(number: int, of: int) -> str:
    return f"{number:,} of {counted(of, 'event')} ({100 * number / of:.2g} %)" if of else counted(number, "event")


def _counted(windows: Iterable[tuple[Window, int]], most: int = 10) -> str:
    """List windows with their counts, the largest first."""
    some = sorted(((number, window) for window, number in windows if number), key=lambda one: (-one[0], one[1]))
    more = f" and {len(some) - most:,} more windows" if len(some) > most else ""
    return ", ".join(f"{number:,} in {window}" for number, window in some[:most]) + more


def _listed(windows: Sequence[Window], most: int = 10) -> str:
    more = f" and {len(windows) - most:,} more" if len(windows) > most else ""
    return ", ".join(str(window) for window in windows[:most]) + more


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
