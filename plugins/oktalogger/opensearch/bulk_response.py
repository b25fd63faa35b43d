"""What a bulk response says of each document, and whose fault a refusal is."""

from __future__ import annotations

import enum
import re

import msgspec

from oktalogger.opensearch.diagnosis import Failure, shorten
from oktalogger.opensearch.errors import OpenSearchResponseError


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


class _Item(msgspec.Struct):
    create: ItemOutcome


class _Response(msgspec.Struct):
    items: list[_Item] = []


class Fate(enum.Enum):
    """What to do about one document."""

    CREATED = "created"
    EXISTING = "existing"
    REJECTED = "rejected"
    """Refused for what it is: keep it with the reason."""
    AGAIN = "again"
    """Refused for the moment: send it again."""
    FATAL = "fatal"
    """Refused for what the index or the caller is: every other document would be as well."""


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


def read_outcomes(answer: str) -> list[ItemOutcome]:
    """Parse a bulk response that was asked for with ``filter_path``.

    :param answer: the response's body
    :raises OpenSearchResponseError: where it is none
    """
    try:
        return [item.create for item in msgspec.json.decode(answer, type=_Response).items]
    except msgspec.DecodeError as error:
        raise OpenSearchResponseError(
            f"What answered a bulk request is not OpenSearch, or its answer was cut off: {shorten(answer[:200])!r} "
            f"({error}). Check the URL, and for a proxy on the way."
        ) from error


def fate_of(outcome: ItemOutcome) -> Fate:
    """Decide what to do about one document.

    Only what is wrong with the document itself rejects it: load, full disks, missing rights and missing indices say
    nothing of it.
    """
    status = outcome.status
    if 200 <= status < 300:
        return Fate.CREATED
    error_type = outcome.error.type if outcome.error else ""
    if status == 409 and error_type == "version_conflict_engine_exception":
        return Fate.EXISTING
    if status in (401, 403, 404) and error_type != "cluster_block_exception":
        return Fate.FATAL
    if status == 429 or status >= 500 or error_type == "cluster_block_exception":
        return Fate.AGAIN
    if error_type in _NOT_THE_DOCUMENT_TYPES or _NOT_THE_DOCUMENT.search(outcome.failure.reason):
        return Fate.FATAL
    return Fate.REJECTED
