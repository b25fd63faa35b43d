"""Proof of coverage: by the ledger, and value by value against a second reading of Okta."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from local.simulator.process import Simulator, running
from oktalogger.opensearch.documents import Document
from oktalogger.opensearch.store import OpenSearchStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Deployment

pytestmark = pytest.mark.opensearch

NOW = "2026-11-16T14:00:00Z"
RANGE = ("--from", "2026-11-16T10:00:00Z", "--to", "2026-11-16T12:00:00Z")


@pytest.fixture(scope="module")
def org() -> Iterator[Simulator]:
    with running("--seed", "coverage", "--rate", "3", "--clock", NOW, "--rate-limit", "100000") as simulator:
        yield simulator


@pytest.fixture
def quiet(org: Simulator) -> Simulator:
    org.control.post("/reset")
    return org


def covered(deployment: Deployment, okta: Simulator, *more: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        deployment.command("coverage", *RANGE, "--json", *more),
        env=deployment.environ(okta),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_nothing_is_covered_before_it_is_loaded_and_all_of_it_after(deployment: Deployment, quiet: Simulator) -> None:
    assert deployment.load(quiet, "--from", "2026-11-16T10:00:00Z", "--to", "2026-11-16T10:30:00Z").returncode == 0
    code, found = covered(deployment, quiet)
    assert code == 1
    assert [hour["covered"] for hour in found["hours"]] == [False, False]
    assert found["hours"][0]["missing"] == [["2026-11-16T10:30:00Z", "2026-11-16T11:00:00Z"]]

    assert deployment.load(quiet, "--from", "2026-11-16T10:15:00Z", "--to", "2026-11-16T12:00:00Z").returncode == 0
    code, found = covered(deployment, quiet, "--verify")
    assert code == 0
    assert found["events"] == len(quiet.control.events("2026-11-16T10:00:00Z", "2026-11-16T12:00:00Z"))
    assert sum(one["in_okta"] for one in found["compared"]) == found["events"]


def test_an_event_that_came_late_or_was_lost_or_made_up_is_named(deployment: Deployment, quiet: Simulator) -> None:
    held = quiet.control.post(
        "/hold", since="2026-11-16T10:00:00Z", until="2026-11-16T10:30:00Z", persisted="2026-11-16T13:59:59Z"
    )
    quiet.control.post("/clock", set="2026-11-16T13:00:00Z")
    assert deployment.load(quiet, *RANGE).returncode == 0
    quiet.control.post("/clock", set=NOW)
    documents = deployment.documents()
    lost = next(iter(documents))
    month = deployment.names.prefix + "-2026-11"
    # Months let nobody delete a document, so that losing one takes making the month anew.
    deployment.client.indices.delete(index=month)
    kept = {id: source for id, source in documents.items() if id != lost} | {
        "made-up": documents[lost] | {"uuid": "made-up"}
    }
    store = OpenSearchStore(deployment.client, deployment.names)
    store.ensure_month(datetime(2026, 11, 1, tzinfo=UTC))
    stored = store.create([Document(id, month, json.dumps(source).encode()) for id, source in kept.items()])
    assert stored.created == len(documents)

    code, found = covered(deployment, quiet, "--verify")
    assert code == 1
    assert found["covered"] is True
    missing = {uuid for one in found["compared"] for uuid in one["missing"]}
    assert missing == {held[0]["uuid"], lost}
    assert [uuid for one in found["compared"] for uuid in one["foreign"]] == ["made-up"]


def test_rejected_events_are_not_missing(deployment: Deployment, quiet: Simulator) -> None:
    quiet.control.post("/events", event={"@timestamp": "now"}, published="2026-11-16T10:10:00Z")
    assert deployment.load(quiet, *RANGE).returncode == 3
    code, found = covered(deployment, quiet, "--verify")
    assert code == 0
    assert found["rejected"] == 1


def test_the_table_reads_well(deployment: Deployment, quiet: Simulator) -> None:
    assert deployment.load(quiet, "--from", "2026-11-16T10:00:00Z", "--to", "2026-11-16T11:00:00Z").returncode == 0
    done = subprocess.run(
        deployment.command("coverage", *RANGE, "--verify"),
        env=deployment.environ(quiet),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["covered", "events", "late", "rejected", "drifted", "Okta"]
    assert lines[1].split()[:3] == ["2026-11-16", "1", "of"]
    assert lines[2].strip().startswith("10:00-11:00")
    assert "the same" in lines[2]
    assert "NO" in lines[3]
    assert lines[4].strip() == "not loaded: [2026-11-16T11:00:00Z, 2026-11-16T12:00:00Z)"


def test_a_prefix_that_was_never_loaded_is_not_loaded(deployment: Deployment, quiet: Simulator) -> None:
    code, found = covered(deployment, quiet)
    assert code == 1
    assert [hour["state"] for hour in found["hours"]] == ["not loaded", "not loaded"]


def test_an_event_that_was_altered_or_stands_there_twice_is_named(deployment: Deployment, quiet: Simulator) -> None:
    assert deployment.load(quiet, *RANGE).returncode == 0
    documents = deployment.documents()
    altered, doubled = list(documents)[:2]
    month = deployment.names.prefix + "-2026-11"
    deployment.client.indices.delete(index=month)
    store = OpenSearchStore(deployment.client, deployment.names)
    store.ensure_month(datetime(2026, 11, 1, tzinfo=UTC))
    documents[altered] |= {"severity": "DEBUG" if documents[altered]["severity"] != "DEBUG" else "INFO"}
    store.create([Document(id, month, json.dumps(source).encode()) for id, source in documents.items()])
    copy = month + "-copy"
    deployment.client.indices.create(
        index=copy,
        body={
            "aliases": {deployment.names.alias: {"is_write_index": False}},
            "mappings": deployment.client.indices.get_mapping(index=month)[month]["mappings"],
        },
    )
    deployment.client.index(index=copy, id=doubled, body=documents[doubled], op_type="create")

    code, found = covered(deployment, quiet, "--verify")
    assert code == 1
    assert [uuid for one in found["compared"] for uuid in one["altered"]] == [altered]
    assert [uuid for one in found["compared"] for uuid in one["doubled"]] == [doubled]
    assert not any(one["missing"] or one["foreign"] for one in found["compared"])
