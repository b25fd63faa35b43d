"""``python -m local.bench``: events per second, CPU, memory and disk of a load, compared with the usual ways.

All ways run in turn on one server, in one run, with the same documents; each figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from opensearchpy import OpenSearch, helpers

from local.bench import archived, measure, servers, task_start, variants
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.store import OpenSearchStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.simulator.process import Simulator

PER_MINUTE = 20_000
BEGIN = datetime.fromisoformat(f"{servers.DAY}T00:00:00+00:00")
OUT = Path("build/bench.json")
PARTS = ("throughput", "archive", "task", "disk", "memory")


def say(text: str) -> None:
    """Print progress with the time."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


class Bench:
    """One run of all measurements.

    :param okta: the simulated org
    :param url: address of OpenSearch
    :param events: how many events the throughput is measured on
    """

    def __init__(self, okta: Simulator, url: str, events: int) -> None:
        self.okta = okta
        self.url = url
        self.client = OpenSearch(url, timeout=300)
        self.events = events

    def window(self, events: int) -> tuple[str, str]:
        """Return a window with about so many events."""
        end = BEGIN + timedelta(minutes=events / PER_MINUTE)
        return BEGIN.isoformat(), end.isoformat()

    def load(self, prefix: str, events: int) -> tuple[dict[str, Any], measure.Run]:
        """Load a window by the command line, as a process of its own."""
        done = measure.run(servers.load_command(*self.window(events)), servers.environ(self.okta, self.url, prefix))
        counts = json.loads(done.stdout[done.stdout.index("{") :])
        if counts["created"] != counts["read"]:
            raise variants.VariantError(f"The load did not store all that it read: {counts}")
        return counts, done

    def drop(self, prefix: str) -> None:
        """Delete what a measurement left."""
        for index in self.client.indices.get(index=f"{prefix}*", expand_wildcards="all"):
            self.client.indices.delete(index=index)
        self.client.indices.delete_index_template(name=f"{prefix}*", ignore=[404])

    def fresh_month(self, prefix: str) -> str:
        """Make an empty month with our mapping, and return its name."""
        store = OpenSearchStore(self.client, IndexNames(prefix))
        store.prepare()
        store.ensure_month(BEGIN)
        return store.names.month_index(BEGIN)

    def documents(self, prefix: str) -> list[tuple[str, bytes]]:
        """Return what a load stored, as it was sent."""
        self.client.indices.refresh(index=prefix)
        hits = helpers.scan(self.client, index=prefix, size=2000)
        return [(hit["_id"], msgspec.json.encode(hit["_source"])) for hit in hits]

    def made_searchable(self, index: str) -> float:
        """Make what was sent searchable, and return how many seconds that took.

        OpenSearch takes documents into memory and makes segments of them later, so that a way which is over early
        would leave to nobody what a slower one has to pay for.
        """
        began = time.monotonic()
        self.client.indices.refresh(index=index)
        return time.monotonic() - began

    def server_cpu(self) -> float:
        """Return the seconds of CPU time that OpenSearch has used since it started."""
        (node,) = self.client.nodes.stats(metric="process")["nodes"].values()
        return float(node["process"]["cpu"]["total_in_millis"]) / 1000

    def throughput(self, rounds: int, single: int) -> dict[str, float]:
        """Measure the load beside the other ways, in turn."""
        counts, _ = self.load("bench-warm", self.events)
        created = int(counts["created"])
        documents = self.documents("bench-warm")
        bodies = variants.bodies_of(documents)
        self.drop("bench-warm")
        seconds: dict[str, list[float]] = {"load": [], "ceiling": [], "parallel_bulk": [], "per_document": []}
        cpu: dict[str, list[float]] = {"client": [], "server": [], "server, ceiling": []}
        for number in range(rounds):
            index = self.fresh_month("bench-ceiling")
            before = self.server_cpu()
            took = variants.post_ready_bodies(self.url, index, bodies) + self.made_searchable(index)
            seconds["ceiling"].append(took / len(documents))
            cpu["server, ceiling"].append((self.server_cpu() - before) / len(documents) * 1e6)
            self.drop("bench-ceiling")
            before = self.server_cpu()
            counts, done = self.load("bench-load", self.events)
            seconds["load"].append((counts["seconds"] + self.made_searchable("bench-load")) / created)
            cpu["server"].append((self.server_cpu() - before) / created * 1e6)
            cpu["client"].append(done.cpu_seconds / created * 1e6)
            self.drop("bench-load")
            index = self.fresh_month("bench-parallel")
            took = variants.parallel_bulk(self.client, index, documents) + self.made_searchable(index)
            seconds["parallel_bulk"].append(took / len(documents))
            self.drop("bench-parallel")
            index = self.fresh_month("bench-single")
            some = documents[:single]
            took = variants.one_request_each(self.client, index, some) + self.made_searchable(index)
            seconds["per_document"].append(took / single)
            self.drop("bench-single")
            rates = ", ".join(f"{name} {1 / values[-1]:,.0f}/s" for name, values in seconds.items())
            spent = ", ".join(f"{name} {values[-1]:.0f} s" for name, values in cpu.items())
            say(f"round {number + 1} of {rounds}: {rates}; CPU for a million events: {spent}")
        rate = {name: 1 / statistics.median(values) for name, values in seconds.items()}
        return {
            "events": created,
            "events_per_second": rate["load"],
            "ceiling_per_second": rate["ceiling"],
            "parallel_bulk_per_second": rate["parallel_bulk"],
            "per_document_per_second": rate["per_document"],
            "ceiling_ratio": statistics.median(
                ceiling / load for ceiling, load in zip(seconds["ceiling"], seconds["load"], strict=True)
            ),
            "parallel_bulk_ratio": rate["load"] / rate["parallel_bulk"],
            "per_document_ratio": rate["load"] / rate["per_document"],
            "cpu_seconds_per_million": statistics.median(cpu["client"]),
            "server_cpu_seconds_per_million": statistics.median(cpu["server"]),
            "ceiling_server_cpu_seconds_per_million": statistics.median(cpu["server, ceiling"]),
        }

    def memory(self, sizes: list[int]) -> dict[str, float]:
        """Measure the peak memory of a load by the size of its window."""
        peaks = {}
        for size in sizes:
            counts, done = self.load("bench-memory", size)
            peaks[str(size)] = done.peak_rss_mb
            say(f"{counts['read']:,} events: {done.peak_rss_mb:.0f} MiB at the peak, {counts['seconds']:.0f} s")
            self.drop("bench-memory")
        return peaks

    def task(self, rounds: int, folder: Path) -> dict[str, float]:
        """Measure a task on a window without events, beside an empty one."""
        found = task_start.cpu_seconds(self.okta, self.url, "bench-task", folder, rounds)
        self.drop("bench-task")
        return found

    def disk(self) -> dict[str, float]:
        """Measure bytes on disk per event, beside what OpenSearch makes of Okta's events by itself."""
        self.load("bench-disk", self.events)
        documents = self.documents("bench-disk")
        ours = self.bytes_of(IndexNames("bench-disk").month_index(BEGIN)) / len(documents)
        self.drop("bench-disk")
        name = "bench-default"
        limits = {"index.mapping.total_fields.limit": 10_000, "number_of_replicas": 0}
        self.client.indices.create(index=name, body={"settings": limits})
        raw = ((uuid, json.loads(source)) for uuid, source in documents)
        actions = (
            {"_index": name, "_id": uuid, "_source": {key: event[key] for key in event if key != "oktalogger"}}
            for uuid, event in raw
        )
        for ok, item in helpers.parallel_bulk(self.client, actions, chunk_size=1000):
            if not ok:
                raise variants.VariantError(str(item))
        default = self.bytes_of(name) / len(documents)
        self.drop(name)
        return {"bytes_per_event": ours, "default_bytes_per_event": default, "bytes_ratio": ours / default}

    def bytes_of(self, index: str) -> int:
        """Return the size of an index whose segments are merged into one.

        Of the segment itself, because the files of those that it was merged from stay for a while.
        """
        self.client.indices.forcemerge(index=index, max_num_segments=1, request_timeout=600)
        self.client.indices.refresh(index=index)
        ((shard,),) = self.client.indices.segments(index=index)["indices"][index]["shards"].values()
        (segment,) = shard["segments"].values()
        return int(segment["size_in_bytes"])


