"""Defines the documents of a bulk request, and their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

BulkAction: TypeAlias = Literal["create", "index", "update"]


@dataclass(frozen=True, slots=True)
class Revision:
    """Which writing of a document was read: an update that names it is refused once somebody has written another.

    :param seq_no: ``_seq_no`` of the document as it was read
    :param primary_term: ``_primary_term`` of it
    """

    seq_no: int
    primary_term: int


# A struct, because there is one for each event: making a frozen dataclass takes four times as long.
class Document(msgspec.Struct, frozen=True):
    """One document to write.

    :param id: the document's id; that of an event is Okta's ``uuid``
    :param index: the concrete index that it belongs to
    :param source: its JSON; for an ``update`` what is to change, as ``{"doc": {...}}``
    :param action: ``create`` leaves an existing document unchanged, ``index`` replaces it, ``update``
        changes a part of it
    :param read: for an ``update``, the writing of the document that it was made from
    """

    id: str
    index: str
    source: bytes
    action: BulkAction = "create"
    read: Revision | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """One event that cannot be stored.

    :param id: the event's uuid, None if it has none
    :param reason_type: OpenSearch's name of the error, or ours if the fault was found before sending
    :param reason: why, in words
    :param event: the whole event, whatever it is; it need not be JSON
    :param published: as the event has it, None if it has none
    :param index: the index that it was meant for, None if that could not be told
    """

    id: str | None
    reason_type: str
    reason: str
    event: bytes
    published: str | None
    index: str | None


@dataclass(frozen=True, slots=True)
class BulkResult:
    """The results of writing some documents. They can be added up.

    ``created + updated + existing + len(rejected)`` is the number of documents.

    :param created: documents that OpenSearch says it created for this call
    :param updated: documents that were there already and were replaced or changed, as was asked for
    :param existing: documents that were there already (409)
    :param unclear: how many of ``existing`` had been sent before in a request that got no answer (time-out, reset,
        502, 503, 504): this very call may have created them, or an earlier load; nobody can tell any more
    :param existing_ids: the ids of the existing ones
    :param rejected: documents that were refused for good
    :param retried: how many documents were sent again, each time counted
    :param requests: requests sent
    :param bytes_sent: bytes of the bodies sent, before any compression
    """

    created: int = 0
    existing: int = 0
    rejected: tuple[Rejection, ...] = ()
    retried: int = 0
    bytes_sent: int = 0
    requests: int = 0
    unclear: int = 0
    existing_ids: tuple[str, ...] = ()
    updated: int = 0

    def __add__(self, other: BulkResult) -> BulkResult:
        return BulkResult(
            created=self.created + other.created,
            existing=self.existing + other.existing,
            rejected=self.rejected + other.rejected,
            retried=self.retried + other.retried,
            bytes_sent=self.bytes_sent + other.bytes_sent,
            requests=self.requests + other.requests,
            unclear=self.unclear + other.unclear,
            existing_ids=self.existing_ids + other.existing_ids,
            updated=self.updated + other.updated,
        )
