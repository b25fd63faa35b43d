"""Schema and bulk load against a real OpenSearch."""

from __future__ import annotations

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from oktalogger.opensearch.bulk import BulkRetry, BulkStore, Document, Rejection
from oktalogger.opensearch.client import OpenSearchSettings, make_client
from oktalogger.opensearch.errors import (
    IndexBlockedError,
    IndexConflictError,
    IndexMissingError,
    RejectionNotStoredError,
)
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.schema import ensure_month, ensure_schema
from oktalogger.opensearch.templates import month_template
from oktalogger.opensearch.transport import call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opensearchpy import OpenSearch

pytestmark = pytest.mark.opensearch

QUICK = BulkRetry(first_wait_seconds=0.05, total_seconds=1, blocked_seconds=0.3)


@pytest.fixture
def client(opensearch_url: str) -> Iterator[OpenSearch]:
    client = make_client(OpenSearchSettings(url=opensearch_url, allow_http=True, verify_certs=False))
    yield client
    client.close()


@pytest.fixture
def names(client: OpenSearch) -> Iterator[IndexNames]:
    names = IndexNames(f"test-{uuid.uuid4().hex[:10]}")
    yield names
    client.indices.delete(index=f"{names.prefix}*", ignore_unavailable=True, expand_wildcards="all")
    for template in client.indices.get_index_template().get("index_templates", ()):
        if template["name"].startswith(names.prefix):
            client.indices.delete_index_template(name=template["name"])


@pytest.fixture
def month(client: OpenSearch, names: IndexNames) -> str:
    index = f"{names.prefix}-2026-11"
    ensure_schema(client, names)
    ensure_month(client, names, index)
    return index


@pytest.fixture
def store(client: OpenSearch, names: IndexNames) -> BulkStore:
    return BulkStore(client, names, retry=QUICK)


def event(identity: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"uuid": identity or str(uuid.uuid4()), "published": "2026-11-23T10:00:00.000Z", **fields}


def document(index: str, source: Mapping[str, Any]) -> Document:
    return Document(source["uuid"], index, json.dumps(source).encode())


def found(client: OpenSearch, index: str, query: str) -> set[str]:
    client.indices.refresh(index=index)
    answer = client.search(index=index, body={"size": 1000, "query": {"query_string": {"query": query}}})
    return {hit["_id"] for hit in answer["hits"]["hits"]}


def count(client: OpenSearch, index: str) -> int:
    client.indices.refresh(index=index)
    return int(client.count(index=index)["count"])


def write_index(client: OpenSearch, names: IndexNames) -> list[str]:
    aliases = client.indices.get_alias(name=names.alias)
    return [index for index, entry in aliases.items() if entry["aliases"][names.alias].get("is_write_index")]


