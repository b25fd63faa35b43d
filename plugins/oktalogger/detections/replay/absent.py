"""Finds what is missing: events that came within a time, and then did not come for a while.

In what was just loaded, a silence is judged as of the moment up to which everything is loaded, by the ledger: while
loads stand still, nothing is missing but the loads. Over the past, each silence within the span is found.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.grouped_search import ORG_FIELD, group_values
from oktalogger.detections.replay.groups import EXAMPLE, FIRST, LATEST, SHOWN, groups_of, instant, match_of
from oktalogger.detections.replay.span import time_range
from oktalogger.detections.slots import PUBLISHED
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.window import Window, merge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opensearchpy import OpenSearch

    from oktalogger.detections.criteria import Absence
    from oktalogger.detections.model import CompiledDetection
    from oktalogger.detections.replay.matches import Match
    from oktalogger.detections.replay.span import Span
    from oktalogger.opensearch.names import IndexNames

log = logging.getLogger(__name__)

_PARTS: Final = "okta_parts"
# Hours of events that no load reached yet are looked for this far back.
_FAR: Final = timedelta(days=2)
_SHOWN_LAST: Final = {**SHOWN, EXAMPLE: {"top_hits": {**SHOWN[EXAMPLE]["top_hits"], "sort": [{PUBLISHED: "desc"}]}}}


def absent_matches(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, absence: Absence, span: Span
) -> Iterator[Match]:
    """Yield a match for each silence.

    :raises OpenSearchLoadError: where OpenSearch refuses, or stays out of reach
    """
    if span.by == "loaded":
        yield from _silent_now(client, names, detection, absence, span)
    else:
        yield from _silent_then(client, names, detection, absence, span)


def loaded_until(ledger: LedgerStore, org: str, now: datetime, *, silence: timedelta) -> datetime | None:
    """Return the moment up to which an org's events are loaded without a gap.

    :param now: the present
    :param silence: how long before that moment everything must have been loaded
    :return: the moment; ``None`` where the loads have a gap within that time
    :raises OpenSearchLoadError: where the ledger cannot be read
    """
    within = Window(now - silence - _FAR, now)
    covered = merge(entry.window for entry in ledger.entries(org, within) if entry.covers)
    return covered[-1].end if covered and covered[-1].duration >= silence else None


def _silent_now(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, absence: Absence, span: Span
) -> Iterator[Match]:
    now = span.window.end
    looked_at = time_range(PUBLISHED, now - absence.history - _FAR, now)
    moments: dict[str, datetime | None] = {}
    ledger = LedgerStore(client, names)
    for group in groups_of(client, names, detection, query=detection.selection, looked_at=looked_at, more=_SHOWN_LAST):
        values = group_values(group["key"])
        org, last = values[ORG_FIELD], instant(group[LATEST]["value"])
        if org not in moments:
            moments[org] = loaded_until(ledger, org, now, silence=absence.silence)
            if moments[org] is None:
                log.warning("%s cannot tell what is missing in %s: its loads have a gap.", detection.name, org)
        moment = moments[org]
        if moment is not None and moment - absence.history <= last < moment - absence.silence:
            yield match_of(detection, f"silent/{int(group[LATEST]['value'])}", values, group)


def _silent_then(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, absence: Absence, span: Span
) -> Iterator[Match]:
    """Yield the silences that became long enough within a span of the past."""
    start, end = span.window.start - absence.silence, min(span.window.end, datetime.now(UTC))
    # Two events in one of these parts cannot be further apart than the silence.
    width = f"{max(1, absence.seconds // 2)}s"
    histogram = {"field": PUBLISHED, "fixed_interval": width, "min_doc_count": 1}
    parts = {"date_histogram": histogram, "aggregations": _SHOWN_LAST}
    looked_at = time_range(PUBLISHED, start, end)
    for group in groups_of(
        client, names, detection, query=span.query(detection), looked_at=looked_at, more={_PARTS: parts}
    ):
        values = group_values(group["key"])
        buckets: list[dict[str, Any]] = group[_PARTS]["buckets"]
        for bucket, after in zip(buckets, [*buckets[1:], None], strict=True):
            last = instant(bucket[LATEST]["value"])
            again = instant(after[FIRST]["value"]) if after else end
            if again - last > absence.silence and last + absence.silence >= span.window.start:
                yield match_of(detection, f"silent/{int(bucket[LATEST]['value'])}", values, bucket)
