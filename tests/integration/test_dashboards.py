"""Every search of the saved objects runs on a real OpenSearch, and finds something in a simulated company's days."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from opensearchpy import OpenSearch

from local.simulator import world
from local.standins.dashboards_queries import search_body
from oktalogger.detections.bundle import load_detections
from oktalogger.detections.replay.search import replay
from oktalogger.detections.replay.span import Span
from oktalogger.detections.testing.run import scratch_store
from oktalogger.detections.testing.samples import ORDINARY_EVENT
from oktalogger.opensearch.documents import Document, Rejection
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.setup.dashboards import PATTERN, shipped_objects
from oktalogger.pipeline.document import Built, DocumentBuilder, Stamp
from oktalogger.pipeline.ledger import LedgerEntry
from oktalogger.resources import rule_folders
from oktalogger.window import Window, format_instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oktalogger.opensearch.store import OpenSearchStore
    from oktalogger.pipeline.document import LoadKind
    from oktalogger.pipeline.ledger import State

pytestmark = pytest.mark.opensearch

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
SINCE = NOW - timedelta(hours=4)
STORIES = ("mfa-fatigue", "password-spray", "admin-probe", "admin-group")
DRIFTED = "user.session.access_admin_app"
RULES = (
    "okta_password_spray",
    "okta_push_fatigue",
    "okta_user_added_to_admin_group",
    "okta_admin_console_access_refused",
)
# What happens rarely, so not in these hours: type of the event, type of its target, and what else is in it.
RARE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("user.account.lock", "User", {"outcome": {"result": "FAILURE", "reason": "LOCKED_OUT"}}),
    ("user.mfa.factor.reset_all", "User", {}),
    ("user.mfa.factor.activate", "User", {}),
    (
        "user.account.privilege.grant",
        "User",
        {"debugContext": {"debugData": {"privilegeGranted": "Super administrator"}}},
    ),
    ("application.lifecycle.update", "AppInstance", {}),
    ("policy.rule.update", "PolicyRule", {}),
    ("policy.lifecycle.deactivate", "PolicyEntity", {}),
    ("system.api_token.create", "Token", {}),
    ("zone.update", "NetworkZone", {}),
    ("user.session.start", "User", {"securityContext": {"isProxy": True, "asOrg": "Tunnels"}}),
    (DRIFTED, "User", {}),
)


@dataclass(frozen=True)
class Loaded:
    """Days of a company in OpenSearch, and the objects that look at them."""

    client: OpenSearch
    objects: tuple[dict[str, Any], ...]

    def search(self, one: dict[str, Any]) -> Any:
        """Ask what Dashboards would ask for an object."""
        [pattern] = [ref["id"] for ref in one["references"] if ref["type"] == PATTERN]
        time_field = next(o for o in self.objects if o["id"] == pattern)["attributes"]["timeFieldName"]
        body = search_body(
            one, time_field=time_field, since=SINCE, until=datetime.now(UTC) + timedelta(minutes=1), interval="10m"
        )
        return self.client.search(index=pattern, body=body, track_total_hits=True)


@pytest.fixture(scope="module")
def loaded(opensearch_url: str) -> Iterator[Loaded]:
    client = OpenSearch(opensearch_url, timeout=60)
    with scratch_store(client) as store:
        _load_events(store)
        _load_ledger(store)
        rules = [rule for rule in load_detections(*rule_folders()) if rule.name in RULES]
        replay(client, store.names, rules, Span(Window(SINCE, NOW)), run_id="replay")
        client.indices.refresh(index=f"{store.names.prefix}*")
        objects = tuple(msgspec.to_builtins(one) for one in shipped_objects(store.names))
        yield Loaded(client, objects)
    client.close()


def _load_events(store: OpenSearchStore) -> None:
    stories = [(name, NOW - timedelta(hours=1, minutes=20 * number)) for number, name in enumerate(STORIES)]
    events = [event.body for event in world.events("dashboards", 20, SINCE, NOW, rhythm="flat", stories=stories)]
    for number, (event_type, target, more) in enumerate(RARE):
        body = ORDINARY_EVENT | {
            "uuid": f"00000000-0000-0000-0000-{number:012}",
            "published": format_instant(NOW - timedelta(minutes=number + 1)),
            "eventType": event_type,
            "outcome": {"result": "SUCCESS"},
            "target": [{"id": "1", "type": target, "alternateId": "one", "displayName": "One"}],
        }
        events.append(json.dumps(body | more).encode())
    parts: tuple[tuple[LoadKind, list[bytes]], ...] = (("scheduled", events[:-3]), ("reconcile", events[-3:]))
    for kind, some in parts:
        stamp = Stamp("acme.okta.com", Window(SINCE, NOW), f"{kind}__1", kind, timedelta(days=1))
        builder = DocumentBuilder(stamp, store.names)
        built = [builder.build(event, NOW) for event in some]
        documents = [_as_drifted(one.document) for one in built if isinstance(one, Built)]
        assert len(documents) == len(some)
        for month in {NOW, SINCE}:
            store.ensure_month(month)
        assert not store.create(documents).rejected
    rejection = Rejection(
        "1", format_instant(NOW), store.names.month_index(NOW), b"{}", "mapper_parsing_exception", "no"
    )
    context = {"org": "acme.okta.com", "run_id": "scheduled__1", "load_kind": "scheduled"}
    assert store.reject([rejection], context=context) == 1


def _as_drifted(document: Document) -> Document:
    """Say of the last event that a part of it did not fit, as the loader does."""
    source = json.loads(document.source)
    if source["uuid"] == f"{0:08}-0000-0000-0000-{len(RARE) - 1:012}":
        source["oktalogger"]["drifted"] = ["securityContext.isProxy"]
    return Document(document.id, document.index, json.dumps(source).encode())


def _load_ledger(store: OpenSearchStore) -> None:
    states: tuple[State, ...] = ("complete", "complete", "older_than_kept", "running", "failed")
    entries = [
        LedgerEntry(
            id=f"{kind}/{number}",
            org="acme.okta.com",
            kind=kind,
            window_start=NOW - timedelta(minutes=5 * (number + 1)),
            window_end=NOW - timedelta(minutes=5 * number),
            state=states[number % len(states)],
            run_url="http://localhost:8080/dags/okta_system_log/runs/1",
            counts={"read": 10, "created": 9, "existing": 1, "late": 1, "rejected": 1, "drifted": 1, "requests": 2,
                    "seconds": 1.5, "waited_seconds": 0.5},
            lateness={"p50": 40.0, "p95": 80.0, "max": 90.0},
            rate={"limit": 60, "remaining": 31},
        )
        for kind in ("scheduled", "reconcile")
        for number in range(10)
    ]  # fmt: skip
    body = b"".join(
        msgspec.json.encode({"index": {"_id": entry.id}}) + b"\n" + msgspec.json.encode(entry) + b"\n"
        for entry in entries
    )
    assert not store.client.bulk(index=store.names.ledger, body=body)["errors"]


def _empty(aggregations: Any, path: str = "") -> Iterator[str]:
    """Name each aggregation that has no bucket, or a metric without a value, in all of its parts."""
    for name, found in aggregations.items():
        if not isinstance(found, dict):
            continue
        where = f"{path}/{name}"
        if "buckets" in found:
            buckets = found["buckets"]
            full = [one for one in (buckets.values() if isinstance(buckets, dict) else buckets) if one["doc_count"]]
            if not full:
                yield f"{where}: no bucket"
            inside = [set(_empty(one, where)) for one in full]
            yield from sorted(set.intersection(*inside)) if inside else ()
        elif "value" in found and found["value"] is None:
            yield f"{where}: no value"


def _of(kind: str) -> list[str]:
    return [one.id for one in shipped_objects(IndexNames()) if one.type == kind and one.references]


@pytest.mark.parametrize("id", _of("visualization"))
def test_a_chart_shows_something(loaded: Loaded, id: str) -> None:
    suffix = id.removeprefix("okta-system-log")
    [chart] = [one for one in loaded.objects if one["id"].endswith(suffix) and one["type"] == "visualization"]
    answer = loaded.search(chart)
    assert answer["hits"]["total"]["value"] > 0
    assert answer["_shards"]["failed"] == 0
    wanted = [agg for agg in json.loads(chart["attributes"]["visState"])["aggs"] if agg["type"] != "count"]
    assert not list(_empty(answer.get("aggregations", {})))
    assert wanted == [] or answer["aggregations"]


@pytest.mark.parametrize("id", _of("visualization"))
def test_each_query_of_a_split_finds_something(loaded: Loaded, id: str) -> None:
    suffix = id.removeprefix("okta-system-log")
    [chart] = [one for one in loaded.objects if one["id"].endswith(suffix) and one["type"] == "visualization"]
    state = json.loads(chart["attributes"]["visState"])
    for agg in state["aggs"]:
        if agg["type"] == "filters":
            alone = {**chart["attributes"], "visState": json.dumps({**state, "aggs": [state["aggs"][0], agg]})}
            buckets = loaded.search({**chart, "attributes": alone})["aggregations"][agg["id"]]["buckets"]
            assert [label for label, bucket in buckets.items() if not bucket["doc_count"]] == []


@pytest.mark.parametrize("id", _of("search"))
def test_a_search_finds_something_in_each_of_its_columns(loaded: Loaded, id: str) -> None:
    suffix = id.removeprefix("okta-system-log")
    [search] = [one for one in loaded.objects if one["id"].endswith(suffix) and one["type"] == "search"]
    hits = loaded.search(search)["hits"]["hits"]
    assert hits
    missing = [
        column
        for column in search["attributes"]["columns"]
        if not any(_value(hit["_source"], column.split(".")) for hit in hits)
    ]
    # No load of these days failed, nobody was told, and no change was taken apart.
    assert set(missing) <= {"error", "notified", "oktalogger.changes", "tries"}


def _value(document: Any, path: list[str]) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document
