"""Asks OpenSearch for the groups of a rule's search, and makes matches of its answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from oktalogger.detections import grouped_search as grouped
from oktalogger.detections.replay.matches import Match
from oktalogger.detections.slots import PUBLISHED
from oktalogger.opensearch.request import search
from oktalogger.text import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.opensearch.names import IndexNames

FIRST: Final = "okta_first"
LATEST: Final = "okta_latest"
EXAMPLE: Final = "okta_example"
_ACTOR: Final = "actor.alternateId"
_SHOWN: Final = [
    "uuid",
    "published",
    "eventType",
    "outcome.result",
    "actor.alternateId",
    "client.ipAddress",
    "oktalogger.org",
    "oktalogger.target.any.display_name",
]
SHOWN: Final[dict[str, Any]] = {
    FIRST: {"min": {"field": PUBLISHED}},
    LATEST: {"max": {"field": PUBLISHED}},
    EXAMPLE: {"top_hits": {"size": 1, "_source": _SHOWN, "sort": [{PUBLISHED: "asc"}]}},
}
"""Aggregations of which a match is made, for inside a group or slot."""


def groups_of(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, **search: Any
) -> Iterator[dict[str, Any]]:
    """Yield the groups that the search of a rule finds, page by page.

    :param search: what ``grouped_search.search_body`` takes
    :raises OpenSearchLoadError: where OpenSearch refuses, or stays out of reach
    """
    after = None
    while True:
        body = grouped.search_body(detection, after=after, **search)
        found = ask(client, names, detection, body)["aggregations"][grouped.GROUPS]
        yield from found["buckets"]
        after = found.get("after_key")
        if after is None:
            return


def ask(client: OpenSearch, names: IndexNames, detection: CompiledDetection, body: dict[str, Any]) -> dict[str, Any]:
    """Run one search over all months.

    :raises OpenSearchLoadError: where OpenSearch refuses, or stays out of reach
    """
    answer: dict[str, Any] = search(client, names.alias, body, doing=f"while running {detection.title}")
    if "aggregations" not in answer:
        answer["aggregations"] = {grouped.GROUPS: {"buckets": []}}
    return answer


def match_of(
    detection: CompiledDetection,
    key: str,
    values: Mapping[str, str],
    bucket: Mapping[str, Any],
    *,
    value: float | None = None,
) -> Match:
    """Make a match of a group or slot with ``SHOWN`` in it.

    :param key: what tells the group's matches apart
    :param values: the group's values, by field
    :param bucket: as the server answered
    :param value: what was counted or measured
    """
    hit = bucket[EXAMPLE]["hits"]["hits"][0]
    return Match(
        id=str(uuid5(UUID(detection.id), f"{key}/" + "/".join(values.values()))),
        org=values[grouped.ORG_FIELD],
        first=instant(bucket[FIRST]["value"]),
        last=instant(bucket[LATEST]["value"]),
        events=bucket["doc_count"],
        values=value,
        group={field: value for field, value in values.items() if field != grouped.ORG_FIELD},
        event_id=hit["_id"],
        example=_in_a_line(hit["_source"]),
        actor=_actor(values, hit["_source"]),
    )


def _actor(values: Mapping[str, str], source: Mapping[str, Any]) -> str:
    """Return who a group is about: nobody, unless it is grouped by something of the actor."""
    if not any(field.startswith("actor.") for field in values):
        return ""
    found = values.get(_ACTOR) or str((source.get("actor") or {}).get("alternateId") or "")
    return "" if found == grouped.NO_VALUE else found


def value_clauses(values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the query clauses for the events of a group.

    :param values: as ``grouped_search.group_values`` returns them
    """
    return [
        {"bool": {"must_not": [{"exists": {"field": field}}]}}
        if value == grouped.NO_VALUE
        else {"term": {field: value}}
        for field, value in values.items()
    ]


def instant(milliseconds: float) -> datetime:
    """Return the instant that the server wrote as a number."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _in_a_line(source: dict[str, Any]) -> str:
    targets = source.get("oktalogger", {}).get("target", {}).get("any", {}).get("display_name") or []
    parts = [
        source.get("eventType"),
        (source.get("outcome") or {}).get("result"),
        f"by {(source.get('actor') or {}).get('alternateId')}",
        f"from {(source.get('client') or {}).get('ipAddress')}",
        f"on {', '.join(targets)}" if targets else None,
    ]
    return harmless(" ".join(str(part) for part in parts if part and not str(part).endswith(" None"))[:1000])
