"""Months that somebody deletes: between two tries, while one loads, and after all was complete."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from opensearchpy import TransportError

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
    try:
        answer = deployment.client.search(
            index=deployment.names.ledger, ignore_unavailable=True, allow_no_indices=True, size=1
        )
    except TransportError as error:
        # An index that was made this moment has no shard yet.
        if error.status_code != 503:
            raise
        return None
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


def covered(deployment: Deployment, okta: Simulator, *more: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        deployment.command("coverage", *HOUR, "--json", *more),
        env=deployment.environ(okta),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_month_deleted_after_it_was_loaded_is_damage_and_loading_again_mends_it(
    deployment: Deployment, quiet: Simulator
) -> None:
    assert deployment.load(quiet, "--from", HOUR[1], "--to", "2026-11-16T10:30:00Z").returncode == 0
    assert deployment.load(quiet, "--from", "2026-11-16T10:20:00Z", "--to", HOUR[3]).returncode == 0
    assert covered(deployment, quiet)[0] == 0
    deployment.client.indices.delete(index=f"{deployment.names.prefix}-2026-11")
    code, found = covered(deployment, quiet)
    assert (code, found["covered"], found["events"]) == (1, False, 0)
    assert [hour["state"] for hour in found["hours"]] == ["damaged"]
    assert found["hours"][0]["expected"] > 100

    assert deployment.load(quiet, *HOUR).returncode == 0
    code, found = covered(deployment, quiet, "--verify")
    assert (code, found["hours"][0]["state"]) == (0, "complete")


def test_a_copy_behind_the_alias_is_counted_and_named(deployment: Deployment, quiet: Simulator) -> None:
    assert deployment.load(quiet, *HOUR).returncode == 0
    month = f"{deployment.names.prefix}-2026-11"
    events = len(deployment.documents())
    copy = f"{deployment.names.prefix}-2026-11-restored"
    client = deployment.client
    client.indices.put_settings(index=month, body={"index.blocks.write": True})
    client.indices.clone(index=month, target=copy, body={"settings": {"index.blocks.write": None}})
    client.indices.put_settings(index=month, body={"index.blocks.write": None})
    client.indices.update_aliases(
        body={"actions": [{"add": {"index": copy, "alias": deployment.names.alias, "is_write_index": False}}]}
    )
    code, found = covered(deployment, quiet)
    assert (code, found["events"], found["hours"][0]["state"]) == (1, 2 * events, "doubled")
    assert found["hours"][0]["strays"] == {copy: events}
    # A copy is not what was lost.
    client.indices.delete(index=month)
    assert covered(deployment, quiet)[1]["hours"][0]["state"] == "damaged"
