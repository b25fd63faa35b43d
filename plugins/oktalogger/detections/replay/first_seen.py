"""Finds what is seen for the first time: combinations of values that the same key did not have before.

The search of the rule gives the combinations of a span. Then the history before each is asked for the same
combination. In what a load has just brought, a combination counts as known as well if another load brought it before:
so an event that comes late does not make its combination new a second time.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.grouped_search import INGESTED, ORG_FIELD, group_values
from oktalogger.detections.replay.groups import FIRST, SHOWN, ask, groups_of, instant, match_of, value_clauses
from oktalogger.detections.replay.span import time_range
from oktalogger.detections.slots import PUBLISHED
from oktalogger.opensearch.request import search
from oktalogger.window import format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from opensearchpy import OpenSearch

    from oktalogger.detections.criteria import FirstSeen
    from oktalogger.detections.model import CompiledDetection
    from oktalogger.detections.replay.matches import Match
    from oktalogger.detections.replay.span import Span
    from oktalogger.opensearch.names import IndexNames

log = logging.getLogger(__name__)

# Before the log of an org reaches back as far as this, everything would be new.
LEAST_LOG: Final = timedelta(days=7)
_BATCH: Final = 50
_DAY: Final = timedelta(days=1)
_ASKED: Final = "okta_asked"


def first_seen_matches(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, news: FirstSeen, span: Span
) -> Iterator[Match]:
    """Yield a match for each combination that is new within a span.

    :raises OpenSearchLoadError: where OpenSearch refuses, or stays out of reach
    """
    oldest = _OldestEvents(client, names)
    # A combination may be new twice in a span that is longer than the history.
    parts = [span.window] if span.by == "loaded" else span.window.split(_DAY)
    for window in parts:
        yield from _matches_of(client, names, detection, news, replace(span, window=window), oldest)


def _matches_of(
    client: OpenSearch,
    names: IndexNames,
    detection: CompiledDetection,
    news: FirstSeen,
    span: Span,
    oldest: _OldestEvents,
) -> Iterator[Match]:
    batch: list[dict[str, Any]] = []
    for group in groups_of(
        client, names, detection, query=span.query(detection), looked_at=span.clause, hour_of=span.field, more=SHOWN
    ):
        first, org = instant(group[FIRST]["value"]), group_values(group["key"])[ORG_FIELD]
        if oldest.reaches_back(org, first - min(news.history, LEAST_LOG), detection):
            batch.append(group)
        if len(batch) == _BATCH:
            yield from _new_ones(client, names, detection, news, span, batch)
            batch = []
    if batch:
        yield from _new_ones(client, names, detection, news, span, batch)


class _OldestEvents:
    """Tells how far back the log of each org reaches."""

    def __init__(self, client: OpenSearch, names: IndexNames) -> None:
        self._client = client
        self._names = names
        self._oldest: dict[str, datetime | None] = {}
        self._said: set[str] = set()

    def reaches_back(self, org: str, moment: datetime, detection: CompiledDetection) -> bool:
        if org not in self._oldest:
            self._oldest[org] = self._ask(org)
        oldest = self._oldest[org]
        if oldest is not None and oldest <= moment:
            return True
        if org not in self._said:
            self._said.add(org)
            log.warning(
                "%s cannot tell yet what is new in %s: its log begins on %s. Backfill at least a week.",
                detection.name,
                org,
                oldest and format_instant(oldest),
            )
        return False

    def _ask(self, org: str) -> datetime | None:
        body = {
            "size": 1,
            "_source": [PUBLISHED],
            "query": {"bool": {"filter": [{"term": {ORG_FIELD: org}}]}},
            "sort": [{PUBLISHED: "asc"}],
        }
        answer = search(self._client, self._names.alias, body, doing="while looking how far back the log reaches")
        hits = answer["hits"]["hits"]
        return parse_instant(hits[0]["_source"][PUBLISHED], name=PUBLISHED) if hits else None


def _new_ones(
    client: OpenSearch,
    names: IndexNames,
    detection: CompiledDetection,
    news: FirstSeen,
    span: Span,
    groups: Sequence[dict[str, Any]],
) -> Iterator[Match]:
    """Yield a match for each of some groups that the history does not know."""
    questions: dict[str, dict[str, Any]] = {}
    for number, group in enumerate(groups):
        values, first = group_values(group["key"]), instant(group[FIRST]["value"])
        before = time_range(PUBLISHED, first - news.history, first)
        known = [*value_clauses(values), _before(first, news, span)]
        questions[f"known{number}"] = {"bool": {"filter": known}}
        if not news.newcomers:
            key = {field: value for field, value in values.items() if field not in news.fields}
            questions[f"there{number}"] = {"bool": {"filter": [*value_clauses(key), before]}}
    body = {
        "size": 0,
        "query": {
            "bool": {
                "filter": [
                    {"query_string": {"query": detection.selection}},
                    {"bool": {"should": list(questions.values()), "minimum_should_match": 1}},
                ]
            }
        },
        "aggregations": {_ASKED: {"filters": {"filters": questions}}},
    }
    answers = ask(client, names, detection, body)["aggregations"][_ASKED]["buckets"]
    for number, group in enumerate(groups):
        is_known = answers[f"known{number}"]["doc_count"] > 0
        if not is_known and (news.newcomers or answers[f"there{number}"]["doc_count"] > 0):
            yield match_of(detection, f"first/{int(group[FIRST]['value'])}", group_values(group["key"]), group)


def _before(first: datetime, news: FirstSeen, span: Span) -> dict[str, Any]:
    """Return the clause for events after which a combination is no longer new."""
    earlier = time_range(PUBLISHED, first - news.history, first)
    if span.by == "published":
        return earlier
    loaded = [
        {"range": {PUBLISHED: {"gte": format_instant(first - news.history)}}},
        {"range": {INGESTED: {"lt": format_instant(span.window.start)}}},
    ]
    return {"bool": {"should": [earlier, {"bool": {"filter": loaded}}], "minimum_should_match": 1}}