TABLE = (
    ("events_per_second", "{:,.0f}", "events per second, from the org to OpenSearch, until they are searchable"),
    ("ceiling_per_second", "{:,.0f}", "  (a) ready-made bodies from four threads: the server's ceiling"),
    ("parallel_bulk_per_second", "{:,.0f}", "  (b) opensearch-py's parallel_bulk on parsed events"),
    ("per_document_per_second", "{:,.0f}", "  (c) one request for each event"),
    ("ceiling_ratio", "{:.2f}", "of the ceiling (to reach: 0.75)"),
    ("parallel_bulk_ratio", "{:.2f}", "times parallel_bulk"),
    ("per_document_ratio", "{:.1f}", "times one request for each event (to reach: 10)"),
    ("cpu_seconds_per_million", "{:.1f}", "seconds of client CPU time for a million events"),
    ("server_cpu_seconds_per_million", "{:.1f}", "  of OpenSearch's meanwhile"),
    ("ceiling_server_cpu_seconds_per_million", "{:.1f}", "  of OpenSearch's for ready-made bodies"),
    ("archived_per_second", "{:,.0f}", "events per second with the archive, in a folder"),
    ("unarchived_per_second", "{:,.0f}", "  without, in turn with that"),
    ("archived_ratio", "{:.2f}", "  of the rate without (to reach: 0.9)"),
    ("restored_per_second", "{:,.0f}", "events per second from the archive, instead of the org"),
    ("archive_cpu_seconds_per_million", "{:.1f}", "seconds more of client CPU time for a million events with it"),
    ("archive_bytes_per_event", "{:,.0f}", "bytes in the archive for an event"),
    ("quiet_task_cpu_seconds", "{:.2f}", "seconds of CPU time for the task of a window without events"),
    ("parsed_dag_cpu_seconds", "{:.2f}", "  for parsing its DAG file alone"),
    ("empty_task_cpu_seconds", "{:.2f}", "  for an empty task: Airflow's own"),
    ("bytes_per_event", "{:,.0f}", "bytes on disk for an event"),
    ("bytes_ratio", "{:.2f}", "of a default dynamic mapping's bytes (to reach: 0.5)"),
)


