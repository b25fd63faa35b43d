"""Measures a load with the archive beside one without, and a restore from it. Loads and restores take turns."""

from __future__ import annotations

import json
import shutil
import statistics
from typing import TYPE_CHECKING, Any

from local.bench import measure, servers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.bench.__main__ import Bench


def measure_archive(bench: Bench, folder: Path, rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    """Load and restore the same window, in turn.

    :param bench: what runs the loads
    :param folder: for the archive
    :param rounds: how often
    :param say: told of each round
    """
    window = bench.window(bench.events)
    archive = folder / "archive"
    restore = servers.load_command(*window)
    restore[restore.index("load")] = "restore"
    commands = {
        "without": (servers.load_command(*window), {}),
        "with": (servers.load_command(*window), {"OKTALOGGER_ARCHIVE": str(archive)}),
        "restore": (restore, {"OKTALOGGER_ARCHIVE": str(archive)}),
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    cpu: dict[str, list[float]] = {name: [] for name in commands}
    peak: dict[str, float] = dict.fromkeys(commands, 0.0)
    size = 0
    for number in range(rounds + 1):
        shutil.rmtree(archive, ignore_errors=True)
        for name, (command, more) in commands.items():
            done = measure.run(command, servers.environ(bench.okta, bench.url, "bench-archive") | more)
            counts: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
            took = counts["seconds"] + bench.made_searchable("bench-archive")
            if name == "with":
                size = sum(path.stat().st_size for path in archive.rglob("*") if path.is_file())
            bench.drop("bench-archive")
            if number:  # the first round warms the server up
                seconds[name].append(took / counts["created"])
                cpu[name].append(done.cpu_seconds / counts["created"] * 1e6)
                peak[name] = max(peak[name], done.peak_rss_mb)
        if number:
            rates = ", ".join(f"{name} {1 / values[-1]:,.0f}/s" for name, values in seconds.items())
            say(f"round {number} of {rounds}: {rates}")
    pairs = zip(seconds["without"], seconds["with"], strict=True)
    return {
        "archived_per_second": 1 / statistics.median(seconds["with"]),
        "unarchived_per_second": 1 / statistics.median(seconds["without"]),
        "archived_ratio": statistics.median(without / with_ for without, with_ in pairs),
        "restored_per_second": 1 / statistics.median(seconds["restore"]),
        "archive_cpu_seconds_per_million": statistics.median(cpu["with"]) - statistics.median(cpu["without"]),
        "restore_cpu_seconds_per_million": statistics.median(cpu["restore"]),
        "archive_bytes_per_event": size / counts["created"],
        "archive_peak_rss_mb": peak["with"],
        "restore_peak_rss_mb": peak["restore"],
    }
