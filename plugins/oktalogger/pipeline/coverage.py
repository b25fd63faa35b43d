"""Whether a range of time is covered: what the ledger says was loaded, beside what OpenSearch holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from oktalogger.pipeline.document import identity
from oktalogger.window import Window, format_instant, gaps, merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from oktalogger.okta.system_log import SystemLogClient, SystemLogQuery
    from oktalogger.pipeline.ledger import LedgerEntry

HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class HourCoverage:
    """One hour of a range, or the part of it that lies within.

    :param window: the hour
    :param missing: the parts of it that no complete window of the ledger covers
    :param events: documents in OpenSearch
    :param rejected: events of it in the index of rejected ones
    :param late: late events, as the loads of windows that begin in this hour counted them
    :param max_lateness_seconds: greatest lateness that these loads saw
    """

    window: Window
    missing: tuple[Window, ...]
    events: int
    rejected: int
    late: int
    max_lateness_seconds: float

    @property
    def covered(self) -> bool:
        """Whether all of it is covered."""
        return not self.missing

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "start": format_instant(self.window.start),
            "end": format_instant(self.window.end),
            "covered": self.covered,
            "missing": [[format_instant(gap.start), format_instant(gap.end)] for gap in self.missing],
            "events": self.events,
            "rejected": self.rejected,
            "late": self.late,
            "max_lateness_seconds": self.max_lateness_seconds,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a second reading of Okta found in one window, uuid by uuid.

    :param window: what was compared
    :param in_okta: events that Okta has
    :param missing: uuids that are neither among the documents nor among the rejected events
    :param unknown: ids of documents that Okta does not have
    """

    window: Window
    in_okta: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether OpenSearch holds exactly what Okta has."""
        return not self.missing and not self.unknown

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "start": format_instant(self.window.start),
            "end": format_instant(self.window.end),
            "in_okta": self.in_okta,
            "missing": list(self.missing),
            "unknown": list(self.unknown),
        }


class Census(Protocol):
    """What OpenSearch holds."""

    def events_by_hour(self, org: str, within: Window) -> Mapping[datetime, int]:
        """Return the number of documents of each hour that has some."""

    def rejected_by_hour(self, org: str, within: Window) -> Mapping[datetime, int]:
        """Return the number of rejected events of each hour that has some."""

    def ids(self, org: str, within: Window) -> set[str]:
        """Return the ids of all documents."""

    def rejected_among(self, uuids: set[str]) -> set[str]:
        """Return those uuids whose events are among the rejected."""


class Entries(Protocol):
    """The ledger."""

    def entries(self, org: str, within: Window) -> Iterable[LedgerEntry]:
        """Return the entries of all windows that share a moment with a range."""


def hours(within: Window) -> Iterator[Window]:
    """Cut a window at the full hours of UTC."""
    start = within.start
    while start < within.end:
        end = min(start.replace(minute=0, second=0, microsecond=0) + HOUR, within.end)
        yield Window(start, end)
        start = end


def coverage(ledger: Entries, census: Census, org: str, within: Window) -> list[HourCoverage]:
    """Say of each hour whether it is covered, and what is there.

    :param ledger: which windows were loaded
    :param census: what OpenSearch holds
    :param org: the Okta org's host name
    :param within: the range to look at
    :return: one entry an hour, in order; an hour is covered if complete windows of any kind of load cover all of it
    :raises OpenSearchLoadError: where OpenSearch cannot be asked
    """
    entries = list(ledger.entries(org, within))
    covered = merge(entry.window for entry in entries if entry.covers)
    events = census.events_by_hour(org, within)
    rejected = census.rejected_by_hour(org, within)
    late: dict[datetime, int] = {}
    lateness: dict[datetime, float] = {}
    for entry in entries:
        if entry.counts.get("late"):
            hour = entry.window_start.replace(minute=0, second=0, microsecond=0)
            late[hour] = late.get(hour, 0) + int(entry.counts["late"])
            lateness[hour] = max(lateness.get(hour, 0.0), entry.lateness.get("max", 0.0))
    found = []
    for window in hours(within):
        hour = window.start.replace(minute=0, second=0, microsecond=0)
        found.append(
            HourCoverage(
                window,
                tuple(gaps(window, covered)),
                events.get(hour, 0),
                rejected.get(hour, 0),
                late.get(hour, 0),
                lateness.get(hour, 0.0),
            )
        )
    return found


def compare_with_okta(client: SystemLogClient, census: Census, org: str, query: SystemLogQuery) -> Comparison:
    """Read a window of Okta again, and compare uuid by uuid with what OpenSearch holds.

    :param client: where to read
    :param census: what OpenSearch holds
    :param org: the Okta org's host name
    :param query: the window; all its uuids are in memory at once, so take an hour at a time
    :raises OktaError: where Okta cannot be read
    :raises OpenSearchLoadError: where OpenSearch cannot be asked
    """
    window = Window(query.since, query.until)
    in_okta = set()
    for page in client.pages(query):
        for raw in page.events:
            uuid, published = identity(bytes(raw))
            if uuid is not None and (published is None or published in window):
                in_okta.add(uuid)
    documents = census.ids(org, window)
    missing = in_okta - documents
    if missing:
        missing -= census.rejected_among(missing)
    return Comparison(window, len(in_okta), tuple(sorted(missing)), tuple(sorted(documents - in_okta)))
