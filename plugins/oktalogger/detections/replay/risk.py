"""Adds up the findings of all rules about one actor in one day, and finds the actors of whom there are too many.

Each rule counts once a day, with its highest risk: a finding that repeats says nothing new. What an exception keeps
from being told does not count, nor do findings of the rules that add up.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from oktalogger.detections.replay.groups import FIRST, LATEST, instant
from oktalogger.detections.replay.matches import Match
from oktalogger.detections.replay.span import time_range
from oktalogger.opensearch.errors import OpenSearchPermissionError
from oktalogger.opensearch.request import refresh, search
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opensearchpy import OpenSearch

    from oktalogger.detections.criteria import RiskSum
    from oktalogger.detections.model import CompiledDetection
    from oktalogger.detections.replay.span import Span
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.window import Window

log = logging.getLogger(__name__)

_ACTORS: Final = "okta_actors"
_RULES: Final = "okta_rules"
_RISK: Final = "okta_risk"
_FRESH: Final = "okta_fresh"
_ORG, _ACTOR, _DAY = "okta_org", "okta_actor", "okta_day"
_PAGE: Final = 500
_MOST_RULES: Final = 1000
_MOST_NAMED: Final = 10
_ONE_DAY: Final = timedelta(days=1)
# How late a finding may come and still complete a sum.
_LATE: Final = timedelta(days=2)
_RISK_FIELD: Final = "detection.risk"


def risk_matches(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, summed: RiskSum, span: Span
) -> Iterator[Match]:
    """Yield a match for each actor and day whose findings add up to enough.

    In what a load has just brought, a sum counts if one of its findings is of this run or later.

    :raises OpenSearchLoadError: where OpenSearch refuses, or stays out of reach
    """
    _make_visible(client, names)
    after: dict[str, Any] | None = None
    fresh_since = span.window.start if span.by == "loaded" else None
    while True:
        body = risk_body(summed, _days(span), fresh_since, after=after)
        answer = search(client, names.matches, body, doing=f"while running {detection.title}", may_be_absent=False)
        found = answer["aggregations"][_ACTORS]
        for bucket in found["buckets"]:
            if bucket.get(_FRESH, {"doc_count": 1})["doc_count"]:
                yield from _match(detection, summed, bucket)
        after = found.get("after_key")
        if after is None:
            return


def _make_visible(client: OpenSearch, names: IndexNames) -> None:
    try:
        refresh(client, names.matches, doing="while making findings visible")
    except OpenSearchPermissionError as error:
        # Those of this run then count with the next one.
        log.warning("Sums of risk may miss the newest findings. Run okta_opensearch_setup: %s", error)


def risk_body(
    summed: RiskSum, days: Window | None, fresh_since: datetime | None, *, after: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Write the search.

    :param summed: what is added up; pages hold actors of fewer rules as well, which only a sum tells apart
    :param days: whole days to look at; ``None`` looks at all
    :param fresh_since: when a finding counts as new; ``None`` counts none
    :param after: the last key of the page before
    """
    composite: dict[str, Any] = {
        "size": _PAGE,
        "sources": [
            {_ORG: {"terms": {"field": "org"}}},
            {_ACTOR: {"terms": {"field": "actor"}}},
            {_DAY: {"date_histogram": {"field": "last", "calendar_interval": "1d"}}},
        ],
    }
    if after is not None:
        composite["after"] = after
    inside: dict[str, Any] = {
        FIRST: {"min": {"field": "first"}},
        LATEST: {"max": {"field": "last"}},
        _RULES: {
            "terms": {"field": "detection.name", "size": _MOST_RULES},
            "aggregations": {_RISK: {"max": {"field": _RISK_FIELD}}},
        },
        # Most actors have one rule or none: only those with enough are worth sending.
        "okta_number": {"cardinality": {"field": "detection.id"}},
        "okta_enough": {
            "bucket_selector": {
                "buckets_path": {"n": "okta_number"},
                "script": {"source": "params.n >= params.least", "lang": "painless", "params": {"least": summed.rules}},
            }
        },
    }
    if fresh_since is not None:
        inside[_FRESH] = {"filter": {"range": {"found_at": {"gte": format_instant(fresh_since)}}}}
    clauses = [] if days is None else [time_range("last", days.start, days.end)]
    query = {"bool": {"filter": clauses, "must_not": [{"exists": {"field": "excepted.until"}}]}}
    return {
        "size": 0,
        "query": query,
        "aggregations": {_ACTORS: {"composite": composite, "aggregations": inside}},
    }


def _days(span: Span) -> Window:
    from oktalogger.window import Window

    early = span.window.start - (_LATE if span.by == "loaded" else timedelta(0))
    start = early.replace(hour=0, minute=0, second=0, microsecond=0)
    end = (span.window.end + _ONE_DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(start, max(end, start + _ONE_DAY))


def _match(detection: CompiledDetection, summed: RiskSum, bucket: dict[str, Any]) -> Iterator[Match]:
    risks = {one["key"]: one[_RISK]["value"] or 0 for one in bucket[_RULES]["buckets"]}
    total = sum(risks.values())
    if total < summed.at_least or len(risks) < summed.rules:
        return
    org, actor = bucket["key"][_ORG], bucket["key"][_ACTOR]
    day = datetime.fromtimestamp(bucket["key"][_DAY] / 1000, UTC)
    named = sorted(risks, key=lambda name: (-risks[name], name))
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    yield Match(
        id=str(uuid5(UUID(detection.id), f"risk/{org}/{actor}/{day:%Y-%m-%d}")),
        org=org,
        first=instant(bucket[FIRST]["value"]),
        last=instant(bucket[LATEST]["value"]),
        events=bucket["doc_count"],
        values=total,
        group={"actor.alternateId": actor},
        event_id="",
        example=f"{len(risks)} rules: {', '.join(named[:_MOST_NAMED])}{more}",
    )
