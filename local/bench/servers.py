"""The servers of a benchmark: one OpenSearch and one simulated org, on this machine."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local.process import LOCAL_PYTHON, ready_program
from local.simulator.process import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.simulator.process import Simulator

# A day whose events the benchmarks read; its clock stands at the end of it.
DAY = "2026-11-16"
NOW = "2026-11-17T00:00:00Z"


@contextmanager
def opensearch(folder: Path, *, version: str, heap: str) -> Iterator[str]:
    """Run an OpenSearch and yield its address."""
    command = [str(LOCAL_PYTHON), "-m", "local.opensearch", "run", "--version", version, "--heap", heap]
    with ready_program("OpenSearch", command, log=folder / "opensearch.log", timeout=600) as ready:
        yield str(ready["url"])


@contextmanager
def org(*, per_minute: int, cache_mb: int) -> Iterator[Simulator]:
    """Run a simulated org without limits, with the same traffic day and night."""
    with running(
        "--seed", "bench", "--rate", str(per_minute), "--rhythm", "flat", "--clock", NOW, "--lateness", "none",
        "--rate-limit", "10000000", "--token-share", "1", "--cache-mb", str(cache_mb),
    ) as simulator:  # fmt: skip
        yield simulator


def environ(okta: Simulator, opensearch_url: str, prefix: str) -> dict[str, str]:
    """Return the environment of a load."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent.parent / "plugins"),
        "OKTALOGGER_OKTA_URL": okta.url,
        "OKTALOGGER_OKTA_TOKEN": okta.token,
        "OKTALOGGER_OPENSEARCH_URL": opensearch_url,
        "OKTALOGGER_INDEX_PREFIX": prefix,
        "OKTALOGGER_START_DATE": DAY,
    }


def load_command(since: str, until: str) -> list[str]:
    """Return the command line of a load."""
    return [sys.executable, "-m", "oktalogger", "load", "--from", since, "--to", until, "--json"]
