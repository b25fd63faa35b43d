"""Defines the ledger's entries, one per org, kind of load and window, and how they change.

An entry is complete only after the last page was stored, and is written once a page: a task that is killed at any
moment leaves an entry that says "running", with the link of the page to go on with.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, cast

import msgspec

from oktalogger.pipeline.archive.records import Listing
from oktalogger.pipeline.lateness import Lateness
from oktalogger.window import Window, format_instant

if TYPE_CHECKING:
    from oktalogger.pipeline.document import LoadKind
    from oktalogger.pipeline.load_result import LoadResult

State = Literal["running", "complete", "failed", "older_than_kept"]

COUNTS: Final = (
    "pages",
    "requests",
    "read",
    "created",
    "existing",
    "rejected",
    "drifted",
    "altered",
    "outside",
    "late",
    "retried",
    "waits",
    "waited_seconds",
    "seconds",
)


@dataclass(frozen=True, slots=True)
class LedgerKey:
    """Which entry: every try of the same load finds the same one.

    :param org: the Okta org's host name
    :param kind: what kind of load it is
    :param window: the window that the load answers for
    :param filter: Okta's filter expression; a window read through one is not covered by that
    :param q: Okta's keyword search, likewise
    """

    org: str
    kind: LoadKind
    window: Window
    filter: str | None = None
    q: str | None = None

    @property
    def id(self) -> str:
        """Return the document's id: readable, and the same for the same load."""
        name = f"{self.org}/{self.kind}/{format_instant(self.window.start)}/{format_instant(self.window.end)}"
        if self.filter or self.q:
            name += "/" + hashlib.sha256(repr((self.filter, self.q)).encode()).hexdigest()[:16]
        return name


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One document of the ledger. Unknown fields are ignored, so that versions can live side by side.

    :param id: the document's id, as :class:`LedgerKey` makes it
    :param state: what the newest try is at; ``older_than_kept``: it read to its end a window of which Okta keeps no
        more than a part
    :param tries: how often the load was begun
    :param loading_since: when the first try since the last complete one of another run began, by the clock of its
        machine, as ``ingested_at``: nothing that these tries stored is older
    :param completed_at: when it was complete for the first time; a later try that dies does not take that back
    :param next_url: the link of the page to go on with, while there is something to go on with
    :param error: what ended the newest try
    :param counts: of all tries since the last one that began at the window's start
    :param lateness: of the events that these tries created, in seconds: maximum and percentiles; ``late_max`` is that
        of the late ones, ``missed_max`` how long one of these was not there though its window was complete
    :param lateness_counts: how many of them came how many seconds late, for the next try to go on with; empty once
        there is nothing to go on with
    :param indices: UUID of each index that the tries of ``counts`` wrote to: with another index of that name, or none,
        there is nothing to go on with
    :param storing: how many different events of each hour these tries found or put into the index
    :param stored: the same of the newest try that was complete: as many have to be there
    :param stored_at: when that was complete; None in an entry of an older version, which says nothing of it
    :param counted_until: when the last page in ``counts`` was made ready, while there is something to go on with
    :param archived: what the tries of ``counts`` have written into the archive, while there is something to go on with;
        None if they wrote nothing there, so that a try with an archive has nothing to go on with
    :param rate: what the newest try saw of Okta's rate limit: ``limit``, and ``remaining``, the fewest that were left
    """

    id: str
    org: str
    kind: str
    window_start: datetime
    window_end: datetime
    filter: str | None = None
    q: str | None = None
    state: State = "running"
    tries: int = 1
    run_id: str = ""
    run_url: str | None = None
    started_at: datetime | None = None
    loading_since: datetime | None = None
    updated_at: datetime | None = None
    completed_at: datetime | None = None
    next_url: str | None = None
    error: str | None = None
    counts: dict[str, float] = {}
    lateness: dict[str, float] = {}
    lateness_counts: dict[str, int] = {}
    indices: dict[str, str] = {}
    storing: dict[str, int] = {}
    stored: dict[str, int] = {}
    stored_at: datetime | None = None
    counted_until: datetime | None = None
    archived: Listing | None = None
    rate: dict[str, int] = {}

    @property
    def window(self) -> Window:
        """The window that the load answers for."""
        return Window(self.window_start, self.window_end)

    @property
    def began(self) -> datetime | None:
        """As ``loading_since``; of an older version's entry, when its newest try began, which is all that it says."""
        return self.loading_since or self.started_at

    @property
    def is_done(self) -> bool:
        """Whether the newest try read to the end: trying again brings nothing more."""
        return self.state in ("complete", "older_than_kept")

    @property
    def covers(self) -> bool:
        """Whether all events of the window were once stored: complete, and not read through a filter."""
        return self.covers_for(None, None)

    def covers_for(self, filter: str | None, q: str | None) -> bool:
        """Whether all events of the window that a filter and keywords let through were once stored."""
        return self.completed_at is not None and self.reads_for(filter, q)

    def reads_for(self, filter: str | None, q: str | None) -> bool:
        """Whether the load reads all events of the window that a filter and keywords let through."""
        all_of_it = not self.filter and not self.q
        the_same = (self.filter or None, self.q or None) == (filter or None, q or None)
        return all_of_it or the_same


_INSTANTS: Final = ("started_at", "loading_since", "updated_at", "completed_at", "stored_at", "counted_until")


class LedgerEntryError(ValueError):
    """A document of the ledger is not an entry of ours."""


