"""What replay found: kept in an index of its own, each match once, however often it is found again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oktalogger.opensearch.errors import IndexConflictError, OpenSearchLoadError, OpenSearchRequestError
from oktalogger.opensearch.names import DEFAULT_PREFIX
from oktalogger.opensearch.request import call, send
from oktalogger.resources import resource
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.opensearch.names import IndexNames

MATCHES_INDEX: Final = "okta-detection-matches"
_BATCH: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One event that a rule selects, or one slot of time in which a group reached a rule's threshold.

    :param id: the same whenever the same is found again
    :param org: the Okta org's host name
    :param first: when the first of its events was published
    :param last: when the last of its events was published
    :param events: how many events there are
    :param values: how many different values there are, where a rule counts values
    :param group: what the events have in common, by index field
    :param event_id: the `uuid` of one of them
    :param example: one of them in a line
    """

    id: str
    org: str
    first: datetime
    last: datetime
    events: int
    values: int | None
    group: dict[str, str]
    event_id: str
    example: str

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
            },
            "org": self.org,
            "first": format_instant(self.first),
            "last": format_instant(self.last),
            "events": self.events,
            "values": self.values,
            "group": self.group_lines(),
            "event_id": self.event_id,
            "example": self.example,
            "run_id": run_id,
            "found_at": format_instant(found_at),
        }


def matches_index(names: IndexNames) -> str:
    """Return the name of the index of matches of a deployment."""
    return MATCHES_INDEX if names.prefix == DEFAULT_PREFIX else f"{names.prefix}-detection-matches"


def ensure_matches_index(client: OpenSearch, index: str) -> None:
    """Make the index of matches where it is missing.

    :raises IndexConflictError: where an index of that name is not ours
    :raises OpenSearchLoadError: for all else
    """
    doing = f"while making the index {index}"
    body = json.loads(resource("opensearch/detection-matches.json").read_text(encoding="utf-8"))
    try:
        call(client, "PUT", f"/{index}", doing=doing, index=index, body=body)
    except OpenSearchLoadError as error:
        if error.error_type != "resource_already_exists_exception":
            raise
    else:
        return
    found = call(client, "GET", f"/{index}/_mapping", doing=doing, index=index)
    metas = [entry["mappings"].get("_meta", {}) for entry in found.values()]
    if any(meta.get("managed_by") != "oktalogger" for meta in metas):
        raise IndexConflictError(
            f"The index {index} exists, and oktalogger did not make it. Rename or delete it, or choose another index "
            "prefix (OKTALOGGER_INDEX_PREFIX).",
            index=index,
        )


def store_matches(
    client: OpenSearch,
    index: str,
    detection: CompiledDetection,
    matches: Sequence[Match],
    *,
    run_id: str,
    found_at: datetime,
) -> list[Match]:
    """Store what a detection found.

    :param index: the index of matches, which must be there
    :return: those that were not there before
    :raises OpenSearchLoadError: where OpenSearch refuses one, or stays out of reach
    """
    new: list[Match] = []
    for start in range(0, len(matches), _BATCH):
        batch = matches[start : start + _BATCH]
        lines = []
        for match in batch:
            lines.append(msgspec.json.encode({"create": {"_id": match.id}}))
            lines.append(msgspec.json.encode(match.document(detection, run_id, found_at)))
        answer = msgspec.json.decode(
            send(
                client,
                "POST",
                f"/{index}/_bulk",
                doing=f"while storing matches of {detection.title}",
                index=index,
                body=b"\n".join(lines) + b"\n",
                content_type="application/x-ndjson",
            )
        )
        for match, item in zip(batch, answer["items"], strict=True):
            status = item["create"]["status"]
            if status == 201:
                new.append(match)
            elif status != 409:
                raise OpenSearchRequestError(
                    f"OpenSearch did not store a match of {detection.title}: {item['create'].get('error')}",
                    status=status,
                    index=index,
                )
    return new


def first_found_in(client: OpenSearch, index: str, ids: Sequence[str], run_id: str) -> set[str]:
    """Return those of some matches that a run was the first to find, in this try or in one before.

    :param index: the index of matches, where all of these are stored already
    :param ids: of the matches
    :param run_id: of the run
    :raises OpenSearchLoadError: where OpenSearch refuses, or stays out of reach
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
