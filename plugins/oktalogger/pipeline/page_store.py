"""Stores one page: makes its months ready, creates documents, keeps what is refused, counts what is late."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from oktalogger.opensearch.documents import BulkResult
from oktalogger.opensearch.templates import month_template
from oktalogger.pipeline.comparison import says_the_same
from oktalogger.pipeline.drift import fit
from oktalogger.pipeline.lateness import Lateness

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from oktalogger.opensearch.documents import Document, Rejection
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.pipeline.covered import CoveredTime
    from oktalogger.pipeline.document import Built, PreparedPage, Redacts, Stamp
    from oktalogger.pipeline.drift import Fitted
    from oktalogger.pipeline.provenance import Claimed, Claims


class DocumentStore(Protocol):
    """Where documents go. Several threads call it at once."""

    names: IndexNames

    def ensure_month(self, published: datetime) -> None:
        """Make sure that the index of this month is there and is ours; called for every page."""

    def identity(self, index: str) -> str:
        """Return the UUID of an index as it was when it was made ready."""

    def identities(self, indices: Iterable[str]) -> Mapping[str, str]:
        """Read the UUIDs of some indices as they are now; those that are not there are left out."""

    def create(self, documents: Sequence[Document]) -> BulkResult:
        """Store documents that are not there yet."""

    def added_fields(self, documents: Sequence[Document]) -> Mapping[str, Mapping[str, Any]]:
        """Return what documents that are there already say under ``oktalogger``, by id."""

    def sources(self, documents: Sequence[Document]) -> Mapping[str, Mapping[str, Any]]:
        """Return documents that are there already, whole, by id."""

    def reject(self, rejections: Sequence[Rejection], *, context: Mapping[str, str]) -> int:
        """Keep events that cannot be stored, whole and with the reason."""


@dataclass(frozen=True, slots=True)
class StoredPage:
    """What became of a page.

    :param outcome: what became of its documents
    :param rejected: how many events of it were kept as rejected
    :param drifted: the fields whose type does not fit, and how many events were stored without each
    :param drifted_events: how many events were stored without a part of them
    :param late: lateness of the documents that were created in windows already complete
    :param lateness: lateness of all documents that were created
    :param missed_seconds: the longest time that a late document was not there though its window was complete
    :param indices: UUID of each index that it wrote to
    :param counted: ids of documents that an earlier try of the load has counted
    :param altered: ids of documents that were there already and say something else than Okta, if that was compared
    """

    outcome: BulkResult
    rejected: int
    drifted: Counter[str]
    drifted_events: int
    late: Lateness
    lateness: Lateness
    missed_seconds: float
    indices: Mapping[str, str]
    counted: frozenset[str]
    altered: tuple[str, ...] = ()


class PageStorer:
    """Stores pages of one load. Several threads may use it at once.

    :param store: where to store
    :param stamp: what the load says of itself
    :param covered: windows whose load was complete before: what is created in them is late
    :param claims: tells which documents that are there already are this load's own
    :param compares: whether documents that are there already are compared with what Okta says
    :param redactor: what the events were redacted by
    """

    def __init__(
        self,
        store: DocumentStore,
        stamp: Stamp,
        covered: CoveredTime,
        claims: Claims,
        *,
        compares: bool = False,
        redactor: Redacts | None = None,
    ) -> None:
        self._store = store
        self._stamp = stamp
        self._covered = covered
        self._claims = claims
        self._compares = compares
        self._redactor = redactor

    def store(self, prepared: PreparedPage) -> StoredPage:
        """Store one page, and return what became of it.

        :raises OpenSearchLoadError: if OpenSearch refuses, or is out of reach
        """
        # A page of a quiet org, or one that was read through a filter, may span many months.
        for published in {built.document.index: built.published for built in prepared.documents}.values():
            self._store.ensure_month(published)
        documents = [built.document for built in prepared.documents]
        outcome = self._store.create(documents) if documents else BulkResult()
        drifted: Counter[str] = Counter()
        drifted_events = 0
        if outcome.rejected:
            outcome, drifted, drifted_events = self._without_misfits(outcome, prepared.documents)
        rejections = [*prepared.rejections, *outcome.rejected]
        if rejections:
            self._store.reject(rejections, context=self._context())
        claimed = self._claims.of(prepared, outcome, self._added)
        late, lateness, missed = self._lateness(prepared, outcome, claimed)
        written = {document.index for document in documents} | ({self._store.names.rejected} if rejections else set())
        indices = {index: self._store.identity(index) for index in written}
        mine = len(claimed.stored_at)
        outcome = replace(outcome, created=outcome.created + mine, existing=outcome.existing - mine)
        return StoredPage(
            outcome,
            len(rejections),
            drifted,
            drifted_events,
            late,
            lateness,
            missed,
            indices,
            claimed.counted,
            self._altered(prepared, outcome) if self._compares else (),
        )

    def _altered(self, prepared: PreparedPage, outcome: BulkResult) -> tuple[str, ...]:
        """Name the documents that were there already and say something else than Okta."""
        there = set(outcome.existing_ids)
        events: dict[str, list[bytes]] = {}
        documents = {}
        for built in prepared.documents:
            if built.document.id in there:
                events.setdefault(built.document.id, []).append(built.event)
                documents[built.document.id] = built.document
        found = self._store.sources(list(documents.values())) if documents else {}
        return tuple(
            sorted(uuid for uuid, source in found.items() if not says_the_same(source, events[uuid], self._redactor))
        )

    def _added(self, some: Sequence[Built]) -> Mapping[str, Mapping[str, Any]]:
        return self._store.added_fields([built.document for built in some])

    def _without_misfits(self, first: BulkResult, documents: Sequence[Built]) -> tuple[BulkResult, Counter[str], int]:
        """Store what was refused once more, without the parts that do not fit the mapping.

        :return: what became of all documents, with what is refused for good as Okta sent it; the fields whose parts
            were taken out; and how many events were stored like that
        """
        built_of = {built.document.source: built for built in documents}
        properties = month_template(self._store.names).mappings["properties"]
        again: dict[bytes, tuple[Rejection, Fitted]] = {}
        documents_again: list[Document] = []
        refused: list[Rejection] = []
        for rejection in first.rejected:
            built = built_of[rejection.event]
            as_sent = replace(rejection, event=built.event)
            fitted = fit(built.event, properties, rejection.reason)
            if fitted is None:
                refused.append(as_sent)
            else:
                document = built.with_event(fitted)
                again[document.source] = as_sent, fitted
                documents_again.append(document)
        second = self._store.create(documents_again) if documents_again else BulkResult()
        fields = Counter(field for document in documents_again for field in again[document.source][1].fields)
        for rejection in second.rejected:
            as_sent, fitted = again[rejection.event]
            fields -= Counter(fitted.fields)
            refused.append(replace(as_sent, reason_type=rejection.reason_type, reason=rejection.reason))
        outcome = replace(first, rejected=()) + replace(second, rejected=tuple(refused))
        return outcome, fields, second.created + second.existing

    def _lateness(
        self, prepared: PreparedPage, outcome: BulkResult, claimed: Claimed
    ) -> tuple[Lateness, Lateness, float]:
        """Say how long after ``published`` came the late documents among those created, and all of those.

        :return: both, and the longest time that a late document was not there though its window was complete
        """
        others = Counter([*outcome.existing_ids, *(rejection.id for rejection in outcome.rejected)])
        mine = dict(claimed.stored_at)
        late = Lateness()
        lateness = Lateness()
        missed = 0.0
        if outcome.created or mine:
            for built in prepared.documents:
                uuid = built.document.id
                at = prepared.at
                if others and others[uuid] > 0:
                    others[uuid] -= 1
                    if uuid not in mine:
                        continue
                    at = mine.pop(uuid)
                seconds = (at - built.published).total_seconds()
                lateness.add(seconds)
                since = self._covered.since(built.published)
                if since is not None and since <= at:
                    late.add(seconds)
                    missed = max(missed, (at - since).total_seconds())
        return late, lateness, missed

    def _context(self) -> dict[str, str]:
        fields = self._stamp.fields()
        return {name: fields[name] for name in ("org", "window_start", "window_end", "run_id", "load_kind")}