def read_entry(entry_id: str, source: object) -> LedgerEntry:
    """Read a document of the ledger, which anybody with the loader's role may have written.

    :param entry_id: the id of the document
    :param source: its content
    :raises LedgerEntryError: if it cannot be read, or says something else than its id
    """
    try:
        entry = msgspec.convert(source, LedgerEntry)
        window, kind = entry.window, cast("LoadKind", entry.kind)
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        raise LedgerEntryError(str(error)) from error
    if any(at.tzinfo is None for name in _INSTANTS if (at := getattr(entry, name)) is not None):
        raise LedgerEntryError("it has a time without a time zone")
    if entry.id != entry_id or LedgerKey(entry.org, kind, window, entry.filter, entry.q).id != entry_id:
        raise LedgerEntryError(f"it is for {entry.org}, {entry.kind}, {window}")
    return entry


def begin(
    key: LedgerKey, before: LedgerEntry | None, *, run_id: str, run_url: str | None, now: datetime
) -> LedgerEntry:
    """Return the entry of a new try.

    A try goes on where the last one of the same load stopped. After a complete one it begins at the window's start:
    who loads a window again wants it read again.

    A try that came to no end announced nothing of what it had stored. So ``loading_since`` stays that of the first of
    them, wherever this one begins to read; also where the same run tries again, for its task may have been killed
    between the end of its load and its own.

    :param key: which entry
    :param before: the entry as it stands, ``None`` where there is none
    :param run_id: name of the run that loads
    :param run_url: where Airflow shows that run
    :param now: the time, in UTC
    """
    resumes = before is not None and not before.is_done and before.next_url is not None
    unannounced = before is not None and (not before.is_done or before.run_id == run_id)
    return LedgerEntry(
        id=key.id,
        org=key.org,
        kind=key.kind,
        window_start=key.window.start,
        window_end=key.window.end,
        filter=key.filter,
        q=key.q,
        state="running",
        tries=before.tries + 1 if before else 1,
        run_id=run_id,
        run_url=run_url,
        started_at=now,
        loading_since=(before.began or now) if before and unannounced else now,
        updated_at=now,
        completed_at=before.completed_at if before else None,
        next_url=before.next_url if before and resumes else None,
        counts=before.counts if before and resumes else {},
        lateness=before.lateness if before and resumes else {},
        lateness_counts=before.lateness_counts if before and resumes else {},
        indices=before.indices if before and resumes else {},
        storing=before.storing if before and resumes else {},
        counted_until=before.counted_until if before and resumes else None,
        archived=before.archived if before and resumes else None,
        stored=before.stored if before else {},
        stored_at=before.stored_at if before else None,
    )


def from_the_start(entry: LedgerEntry) -> LedgerEntry:
    """Return the entry of a try that has nothing to go on with after all, because what was stored is gone."""
    return msgspec.structs.replace(
        entry,
        next_url=None,
        counts={},
        lateness={},
        lateness_counts={},
        indices={},
        storing={},
        counted_until=None,
        archived=None,
    )


def advance(
    entry: LedgerEntry,
    result: LoadResult,
    *,
    next_url: str | None,
    state: State,
    now: datetime,
    error: str | None = None,
) -> LedgerEntry:
    """Return the entry after more of the window was stored, or after its end.

    :param entry: the entry as this try began it
    :param result: counts of this try so far
    :param next_url: the link of the page to go on with
    :param state: what the try is at; ``complete`` becomes ``older_than_kept`` where the result says so
    :param now: the time, in UTC
    :param error: what ended the try, where something did
    """
    base = {} if result.restarted else entry.counts
    counts = {name: round(base.get(name, 0) + getattr(result, name), 3) for name in COUNTS}
    done = state == "complete"
    complete = done and not result.older_than_kept
    lateness, maxima = _lateness(entry, result)
    storing = Counter({} if result.restarted else entry.storing)
    storing.update(result.stored)
    return msgspec.structs.replace(
        entry,
        state="older_than_kept" if done and not complete else state,
        updated_at=now,
        completed_at=(entry.completed_at or now) if complete else entry.completed_at,
        next_url=None if done else next_url,
        error=error,
        counts=counts,
        lateness={**lateness.as_dict(), **maxima} if lateness.count else {},
        lateness_counts={} if done else lateness.counts(),
        indices=({} if result.restarted else entry.indices) | result.indices,
        storing={} if done else dict(storing),
        counted_until=None if done else result.counted_until or entry.counted_until,
        archived=None if done else _archived(entry, result),
        stored=dict(storing) if complete else entry.stored,
        stored_at=now if complete else entry.stored_at,
        rate=_rate(result) or entry.rate,
    )


def _lateness(entry: LedgerEntry, result: LoadResult) -> tuple[Lateness, dict[str, float]]:
    """Return the lateness of what all tries created, and what was greatest among the late ones of that."""
    maxima = {"late_max": result.late_max_seconds, "missed_max": result.missed_seconds}
    if result.restarted:
        return result.lateness, {name: round(seconds, 3) for name, seconds in maxima.items()}
    lateness = Lateness.of(entry.lateness_counts, entry.lateness.get("max", 0.0))
    lateness.merge(result.lateness)
    return lateness, {name: round(max(entry.lateness.get(name, 0.0), seconds), 3) for name, seconds in maxima.items()}


def _archived(entry: LedgerEntry, result: LoadResult) -> Listing | None:
    """Return what is in the archive of everything that the counts hold; None if not all of that is."""
    if result.archived is not None:
        return result.archived
    return None if result.pages or result.restarted else entry.archived


def _rate(result: LoadResult) -> dict[str, int]:
    if result.rate_limit is None or result.rate_remaining is None:
        return {}
    return {"limit": result.rate_limit, "remaining": result.rate_remaining}
