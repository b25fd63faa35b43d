"""Measures what the detections cost a cluster: searches and CPU seconds a minute.

``python -m local.bench.monitors --url http://localhost:9200`` loads a day of a simulated company's traffic into indices
of its own, runs the searches of all monitors with their triggers' conditions as Alerting does, and what the DAG does
after a load, several times each, and prints the CPU time of the server's process. ``--bundle`` measures other rules.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from opensearchpy import OpenSearch

from local.bench.noise import load
from local.simulator.world import events
from oktalogger.detections.bundle import load_detections
from oktalogger.detections.model import CompiledDetection, MonitorSettings
from oktalogger.detections.monitors.render import render_monitor
from oktalogger.detections.monitors.trial import AnyChannel, trial_search
from oktalogger.detections.replay.search import replay
from oktalogger.detections.replay.span import Span
from oktalogger.detections.testing.run import scratch_store
from oktalogger.resources import include_dir
from oktalogger.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oktalogger.opensearch.store import OpenSearchStore

SETTINGS = MonitorSettings()
LOAD_MINUTES = 5


def cpu_seconds(client: OpenSearch) -> float:
    """Return the CPU time of all nodes' processes."""
    stats = client.nodes.stats(metric="process", filter_path="nodes.*.process.cpu.total_in_millis")
    return sum(float(node["process"]["cpu"]["total_in_millis"]) for node in stats["nodes"].values()) / 1000


def per_run(client: OpenSearch, run: Callable[[], object], times: int) -> float:
    """Return the server's CPU seconds of one run; the first one warms up and does not count."""
    run()
    before = cpu_seconds(client)
    for _ in range(times):
        run()
    return (cpu_seconds(client) - before) / times


def run_monitors(store: OpenSearchStore, detections: Sequence[CompiledDetection], now: datetime) -> None:
    """Run each monitor once."""
    for detection in detections:
        monitor = render_monitor(detection, names=store.names, channel_ids=AnyChannel(), settings=SETTINGS).body
        store.client.search(index=store.names.alias, body=trial_search(monitor, now), request_cache=False)


def main() -> int:
    """Load a day, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="an OpenSearch to measure on, without log-in")
    parser.add_argument("--bundle", type=Path, help="a bundle of rules (default: that of the pack)")
    parser.add_argument("--rate", type=float, default=30.0, help="mean events a minute (default: %(default)s)")
    parser.add_argument("--times", type=int, default=5, help="runs of each (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.bundle is None:
        detections: Sequence[CompiledDetection] = load_detections(include_dir() / "detections")
    else:
        listed = json.loads(arguments.bundle.read_text(encoding="utf-8"))["detections"]
        detections = [CompiledDetection.from_dict(values) for values in listed]
    client = OpenSearch(arguments.url, timeout=120)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    window = Window(now - timedelta(hours=26), now)
    with scratch_store(client) as store:
        count = load(store, events("cost", arguments.rate, window.start, window.end, people=400), window)
        single = [one for one in detections if one.is_monitored and one.threshold is None]
        slots = [one for one in detections if one.is_monitored and one.threshold is not None]
        rest = [one for one in detections if not one.is_monitored]
        each_minute = per_run(client, lambda: run_monitors(store, single, now), arguments.times)
        each_three = per_run(client, lambda: run_monitors(store, slots, now), arguments.times)
        searches = len(single) / SETTINGS.event_interval_minutes + len(slots) / SETTINGS.threshold_interval_minutes
        seconds = each_minute / SETTINGS.event_interval_minutes + each_three / SETTINGS.threshold_interval_minutes
        say = sys.stdout.write
        say(f"{count} events; {len(single)} rules of single events, {len(slots)} thresholds, {len(rest)} others\n")
        say(f"monitors: {searches:.0f} searches and {seconds:.2f} CPU s a minute\n")
        say(f"  a run of one: {each_minute / len(single):.4f} and {each_three / len(slots):.4f} CPU s\n")
        span = Span(Window(now - timedelta(minutes=LOAD_MINUTES + 2), now), by="loaded", historical=False)
        for name, rules in (("rules without a monitor", rest), ("all rules", [*detections])):
            if rules:
                cost = per_run(client, lambda: replay(client, store.names, rules, span, run_id="cost"), 3)  # noqa: B023
                say(f"after a load, {name}: {cost:.2f} CPU s each {LOAD_MINUTES} minutes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
