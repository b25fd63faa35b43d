"""Tells which hours are covered: compares what the ledger says was loaded with what OpenSearch holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from oktalogger.pipeline.expected import damaged_hours, expected_events, is_expired
from oktalogger.window import Window, format_instant, gaps, hour_of, hours, merge, whole_hours

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oktalogger.opensearch.inventory import HourCount
    from oktalogger.pipeline.ledger import LedgerEntry

HourState = Literal["complete", "not loaded", "older than Okta keeps", "damaged", "doubled", "expired"]
SETTLING: Final = timedelta(minutes=2)
"""How long what was stored may stay invisible to counts where OpenSearch takes no request to refresh."""


@dataclass(frozen=True, slots=True)
class HourCoverage:
    """One hour of a range, or the part of it that lies within.

    :param window: the hour
    :param missing: the parts of it that no complete window of the ledger covers
    :param events: documents in OpenSearch, as a search on the alias finds them
    :param rejected: events of it in the index of rejected ones
    :param late: late events, as the loads of windows that begin in this hour counted them
    :param max_lateness_seconds: greatest lateness that these loads saw
    :param expected: how many events of the whole hour the ledger says were stored
    :param damaged: whether there are fewer
    :param expired: whether retention deleted them
    :param drifted: documents that were stored without parts that do not fit the mapping
    :param outlived: whether some of it was read only when Okta no longer kept its events, which proves nothing
    :param strays: documents behind the alias in indices where they do not belong, by the name of the index
    """

    window: Window
    missing: tuple[Window, ...]
    events: int
    rejected: int
    late: int
    max_lateness_seconds: float
    expected: int = 0
    damaged: bool = False
    expired: bool = False
    strays: Mapping[str, int] = field(default_factory=dict)
    drifted: int = 0
    outlived: bool = False

    @property
    def state(self) -> HourState:
        """What is to be said of it, the worst first."""
        if self.missing:
            return "not loaded"
        if self.outlived:
            return "older than Okta keeps"
        if self.damaged:
            return "damaged"
        if self.strays:
            return "doubled"
        return "expired" if self.expired else "complete"

    @property
    def covered(self) -> bool:
        """Whether all of it was loaded, and what was loaded is there, or was deleted by retention."""
        return not self.missing and not self.outlived and not self.damaged

    @property
    def well(self) -> bool:
        """Whether there is nothing to do about it."""
        return self.state in ("complete", "expired")

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "start": format_instant(self.window.start),
            "end": format_instant(self.window.end),
            "covered": self.covered,
            "state": self.state,
            "missing": [[format_instant(gap.start), format_instant(gap.end)] for gap in self.missing],
            "events": self.events,
            "expected": self.expected,
            "strays": dict(self.strays),
            "drifted": self.drifted,
            "rejected": self.rejected,
            "late": self.late,
            "max_lateness_seconds": self.max_lateness_seconds,
        }


class Census(Protocol):
    """What OpenSearch holds."""

    def refresh(self) -> bool:
        """Make everything that was stored visible to the counts; say whether it is."""

    def events_by_hour(self, org: str, within: Window) -> Mapping[datetime, HourCount]:
        """Count the documents of each hour that has some, by the index that holds them."""

    def rejected_by_hour(self, org: str, within: Window) -> Mapping[datetime, int]:
        """Return the number of rejected events of each hour that has some."""


class Entries(Protocol):
    """The ledger."""

    def entries(self, org: str, within: Window) -> Iterable[LedgerEntry]:
        """Return the entries of all windows that share a moment with a range."""


def coverage(
    ledger: Entries,
    census: Census,
    org: str,
    within: Window,
    *,
    now: datetime | None = None,
    kept: timedelta | None = None,
    filter: str | None = None,
    q: str | None = None,
) -> list[HourCoverage]:
    """Say of each hour whether it is covered, and whether what was stored is there.

    :param ledger: which windows were loaded
    :param census: what OpenSearch holds
    :param org: the Okta org's host name
    :param within: the range to look at
    :param now: the time, in UTC, by this machine's clock where not given
    :param kept: how long events are kept; None for ever
    :param filter: Okta's filter expression that this deployment reads through
    :param q: Okta's keyword search, likewise
    :return: one entry an hour, in order; an hour is covered if complete windows of any kind of load cover all of it,
        and it holds as many events as these stored
    :raises OpenSearchLoadError: if OpenSearch cannot be asked
    """
    now = now or datetime.now(UTC)
    whole = whole_hours(within)
    entries = list(ledger.entries(org, whole))
    covered = merge(entry.window for entry in entries if entry.covers_for(filter, q))
    too_old = [entry.window for entry in entries if entry.state == "older_than_kept"]
    read = merge([*covered, *too_old])
    # After the ledger: whatever that calls stored is visible to the counts.
    settling = timedelta(0) if census.refresh() else SETTLING
    counted = census.events_by_hour(org, whole)
    events = counted if whole == within else census.events_by_hour(org, within)
    expected = expected_events(entries, filter, q)
    found_events = {hour: count.events for hour, count in counted.items()}
    damaged = {
        hour_of(one.window.start)
        for one in damaged_hours(expected, found_events, now=now, settling=settling, kept=kept)
    }
    rejected = census.rejected_by_hour(org, within)
    late: dict[datetime, int] = {}
    lateness: dict[datetime, float] = {}
    for entry in entries:
        if entry.counts.get("late"):
            hour = hour_of(entry.window_start)
            late[hour] = late.get(hour, 0) + int(entry.counts["late"])
            lateness[hour] = max(lateness.get(hour, 0.0), entry.lateness.get("max", 0.0))
    found = []
    for window in hours(within):
        hour = hour_of(window.start)
        count, wanted = counted.get(hour), expected.get(hour)
        found.append(
            HourCoverage(
                window,
                tuple(gaps(window, read)),
                events[hour].documents if hour in events else 0,
                rejected.get(hour, 0),
                late.get(hour, 0),
                lateness.get(hour, 0.0),
                expected=wanted.events if wanted else 0,
                damaged=hour in damaged,
                expired=wanted is not None and is_expired(wanted, found_events.get(hour, 0), now=now, kept=kept),
                strays=count.strays if count else {},
                drifted=events[hour].drifted if hour in events else 0,
                outlived=bool(gaps(window, covered)),
            )
        )
    return found
