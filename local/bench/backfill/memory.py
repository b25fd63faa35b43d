"""Replaces OpenSearch by memory, because this measures the rate limit. Counts each uuid."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oktalogger.opensearch.bulk import BulkResult
from oktalogger.opensearch.names import IndexNames
from oktalogger.pipeline.ledger import LedgerEntry, LedgerKey, advance, begin, from_the_start
from oktalogger.pipeline.load_result import LoadResult
from oktalogger.window import Window, hours

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from local.bench.backfill.virtual import VirtualTime
    from oktalogger.opensearch.bulk import Document, Rejection
    from oktalogger.pipeline.load_result import Progress


@dataclass
class Memory:
    """A store and a ledger that keep to the rules of the real ones.

    :param time: the time to write into the ledger
    """

    time: VirtualTime
    names: IndexNames = field(default_factory=IndexNames)
    documents: set[str] = field(default_factory=set)
    ledger: dict[str, LedgerEntry] = field(default_factory=dict)
    _by_hour: defaultdict[datetime, set[str]] = field(default_factory=lambda: defaultdict(set))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ensure_month(self, published: datetime) -> None:
        """All months are there."""

    def identity(self, index: str) -> str:
        """No index is ever made anew."""
        return index

    def identities(self, indices: Iterable[str]) -> dict[str, str]:
        """No index is ever made anew."""
        return {index: index for index in indices}

    def create(self, documents: Sequence[Document]) -> BulkResult:
        """Keep what is not there yet."""
        existing = []
        with self._lock:
            for document in documents:
                if document.id in self.documents:
                    existing.append(document.id)
                self.documents.add(document.id)
        return BulkResult(created=len(documents) - len(existing), existing=len(existing), existing_ids=tuple(existing))

    def added_fields(self, documents: Sequence[Document]) -> dict[str, dict[str, str]]:
        """Nothing is there that this load stored uncounted."""
        return {}

    def sources(self, documents: Sequence[Document]) -> dict[str, dict[str, str]]:
        """Keep no content that could be compared."""
        return {}

    def reject(self, rejections: Sequence[Rejection], *, context: Mapping[str, str]) -> int:
        """Nothing here is bad."""
        raise AssertionError(f"an event was refused: {rejections[0].reason}")

    def entries(self, org: str, within: Window) -> list[LedgerEntry]:
        """Return the entries of all windows that share a moment with a range."""
        ids = sorted(set().union(*(self._by_hour[hour] for hour in _hours(within))))
        entries = (self.ledger[entry_id] for entry_id in ids)
        return [e for e in entries if e.window_start < within.end and within.start < e.window_end]

    def open(self, key: LedgerKey, *, run_id: str, run_url: str | None = None) -> Entry:
        """Begin a try of a load."""
        entry = begin(key, self.ledger.get(key.id), run_id=run_id, run_url=run_url, now=self.time.now())
        self.ledger[key.id] = entry
        for hour in _hours(key.window):
            self._by_hour[hour].add(key.id)
        return Entry(self, entry)


@dataclass
class Entry:
    """The ledger's entry of a load that is under way."""

    memory: Memory
    entry: LedgerEntry

    @property
    def resume_from(self) -> str | None:
        """The link of the page to go on with."""
        return self.entry.next_url

    @property
    def indices(self) -> dict[str, str]:
        """What the tries wrote to on which this one builds."""
        return self.entry.indices

    def restart(self) -> None:
        """Begin at the window's start after all."""
        self.entry = from_the_start(self.entry)

    def checkpoint(self, progress: Progress) -> None:
        """Write down that everything up to a page is stored."""
        if progress.next_url is not None:
            now = self.memory.time.now()
            self._write(advance(self.entry, progress.result, next_url=progress.next_url, state="running", now=now))

    def complete(self, result: LoadResult) -> LedgerEntry:
        """Write down that the whole window is stored."""
        return self._write(advance(self.entry, result, next_url=None, state="complete", now=self.memory.time.now()))

    def fail(self, error: BaseException) -> None:
        """Write down what ended this try."""
        now = self.memory.time.now()
        self._write(
            advance(self.entry, LoadResult(), next_url=self.entry.next_url, state="failed", now=now, error=str(error))
        )

    def _write(self, entry: LedgerEntry) -> LedgerEntry:
        self.memory.ledger[entry.id] = entry
        return entry


def _hours(window: Window) -> list[datetime]:
    return [part.start.replace(minute=0, second=0, microsecond=0) for part in hours(window)]
