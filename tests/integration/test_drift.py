"""What OpenSearch refuses for the type of one part is stored without that part, on a real server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.opensearch.documents import Rejection
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.pipeline.covered import NOTHING_COVERED
from oktalogger.pipeline.document import Built, DocumentBuilder, PreparedPage, Stamp
from oktalogger.pipeline.drift import restored
from oktalogger.pipeline.page_store import PageStorer, StoredPage
from oktalogger.pipeline.provenance import Claims
from oktalogger.window import Window

if TYPE_CHECKING:
    from tests.integration.conftest import Deployment

pytestmark = pytest.mark.opensearch

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
STAMP = Stamp(org="example.okta.com", window=Window(TEN, TEN.replace(minute=5)), run_id="r", kind="scheduled")
DRIFTED: dict[str, dict[str, Any]] = {
    "actor-text": {"actor": "system@okta.com"},
    "actor-list": {"actor": [{"id": "1"}, "x"]},
    "outcome-text": {"outcome": "FAILURE"},
    "reason-object": {"outcome": {"result": "SUCCESS", "reason": {"code": 1, "text": ["x"]}}},
    "reason-list": {"outcome": {"reason": ["x", {"code": 1}]}},
    "proxy-null-text": {"securityContext": {"isProxy": "null", "asOrg": "x"}},
    "proxy-number": {"securityContext": {"isProxy": 1}},
    "behaviours-text": {"securityContext": {"userBehaviors": "{New Device=POSITIVE}"}},
    "behaviours-mixed": {"securityContext": {"userBehaviors": [{"name": "New IP"}, "x", None]}},
    "asn-object": {"securityContext": {"asNumber": {"number": 1}}},
    "address-object": {"client": {"ipAddress": {"v4": "192.0.2.1"}}},
    "target-text": {"target": ["x", {"id": "1"}]},
    "target-id-object": {"target": [{"id": {"x": 1}, "type": "User"}]},
    "version-object": {"version": {"major": 0}},
    "step-object": {"authenticationContext": {"authenticationStep": {"n": 1}}},
    "dotted-key": {"actor.id": {"x": 1}},
    "dotted-below-text": {"eventType.sub": "x"},
    "empty-key": {"actor": {"": 1, "id": "1"}},
    "empty-in-dots": {"actor": {"a..b": 1}},
    "message-object": {"displayMessage": {"de": "x"}},
    "agent-text": {"client": {"userAgent": "curl"}},
    "managed-text": {"device": {"managed": "unknown"}},
}
# OpenSearch 3 ignores an object in a field with `ignore_malformed`, as both releases ignore a text there.
IGNORED_BY_3 = {"asn-object", "address-object", "step-object"}
FITTING: dict[str, dict[str, Any]] = {
    "nulls": {"actor": None, "target": None, "outcome": {}},
    "numbers": {"version": 0, "severity": True, "eventType": ["a", ["b"]]},
    "texts": {"securityContext": {"isProxy": "true", "asNumber": "none"}, "client": {"ipAddress": "null"}},
    "mixed": {"securityContext": {"isProxy": [True, "false", "", None]}},
    "place": {"client": {"geographicalContext": {"geolocation": {"lat": {}, "lon": [[]]}}}},
    "unmapped": {"debugContext": "text", "nobody": {"a..b": [{}]}},
}


def store(deployment: Deployment, events: dict[str, bytes]) -> StoredPage:
    target = OpenSearchStore(deployment.client, deployment.names)
    target.prepare()
    builder = DocumentBuilder(STAMP, deployment.names)
    built = [builder.build(raw, TEN) for raw in events.values()]
    page = PreparedPage(
        page=None,  # type: ignore[arg-type]
        read=len(built),
        at=TEN,
        documents=[one for one in built if isinstance(one, Built)],
        rejections=[one for one in built if isinstance(one, Rejection)],
        outside=0,
        repeated=frozenset(),
        span=None,
    )
    return PageStorer(target, STAMP, NOTHING_COVERED, Claims(STAMP, None)).store(page)


def event(uuid: str, change: dict[str, Any]) -> bytes:
    return json.dumps({"uuid": uuid, "published": "2026-11-23T10:00:01.000Z", "eventType": "x", **change}).encode()


def test_types_that_drift(deployment: Deployment) -> None:
    events = {uuid: event(uuid, change) for uuid, change in {**DRIFTED, **FITTING}.items()}
    stored = store(deployment, events)
    found = deployment.documents()
    refused = {one["uuid"]: one["reason"] for one in deployment.documents(deployment.names.rejected).values()}
    assert refused == {}
    release = deployment.client.info()["version"]["number"]
    drifted = set(DRIFTED) - (set() if release.startswith("2.") else IGNORED_BY_3)
    assert {uuid for uuid, source in found.items() if "drifted" in source["oktalogger"]} == drifted
    assert (stored.outcome.created, stored.drifted_events, stored.rejected) == (len(events), len(drifted), 0)
    assert {uuid: restored(source) for uuid, source in found.items()} == {
        uuid: json.loads(raw) for uuid, raw in events.items()
    }
    body = {"query": {"term": {"oktalogger.drifted": "securityContext.isProxy"}}}
    assert deployment.client.count(index=deployment.names.alias, body=body)["count"] == 2

    again = store(deployment, events)
    assert (again.outcome.created, again.outcome.existing) == (0, len(events))
    assert deployment.documents() == found


def test_what_does_not_fit_without_any_part_is_rejected_whole(deployment: Deployment) -> None:
    good = event("good", {})
    twice = good.replace(b'"eventType"', b'"eventType": "y", "eventType"').replace(b"good", b"twice")
    drifting = twice.replace(b"twice", b"both").replace(b"{", b'{"outcome": "x", ', 1)
    stored = store(deployment, {"good": good, "twice": twice, "both": drifting})
    kept = {one["event"] for one in deployment.documents(deployment.names.rejected).values()}
    assert (stored.outcome.created, stored.rejected) == (1, 2)
    assert kept == {twice.decode(), drifting.decode()}
