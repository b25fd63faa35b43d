"""Events of another index are taken over, each once: those of an older log shipper, and those of another oktalogger."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from opensearchpy import helpers

from local.simulator.process import Simulator, running
from oktalogger.opensearch.names import IndexNames
from oktalogger.pipeline.drift import restored
from tests.indices import own_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Deployment

pytestmark = pytest.mark.opensearch

SINCE = "2026-11-16T10:00:00Z"
UNTIL = "2026-11-16T10:30:00Z"
HALF = "2026-11-16T10:15:00Z"


@pytest.fixture(scope="module")
def org() -> Iterator[Simulator]:
    with running(
        "--seed", "old", "--rate", "10", "--clock", "2026-11-16T12:00:00Z", "--rate-limit", "100000"
    ) as simulator:
        yield simulator


@pytest.fixture
def old(deployment: Deployment) -> Iterator[str]:
    """An index of a shipper that lets OpenSearch choose ids and mapping."""
    name = f"old-{deployment.names.prefix}"
    yield name
    deployment.client.indices.delete(index=name, ignore=[404])


def ship(deployment: Deployment, index: str, events: list[dict[str, Any]]) -> None:
    helpers.bulk(deployment.client, ({"_index": index, "_source": event} for event in events), refresh=True)


def take_over(
    deployment: Deployment, okta: Simulator, *arguments: str, code: int = 0, **more: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        deployment.command("take-over", *arguments),
        env=deployment.environ(okta, **more),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def test_each_event_of_an_older_shipper_is_stored_once(deployment: Deployment, org: Simulator, old: str) -> None:
    events = org.control.events(SINCE, UNTIL)
    shipped = [{**event, "@timestamp": event["published"]} for event in events]
    ship(deployment, old, [*shipped, *shipped[:20], {"message": "not an event"}])
    # A part of them is there already, loaded from Okta.
    assert deployment.load(org, "--from", SINCE, "--to", HALF).returncode == 0
    before = deployment.documents()

    counts = json.loads(take_over(deployment, org, old, "--json", code=3).stdout)
    documents = deployment.documents()
    assert {uuid: restored(document) for uuid, document in documents.items()} == {one["uuid"]: one for one in events}
    assert {uuid: documents[uuid] for uuid in before} == before
    added = documents[events[-1]["uuid"]]["oktalogger"]
    assert (added["historical"], added["load_kind"]) == (True, "backfill")
    assert added["run_id"].startswith("take_over__")
    assert (counts["read"], counts["created"]) == (len(events) + 21, len(events) - len(before))
    assert (counts["existing"], counts["rejected"]) == (len(before) + 20, 1)
    (refused,) = deployment.documents(deployment.names.rejected).values()
    assert json.loads(refused["event"]) == {"message": "not an event"}

    again = json.loads(take_over(deployment, org, old, "--json", code=3).stdout)
    assert again["created"] == 0
    assert deployment.documents() == documents
    assert len(deployment.documents(deployment.names.rejected)) == 1


def test_a_range_leaves_out_what_lies_outside(deployment: Deployment, org: Simulator, old: str) -> None:
    events = org.control.events(SINCE, UNTIL)
    ship(deployment, old, events)
    said = take_over(deployment, org, old, "--from", SINCE, "--to", HALF).stdout
    wanted = org.control.events(SINCE, HALF)
    assert deployment.documents().keys() == {event["uuid"] for event in wanted}
    assert f"left out {len(events) - len(wanted)} that" in said


def test_events_of_another_oktalogger_are_taken_over_as_okta_sent_them(deployment: Deployment, org: Simulator) -> None:
    with own_names(deployment.client) as others:
        there = IndexNames(others.prefix)
        loaded = deployment.load(org, "--from", SINCE, "--to", HALF, OKTALOGGER_INDEX_PREFIX=there.prefix)
        assert loaded.returncode == 0, loaded.stderr
        deployment.client.indices.refresh(index=there.alias)
        take_over(deployment, org, there.alias, OKTALOGGER_OTHER_OPENSEARCH_URL=deployment.url)
        documents = deployment.documents()
        expected = {event["uuid"]: event for event in org.control.events(SINCE, HALF)}
        assert {uuid: restored(document) for uuid, document in documents.items()} == expected


@pytest.mark.parametrize(
    ("arguments", "more", "code", "words"),
    [
        (["no-such-index"], {}, 1, "There is no index no-such-index."),
        (["no-such-*"], {}, 1, "There is no index no-such-*."),
        (["x", "--org", "no org"], {}, 2, "--org 'no org' is not a host name"),
        (["x"], {"OKTALOGGER_OKTA_URL": ""}, 2, "Nothing says which org the events are of. Give --org"),
        (
            ["x"],
            {"OKTALOGGER_OTHER_OPENSEARCH_URL": "http://127.0.0.1:1"},
            1,
            "did not answer when asked to read all documents of x",
        ),
    ],
)
def test_what_is_wrong_is_said(
    deployment: Deployment, org: Simulator, arguments: list[str], more: dict[str, str], code: int, words: str
) -> None:
    assert words in take_over(deployment, org, *arguments, code=code, **more).stderr


def test_its_own_indices_are_not_taken_over(deployment: Deployment, org: Simulator) -> None:
    assert "is oktalogger's own" in take_over(deployment, org, deployment.names.alias, code=2).stderr
