"""Months that somebody deletes: between two tries, while one loads, and after all was complete."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from local.simulator.process import Simulator, running
from oktalogger.opensearch.store import OpenSearchStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Deployment

pytestmark = pytest.mark.opensearch

NOW = "2026-11-16T14:00:00Z"
HOUR = ("--from", "2026-11-16T10:00:00Z", "--to", "2026-11-16T11:00:00Z")


@pytest.fixture(scope="module")
def org() -> Iterator[Simulator]:
    with running("--seed", "deleted", "--rate", "10", "--clock", NOW, "--rate-limit", "100000") as simulator:
        yield simulator


@pytest.fixture
def quiet(org: Simulator) -> Simulator:
    org.control.post("/reset")
    return org


def entry(deployment: Deployment) -> dict[str, Any] | None:
    answer = deployment.client.search(
        index=deployment.names.ledger, ignore_unavailable=True, allow_no_indices=True, size=1
    )
    hits = answer["hits"]["hits"]
    return hits[0]["_source"] if hits else None


def kill_half_way(deployment: Deployment, okta: Simulator) -> None:
    okta.control.fault("slow-body", times=100, skip=2, seconds=1.5)
    load = subprocess.Popen(
        deployment.command("load", *HOUR, "--page-limit", "50"), env=deployment.environ(okta), stderr=subprocess.DEVNULL
    )
    try:
        while (found := entry(deployment)) is None or not found.get("next_url"):
            assert load.poll() is None, "it ended before anybody could kill it"
            time.sleep(0.1)
    finally:
        load.send_signal(signal.SIGKILL)
        load.wait()
    okta.control.post("/reset", only=["faults", "counters"])


def test_a_month_deleted_between_two_tries_is_loaded_from_the_window_s_start(
    deployment: Deployment, quiet: Simulator
) -> None:
    kill_half_way(deployment, quiet)
    deployment.client.indices.delete(index=f"{deployment.names.prefix}-2026-11")
    done = deployment.load(quiet, *HOUR, "--page-limit", "50", "--json")
    assert done.returncode == 0, done.stderr
    assert "was deleted or made anew since an earlier try" in done.stderr
    there = {event["uuid"] for event in quiet.control.events("2026-11-16T10:00:00Z", "2026-11-16T11:00:00Z")}
    assert set(deployment.documents()) == there
    assert json.loads(done.stdout)["created"] == len(there)


def test_the_uuid_of_a_month_is_that_of_the_one_that_was_made_ready(deployment: Deployment) -> None:
    store = OpenSearchStore(deployment.client, deployment.names)
    store.prepare()
    store.ensure_month(datetime(2026, 11, 1, tzinfo=UTC))
    month = f"{deployment.names.prefix}-2026-11"
    assert store.identities([month]) == {month: store.identity(month)}
    assert store.identity(month)
    assert store.identities([deployment.names.rejected]) == {
        deployment.names.rejected: store.identity(deployment.names.rejected)
    }
    deployment.client.indices.delete(index=month)
    assert store.identities([month]) == {}
    other = OpenSearchStore(deployment.client, deployment.names)
    other.prepare()
    other.ensure_month(datetime(2026, 11, 1, tzinfo=UTC))
    assert store.identities([month])[month] != store.identity(month)
