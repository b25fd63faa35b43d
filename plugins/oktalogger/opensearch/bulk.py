"""Creating documents in bulk: each is created, was there already, is rejected with its reason, or an error is raised.

What the role of the loader needs for it: on the cluster ``indices:data/write/bulk``; on the indices
``indices:data/write/bulk*`` and ``indices:data/write/index``. Nothing is ever overwritten or deleted.

Written by hand, because the helpers of opensearch-py take no finished bytes, and retry without telling what was stored.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote

import msgspec

from oktalogger.opensearch.bulk_response import Fate, ItemOutcome, fate_of, read_outcomes
from oktalogger.opensearch.diagnosis import error_for, shorten
from oktalogger.opensearch.documents import BulkResult, Document, Rejection
from oktalogger.opensearch.errors import (
    IndexBlockedError,
    OpenSearchLoadError,
    OpenSearchRequestError,
    OpenSearchResponseError,
    OpenSearchUnavailableError,
    RejectionNotStoredError,
)
from oktalogger.opensearch.rejected import rejection_documents
from oktalogger.opensearch.request import send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames

__all__ = ["BulkResult", "BulkRetry", "BulkStore", "Document", "Rejection"]

MEBIBYTE = 1024 * 1024
DEFAULT_MAX_BODY_BYTES = 5 * MEBIBYTE
_LONGEST_ID_BYTES = 512
_PARAMS = {
    # Fail instead of making a missing index without our mapping.
    "require_alias": "true",
    # How long the server waits for a shard; well below our own time-out, so that its answer reaches us.
    "timeout": "20s",
}
_ONLY = "items.create.status,items.create.error.type,items.create.error.reason,items.create.error.caused_by"

_Refused: TypeAlias = tuple[Document, OpenSearchLoadError]


@dataclass(frozen=True, slots=True)
class BulkRetry:
    """How often and how long to try again. Waits double and are shortened at random by up to half.

    :param first_wait_seconds: the first wait
    :param longest_wait_seconds: the longest single wait
    :param total_seconds: how long after the first refusal of a body trying goes on
    :param blocked_seconds: the same where writes are blocked (disk full), which seldom ends soon
    :param server_error_tries: how often a document may get a 500 of its own before it is rejected, provided that the
        server takes others of the same body
    """

    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 20.0
    total_seconds: float = 120.0
    blocked_seconds: float = 30.0
    server_error_tries: int = 6


class BulkStore:
    """Creates documents. Several threads may use one store at once.

    A document is written through the alias of its index that :func:`~oktalogger.opensearch.schema.ensure_month` made,
    so that nothing can be loaded into an index without our mapping, even if it was deleted a moment ago.

    :param client: the client; its own retries are not used
    :param names: the names of the deployment
    :param max_body_bytes: the largest body of a request; a document larger than that goes alone
    :param retry: how often and how long to try again
    :param sleep: waits that many seconds
    :param clock: seconds that only ever grow
    """

    def __init__(
        self,
        client: OpenSearch,
        names: IndexNames,
        *,
        max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
        retry: BulkRetry | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._names = names
        self._max_body_bytes = max_body_bytes
        self._retry = retry or BulkRetry()
        self._sleep = sleep
        self._clock = clock

    def create(self, documents: Sequence[Document]) -> BulkResult:
        """Create documents; those that are there already stay as they are.

        :param documents: in any number and order, of one or several months; JSON, newlines only between its tokens
        :return: the counts, and what was refused for good; the caller hands that to :meth:`reject`
        :raises OpenSearchLoadError: where a document could be neither stored nor rejected. What was stored before
            stays: doing all of it again counts it as existing
        """
        result = BulkResult()
        for index, group in _by_index(documents).items():
            good = []
            for document in group:
                rejection = _unusable(document)
                if rejection is None:
                    good.append(document)
                else:
                    result += BulkResult(rejected=(rejection,))
            for batch in _batches(good, self._max_body_bytes):
                result += self._store(self._names.write_alias(index), batch)
        return result

    def reject(self, rejections: Sequence[Rejection], *, context: Mapping[str, str]) -> int:
        """Keep refused events whole, with the reasons, in the index of rejected events.

        :param rejections: what was refused, here or by whoever read the events
        :param context: what else to keep with each, as ``org``, ``window``, ``run_id``
        :return: how many documents were new there; one that was refused before, in an earlier run, is not
        :raises RejectionNotStoredError: where that index refuses one as well
        :raises OpenSearchLoadError: for all else that keeps them from being stored
        """
        part_bytes = max(1024, self._max_body_bytes // 8)
        result = self.create(
            [
                document
                for rejection in rejections
                for document in rejection_documents(
                    rejection, index=self._names.rejected, context=context, part_bytes=part_bytes
                )
            ]
        )
        if result.rejected:
            first = result.rejected[0]
            raise RejectionNotStoredError(
                f"The index {self._names.rejected} refused {len(result.rejected)} of {len(rejections)} rejected "
                f"events, the first with {first.reason_type}: {first.reason}. The load stops, so that nothing is lost. "
                "Look at that index's mapping and settings, and load the window again.",
                error_type=first.reason_type,
                reason=first.reason,
                index=self._names.rejected,
            )
        return result.created

    def _store(self, target: str, documents: list[Document]) -> BulkResult:
        """Send one body until each of its documents is settled."""
        result = BulkResult()
        pending = documents
        waits = _Waits(self._retry, self._sleep, self._clock)
        unclear = False
        server_errors: Counter[int] = Counter()
        while True:
            body = _body(pending)
            result += BulkResult(requests=1, bytes_sent=len(body))
            try:
                outcomes = self._send(target, body, len(pending))
            except (OpenSearchUnavailableError, IndexBlockedError, OpenSearchResponseError) as error:
                unclear = unclear or getattr(error, "outcome_unknown", True)
                waits.wait(error)
            except OpenSearchRequestError as error:
                return result + self._divide(target, pending, error)
            else:
                settled, refused = _settle(target, pending, outcomes, unclear=unclear)
                result += settled
                server_errors.update(id(document) for document, error in refused if error.status == 500)
                if result.created + result.existing:
                    hopeless, refused = self._divide_refused(refused, server_errors)
                    result += BulkResult(rejected=tuple(_reject(document, error) for document, error in hopeless))
                if not refused:
                    return result
                pending = [document for document, _ in refused]
                waits.wait(refused[0][1])
            result += BulkResult(retried=len(pending))

    def _divide_refused(
        self, refused: list[_Refused], server_errors: Counter[int]
    ) -> tuple[list[_Refused], list[_Refused]]:
        """Tell what the server fails on again and again from what it may take the next time."""
        hopeless: list[_Refused] = []
        others: list[_Refused] = []
        for document, error in refused:
            failed = error.status == 500 and server_errors[id(document)] >= self._retry.server_error_tries
            (hopeless if failed else others).append((document, error))
        return hopeless, others

    def _divide(self, target: str, documents: list[Document], error: OpenSearchRequestError) -> BulkResult:
        """Find what it is in a body that OpenSearch refused as a whole (413, 400), by halves."""
        if error.status not in (400, 413):
            raise error
        if len(documents) == 1:
            return BulkResult(rejected=(_reject(documents[0], error),))
        middle = len(documents) // 2
        return self._store(target, documents[:middle]) + self._store(target, documents[middle:])

    def _send(self, target: str, body: bytes, count: int) -> list[ItemOutcome]:
        answer = send(
            self._client,
            "POST",
            f"/{quote(target)}/_bulk",
            doing=f"to store {count} documents through {target}",
            index=target,
            params=_PARAMS,
            only=_ONLY,
            body=body,
            content_type="application/x-ndjson",
        )
        outcomes = read_outcomes(answer)
        if len(outcomes) != count:
            raise OpenSearchResponseError(
                f"OpenSearch answered for {len(outcomes)} of {count} documents, stored through {target}: something on "
                f"the way cut or replaced the answer ({shorten(answer[:200])!r}).",
                index=target,
            )
        return outcomes


class _Waits:
    """The waits between the tries of one body, and their bound."""

    def __init__(self, retry: BulkRetry, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._retry = retry
        self._sleep = sleep
        self._clock = clock
        self._began: float | None = None
        self._next = retry.first_wait_seconds

    def wait(self, error: OpenSearchLoadError) -> None:
        """Wait before the next try, or raise the error where that would go past the bound."""
        now = self._clock()
        if self._began is None:
            self._began = now
        blocked = isinstance(error, IndexBlockedError)
        bound = self._retry.blocked_seconds if blocked else self._retry.total_seconds
        seconds = self._next * random.uniform(0.5, 1.0)  # noqa: S311
        if now + seconds - self._began > bound:
            raise error
        self._sleep(seconds)
        self._next = min(self._next * 2, self._retry.longest_wait_seconds)


def _by_index(documents: Sequence[Document]) -> dict[str, list[Document]]:
    groups: dict[str, list[Document]] = {}
    for document in documents:
        groups.setdefault(document.index, []).append(document)
    return groups


def _batches(documents: Sequence[Document], max_body_bytes: int) -> Iterator[list[Document]]:
    batch: list[Document] = []
    size = 0
    for document in documents:
        length = len(document.source) + len(document.id) + 32
        if batch and size + length > max_body_bytes:
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += length
    if batch:
        yield batch


def _body(documents: list[Document]) -> bytes:
    lines: list[bytes] = []
    for document in documents:
        source = document.source
        # Valid JSON has newlines between tokens only, where a space is the same; here they would end the document.
        if b"\n" in source:
            source = source.replace(b"\n", b" ")
        lines += (b'{"create":{"_id":%b}}' % msgspec.json.encode(document.id), source)
    lines.append(b"")
    return b"\n".join(lines)


def _unusable(document: Document) -> Rejection | None:
    """Find what would make OpenSearch refuse the whole body."""
    length = len(document.id) if document.id.isascii() else len(document.id.encode())
    if not 0 < length <= _LONGEST_ID_BYTES:
        reason = f"the id has {length} bytes; OpenSearch takes 1 to {_LONGEST_ID_BYTES}"
        return Rejection(
            document.id or None, "invalid_id", reason, document.source, _published(document), document.index
        )
    return None


def _settle(
    target: str, documents: list[Document], outcomes: list[ItemOutcome], *, unclear: bool
) -> tuple[BulkResult, list[_Refused]]:
    """Sort documents by what became of them.

    :return: the counts; the documents to send again, each with why it was refused
    :raises OpenSearchLoadError: where an item's refusal has nothing to do with the document
    """
    created = 0
    existing: list[str] = []
    rejected: list[Rejection] = []
    again: list[_Refused] = []
    for document, outcome in zip(documents, outcomes, strict=True):
        match fate_of(outcome):
            case Fate.CREATED:
                created += 1
            case Fate.EXISTING:
                existing.append(document.id)
            case Fate.REJECTED:
                failure = outcome.failure
                rejected.append(_reject(document, error_for(failure, doing="", index=document.index)))
            case Fate.AGAIN:
                again.append((document, _item_error(target, outcome)))
            case Fate.FATAL:
                raise _item_error(target, outcome)
    result = BulkResult(
        created=created,
        existing=len(existing),
        existing_ids=tuple(existing),
        rejected=tuple(rejected),
        unclear=len(existing) if unclear else 0,
    )
    return result, again


def _item_error(target: str, outcome: ItemOutcome) -> OpenSearchLoadError:
    return error_for(outcome.failure, doing=f"to store documents through {target}", index=target)


def _reject(document: Document, error: OpenSearchLoadError) -> Rejection:
    return Rejection(
        id=document.id,
        reason_type=error.error_type or f"http_{error.status}",
        reason=error.reason or str(error),
        event=document.source,
        published=_published(document),
        index=document.index,
    )


class _Published(msgspec.Struct):
    published: str | None = None


def _published(document: Document) -> str | None:
    try:
        return msgspec.json.decode(document.source, type=_Published).published
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