class Requests:
    """Counts what goes over the wire, and lets others act just before a request."""

    def __init__(self, client: OpenSearch, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        self.before: dict[str, Callable[[], object]] = {}
        connection = client.transport.get_connection()
        original = connection.perform_request

        def counting(method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            request = f"{method} {url}"
            self.sent.append(request)
            if request in self.before:
                self.before.pop(request)()
            return original(method, url, *args, **kwargs)

        monkeypatch.setattr(connection, "perform_request", counting)


class TestSchema:
    def test_first_run_makes_everything_and_the_second_changes_nothing(
        self, client: OpenSearch, names: IndexNames, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = ensure_schema(client, names)
        sides = (names.rejected, names.ledger)
        assert (first.template, first.side_templates) == ("made", dict.fromkeys(sides, "made"))
        assert first.made_indices == sides
        index = f"{names.prefix}-2026-11"
        assert ensure_month(client, names, index) is True
        before = client.indices.get(index=f"{names.prefix}*")

        requests = Requests(client, monkeypatch)
        second = ensure_schema(client, names)
        assert (second.template, second.side_templates) == ("unchanged", dict.fromkeys(sides, "unchanged"))
        assert second.made_indices == ()
        assert second.upgraded_indices == ()
        assert second.ready_months == {index}
        assert len(requests.sent) == 2
        assert ensure_month(client, names, index) is False
        assert len(requests.sent) == 3
        assert client.indices.get(index=f"{names.prefix}*") == before

    def test_a_month_has_the_mapping_and_settings_of_the_file(
        self, client: OpenSearch, names: IndexNames, month: str
    ) -> None:
        made = client.indices.get(index=month)[month]
        assert made["mappings"]["dynamic"] == "false"
        assert made["mappings"]["_meta"] == {"managed_by": "oktalogger", "version": month_template(names).version}
        assert made["mappings"]["properties"]["@timestamp"] == {"type": "alias", "path": "published"}
        assert made["mappings"]["properties"]["securityContext"]["properties"]["asNumber"]["type"] == "long"
        assert made["settings"]["index"]["codec"] == "best_compression"
        assert made["settings"]["index"]["sort"]["field"] == ["eventType", "client.ipAddress"]
        assert made["settings"]["index"]["number_of_shards"] == "1"

    def test_shards_and_replicas_can_be_asked_for_and_are_changed_in_the_template_only(
        self, client: OpenSearch, names: IndexNames, month: str
    ) -> None:
        assert ensure_schema(client, names, shards=3, replicas=0).template == "upgraded"
        assert ensure_schema(client, names, shards=3, replicas=0).template == "unchanged"
        # Who asks for nothing keeps what is there.
        assert ensure_schema(client, names).template == "unchanged"
        ensure_month(client, names, f"{names.prefix}-2026-12")
        settings = client.indices.get_settings(index=f"{names.prefix}-2026-*")
        shards = {name: entry["settings"]["index"]["number_of_shards"] for name, entry in settings.items()}
        assert shards == {month: "1", f"{names.prefix}-2026-12": "3"}

    def test_the_newest_month_is_the_write_index_whatever_the_order(
        self, client: OpenSearch, names: IndexNames
    ) -> None:
        ensure_schema(client, names)
        for number in ("2026-10", "2026-12", "2026-11", "2025-01", "2027-01"):
            ensure_month(client, names, f"{names.prefix}-{number}")
        assert write_index(client, names) == [f"{names.prefix}-2027-01"]
        assert len(client.indices.get_alias(name=names.alias)) == 5

    def test_a_lost_alias_is_given_back(self, client: OpenSearch, names: IndexNames, month: str) -> None:
        client.indices.delete_alias(index=month, name="*")
        assert ensure_schema(client, names).ready_months == frozenset()
        assert ensure_month(client, names, month) is False
        assert write_index(client, names) == [month]
        assert ensure_schema(client, names).ready_months == {month}

    def test_many_tasks_at_once_end_in_the_same_state_as_one(self, opensearch_url: str, names: IndexNames) -> None:
        months = [f"{names.prefix}-{year}-{number:02d}" for year in (2025, 2026) for number in (1, 6, 12)]
        barrier = threading.Barrier(12)

        def task(number: int) -> bool:
            client = make_client(OpenSearchSettings(url=opensearch_url, allow_http=True))
            try:
                barrier.wait()
                ensure_schema(client, names)
                return ensure_month(client, names, months[number % len(months)])
            finally:
                client.close()

        with ThreadPoolExecutor(12) as pool:
            made = list(pool.map(task, range(12)))
        assert made.count(True) == len(months)
        client = make_client(OpenSearchSettings(url=opensearch_url, allow_http=True))
        assert write_index(client, names) == [months[-1]]
        assert set(client.indices.get_alias(name=names.alias)) == set(months)
        assert ensure_schema(client, names).ready_months == set(months)
        client.close()


class TestRaces:
    """What another task, or somebody else, does between our look and our act."""

    @pytest.fixture
    def other(self, opensearch_url: str) -> Iterator[OpenSearch]:
        client = make_client(OpenSearchSettings(url=opensearch_url, allow_http=True))
        yield client
        client.close()

    @pytest.fixture
    def requests(self, client: OpenSearch, monkeypatch: pytest.MonkeyPatch) -> Requests:
        return Requests(client, monkeypatch)

    def test_another_task_makes_a_newer_month(
        self, client: OpenSearch, other: OpenSearch, names: IndexNames, requests: Requests
    ) -> None:
        older, newer = f"{names.prefix}-2026-11", f"{names.prefix}-2026-12"
        ensure_schema(client, names)
        requests.before["POST /_aliases"] = lambda: ensure_month(other, names, newer)
        assert ensure_month(client, names, older) is True
        assert requests.before == {}
        assert write_index(client, names) == [newer]
        assert ensure_schema(client, names).ready_months == {older, newer}

    def test_another_task_makes_the_same_month(
        self, client: OpenSearch, other: OpenSearch, names: IndexNames, requests: Requests
    ) -> None:
        index = f"{names.prefix}-2026-11"
        ensure_schema(client, names)
        requests.before[f"PUT /{index}"] = lambda: ensure_month(other, names, index)
        assert ensure_month(client, names, index) is False
        assert write_index(client, names) == [index]

    def test_another_task_makes_the_template(
        self, client: OpenSearch, other: OpenSearch, names: IndexNames, requests: Requests
    ) -> None:
        requests.before[f"PUT /_index_template/{names.template}"] = lambda: ensure_schema(other, names)
        assert ensure_schema(client, names).template == "unchanged"

    def test_somebody_takes_the_templates_name(
        self, client: OpenSearch, other: OpenSearch, names: IndexNames, requests: Requests
    ) -> None:
        theirs = {"index_patterns": [f"{names.prefix}-x*"]}
        requests.before[f"PUT /_index_template/{names.template}"] = lambda: other.indices.put_index_template(
            name=names.template, body=theirs
        )
        with pytest.raises(IndexConflictError, match="was not made by oktalogger"):
            ensure_schema(client, names)
        kept = client.indices.get_index_template(name=names.template)["index_templates"][0]["index_template"]
        assert kept["index_patterns"] == theirs["index_patterns"]

    def test_somebody_makes_the_month(
        self, client: OpenSearch, other: OpenSearch, names: IndexNames, requests: Requests
    ) -> None:
        index = f"{names.prefix}-2026-11"
        ensure_schema(client, names)

        def make() -> None:
            other.indices.delete_index_template(name=names.template)
            other.indices.create(index=index)

        requests.before[f"PUT /{index}"] = make
        with pytest.raises(IndexConflictError, match=f"{index} exists and was not made by oktalogger"):
            ensure_month(client, names, index)

    def test_a_month_is_deleted_before_it_gets_its_aliases(
        self, client: OpenSearch, other: OpenSearch, names: IndexNames, requests: Requests
    ) -> None:
        index = f"{names.prefix}-2026-11"
        ensure_schema(client, names)
        requests.before["POST /_aliases"] = lambda: other.indices.delete(index=index)
        assert ensure_month(client, names, index) is True
        assert write_index(client, names) == [index]


def test_an_error_is_told_whole_where_only_parts_of_an_answer_are_asked_for(client: OpenSearch) -> None:
    with pytest.raises(IndexMissingError, match="no such index"):
        call(client, "GET", "/nowhere-at-all", doing="to test", only="*.aliases")


class TestUpgrade:
    def make_older(self, client: OpenSearch, names: IndexNames, version: int = 0) -> None:
        body = month_template(names).body
        body["template"]["mappings"]["properties"].pop("severity")
        for meta in (body["_meta"], body["template"]["mappings"]["_meta"]):
            meta["version"] = version
        client.indices.put_index_template(name=names.template, body=body)

    def test_an_older_template_and_its_months_get_the_new_fields(self, client: OpenSearch, names: IndexNames) -> None:
        index = f"{names.prefix}-2026-11"
        self.make_older(client, names)
        client.indices.create(
            index=index, body={"aliases": {names.alias: {"is_write_index": True}, names.write_alias(index): {}}}
        )
        assert "severity" not in client.indices.get_mapping(index=index)[index]["mappings"]["properties"]
        report = ensure_schema(client, names)
        assert (report.template, report.upgraded_indices) == ("upgraded", (index,))
        mapping = client.indices.get_mapping(index=index)[index]["mappings"]
        assert mapping["properties"]["severity"]["type"] == "keyword"
        assert mapping["_meta"]["version"] == month_template(names).version
        assert ensure_schema(client, names).upgraded_indices == ()

    def test_a_newer_template_is_never_downgraded(self, client: OpenSearch, names: IndexNames) -> None:
        self.make_older(client, names, version=99)
        assert ensure_schema(client, names).template == "newer"
        index = f"{names.prefix}-2026-11"
        assert ensure_month(client, names, index) is True
        mapping = client.indices.get_mapping(index=index)[index]["mappings"]
        assert mapping["_meta"]["version"] == 99
        assert "severity" not in mapping["properties"]

    def test_an_archived_month_stops_nobody(self, client: OpenSearch, names: IndexNames) -> None:
        old, new = f"{names.prefix}-2026-10", f"{names.prefix}-2026-11"
        self.make_older(client, names)
        client.indices.create(index=old, body={"aliases": {names.alias: {}, names.write_alias(old): {}}})
        client.indices.put_settings(index=old, body={"index.blocks.read_only": True})
        try:
            report = ensure_schema(client, names)
            assert set(report.not_upgraded) == {old}
            assert report.ready_months == frozenset()
            assert ensure_month(client, names, new) is True
            with pytest.raises(IndexBlockedError, match="blocked"):
                ensure_month(client, names, old)
        finally:
            client.indices.put_settings(index=old, body={"index.blocks.read_only": None})

    def test_a_month_whose_mapping_somebody_changed_is_a_conflict(self, client: OpenSearch, names: IndexNames) -> None:
        index = f"{names.prefix}-2026-11"
        self.make_older(client, names)
        client.indices.create(index=index, body={"aliases": {names.alias: {}, names.write_alias(index): {}}})
        client.indices.put_mapping(index=index, body={"properties": {"severity": {"type": "long"}}})
        assert "severity" in ensure_schema(client, names).not_upgraded[index]
        with pytest.raises(IndexConflictError, match="Somebody changed that mapping"):
            ensure_month(client, names, index)


class TestForeign:
    @pytest.fixture(autouse=True)
    def nothing_changes(self, client: OpenSearch, names: IndexNames) -> Iterator[None]:
        """Whatever the refusal, what is somebody else's stays as it was."""
        self.before: Any = None
        yield
        if self.before is not None:
            assert self.state(client, names) == self.before

    def state(self, client: OpenSearch, names: IndexNames) -> Any:
        templates = [
            template
            for template in client.indices.get_index_template()["index_templates"]
            if template["name"].startswith(names.prefix)
        ]
        return client.indices.get(index=f"{names.prefix}*"), templates

    def test_template_under_our_name(self, client: OpenSearch, names: IndexNames) -> None:
        client.indices.put_index_template(name=names.template, body={"index_patterns": [f"{names.prefix}-x*"]})
        self.before = self.state(client, names)
        with pytest.raises(IndexConflictError, match=f"index template {names.template} exists and was not made by"):
            ensure_schema(client, names)

    def test_template_with_our_priority_on_our_months(self, client: OpenSearch, names: IndexNames) -> None:
        client.indices.put_index_template(
            name=f"{names.prefix}-theirs", body={"index_patterns": [f"{names.prefix}-2026-*"], "priority": 500}
        )
        self.before = self.state(client, names)
        with pytest.raises(IndexConflictError, match=f"{names.prefix}-theirs.*same priority"):
            ensure_schema(client, names)

    def test_template_of_higher_priority_wins(self, client: OpenSearch, names: IndexNames) -> None:
        ensure_schema(client, names)
        client.indices.put_index_template(
            name=f"{names.prefix}-theirs", body={"index_patterns": [f"{names.prefix}-*"], "priority": 501}
        )
        self.before = self.state(client, names)
        with pytest.raises(IndexConflictError, match=rf"{names.prefix}-theirs \(priority 501\) wins over"):
            ensure_month(client, names, f"{names.prefix}-2026-11")

    def test_index_named_like_the_alias(self, client: OpenSearch, names: IndexNames) -> None:
        client.index(index=names.alias, body={"a": 1})
        self.before = self.state(client, names)
        with pytest.raises(IndexConflictError, match=f"There is an index named {names.alias}"):
            ensure_schema(client, names)
        with pytest.raises(IndexConflictError, match=f"There is an index named {names.alias}"):
            ensure_month(client, names, f"{names.prefix}-2026-11")

    def test_index_that_holds_the_alias(self, client: OpenSearch, names: IndexNames) -> None:
        client.indices.create(index=f"{names.prefix}-theirs", body={"aliases": {names.alias: {}}})
        self.before = self.state(client, names)
        with pytest.raises(IndexConflictError, match=f"{names.prefix}-theirs holds the alias {names.alias} but"):
            ensure_schema(client, names)

    def test_month_without_our_mark(self, client: OpenSearch, names: IndexNames) -> None:
        index = f"{names.prefix}-2026-11"
        client.index(index=index, body={"a": 1})
        before = client.indices.get(index=index)
        ensure_schema(client, names)
        with pytest.raises(IndexConflictError, match=f"{index} exists and was not made by oktalogger"):
            ensure_month(client, names, index)
        assert client.indices.get(index=index) == before

    def test_rejected_index_without_our_mark(self, client: OpenSearch, names: IndexNames) -> None:
        client.index(index=names.rejected, body={"a": 1})
        self.before = self.state(client, names)
        with pytest.raises(IndexConflictError, match=f"{names.rejected} exists and was not made by oktalogger"):
            ensure_schema(client, names)

    @pytest.mark.parametrize("how", ["index", "alias"])
    def test_our_write_alias_is_taken(self, client: OpenSearch, names: IndexNames, how: str) -> None:
        index = f"{names.prefix}-2026-11"
        ensure_schema(client, names)
        if how == "index":
            client.indices.create(index=names.write_alias(index))
        else:
            client.indices.create(index=f"{names.prefix}-theirs", body={"aliases": {names.write_alias(index): {}}})
        self.before = self.state(client, names)
        with pytest.raises(IndexConflictError, match=f"{names.write_alias(index)}, the alias through which"):
            ensure_month(client, names, index)


class TestCreate:
    def test_a_second_load_leaves_the_same_documents(self, client: OpenSearch, store: BulkStore, month: str) -> None:
        documents = [document(month, event(f"e{number}", displayMessage="first")) for number in range(100)]
        first = store.create(documents)
        assert (first.created, first.existing, first.requests) == (100, 0, 1)
        again = [document(month, event(f"e{number}", displayMessage="second")) for number in range(150)]
        second = store.create(again)
        assert (second.created, second.existing) == (50, 100)
        assert second.unclear == 0
        assert count(client, month) == 150
        assert len(found(client, month, "displayMessage:first")) == 100

    def test_the_same_uuid_twice_in_one_call(self, client: OpenSearch, store: BulkStore, month: str) -> None:
        result = store.create([document(month, event("twice"))] * 2)
        assert (result.created, result.existing) == (1, 1)
        assert count(client, month) == 1

    def test_several_months_in_one_call(self, client: OpenSearch, names: IndexNames, store: BulkStore) -> None:
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
        result = BulkStore(client, names, max_body_bytes=4096).create(documents)
        assert result.created == 51
        assert result.requests >= 6
        assert count(client, month) == 51

    def test_threads_share_a_store(self, client: OpenSearch, store: BulkStore, month: str) -> None:
        with ThreadPoolExecutor(8) as pool:
            results = pool.map(
                lambda page: store.create([document(month, event(f"{page}-{number}")) for number in range(200)]),
                range(16),
            )
        assert sum(result.created for result in results) == 3200
        assert count(client, month) == 3200

    def test_pretty_printed_json_is_one_document(self, client: OpenSearch, store: BulkStore, month: str) -> None:
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
def test_what_real_events_hold_is_stored_unchanged(client: OpenSearch, store: BulkStore, month: str, case: str) -> None:
    source = event("awkward", **AWKWARD[case])
    result = store.create([document(month, source)])
    assert (result.created, result.rejected) == (1, ())
    assert client.get(index=month, id="awkward")["_source"] == source


def test_a_thousand_events_of_one_millisecond(client: OpenSearch, store: BulkStore, month: str) -> None:
    assert store.create([document(month, event(f"e{number}")) for number in range(1000)]).created == 1000
    assert count(client, month) == 1000


def test_nothing_is_mapped_that_the_file_does_not_map(client: OpenSearch, store: BulkStore, month: str) -> None:
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


def test_what_detections_look_at_is_searchable(client: OpenSearch, store: BulkStore, month: str) -> None:
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
        store = BulkStore(client, names, max_body_bytes=1_000_000, retry=QUICK)
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
        store = BulkStore(client, names, retry=QUICK)
        sources = [json.dumps(event(identity)).encode() for identity in ("", "long")]
        result = store.create([Document("", month, sources[0]), Document("ä" * 257, month, sources[1])])
        assert [rejection.reason_type for rejection in result.rejected] == ["invalid_id"] * 2
        assert store.reject(result.rejected, context={}) == 2
        assert store.reject(result.rejected, context={}) == 0

    def test_what_is_not_even_a_document(self, client: OpenSearch, names: IndexNames, store: BulkStore) -> None:
        ensure_schema(client, names)
        rejection = Rejection(None, "no_uuid", "the event has no uuid", b"\x00\x01 nonsense \n", None, None)
        assert store.reject([rejection, rejection], context={"org": "o"}) == 1
        assert store.reject([], context={}) == 0

    def test_a_refusal_there_is_an_error(self, client: OpenSearch, names: IndexNames, store: BulkStore) -> None:
        ensure_schema(client, names)
        client.indices.put_mapping(index=names.rejected, body={"properties": {"shift": {"type": "long"}}})
        with pytest.raises(RejectionNotStoredError, match="mapper_parsing_exception"):
            store.reject([Rejection("x", "t", "r", b"{}", None, None)], context={"shift": "night"})


class TestInTheWay:
    def test_a_month_deleted_between_is_not_made_without_its_mapping(
        self, client: OpenSearch, names: IndexNames, store: BulkStore, month: str
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
        self, client: OpenSearch, store: BulkStore, month: str, block: str
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

        result = BulkStore(client, names, sleep=unblock).create([document(month, event())])
        assert (result.created, result.retried, result.requests) == (1, 1, 2)

    def test_a_closed_index_rejects_nothing(self, client: OpenSearch, store: BulkStore, month: str) -> None:
        client.indices.close(index=month)
        with pytest.raises(IndexBlockedError, match="open it"):
            store.create([document(month, event())])

    def test_a_pipeline_that_is_missing_rejects_nothing(self, client: OpenSearch, store: BulkStore, month: str) -> None:
        client.indices.put_settings(index=month, body={"index.default_pipeline": "missing"})
        with pytest.raises(IndexConflictError, match=r"pipeline with id \[missing\]"):
            store.create([document(month, event())])
