"""Reads what a bulk response says of each document, and decides whose fault a refusal is."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

import msgspec

from oktalogger.opensearch.diagnosis import Failure, shorten
from oktalogger.opensearch.documents import BulkAction
from oktalogger.opensearch.errors import OpenSearchResponseError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Cause(msgspec.Struct):
    """An error, or what caused it."""

    type: str = ""
    reason: str | None = None
    caused_by: Cause | None = None


class ItemOutcome(msgspec.Struct):
    """What became of one document."""

    status: int
    error: Cause | None = None

    @property
    def failure(self) -> Failure:
        """The refusal, with the reasons of its causes."""
        reasons: list[str] = []
        at = self.error
        while at is not None:
            said = at.reason or at.type
            if said and not any(said in earlier for earlier in reasons):
                reasons.append(said)
            at = at.caused_by
        return Failure(self.status, self.error.type if self.error else "", shorten(": ".join(reasons)))


class _Response(msgspec.Struct):
    items: list[dict[BulkAction, ItemOutcome]] = []


_decode = msgspec.json.Decoder(_Response).decode


class Fate(enum.Enum):
    """What to do about one document."""

    CREATED = "created"
    UPDATED = "updated"
    EXISTING = "existing"
    REJECTED = "rejected"
    """Refused for what it is: keep it with the reason."""
    AGAIN = "again"
    """Refused for the moment: send it again."""
    CONFLICT = "conflict"
    """Somebody wrote the document at the same time: send it again, made from what is there now."""
    FATAL = "fatal"
    """Refused for what the index or the caller is: every other document would be as well."""


VERSION_CONFLICT = "version_conflict_engine_exception"
# 400s that say something of the index, the alias or a setting, and nothing of the document.
_NOT_THE_DOCUMENT_TYPES = frozenset(
    {
        "index_closed_exception",
        "invalid_index_name_exception",
        "routing_missing_exception",
        "invalid_alias_name_exception",
    }
)
_NOT_THE_DOCUMENT = re.compile(
    r"no write index is defined for alias|pipeline with id \[.*\] does not exist|Number of documents in the index"
    r"|maximum shards open|Document ID is not supported"
)


def read_outcomes(answer: object, actions: Sequence[BulkAction]) -> list[ItemOutcome]:
    """Read the answer to a bulk request that was asked for with ``filter_path``.

    :param answer: the answer, parsed
    :param actions: what was asked for, item by item
    :raises OpenSearchResponseError: if it is not a bulk response
    """
    try:
        items = msgspec.convert(answer, _Response).items
    except msgspec.ValidationError as error:
        raise _not_an_answer(answer, str(error)) from error
    if len(items) != len(actions):
        raise _not_an_answer(answer, f"it has {len(items)} items for {len(actions)} documents")
    try:
        return [item[action] for item, action in zip(items, actions, strict=True)]
    except KeyError as error:
        raise _not_an_answer(answer, f"an item that was to {error.args[0]} is answered as another") from error


def _not_an_answer(answer: object, why: str) -> OpenSearchResponseError:
    return OpenSearchResponseError(
        "What answered a bulk request is not OpenSearch, or something on the way cut or replaced its answer: "
        f"{shorten(str(answer)[:200])!r} ({why}). Check the URL, and for a proxy on the way."
    )


def fate_of(outcome: ItemOutcome, action: BulkAction = "create") -> Fate:
    """Decide what to do about one document.

    Only what is wrong with the document itself rejects it: load, full disks, missing rights and missing indices say
    nothing of it.

    :param outcome: what OpenSearch says of it
    :param action: what was asked for
    """
    status = outcome.status
    if 200 <= status < 300:
        return Fate.CREATED if status == 201 or action == "create" else Fate.UPDATED
    error_type = outcome.error.type if outcome.error else ""
    if status == 409 and error_type == VERSION_CONFLICT:
        return Fate.EXISTING if action == "create" else Fate.CONFLICT
    if error_type == "document_missing_exception":
        return Fate.REJECTED
    if status in (401, 403, 404) and error_type != "cluster_block_exception":
        return Fate.FATAL
    if status == 429 or status >= 500 or error_type == "cluster_block_exception":
        return Fate.AGAIN
    if error_type in _NOT_THE_DOCUMENT_TYPES or _NOT_THE_DOCUMENT.search(outcome.failure.reason):
        return Fate.FATAL
    return Fate.REJECTED
