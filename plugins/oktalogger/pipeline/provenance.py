"""Tells whose existing documents a load finds: another load's, or its own and not counted yet.

A bulk request without an answer, a try that was killed after its last checkpoint, or another try of the same window at
the same time may have stored an event. The document itself says by which load, for which window and when.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oktalogger.window import format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from oktalogger.opensearch.documents import BulkResult
    from oktalogger.pipeline.document import Built, PreparedPage, Stamp


@dataclass(frozen=True, slots=True)
class EarlierTries:
    """Tries of the same load that came to no end.

    :param since: when the first of them began
    :param counted_until: when the last page in the counts was made ready on which this try builds; None if it builds
        on none
    """

    since: datetime
    counted_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a page's documents that were there already are to this load.

    :param stored_at: by id, those that this load stored without counting them, and when
    :param counted: ids of those that tries before this one have counted
    """

    stored_at: Mapping[str, datetime]
    counted: frozenset[str]


class Claims:
    """Tells which documents that are there already count as created by this load. Several threads may use it at once.

    :param stamp: what the load says of itself
    :param earlier: tries before this one; None if there were none
    """

    def __init__(self, stamp: Stamp, earlier: EarlierTries | None) -> None:
        self._stamp = stamp
        self._ours = {
            "load_kind": stamp.kind,
            "window_start": format_instant(stamp.window.start),
            "window_end": format_instant(stamp.window.end),
        }
        self._earlier = earlier
        self._counted_until = earlier.counted_until if earlier else None
        self._pages: set[datetime] = set()
        self._claimed: set[str] = set()
        self._lock = threading.Lock()

    def note_page(self, at: datetime) -> None:
        """Take note of when a page of this try was made ready; no two pages share that time."""
        self._pages.add(at)

    def forget_counted(self) -> None:
        """Build on no counts of tries before this one any more."""
        self._counted_until = None

    def of(
        self,
        prepared: PreparedPage,
        outcome: BulkResult,
        read: Callable[[Sequence[Built]], Mapping[str, Mapping[str, Any]]],
    ) -> Claimed:
        """Look at the documents of a page that were there already.

        :param prepared: the page
        :param outcome: what became of its documents
        :param read: returns what documents say under ``oktalogger``, by id; not called where nothing can be ours
        :raises OpenSearchLoadError: if that cannot be read
        """
        if not outcome.existing_ids or (self._earlier is None and not outcome.unclear):
            return Claimed({}, frozenset())
        times = Counter(built.document.id for built in prepared.documents)
        # Where one of several events of an id was created just now, the others only met that one.
        candidates = {uuid for uuid, met in Counter(outcome.existing_ids).items() if met == times[uuid]}
        found = read([built for built in prepared.documents if built.document.id in candidates])
        stored_at: dict[str, datetime] = {}
        counted = set()
        for uuid, added in found.items():
            at = self._stored_at(added)
            if at is None:
                continue
            if self._was_counted(added, at):
                counted.add(uuid)
            elif at == prepared.at or (at not in self._pages and self._earlier and at >= self._earlier.since):
                stored_at[uuid] = at
        with self._lock:
            new = {uuid: at for uuid, at in stored_at.items() if uuid not in self._claimed}
            self._claimed |= new.keys()
        return Claimed(new, frozenset(counted))

    def _stored_at(self, added: Mapping[str, Any]) -> datetime | None:
        """Return when a document was stored by a load of this kind and window, None if another load stored it."""
        if any(added.get(name) != value for name, value in self._ours.items()):
            return None
        return parse_instant(added["ingested_at"], name="ingested_at")

    def _was_counted(self, added: Mapping[str, Any], at: datetime) -> bool:
        until = self._counted_until
        return until is not None and at <= until and added.get("run_id") == self._stamp.run_id
