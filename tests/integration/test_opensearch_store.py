"""Bulk load into a real OpenSearch."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from oktalogger.opensearch.bulk import BulkRetry, Document, Rejection
from oktalogger.opensearch.errors import (
    IndexBlockedError,
    IndexConflictError,
    IndexMissingError,
    RejectionNotStoredError,
)
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.schema import ensure_month, ensure_schema
from oktalogger.opensearch.store import OpenSearchStore
from tests.integration.indices import count, document, event, found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opensearchpy import OpenSearch

pytestmark = pytest.mark.opensearch

QUICK = BulkRetry(first_wait_seconds=0.05, total_seconds=1, blocked_seconds=0.3)


@pytest.fixture
def store(client: OpenSearch, names: IndexNames) -> OpenSearchStore:
    return OpenSearchStore(client, names, retry=QUICK)


class TestCreate:
    def test_a_second_load_leaves_the_same_documents(
        self, client: OpenSearch, store: OpenSearchStore, month: str
    ) -> None:
        documents = [document(month, event(f"e{number}", displayMessage="first")) for number in range(100)]
        first = store.create(documents)
        assert (first.created, first.existing, first.requests) == (100, 0, 1)
        again = [document(month, event(f"e{number}", displayMessage="second")) for number in range(150)]
        second = store.create(again)
        assert (second.created, second.existing) == (50, 100)
        assert second.unclear == 0
        assert count(client, month) == 150
        assert len(found(client, month, "displayMessage:first")) == 100

    def test_the_same_uuid_twice_in_one_call(self, client: OpenSearch, store: OpenSearchStore, month: str) -> None:
        result = store.create([document(month, event("twice"))] * 2)
        assert (result.created, result.existing) == (1, 1)
        assert count(client, month) == 1

    def test_several_months_in_one_call(self, client: OpenSearch, names: IndexNames, store: OpenSearchStore) -> None:
        ensure_schema(client, names)
        indices = [f"{names.prefix}-2026-{number}" for number in (10, 11)]
        for index in indices:
            ensure_month(client, names, index)
        result = store.create([document(indices[number % 2], event(f"e{number}")) for number in range(10)])
        assert result.created == 10
        assert [count(client, index) for index in indices] == [5, 5]
        assert count(client, names.alias) == 10

    def test_bodies_are_bounded_and_a_larger_document_goes_alone(
        self, client: OpenSearch, names: IndexNames, month: str
    ) -> None:
        documents = [document(month, event(f"e{number}", displayMessage="x" * 200)) for number in range(50)]
        documents.insert(20, document(month, event("large", displayMessage="y" * 20_000)))
        result = OpenSearchStore(client, names, max_body_bytes=4096).create(documents)
        assert result.created == 51
        assert result.requests >= 6
        assert count(client, month) == 51

    def test_threads_share_a_store(self, client: OpenSearch, store: OpenSearchStore, month: str) -> None:
        with ThreadPoolExecutor(8) as pool:
            results = pool.map(
                lambda page: store.create([document(month, event(f"{page}-{number}")) for number in range(200)]),
                range(16),
            )
        assert sum(result.created for result in results) == 3200
        assert count(client, month) == 3200

    def test_pretty_printed_json_is_one_document(self, client: OpenSearch, store: OpenSearchStore, month: str) -> None:
        source = json.dumps(event("pretty", displayMessage="two\nlines"), indent=1).replace("\n", "\r\n").encode()
        assert store.create([Document("pretty", month, source)]).created == 1
        assert client.get(index=month, id="pretty")["_source"]["displayMessage"] == "two\nlines"


AWKWARD: dict[str, dict[str, Any]] = {
    "target null": {"target": None},
    "target empty": {"target": []},
    "the string null for an address": {"client": {"ipAddress": "null", "zone": "null"}},
    "client empty": {"client": {}},
    "client null": {"client": None},
    "unknown fields": {"novel": {"deep": {"x": 1}}, "client": {"novel": [1, {"a": "b"}]}, "outcome": {"result": "NEW"}},
    "postal code as number": {"client": {"geographicalContext": {"postalCode": 94105}}},
    "32-bit ASN": {"securityContext": {"asNumber": 4_294_967_295}},
    "ASN as text": {"securityContext": {"asNumber": "null"}},
    "debugData as object": {"debugContext": {"debugData": {"originalPrincipal": {"id": "1"}, "threshold": 5}}},
    "debugData as string": {"debugContext": {"debugData": {"originalPrincipal": "{id=1}", "threshold": "5"}}},
    "debugContext null": {"debugContext": None},
    "a keyword over 32766 bytes": {"displayMessage": "ä" * 40_000},
    "a lifted text over 32766 bytes": {"oktalogger": {"debug_risk": "x" * 100_000}},
    "no geolocation": {"client": {"geographicalContext": {"geolocation": None}}},
    "geolocation out of range": {"client": {"geographicalContext": {"geolocation": {"lat": 999, "lon": 0}}}},
    "geolocation half null": {"client": {"geographicalContext": {"geolocation": {"lat": None, "lon": 5.0}}}},
    "version as number": {"version": 0},
    "fraction of 0 digits": {"published": "2026-11-23T10:00:00Z"},
    "fraction of 6 digits": {"published": "2026-11-23T10:00:00.123456Z"},
    "detail entries of any shape": {"actor": {"detailEntry": {"a": [1, {"b": None}]}}, "transaction": {"detail": {}}},
    "change details as objects": {"target": [{"id": "1", "changeDetails": {"from": {"policySubject": {"x": 1}}}}]},
    "ip chain": {"request": {"ipChain": [{"ip": "null"}, {"ip": "2001:db8::1", "geographicalContext": None}]}},
    "empty ip chain": {"request": {"ipChain": []}},
    "half a surrogate pair": {"displayMessage": "\ud800 alone"},
    "device": {"device": {"managed": None, "device_integrator": '{"a":1}'}},
    "behaviours as objects": {
        "securityContext": {"userBehaviors": [{"id": "1", "name": "New Device", "result": "POSITIVE"}]}
    },
    "empty strings": {"client": {"ipAddress": "", "zone": ""}, "securityContext": {"isProxy": ""}},
}


@pytest.mark.parametrize("case", AWKWARD)
def test_what_real_events_hold_is_stored_unchanged(
    client: OpenSearch, store: OpenSearchStore, month: str, case: str
) -> None:
    source = event("awkward", **AWKWARD[case])
    result = store.create([document(month, source)])
    assert (result.created, result.rejected) == (1, ())
    assert client.get(index=month, id="awkward")["_source"] == source


def test_a_thousand_events_of_one_millisecond(client: OpenSearch, store: OpenSearchStore, month: str) -> None:
    assert store.create([document(month, event(f"e{number}")) for number in range(1000)]).created == 1000
    assert count(client, month) == 1000


def test_nothing_is_mapped_that_the_file_does_not_map(client: OpenSearch, store: OpenSearchStore, month: str) -> None:
    before = client.indices.get_mapping(index=month)

    def with_more(properties: Mapping[str, Any]) -> dict[str, Any]:
        below = {name: with_more(how["properties"]) for name, how in properties.items() if "properties" in how}
        return {**below, "novel": {"novel": 1}, "novel_text": "x"}

    source = {**with_more(before[month]["mappings"]["properties"]), **event("novel")}
    assert store.create([document(month, source)]).created == 1
    assert client.indices.get_mapping(index=month) == before
    assert found(client, month, "client.novel_text:x") == set()


QUERIES: dict[str, dict[str, Any]] = {
    "eventType:group.user_membership.add": {"eventType": "group.user_membership.add"},
    r"client.ipAddress:10.0.0.0\/8": {"client": {"ipAddress": "10.1.2.3"}},
    "actor.alternateId:*@example.com": {"actor": {"alternateId": "a@example.com"}},
    "securityContext.asNumber:>=4294967295": {"securityContext": {"asNumber": 4_294_967_295}},
    "securityContext.isProxy:true": {"securityContext": {"isProxy": True}},
    'oktalogger.target.group.display_name:"Admin Group"': {
        "oktalogger": {"target": {"group": {"display_name": ["Admin Group", "Everyone"]}}}
    },
    'target.displayName:"Admin Group"': {"target": [{"displayName": "x"}, {"displayName": "Admin Group"}]},
    "outcome.reason.text:credentials": {"outcome": {"reason": "INVALID CREDENTIALS given"}},
    "oktalogger.lateness_ms:>1000": {"oktalogger": {"lateness_ms": 1001}},
    "oktalogger.historical:true": {"oktalogger": {"historical": True}},
    "oktalogger.source_ip:2001\\:db8\\:\\:1": {"oktalogger": {"source_ip": "2001:db8::1"}},
    '@timestamp:["2026-11-23T10:00:00.124Z" TO "2026-11-23T10:00:00.126Z"]': {"published": "2026-11-23T10:00:00.125Z"},
}


def test_what_detections_look_at_is_searchable(client: OpenSearch, store: OpenSearchStore, month: str) -> None:
    documents = [document(month, event(query, **fields)) for query, fields in QUERIES.items()]
    assert store.create([*documents, document(month, event("other"))]).created == len(QUERIES) + 1
    assert {query: found(client, month, query) for query in QUERIES} == {query: {query} for query in QUERIES}


class TestRejected:
    BAD: ClassVar[dict[str, bytes]] = {
        "not-json": b'{"uuid": "not-json", "published',
        "not-utf8": b'{"uuid": "not-utf8", "displayMessage": "\xff\xfe"}',
        "bad-date": b'{"uuid": "bad-date", "published": "yesterday"}',
        "object-for-text": b'{"uuid": "x", "published": "2026-11-23T10:00:00Z", "outcome": {"reason": {"a": 1}}}',
        "text-for-object": b'{"uuid": "x", "published": "2026-11-23T10:00:00Z", "client": "somebody"}',
        "twice-a-field": b'{"uuid": "x", "published": "2026-11-23T10:00:00Z", "uuid": "y"}',
        "an-array": b"[1]",
        "nothing": b"",
        "very-large": b'{"published": "never", "displayMessage": "' + "ä".encode() * 300_000 + b'"}',
        "deep": b'{"published": "2026-11-23T10:00:00Z", "novel": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    }

    def test_bad_events_are_kept_whole_and_stop_no_others(
        self, client: OpenSearch, names: IndexNames, month: str
    ) -> None:
        store = OpenSearchStore(client, names, max_body_bytes=1_000_000, retry=QUICK)
        documents = [document(month, event("good-1"))]
        documents += [Document(identity, month, source) for identity, source in self.BAD.items()]
        documents.append(document(month, event("good-2")))
        result = store.create(documents)
        assert result.created == 2
        assert {rejection.id for rejection in result.rejected} == set(self.BAD)
        assert {rejection.index for rejection in result.rejected} == {month}

        context = {"org": "example.okta.com", "window": "2026-11-23T10:00Z/10:05Z", "run_id": "r1"}
        stored = store.reject(result.rejected, context=context)
        assert stored > len(self.BAD)  # the very large one comes in parts
        assert store.reject(result.rejected, context={**context, "run_id": "r2"}) == 0

        client.indices.refresh(index=names.rejected)
        hits = client.search(index=names.rejected, body={"size": 1000, "sort": ["part"]})["hits"]["hits"]
        assert len(hits) == stored
        for identity, source in self.BAD.items():
            parts = [hit["_source"] for hit in hits if hit["_source"]["uuid"] == identity]
            assert [part["part"] for part in parts] == list(range(1, parts[0]["parts"] + 1))
            if identity == "not-utf8":
                assert "\\xff" in parts[0]["event"]
                assert "event_base64" in parts[0]
            else:
                assert "".join(part["event"] for part in parts).encode() == source
            assert parts[0]["reason_type"]
            assert parts[0]["reason"]
            assert {key: parts[0][key] for key in context} == context
        assert found(client, names.rejected, "reason_type:mapper_parsing_exception AND org:example.okta.com")

    def test_ids_that_opensearch_cannot_have(self, client: OpenSearch, names: IndexNames, month: str) -> None:
        store = OpenSearchStore(client, names, retry=QUICK)
        sources = [json.dumps(event(identity)).encode() for identity in ("", "long")]
        result = store.create([Document("", month, sources[0]), Document("ä" * 257, month, sources[1])])
        assert [rejection.reason_type for rejection in result.rejected] == ["invalid_id"] * 2
        assert store.reject(result.rejected, context={}) == 2
        assert store.reject(result.rejected, context={}) == 0

    def test_what_is_not_even_a_document(self, client: OpenSearch, names: IndexNames, store: OpenSearchStore) -> None:
        ensure_schema(client, names)
        rejection = Rejection(None, "no_uuid", "the event has no uuid", b"\x00\x01 nonsense \n", None, None)
        assert store.reject([rejection, rejection], context={"org": "o"}) == 1
        assert store.reject([], context={}) == 0

    def test_a_refusal_there_is_an_error(self, client: OpenSearch, names: IndexNames, store: OpenSearchStore) -> None:
        ensure_schema(client, names)
        client.indices.put_mapping(index=names.rejected, body={"properties": {"shift": {"type": "long"}}})
        with pytest.raises(RejectionNotStoredError, match="mapper_parsing_exception"):
            store.reject([Rejection("x", "t", "r", b"{}", None, None)], context={"shift": "night"})


class TestInTheWay:
    def test_a_month_deleted_between_is_not_made_without_its_mapping(
        self, client: OpenSearch, names: IndexNames, store: OpenSearchStore, month: str
    ) -> None:
        client.indices.delete(index=month)
        client.indices.delete_index_template(name=names.template)
        with pytest.raises(IndexMissingError, match="gone or was never made"):
            store.create([document(month, event())])
        assert sorted(client.indices.get(index=f"{names.prefix}*")) == sorted(names.side_indices)
        ensure_schema(client, names)
        ensure_month(client, names, month)
        assert store.create([document(month, event())]).created == 1

    def test_a_template_deleted_between_makes_no_month_without_its_mapping(
        self, client: OpenSearch, names: IndexNames
    ) -> None:
        index = f"{names.prefix}-2026-11"
        ensure_schema(client, names)
        client.indices.delete_index_template(name=names.template)
        with pytest.raises(IndexMissingError, match=f"template {names.template}: that is gone"):
            ensure_month(client, names, index)
        assert not client.indices.exists(index=index)

    @pytest.mark.parametrize("block", ["read_only_allow_delete", "write", "read_only"])
    def test_a_blocked_index_rejects_nothing(
        self, client: OpenSearch, store: OpenSearchStore, month: str, block: str
    ) -> None:
        client.indices.put_settings(index=month, body={f"index.blocks.{block}": True})
        try:
            with pytest.raises(IndexBlockedError) as caught:
                store.create([document(month, event())])
            assert caught.value.retryable
            assert caught.value.index == f"{month}-write"
        finally:
            client.indices.put_settings(index=month, body={f"index.blocks.{block}": None})
        assert store.create([document(month, event())]).created == 1

    def test_a_block_that_ends_in_time_is_waited_for(self, client: OpenSearch, names: IndexNames, month: str) -> None:
        client.indices.put_settings(index=month, body={"index.blocks.read_only_allow_delete": True})

        def unblock(_: float) -> None:
            client.indices.put_settings(index=month, body={"index.blocks.read_only_allow_delete": None})

        result = OpenSearchStore(client, names, sleep=unblock).create([document(month, event())])
        assert (result.created, result.retried, result.requests) == (1, 1, 2)

    def test_a_closed_index_rejects_nothing(self, client: OpenSearch, store: OpenSearchStore, month: str) -> None:
        client.indices.close(index=month)
        with pytest.raises(IndexBlockedError, match="open it"):
            store.create([document(month, event())])

    def test_a_pipeline_that_is_missing_rejects_nothing(
        self, client: OpenSearch, store: OpenSearchStore, month: str
    ) -> None:
        client.indices.put_settings(index=month, body={"index.default_pipeline": "missing"})
        with pytest.raises(IndexConflictError, match=r"pipeline with id \[missing\]"):
            store.create([document(month, event())])
