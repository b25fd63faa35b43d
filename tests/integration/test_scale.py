"""Several worker processes at once on one OpenSearch and one org: what they leave is exact."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local.simulator.process import Simulator, running
from oktalogger.pipeline.backfill import BackfillRequest, to_load
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.window import Window, format_instant, gaps
from tests.integration.worker import Work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oktalogger.pipeline.document import LoadKind
    from tests.integration.conftest import Deployment

pytestmark = pytest.mark.opensearch

HOUR = timedelta(hours=1)
# Over the end of a month, so that all of them meet two new indices at once.
WHOLE = Window(datetime(2026, 10, 31, 14, tzinfo=UTC), datetime(2026, 11, 1, 10, tzinfo=UTC))
WORKERS = 4


@pytest.fixture(scope="module")
def org() -> Iterator[Simulator]:
    with running(
        "--seed", "scale", "--rate", "8", "--rhythm", "flat", "--clock", "2026-11-16T12:00:00Z",
        "--rate-limit", "12000", "--token-share", "1",
    ) as simulator:  # fmt: skip
        yield simulator


def work(
    deployment: Deployment, okta: Simulator, number: int, windows: Sequence[Window], kind: LoadKind = "backfill"
) -> Work:
    spans = tuple((window.start, window.end) for window in windows)
    return Work(number, okta.url, okta.token, deployment.url, deployment.names.prefix, spans, kind, WORKERS)


def wait_until_under_way(deployment: Deployment, worker: int) -> None:
    """Wait until a worker has stored some pages of a window, and has more to do."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        entries = ledger_of(deployment)
        if any(e["run_id"] == f"worker-{worker}" and e["state"] == "running" and e.get("next_url") for e in entries):
            return
        time.sleep(0.02)
    raise AssertionError(f"worker {worker} did not get on")


def ledger_of(deployment: Deployment) -> list[dict[str, Any]]:
    if not deployment.client.indices.exists(index=deployment.names.ledger):
        return []
    return list(deployment.documents(deployment.names.ledger).values())


def complete(deployment: Deployment) -> list[Window]:
    deployment.client.indices.refresh(index=deployment.names.ledger)
    entries = LedgerStore(deployment.client, deployment.names).entries("127.0.0.1", WHOLE)
    return [entry.window for entry in entries if entry.covers]


def test_chunks_on_several_workers_at_once_stay_exact(deployment: Deployment, org: Simulator) -> None:
    chunks = to_load(BackfillRequest(WHOLE, HOUR), ())
    assert len(chunks) == 20
    processes = [work(deployment, org, n, chunks[n::WORKERS]).start() for n in range(WORKERS)]
    # A backfill of the five-minute DAG over a part of the same range, and a task that was cleared while it ran.
    five = list(Window(WHOLE.start, WHOLE.start + HOUR).split(timedelta(minutes=5)))
    processes.append(work(deployment, org, 4, five, "manual").start())
    processes.append(work(deployment, org, 5, chunks[:2]).start())
    try:
        wait_until_under_way(deployment, 3)
        assert processes[3].pid is not None
        os.kill(processes[3].pid, signal.SIGKILL)
        for process in processes:
            process.join(timeout=240)
        assert [process.exitcode for process in processes] == [0, 0, 0, -signal.SIGKILL, 0, 0]
    finally:
        for process in processes:
            process.kill()

    left = to_load(BackfillRequest(WHOLE, HOUR), complete(deployment))
    assert left, "the one that was killed leaves something"
    assert set(left) <= set(chunks[3::WORKERS])
    again = [work(deployment, org, 6 + n, left[n::2]).start() for n in range(2)]
    for process in again:
        process.join(timeout=240)
    assert [process.exitcode for process in again] == [0, 0]

    assert gaps(WHOLE, complete(deployment)) == []
    events = org.control.events(format_instant(WHOLE.start), format_instant(WHOLE.end))
    expected = {event["uuid"]: event for event in events}
    found = deployment.documents()
    stored = deployment.client.count(index=deployment.names.alias)["count"]
    assert stored == len(found) == len(expected) > 5000, "none is there twice, in whichever index"
    for uuid, document in found.items():
        assert {name: value for name, value in document.items() if name != "oktalogger"} == expected[uuid]
    months = deployment.client.indices.get_alias(name=deployment.names.alias)
    assert len(months) == 2
    counts = org.control.counters()
    assert "violations" not in counts
    assert "status.429" not in counts
