"""Keeps what replay found in an index of its own, each match once, however often it is found again."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

import msgspec

from oktalogger.opensearch.bulk import BulkWriter
from oktalogger.opensearch.documents import Document
from oktalogger.opensearch.errors import OpenSearchRequestError
from oktalogger.opensearch.request import call
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import CompiledDetection, Exclusion

_BATCH: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a rule found: a group of events, a slot of time that reached a threshold, a first time, or a silence.

    :param id: the same whenever the same is found again
    :param org: the Okta org's host name
    :param first: when the first of its events was published
    :param last: when the last of its events was published
    :param events: how many events there are
    :param values: how many different values there are, or what a rule measures of them
    :param group: what the events have in common, by index field
    :param event_id: the `uuid` of one of them
    :param example: one of them in a line
    :param actor: who it is about, if it is about an actor
    :param excepted: the exception that keeps it from being told
    """

    id: str
    org: str
    first: datetime
    last: datetime
    events: int
    values: float | None
    group: dict[str, str]
    event_id: str
    example: str
    actor: str = ""
    excepted: Exclusion | None = None

    def excepted_by(self, exception: Exclusion) -> Match:
        """Return the match as one that an exception keeps from being told."""
        return replace(self, id=str(uuid5(UUID(self.id), "excepted")), excepted=exception)

    def group_lines(self) -> list[str]:
        """Return what the events have in common, as it is stored."""
        return [f"{field}={value}" for field, value in self.group.items()]

    def document(self, detection: CompiledDetection, run_id: str, found_at: datetime) -> dict[str, Any]:
        """Return the document that is stored.

        :param run_id: of the replay
        :param found_at: the present
        """
        return {
            "detection": {
                "id": detection.id,
                "name": detection.name,
                "title": detection.title,
                "severity": detection.severity,
                "attack": list(detection.attack),
                "tactics": list(detection.tactics),
                "risk": detection.risk_score,
            },
            "org": self.org,
            **({"actor": self.actor} if self.actor else {}),
            "first": format_instant(self.first),
            "last": format_instant(self.last),
            "events": self.events,
            "values": self.values,
            "group": self.group_lines(),
            "event_id": self.event_id,
            "example": self.example,
            "run_id": run_id,
            "found_at": format_instant(found_at),
            **self._exception(),
        }

    def _exception(self) -> dict[str, Any]:
        why = self.excepted
        return {} if why is None else {"excepted": {"owner": why.owner, "reason": why.title, "until": why.until}}


def store_matches(
    client: OpenSearch,
    index: str,
    detection: CompiledDetection,
    matches: Sequence[Match],
    *,
    run_id: str,
    found_at: datetime,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Match]:
    """Store what a detection found; a server that has too much to do is asked again, as by a load.

    :param index: the index of matches, which must be there
    :param sleep: waits that many seconds
    :return: those that were not there before
    :raises OpenSearchRequestError: if OpenSearch refuses one for good; the others are stored
    :raises OpenSearchLoadError: if OpenSearch refuses for another reason, or stays out of reach
    """
    documents = [
        Document(match.id, index, msgspec.json.encode(match.document(detection, run_id, found_at))) for match in matches
    ]
    result = BulkWriter(client, sleep=sleep).write(documents)
    if result.rejected:
        first = result.rejected[0]
        raise OpenSearchRequestError(
            f"OpenSearch refused {len(result.rejected)} of {len(matches)} matches of {detection.title}, the first with "
            f"{first.reason_type}: {first.reason}. The others are stored. Look at the mapping and settings of {index}.",
            error_type=first.reason_type,
            reason=first.reason,
            index=index,
        )
    existing = set(result.existing_ids)
    return [match for match in matches if match.id not in existing]


def first_found_in(client: OpenSearch, index: str, ids: Sequence[str], run_id: str) -> set[str]:
    """Return those of some matches that a run was the first to find, in this try or in one before.

    :param index: the index of matches, where all of these are stored already
    :param ids: of the matches
    :param run_id: of the run
    :raises OpenSearchLoadError: if OpenSearch refuses, or stays out of reach
    """
    found: set[str] = set()
    for start in range(0, len(ids), _BATCH):
        answer = call(
            client,
            "POST",
            f"/{index}/_mget",
            doing="while looking which matches are new",
            index=index,
            params={"_source_includes": "run_id"},
            body={"ids": list(ids[start : start + _BATCH])},
        )
        found |= {hit["_id"] for hit in answer["docs"] if hit.get("found") and hit["_source"].get("run_id") == run_id}
    return found
