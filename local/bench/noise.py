"""Counts the alerts that the detections raise in a month of a simulated company's ordinary traffic.

``python -m local.bench.noise --url http://localhost:9200`` makes the month and two weeks before it, loads it in indices
of its own, as scheduled runs would have, some events hours late. Then it runs the rules over what was loaded, day by
day, as after a load, prints the findings of each rule, and removes what it made. The month reaches over the end of one.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from opensearchpy import OpenSearch

from local.simulator.world import Event, events
from oktalogger.detections.bundle import load_detections
from oktalogger.detections.model import SEVERITIES, MonitorSettings
from oktalogger.detections.replay.search import find, replay
from oktalogger.detections.replay.span import Span
from oktalogger.detections.testing.run import scratch_store
from oktalogger.pipeline.document import Built, DocumentBuilder, Stamp
from oktalogger.resources import include_dir
from oktalogger.window import Window, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.opensearch.documents import Document
    from oktalogger.opensearch.store import OpenSearchStore

BATCH = 2000
# A run for each day, and not for each load, looks further back.
_SETTINGS = MonitorSettings(lookback_hours=50)


def load(store: OpenSearchStore, happened: Iterable[Event], window: Window, *, late: float = 0.0) -> int:
    """Load events as the scheduled runs would have, each when it was there to be read.

    :param late: the share of events that are loaded hours late, up to a day
    """
    builder = DocumentBuilder(Stamp("acme.okta.com", window, "noise", "scheduled"), store.names)
    count = 0
    months: set[str] = set()
    for batch in _batches(_documents(builder, happened, late)):
        for document in batch:
            if document.index not in months:
                months.add(document.index)
                year, month = document.index[-7:].split("-")
                store.ensure_month(datetime(int(year), int(month), 1, tzinfo=UTC))
        count += store.create(batch).created
    store.client.indices.refresh(index=store.names.alias)
    return count


def _documents(builder: DocumentBuilder, happened: Iterable[Event], late: float) -> Iterator[Document]:
    chance = random.Random("late")  # noqa: S311
    for event in happened:
        delay = timedelta(hours=chance.uniform(1, 24)) if chance.random() < late else timedelta(minutes=1)
        built = builder.build(event.body, event.persisted + delay)
        if isinstance(built, Built):
            yield built.document


def _findings(store: OpenSearchStore, detections: Sequence[CompiledDetection], window: Window) -> Counter[str]:
    """Count what each rule finds, by its id, in the order in which the events were loaded."""
    # What is missing is known from the ledger, which is not made here.
    absent = [detection for detection in detections if detection.absence is not None]
    others = [detection for detection in detections if detection.absence is None]
    found: Counter[str] = Counter()
    for day in window.split(timedelta(days=1)):
        span = Span(day, by="loaded", historical=False)
        for item in replay(store.client, store.names, others, span, run_id=str(day), settings=_SETTINGS):
            found[item.detection.id] += len(item.new)
        for detection in absent:
            matches, _ = find(store.client, store.names, detection, Span(day), MonitorSettings())
            found[detection.id] += len(matches)
    return found


def _margin(store: OpenSearchStore, detection: CompiledDetection, window: Window) -> str:
    """Say how near to its threshold a rule came."""
    if detection.threshold is None or detection.threshold.parts or detection.threshold.measure != "count":
        return ""
    lowest = replace(detection, threshold=replace(detection.threshold, at_least=1))
    most: float = 0
    for day in window.split(timedelta(days=1)):
        matches, _ = find(store.client, store.names, lowest, Span(day), MonitorSettings())
        most = max([most, *(match.events if match.values is None else match.values for match in matches)])
    return f", at most {most:g} of {detection.threshold.at_least:g}"


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    for document in documents:
        batch.append(document)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def main() -> int:
    """Make the month, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="an OpenSearch to measure on, without log-in")
    parser.add_argument("--from", dest="since", default="2026-10-15", help="first day (default: %(default)s)")
    parser.add_argument("--days", type=int, default=31)
    parser.add_argument("--history", type=int, default=14, help="days before it (default: %(default)s)")
    parser.add_argument("--late", type=float, default=0.02, help="share of events loaded late (default: %(default)s)")
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--rate", type=float, default=10.0, help="mean events a minute (default: %(default)s)")
    parser.add_argument("--seed", default="noise")
    parser.add_argument("--story", action="append", default=[], help="NAME@INSTANT: an attack to tell in that month")
    arguments = parser.parse_args()
    since = parse_instant(arguments.since, name="--from")
    window = Window(since, since + timedelta(days=arguments.days))
    stories = [(name, parse_instant(at, name="--story")) for name, _, at in (s.partition("@") for s in arguments.story)]
    client = OpenSearch(arguments.url, timeout=120)
    detections = load_detections(include_dir() / "detections")
    with scratch_store(client) as store:
        began = time.monotonic()
        start = window.start - timedelta(days=arguments.history)
        made = events(arguments.seed, arguments.rate, start, window.end, people=arguments.people, stories=stories)
        count = load(store, made, Window(start, window.end), late=arguments.late)
        sys.stdout.write(f"{count} events of {start:%Y-%m-%d} and later in {time.monotonic() - began:.0f} s\n")
        sys.stdout.flush()
        found = _findings(store, detections, window)
        sys.stdout.write(f"{len(detections)} rules over {window} in {time.monotonic() - began:.0f} s\n")
        for detection in sorted(detections, key=lambda d: (-SEVERITIES.index(d.severity), d.name)):
            number = found[detection.id]
            line = f"{detection.severity:14}{detection.name:44}{number:7} {number / arguments.days:10.2f} a day"
            sys.stdout.write(f"{line}{_margin(store, detection, window)}\n")
        paged = sum(found[d.id] for d in detections if SEVERITIES.index(d.severity) >= SEVERITIES.index("medium"))
        sys.stdout.write(f"medium and above: {paged} matches, {paged / arguments.days:.2f} a day\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
