"""Writes documents in bulk, and is the only one to do so: each is written, was there already, is rejected, or raises.

What a role needs for it: on the cluster ``indices:data/write/bulk``; on the indices ``indices:data/write/bulk*`` and
``indices:data/write/index``, for updates ``indices:data/write/update`` and ``indices:data/read/get`` as well.

By hand, because opensearch-py's helpers parse each event, make one dictionary an item, and retry by status alone: they
cannot tell a document that is refused for what it is from one that is refused for load.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote

import msgspec

from oktalogger.opensearch.bulk_request import batches, body_of, unusable
from oktalogger.opensearch.bulk_response import VERSION_CONFLICT, Fate, ItemOutcome, fate_of, read_outcomes
from oktalogger.opensearch.diagnosis import error_for
from oktalogger.opensearch.documents import BulkResult, Document, Rejection
from oktalogger.opensearch.errors import (
    IndexBlockedError,
    OpenSearchLoadError,
    OpenSearchRequestError,
    OpenSearchResponseError,
    OpenSearchUnavailableError,
)
from oktalogger.opensearch.request import WORTH_A_LINE, send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opensearchpy import OpenSearch

__all__ = ["BulkResult", "BulkRetry", "BulkWriter", "Document", "Rejection", "Renew"]

log = logging.getLogger(__name__)

MEBIBYTE = 1024 * 1024
DEFAULT_MAX_BODY_BYTES = 5 * MEBIBYTE
# How long the server waits for a shard; well below our own time-out, so that its answer reaches us.
_SHARD_TIMEOUT = "20s"
_ONLY = "items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by"

Renew: TypeAlias = "Callable[[Sequence[Document]], Sequence[Document]]"
"""Makes updates again from what is stored now; what it leaves out is not written any more."""
_Refused: TypeAlias = tuple[Document, OpenSearchLoadError]


@dataclass(frozen=True, slots=True)
class BulkRetry:
    """How often and how long to try again. Waits double and are shortened at random by up to half.

    :param first_wait_seconds: the first wait
    :param longest_wait_seconds: the longest single wait
    :param total_seconds: how long after the first refusal of a body trying goes on
    :param blocked_seconds: the same if writes are blocked (disk full), which seldom ends soon
    :param server_error_tries: how often a document may get a 500 of its own before it is rejected, provided that the
        server takes others of the same body
    """

    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 20.0
    total_seconds: float = 120.0
    blocked_seconds: float = 30.0
    server_error_tries: int = 6


@dataclass(frozen=True, slots=True)
class _Destination:
    """Where a body goes, and how.

    :param target: the index, or the alias through which it is written
    :param params: the query string
    :param renew: makes updates again after a conflict
    """

    target: str
    params: Mapping[str, str]
    renew: Renew | None


class BulkWriter:
    """Writes documents. Several threads may use one writer at once.

    :param client: the client
    :param max_body_bytes: the largest body of a request; a document larger than that goes alone
    :param retry: how often and how long to try again
    :param sleep: waits that many seconds
    :param clock: seconds that only ever grow
    """

    def __init__(
        self,
        client: OpenSearch,
        *,
        max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
        retry: BulkRetry | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self.max_body_bytes = max_body_bytes
        self._retry = retry or BulkRetry()
        self._sleep = sleep
        self._clock = clock

    def write(
        self,
        documents: Sequence[Document],
        *,
        alias_of: Callable[[str], str] | None = None,
        refresh: bool = False,
        renew: Renew | None = None,
    ) -> BulkResult:
        """Write documents. What OpenSearch cannot take for the moment is sent again, conflicts of updates as well.

        :param documents: in any number and order, for one or several indices; JSON, newlines only between its tokens
        :param alias_of: names the alias of an index through which it is written, and which must exist; without it the
            index itself is written, and OpenSearch makes it if it is missing
        :param refresh: make the documents visible to searches at once; Amazon OpenSearch Serverless refuses that
        :param renew: makes those updates again whose document somebody else wrote after it was read
            (:attr:`Document.read`); without it such an update is sent again as it is, and fails in the end
        :return: the counts, and what was refused for good; the caller decides what becomes of that
        :raises OpenSearchLoadError: if a document could be neither written nor rejected. What was written before
            stays
        """
        result = BulkResult()
        params = {"timeout": _SHARD_TIMEOUT}
        if alias_of is not None:
            params["require_alias"] = "true"
        if refresh:
            params["refresh"] = "true"
        for index, group in _by_index(documents).items():
            destination = _Destination(index if alias_of is None else alias_of(index), params, renew)
            good = []
            for document in group:
                reason = unusable(document)
                if reason is None:
                    good.append(document)
                else:
                    result += BulkResult(rejected=(_rejection(document, "invalid_id", reason),))
            for batch in batches(good, self.max_body_bytes):
                result += self._write(destination, batch)
        return result

    def _write(self, destination: _Destination, documents: list[Document]) -> BulkResult:
        """Send one body until each of its documents is settled."""
        result = BulkResult()
        pending = documents
        waits = _Waits(self._retry, self._sleep, self._clock)
        unclear = False
        server_errors: Counter[str] = Counter()
        while pending:
            body = body_of(pending)
            result += BulkResult(requests=1, bytes_sent=len(body))
            try:
                outcomes = self._send(destination, body, pending)
            except (OpenSearchUnavailableError, IndexBlockedError, OpenSearchResponseError) as error:
                unclear = unclear or getattr(error, "outcome_unknown", True)
                waits.wait(error)
            except OpenSearchRequestError as error:
                return result + self._divide(destination, pending, error)
            else:
                settled, refused = _settle(destination.target, pending, outcomes, unclear=unclear)
                result += settled
                server_errors.update(document.id for document, error in refused if error.status == 500)
                if result.created + result.updated + result.existing:
                    hopeless, refused = self._divide_refused(refused, server_errors)
                    result += BulkResult(rejected=tuple(_reject(document, error) for document, error in hopeless))
                if not refused:
                    return result
                waits.wait(refused[0][1])
                pending = _next_try(refused, destination.renew)
            result += BulkResult(retried=len(pending))
        return result

    def _divide_refused(
        self, refused: list[_Refused], server_errors: Counter[str]
    ) -> tuple[list[_Refused], list[_Refused]]:
        """Tell what the server fails on again and again from what it may take the next time."""
        hopeless: list[_Refused] = []
        others: list[_Refused] = []
        for document, error in refused:
            failed = error.status == 500 and server_errors[document.id] >= self._retry.server_error_tries
            (hopeless if failed else others).append((document, error))
        return hopeless, others

    def _divide(
        self, destination: _Destination, documents: list[Document], error: OpenSearchRequestError
    ) -> BulkResult:
        """Find what it is in a body that OpenSearch refused as a whole (413, 400), by halves."""
        if error.status not in (400, 413):
            raise error
        if len(documents) == 1:
            return BulkResult(rejected=(_reject(documents[0], error),))
        middle = len(documents) // 2
        return self._write(destination, documents[:middle]) + self._write(destination, documents[middle:])

    def _send(self, destination: _Destination, body: bytes, documents: list[Document]) -> list[ItemOutcome]:
        answer = send(
            self._client,
            "POST",
            f"/{quote(destination.target)}/_bulk",
            doing=f"to write {len(documents)} documents to {destination.target}",
            index=destination.target,
            params=destination.params,
            only=_ONLY,
            body=body,
            content_type="application/x-ndjson",
        )
        return read_outcomes(answer, [document.action for document in documents])


class _Waits:
    """The waits between the tries of one body, and their bound."""

    def __init__(self, retry: BulkRetry, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._retry = retry
        self._sleep = sleep
        self._clock = clock
        self._began: float | None = None
        self._next = retry.first_wait_seconds

    def wait(self, error: OpenSearchLoadError) -> None:
        """Wait before the next try, or raise the error if that would go past the bound."""
        now = self._clock()
        if self._began is None:
            self._began = now
        blocked = isinstance(error, IndexBlockedError)
        bound = self._retry.blocked_seconds if blocked else self._retry.total_seconds
        seconds = self._next * random.uniform(0.5, 1.0)  # noqa: S311
        if now + seconds - self._began > bound:
            raise error
        if seconds >= WORTH_A_LINE:
            log.warning("%s Trying again in %.1f s.", error, seconds)
        self._sleep(seconds)
        self._next = min(self._next * 2, self._retry.longest_wait_seconds)


def _by_index(documents: Sequence[Document]) -> dict[str, list[Document]]:
    groups: dict[str, list[Document]] = {}
    for document in documents:
        groups.setdefault(document.index, []).append(document)
    return groups


def _next_try(refused: list[_Refused], renew: Renew | None) -> list[Document]:
    """Return the documents to send again: updates that met a conflict are made again, the others stay the same."""
    if renew is None:
        return [document for document, _ in refused]
    again = [document for document, error in refused if error.error_type != VERSION_CONFLICT]
    stale = [document for document, error in refused if error.error_type == VERSION_CONFLICT]
    return [*again, *renew(stale)] if stale else again


def _settle(
    target: str, documents: list[Document], outcomes: list[ItemOutcome], *, unclear: bool
) -> tuple[BulkResult, list[_Refused]]:
    """Sort documents by their results.

    :return: the counts; the documents to send again, each with why it was refused
    :raises OpenSearchLoadError: if an item's refusal has nothing to do with the document
    """
    created = updated = 0
    existing: list[str] = []
    rejected: list[Rejection] = []
    again: list[_Refused] = []
    for document, outcome in zip(documents, outcomes, strict=True):
        if outcome.status == 201:  # nearly all of them
            created += 1
            continue
        match fate_of(outcome, document.action):
            case Fate.CREATED:
                created += 1
            case Fate.UPDATED:
                updated += 1
            case Fate.EXISTING:
                existing.append(document.id)
            case Fate.REJECTED:
                failure = outcome.failure
                rejected.append(_reject(document, error_for(failure, doing="", index=document.index)))
            case Fate.AGAIN:
                again.append((document, _item_error(target, outcome)))
            case Fate.CONFLICT:
                again.append((document, _conflict(target, outcome)))
            case Fate.FATAL:
                raise _item_error(target, outcome)
    result = BulkResult(
        created=created,
        updated=updated,
        existing=len(existing),
        existing_ids=tuple(existing),
        rejected=tuple(rejected),
        unclear=len(existing) if unclear else 0,
    )
    return result, again


def _item_error(target: str, outcome: ItemOutcome) -> OpenSearchLoadError:
    return error_for(outcome.failure, doing=f"to write documents to {target}", index=target)


def _conflict(target: str, outcome: ItemOutcome) -> OpenSearchUnavailableError:
    failure = outcome.failure
    return OpenSearchUnavailableError(
        f"Others kept writing the documents of {target} that were to be changed ({failure.said}): try again.",
        status=failure.status,
        error_type=failure.error_type,
        reason=failure.reason,
        index=target,
    )


def _reject(document: Document, error: OpenSearchLoadError) -> Rejection:
    return _rejection(document, error.error_type or f"http_{error.status}", error.reason or str(error))


def _rejection(document: Document, reason_type: str, reason: str) -> Rejection:
    return Rejection(
        id=document.id or None,
        reason_type=reason_type,
        reason=reason,
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
