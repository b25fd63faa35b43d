"""Works out from the ledger how many events the index must hold, and which hours hold fewer.

An hour's number is the sum over complete loads whose windows do not overlap within it, the newest first. It is a lower
bound: each load counted different events that were in the index when it ended. So windows that overlap, several kinds
of load, late events and rejected ones never make it too large. A newer reading of the whole hour takes the place of all
older ones: what Okta no longer has is not missed for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from oktalogger.window import Window, format_instant, hour_of, hours

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oktalogger.pipeline.ledger import LedgerEntry


@dataclass(frozen=True, slots=True)
class Expected:
    """What one hour has to hold.

    :param window: the part of the hour that the loads read which were counted
    :param events: how many events at least
    :param counted_at: when the newest of these loads was complete
    """

    window: Window
    events: int
    counted_at: datetime


@dataclass(frozen=True, slots=True)
class Damage:
    """An hour of which the index holds less than was stored.

    :param window: what to load again
    :param expected: how many events were stored
    :param found: how many there are
    """

    window: Window
    expected: int
    found: int

    def __str__(self) -> str:
        return f"{self.window}: {self.found:,} of {self.expected:,} events"


def expected_events(
    entries: Iterable[LedgerEntry], filter: str | None = None, q: str | None = None
) -> dict[datetime, Expected]:
    """Say of each hour how many events the index has to hold at least.

    :param entries: of one org; those that an older version wrote say nothing, nor do loads that are not complete
    :param filter: Okta's filter expression that this deployment reads through
    :param q: Okta's keyword search, likewise
    :return: by the beginning of the hour; hours without events are left out
    """
    parts: dict[datetime, list[_Part]] = {}
    for entry in entries:
        if entry.stored_at is None or not entry.covers_for(filter, q):
            continue
        for window in hours(entry.window):
            hour = hour_of(window.start)
            number = entry.stored.get(format_instant(hour), 0)
            parts.setdefault(hour, []).append(_Part(entry.stored_at, window, number))
    summed = {hour: _newest_first(some) for hour, some in parts.items()}
    return {hour: expected for hour, expected in summed.items() if expected.events}


def damaged_hours(
    expected: Mapping[datetime, Expected],
    found: Mapping[datetime, int],
    *,
    now: datetime,
    settling: timedelta = timedelta(0),
    kept: timedelta | None = None,
) -> list[Damage]:
    """Return the hours of which the index holds less than was stored, in order.

    An hour of which nothing is left, and all of which is older than events are kept, was deleted by retention: that is
    not damage.

    :param expected: what the hours have to hold
    :param found: how many events they hold
    :param now: the time, in UTC
    :param settling: how long what is stored may stay invisible to counts
    :param kept: how long events are kept; None for ever
    """
    return [
        Damage(hour.window, hour.events, found.get(start, 0))
        for start, hour in sorted(expected.items())
        if found.get(start, 0) < hour.events
        and hour.counted_at <= now - settling
        and not is_expired(hour, found.get(start, 0), now=now, kept=kept)
    ]


def is_expired(hour: Expected, found: int, *, now: datetime, kept: timedelta | None) -> bool:
    """Say whether an hour was deleted by retention, which deletes whole months of events that are old enough."""
    return kept is not None and found == 0 and hour.window.end <= now - kept


@dataclass(frozen=True, slots=True)
class _Part:
    counted_at: datetime
    window: Window
    events: int


def _newest_first(parts: list[_Part]) -> Expected:
    """Add up parts of an hour that do not overlap."""
    taken: list[_Part] = []
    for part in sorted(parts, key=lambda part: part.counted_at, reverse=True):
        if all(part.window.end <= other.window.start or other.window.end <= part.window.start for other in taken):
            taken.append(part)
    window = Window(min(part.window.start for part in taken), max(part.window.end for part in taken))
    return Expected(window, sum(part.events for part in taken), taken[0].counted_at)
