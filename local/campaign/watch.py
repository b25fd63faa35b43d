"""Finds windows that are called complete too early, at that very moment, without the product's code.

The proxy holds back each write to the ledger that calls a window complete, and asks this module. By then OpenSearch
must hold every event of the window that was on time. An event is on time if it could be read at the end of the
hold-back, or when this reading of the window was opened, whichever is later: every load reads the window after both.

What is on time in a window called complete is owed from then on: :mod:`local.campaign.audit` asks for it later. No
load can know of damage that is done between its last look at an index and its last word: a claim made within seconds of
damage is not called early, but its events are owed all the same.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from local.simulator.world.oddities import UNREADABLE, UNSTORABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from local.campaign.oracle import Happened


# Seconds, of this machine: between a load's last look at an index and the write of its claim.
JUST_NOW: Final = 5.0


class Claim(msgspec.Struct, frozen=True):
    """What the watch reads of a ledger entry."""

    id: str
    kind: str
    window_start: datetime
    window_end: datetime
    tries: int = 1
    state: str = "running"
    completed_at: datetime | None = None
    next_url: str | None = None


class Sent(Protocol):
    """What Okta has."""

    def now(self) -> datetime:
        """Okta's time."""

    def published(self, start: datetime, end: datetime) -> Iterator[Happened]:
        """The events of a range."""


class Stored(Protocol):
    """What OpenSearch has."""

    def missing(self, events: Iterable[Happened]) -> list[str]:
        """Return the uuids of those events that it has neither as a document nor as a rejected event."""


@dataclass(slots=True)
class Watch:
    """Keeps what was seen of the ledger.

    :param sent: what Okta has
    :param stored: what OpenSearch has
    :param hold_back: how long after a window's end its load may begin
    """

    sent: Sent
    stored: Stored
    hold_back: timedelta
    opened: dict[str, datetime] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    early: dict[str, int] = field(default_factory=dict)
    excused: int = 0
    resumes: int = 0
    loads: set[tuple[str, datetime, datetime]] = field(default_factory=set)
    owed: dict[datetime, set[str]] = field(default_factory=dict)
    _over: set[str] = field(default_factory=set)
    _disturbed_at: float = -JUST_NOW
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def disturb(self) -> None:
        """Take note that somebody damages what is stored, at this moment."""
        with self._lock:
            self._disturbed_at = time.monotonic()

    def before(self, claim: Claim) -> int:
        """Look at a write before it is made; return how many on-time events its claim ignores."""
        with self._lock:
            over = claim.state == "complete"
            again = claim.id in self._over and not over
            if claim.id not in self.opened or again:
                self.opened[claim.id] = self.sent.now()
                self._over.discard(claim.id)
        if not over:
            return 0
        return len(self.stored.missing(self._on_time(claim)))

    def _on_time(self, claim: Claim) -> list[Happened]:
        """Return what has to be there, less what is kept under no uuid because nobody can read it."""
        limit = max(claim.window_end + self.hold_back, self.opened[claim.id])
        return [
            event
            for event in self.sent.published(claim.window_start, claim.window_end)
            if event.persisted <= limit and event.oddity not in UNREADABLE
        ]

    def after(self, claim: Claim, ignored: int) -> None:
        """Take note of a write that was made."""
        over = claim.state == "complete"
        on_time = self._on_time(claim) if over else []
        with self._lock:
            if claim.tries > self.tries.get(claim.id, 0):
                self.tries[claim.id] = claim.tries
                self.resumes += claim.next_url is not None
            if not over:
                return
            if claim.id not in self._over and ignored:
                if time.monotonic() - self._disturbed_at < JUST_NOW:
                    self.excused += 1
                else:
                    self.early[claim.id] = ignored
            self._over.add(claim.id)
            self.complete.add(claim.id)
            self.loads.add((claim.kind, claim.window_start, claim.window_end))
            for event in on_time:
                if event.oddity not in UNSTORABLE:
                    hour = event.published.replace(minute=0, second=0, microsecond=0)
                    self.owed.setdefault(hour, set()).add(event.uuid)

    def owed_now(self) -> dict[datetime, list[str]]:
        """Return by the hour what was in windows called complete, and has to be among the documents."""
        with self._lock:
            return {hour: list(uuids) for hour, uuids in self.owed.items()}
