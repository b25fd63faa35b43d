"""Takes over Okta's events from another index: that of an older log shipper, or of another oktalogger.

Each event is stored under its ``uuid`` in the index of its month, like any event of a load: what is there already stays
as it is. Nothing is written to the ledger, because nobody can say whether the other index is complete.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oktalogger.okta.system_log import Page
from oktalogger.pipeline.covered import NOTHING_COVERED
from oktalogger.pipeline.document import DocumentBuilder, prepare
from oktalogger.pipeline.drift import restored
from oktalogger.pipeline.page_store import PageStorer
from oktalogger.pipeline.provenance import Claims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from oktalogger.pipeline.document import Stamp
    from oktalogger.pipeline.page_store import DocumentStore
    from oktalogger.privacy.redactor import Redactor

# What shippers commonly add to an event, under names that the document needs itself.
_ADDED: Final = ("oktalogger", "@timestamp")


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Counts of what was taken over.

    :param read: documents of the other index
    :param created: events that were not there before
    :param existing: events that were there already, or stood more than once in the other index
    :param rejected: documents that are not events, or that OpenSearch refuses, kept in the index of rejected events
    :param left_out: events whose ``published`` is not in the range that was asked for
    :param drifted: events stored without parts that do not fit the mapping
    :param drifted_fields: the fields of these parts, and how many events had each
    """

    read: int = 0
    created: int = 0
    existing: int = 0
    rejected: int = 0
    left_out: int = 0
    drifted: int = 0
    drifted_fields: Mapping[str, int] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def take_over(
    pages: Iterable[list[dict[str, Any]]],
    store: DocumentStore,
    stamp: Stamp,
    *,
    redactor: Redactor | None = None,
    on_stored: Callable[[TakenOver], None] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> TakenOver:
    """Store the events of another index. Doing it again, or after a half, creates only what is missing.

    :param pages: its documents, as :func:`oktalogger.opensearch.scroll.scroll` yields them
    :param store: where to store, prepared
    :param stamp: what the documents say of the load; its window is the range that is taken over: events of other times
        are left out
    :param redactor: takes out of each event what must not be stored; None for nothing
    :param on_stored: told the counts so far after each page
    :param clock: tells the time, in UTC
    :raises OpenSearchLoadError: if OpenSearch refuses, or stays out of reach
    """
    storer = PageStorer(store, stamp, NOTHING_COVERED, Claims(stamp, None))
    builder = DocumentBuilder(stamp, store.names, redactor)
    counts = TakenOver()
    fields: Counter[str] = Counter()
    for number, documents in enumerate(pages, 1):
        prepared = prepare(_page(number, documents), builder, stamp.window, at=clock())
        wanted = [built for built in prepared.documents if built.published in stamp.window]
        left_out = len(prepared.documents) - len(wanted)
        stored = storer.store(replace(prepared, documents=wanted))
        fields.update(stored.drifted)
        counts = TakenOver(
            read=counts.read + len(documents),
            created=counts.created + stored.outcome.created,
            existing=counts.existing + stored.outcome.existing,
            rejected=counts.rejected + stored.rejected,
            left_out=counts.left_out + left_out,
            drifted=counts.drifted + stored.drifted_events,
            drifted_fields=dict(fields),
        )
        if on_stored is not None:
            on_stored(counts)
    return counts


def _page(number: int, documents: list[dict[str, Any]]) -> Page:
    return Page(
        number=number,
        events=list(_events(documents)),
        url="",
        next_url=None,
        request_id=None,
        rate_limit=None,
        size_bytes=0,
        requests=0,
        waited_seconds=0.0,
    )


def _events(documents: Iterable[dict[str, Any]]) -> Iterator[msgspec.Raw]:
    for document in documents:
        event = restored(document) if isinstance(document.get("oktalogger"), dict) else document
        yield msgspec.Raw(msgspec.json.encode({name: value for name, value in event.items() if name not in _ADDED}))
