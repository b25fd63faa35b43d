"""Replay: the compiled queries run over a span of time, instead of by monitors over what has just come in.

It looks at history that a backfill loaded, tells what a new rule would have found, and stands in for monitors on a
cluster without the Alerting plugin, where it runs after each load.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID, uuid5

from oktalogger.detections import grouped_search as grouped
from oktalogger.detections.model import MonitorSettings
from oktalogger.detections.replay.matches import Match, store_matches
from oktalogger.opensearch.errors import OpenSearchRequestError
from oktalogger.opensearch.request import call, refresh
from oktalogger.opensearch.schema import ensure_matches_index
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import CompiledDetection, Threshold
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.window import Window

log = logging.getLogger(__name__)

# Seconds. Collections of Amazon OpenSearch Serverless refresh every 10 to 60 (developer guide, "What is Amazon
# OpenSearch Serverless", limitations).
REFRESHED_WITHIN: Final = 60.0
# A rule that finds more in one window is too wide to look at match by match.
MOST_MATCHES: Final = 10_000
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
_FIRST, _LAST, _EXAMPLE = "okta_first", "okta_latest", "okta_example"
_MORE: Final = {
    _FIRST: {"min": {"field": grouped.PUBLISHED}},
    _LAST: {"max": {"field": grouped.PUBLISHED}},
    _EXAMPLE: {"top_hits": {"size": 1, "_source": _SHOWN, "sort": [{grouped.PUBLISHED: "asc"}]}},
}


@dataclass(frozen=True, slots=True)
class Span:
    """What is looked at.

    :param window: a range of time
    :param by: of which time: ``published`` for history, ``loaded`` for what a load has just brought
    :param historical: whether events that a backfill loaded count
    """

    window: Window
    by: Literal["published", "loaded"] = "published"
    historical: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """What one rule found.

    :param detection: the rule
    :param matches: what it found, in order of time; at most ``MOST_MATCHES``
    :param new: those that no replay had found before
    :param is_cut: whether there is more
    """

    detection: CompiledDetection
    matches: tuple[Match, ...]
    new: tuple[Match, ...]
    is_cut: bool

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values: a row of the table."""
        return {
            "id": self.detection.id,
            "rule": self.detection.name,
            "title": self.detection.title,
            "severity": self.detection.severity,
            "matches": len(self.matches),
            "more": self.is_cut,
            "new": len(self.new),
            "first": format_instant(min(match.first for match in self.matches)) if self.matches else None,
            "last": format_instant(max(match.last for match in self.matches)) if self.matches else None,
            "example": self.matches[0].example if self.matches else None,
        }


class ReplayIncompleteError(OpenSearchRequestError):
    """OpenSearch refused searches or matches of some rules. The others were run, and what they found is stored.

    :param found: what the others found
    :param refusals: what OpenSearch said, by the name of the rule
    """

    def __init__(self, found: Sequence[Found], refusals: Mapping[str, OpenSearchRequestError]) -> None:
        listed = "; ".join(f"{name}: {error}" for name, error in refusals.items())
        total = len(found) + len(refusals)
        super().__init__(f"{len(refusals)} of {total} rules could not be run, the others were. {listed}")
        self.found = tuple(found)
        self.refusals = dict(refusals)