def machine() -> str:
    """Say what the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def print_table(figures: dict[str, Any]) -> None:
    """Print what has been measured."""
    print(f"On {figures['machine']}, OpenSearch {figures['opensearch']} on the same machine")
    for name, form, meaning in TABLE:
        if name in figures:
            print(f"{form.format(figures[name]):>10}  {meaning}")
    for size, peak in figures.get("peak_rss_mb", {}).items():
        print(f"{peak:>10.0f}  MiB at the peak for a window of {int(size):,} events (to reach: under 200)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all measurements, or those asked for, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=PARTS,
        metavar="PART",
        help=f"some of {', '.join(PARTS)}; the file's other figures stay",
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--single", type=int, default=2_000, help="events that are sent one by one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="sizes of windows")
    parser.add_argument("--opensearch", default="2.19.4", metavar="VERSION", help="what to start")
    parser.add_argument("--url", help="measure on this running OpenSearch; its indices bench-* are deleted")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args(arguments)
    began = time.monotonic()
    figures: dict[str, Any] = json.loads(given.out.read_text()) if given.only and given.out.exists() else {}
    parts = given.only or PARTS
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oktalogger-bench-")))
        url = given.url or stack.enter_context(servers.opensearch(folder, version=given.opensearch, heap="1g"))
        # The window that is loaded again and again is made once; the simulator then serves it from its memory.
        okta = stack.enter_context(servers.org(per_minute=PER_MINUTE, cache_mb=given.events // 1000 * 4 + 64))
        bench = Bench(okta, url, given.events)
        if "throughput" in parts:
            say("throughput")
            figures |= bench.throughput(given.rounds, given.single)
        if "archive" in parts:
            say("archive")
            figures |= archived.measure_archive(bench, folder, given.rounds, say)
        if "task" in parts:
            say("task")
            figures |= bench.task(given.rounds, folder)
        if "disk" in parts:
            say("disk")
            figures |= bench.disk()
        if "memory" in parts:
            say("memory")
            figures["peak_rss_mb"] = figures.get("peak_rss_mb", {}) | bench.memory(given.memory)
        figures["machine"] = machine()
        figures["opensearch"] = bench.client.info()["version"]["number"]
    given.out.parent.mkdir(exist_ok=True)
    given.out.write_text(json.dumps(figures, indent=2) + "\n")
    print_table(figures)
    print(f"{time.monotonic() - began:>10.0f}  seconds for {', '.join(parts)}; the figures are in {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
