"""Replay: the compiled queries run over a span of time, instead of by monitors over what has just come in.

It looks at history that a backfill loaded, tells what a new rule would have found, and stands in for monitors on a
cluster without the Alerting plugin, where it runs after each load.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections import grouped_search as grouped
from oktalogger.detections.model import MonitorSettings
from oktalogger.detections.replay.groups import SHOWN, groups_of, instant, match_of
from oktalogger.detections.replay.matches import store_matches
from oktalogger.detections.replay.span import time_range
from oktalogger.detections.slots import PUBLISHED, value_in
from oktalogger.opensearch.errors import OpenSearchRequestError
from oktalogger.opensearch.request import refresh
from oktalogger.opensearch.schema import ensure_matches_index
from oktalogger.window import Window, format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from opensearchpy import OpenSearch

    from oktalogger.detections.criteria import Threshold
    from oktalogger.detections.model import CompiledDetection
    from oktalogger.detections.replay.matches import Match
    from oktalogger.detections.replay.span import Span
    from oktalogger.opensearch.names import IndexNames

log = logging.getLogger(__name__)

# Seconds. Collections of Amazon OpenSearch Serverless refresh every 10 to 60 (developer guide, "What is Amazon
# OpenSearch Serverless", limitations).
REFRESHED_WITHIN: Final = 60.0
# A rule that finds more in one window is too wide to look at match by match.
MOST_MATCHES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Found:
    """What one rule found.

    :param detection: the rule
    :param matches: what it found, in order of time; at most ``MOST_MATCHES``
    :param new: those that no replay had found before
    :param is_cut: whether there is more
    :param excepted: what exceptions keep from being told
    """

    detection: CompiledDetection
    matches: tuple[Match, ...]
    new: tuple[Match, ...]
    is_cut: bool
    excepted: tuple[Match, ...] = ()

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
            "excepted": len(self.excepted),
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
    # What adds up findings comes after those who make them.
    for detection in sorted(detections, key=lambda one: one.risk_sum is not None):
        try:
            found, is_cut = find(client, names, detection, span, settings or MonitorSettings())
            new = store_matches(client, names.matches, detection, found, run_id=run_id, found_at=clock(), sleep=sleep)
            excepted = find_excepted(client, names, detection, span, settings or MonitorSettings())
            store_matches(client, names.matches, detection, excepted, run_id=run_id, found_at=clock(), sleep=sleep)
        except OpenSearchRequestError as error:
            refusals[detection.name] = error
            continue
        results.append(Found(detection, tuple(found), tuple(new), is_cut, tuple(excepted)))
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


def keep_excepted(
    client: OpenSearch,
    names: IndexNames,
    detections: Iterable[CompiledDetection],
    span: Span,
    *,
    run_id: str,
    settings: MonitorSettings | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Store what the exceptions of rules keep from being told, where monitors run the rules themselves.

    The parameters are those of :func:`replay`.

    :raises OpenSearchLoadError: where OpenSearch refuses, or stays out of reach
    """
    ensure_matches_index(client, names)
    for detection in detections:
        excepted = find_excepted(client, names, detection, span, settings or MonitorSettings())
        store_matches(client, names.matches, detection, excepted, run_id=run_id, found_at=clock(), sleep=sleep)


def find_excepted(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, span: Span, settings: MonitorSettings
) -> list[Match]:
    """Find over a span of time what the exceptions of a rule keep from being told.

    :raises OpenSearchLoadError: where OpenSearch refuses, or stays out of reach
    """
    return [
        match.excepted_by(exception)
        for exception in detection.exceptions
        for match in find(client, names, detection.only_excepted(exception), span, settings)[0]
    ]


def _matches(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, span: Span, settings: MonitorSettings
) -> Iterator[Match]:
    if not detection.is_monitored and detection.threshold is None:
        yield from _matches_of_own_kind(client, names, detection, span)
        return
    threshold = detection.threshold
    for group in groups_of(
        client,
        names,
        detection,
        query=span.query(detection),
        looked_at=_looked_at(threshold, span, settings),
        fresh=span.clause,
        # Every slot that was reached is wanted, so that an id does not depend on the span.
        least_fresh=0,
        hour_of=span.field,
        more=SHOWN,
    ):
        values = grouped.group_values(group["key"])
        if threshold is None:
            yield match_of(detection, f"group/{group['key'][grouped.HOUR]}", values, group)
            continue
        for slot in _reached_slots(threshold, group):
            start = instant(slot["key"])
            within = Window(start, start + threshold.timespan)
            if detection.is_monitored or _is_in_order(client, names, detection, values, within):
                yield match_of(detection, f"slot/{slot['key']}", values, slot, value=value_in(threshold, slot))


def _matches_of_own_kind(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, span: Span
) -> Iterator[Match]:
    # A task's start imports as little as it can.
    if detection.risk_sum is not None:
        from oktalogger.detections.replay.risk import risk_matches

        yield from risk_matches(client, names, detection, detection.risk_sum, span)
    if detection.first_seen is not None:
        from oktalogger.detections.replay.first_seen import first_seen_matches

        yield from first_seen_matches(client, names, detection, detection.first_seen, span)
    if detection.absence is not None:
        from oktalogger.detections.replay.absent import absent_matches

        yield from absent_matches(client, names, detection, detection.absence, span)


def _is_in_order(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, values: Mapping[str, str], slot: Window
) -> bool:
    from oktalogger.detections.replay.order import is_in_order

    threshold = detection.threshold
    return threshold is not None and is_in_order(client, names, detection, threshold, values, slot)


def _reached_slots(threshold: Threshold, group: dict[str, Any]) -> Iterator[dict[str, Any]]:
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
            yield slot


def _looked_at(threshold: Threshold | None, span: Span, settings: MonitorSettings) -> dict[str, Any]:
    if threshold is None:
        return span.clause
    if span.by == "loaded":
        start = span.window.end - timedelta(hours=settings.lookback_hours)
        return time_range(grouped.INGESTED, min(start, span.window.start), span.window.end)
    # The slots at both ends reach over the window.
    edge = threshold.timespan
    return time_range(PUBLISHED, span.window.start - edge, span.window.end + edge)