def replay(
    client: OpenSearch,
    names: IndexNames,
    detections: Iterable[CompiledDetection],
    span: Span,
    *,
    run_id: str,
    settings: MonitorSettings | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> list[Found]:
    """Run detections over a span of time and store what they find. Doing it again stores nothing twice.

    A rule whose search or whose matches OpenSearch refuses keeps none of the others from being run.

    :param client: the client
    :param names: the index names to use
    :param detections: which rules; the disabled ones too
    :param span: what is looked at
    :param run_id: what the matches say about who found them
    :param settings: as of the monitors
    :param clock: tells the time
    :param sleep: waits for a number of seconds
    :return: what each rule found
    :raises ReplayIncompleteError: if OpenSearch refuses searches or matches of some rules, once the others were run
    :raises OpenSearchLoadError: if OpenSearch refuses all else, or stays out of reach
    """
    ensure_matches_index(client, names)
    # A search sees a document up to `refresh_interval` after it was stored, and nobody may look at this span again.
    doing = "while making what was just loaded visible"
    if not refresh(client, names.alias, doing=doing) and span.by == "loaded":
        log.info("This OpenSearch refreshes by itself only: waiting %.0f s for what was just loaded.", REFRESHED_WITHIN)
        sleep(REFRESHED_WITHIN)
    results: list[Found] = []
    refusals: dict[str, OpenSearchRequestError] = {}
    for detection in detections:
        try:
            found, is_cut = find(client, names, detection, span, settings or MonitorSettings())
            new = store_matches(client, names.matches, detection, found, run_id=run_id, found_at=clock(), sleep=sleep)
        except OpenSearchRequestError as error:
            refusals[detection.name] = error
            continue
        results.append(Found(detection, tuple(found), tuple(new), is_cut))
    if refusals:
        raise ReplayIncompleteError(results, refusals)
    return results


def find(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, span: Span, settings: MonitorSettings
) -> tuple[list[Match], bool]:
    """Run one detection over a span of time.

    :return: the matches in order of time, and whether there are more
    :raises OpenSearchLoadError: if OpenSearch refuses, or stays out of reach
    """
    found: list[Match] = []
    for match in _matches(client, names, detection, span, settings):
        if len(found) == MOST_MATCHES:
            return found, True
        found.append(match)
    return sorted(found, key=lambda match: (match.first, match.id)), False


def _matches(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, span: Span, settings: MonitorSettings
) -> Iterator[Match]:
    after = None
    while True:
        body = grouped.search_body(
            detection,
            query=_query(detection, span),
            looked_at=_looked_at(detection, span, settings),
            fresh=_within(span),
            # Every slot that was reached is wanted, so that an id does not depend on the span.
            least_fresh=0,
            hour_of=grouped.PUBLISHED if span.by == "published" else grouped.INGESTED,
            after=after,
            more=_MORE,
        )
        groups = _search(client, names, detection, body)["aggregations"][grouped.GROUPS]
        for group in groups["buckets"]:
            if detection.threshold is None:
                yield _group_match(detection, group)
            else:
                yield from _slot_matches(detection, detection.threshold, group)
        after = groups.get("after_key")
        if after is None:
            return


def _group_match(detection: CompiledDetection, group: dict[str, Any]) -> Match:
    values = grouped.group_values(group["key"])
    return _match(detection, f"group/{group['key'][grouped.HOUR]}", values, group)


def _slot_matches(detection: CompiledDetection, threshold: Threshold, group: dict[str, Any]) -> Iterator[Match]:
    values = grouped.group_values(group["key"])
    reached = {slot["key"] for slot in group[grouped.SLOTS]["buckets"]}
    half = threshold.seconds * 1000 // 2
    shifted = [
        slot
        for slot in group[grouped.SHIFTED_SLOTS]["buckets"]
        # A burst that lies whole in an unshifted slot is that slot's.
        if not {slot["key"] - half, slot["key"] + half} & reached
    ]
    for slot in (*group[grouped.SLOTS]["buckets"], *shifted):
        if slot[grouped.FRESH]["doc_count"]:
            yield _match(detection, f"slot/{slot['key']}", values, slot)


def _match(detection: CompiledDetection, key: str, values: dict[str, str], bucket: dict[str, Any]) -> Match:
    hit = bucket[_EXAMPLE]["hits"]["hits"][0]
    return Match(
        id=str(uuid5(UUID(detection.id), f"{key}/" + "/".join(values.values()))),
        org=values[grouped.ORG_FIELD],
        first=_instant(bucket[_FIRST]["value"]),
        last=_instant(bucket[_LAST]["value"]),
        events=bucket["doc_count"],
        values=bucket[grouped.VALUES]["value"] if grouped.VALUES in bucket else None,
        group={field: value for field, value in values.items() if field != grouped.ORG_FIELD},
        event_id=hit["_id"],
        example=_in_a_line(hit["_source"]),
    )


def _query(detection: CompiledDetection, span: Span) -> str:
    return detection.selection if span.historical else detection.query


def _within(span: Span) -> dict[str, Any]:
    field = grouped.PUBLISHED if span.by == "published" else grouped.INGESTED
    return _range(field, span.window.start, span.window.end)


def _looked_at(detection: CompiledDetection, span: Span, settings: MonitorSettings) -> dict[str, Any]:
    threshold = detection.threshold
    if threshold is None:
        return _within(span)
    if span.by == "loaded":
        start = span.window.end - timedelta(hours=settings.lookback_hours)
        return _range(grouped.INGESTED, min(start, span.window.start), span.window.end)
    # The slots at both ends reach over the window.
    edge = threshold.timespan
    return _range(grouped.PUBLISHED, span.window.start - edge, span.window.end + edge)


def _range(field: str, start: datetime, end: datetime) -> dict[str, Any]:
    return {"range": {field: {"gte": format_instant(start), "lt": format_instant(end)}}}


def _search(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, body: dict[str, Any]
) -> dict[str, Any]:
    answer: dict[str, Any] = call(
        client,
        "POST",
        f"/{names.alias}/_search",
        doing=f"while running {detection.title}",
        index=names.alias,
        # Without an index yet, there is nothing to find. With a part of one, there might be.
        params={"ignore_unavailable": "true", "allow_partial_search_results": "false"},
        body=body,
    )
    if "aggregations" not in answer:
        answer["aggregations"] = {grouped.GROUPS: {"buckets": []}}
    return answer


def _instant(value: float) -> datetime:
    return datetime.fromtimestamp(value / 1000, UTC)


def _in_a_line(source: dict[str, Any]) -> str:
    targets = source.get("oktalogger", {}).get("target", {}).get("any", {}).get("display_name") or []
    parts = [
        source.get("eventType"),
        (source.get("outcome") or {}).get("result"),
        f"by {(source.get('actor') or {}).get('alternateId')}",
        f"from {(source.get('client') or {}).get('ipAddress')}",
        f"on {', '.join(targets)}" if targets else None,
    ]
    return " ".join(str(part) for part in parts if part and not str(part).endswith(" None"))[:1000]
