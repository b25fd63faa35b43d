"""Finds windows that are called complete too early, at that very moment, without the product's code.

The proxy holds back each write to the ledger that calls a window complete for the first time, and asks this module. By
then OpenSearch must hold every event of the window that was on time. An event is on time if it could be read at the end
of the hold-back, or when the window's entry was first opened, whichever is later: every load reads the window after
both.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from local.campaign.oracle import Happened


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
    resumes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def before(self, claim: Claim) -> int:
        """Look at a write before it is made; return how many on-time events its claim ignores."""
        with self._lock:
            fresh = claim.completed_at is not None and claim.id not in self.complete
            if claim.id not in self.opened:
                self.opened[claim.id] = self.sent.now()
            limit = max(claim.window_end + self.hold_back, self.opened[claim.id])
        if not fresh:
            return 0
        on_time = [
            event for event in self.sent.published(claim.window_start, claim.window_end) if event.persisted <= limit
        ]
        return len(self.stored.missing(on_time))

    def after(self, claim: Claim, ignored: int) -> None:
        """Take note of a write that was made."""
        with self._lock:
            if claim.tries > self.tries.get(claim.id, 0):
                self.tries[claim.id] = claim.tries
                self.resumes += claim.next_url is not None
            if claim.completed_at is not None and claim.id not in self.complete:
                self.complete.add(claim.id)
                if ignored:
                    self.early[claim.id] = ignored
