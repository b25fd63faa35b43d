"""Templates, months and their aliases in a real OpenSearch."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.opensearch.client import OpenSearchSettings, make_client
from oktalogger.opensearch.errors import (
    IndexBlockedError,
    IndexConflictError,
    IndexMissingError,
)
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.request import call
from oktalogger.opensearch.schema import ensure_month, ensure_schema
from oktalogger.opensearch.templates import month_template, side_template
from tests.integration.indices import Requests, months_behind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opensearchpy import OpenSearch

pytestmark = pytest.mark.opensearch


class TestSchema:
    def test_first_run_makes_everything_and_the_second_changes_nothing(
        self, client: OpenSearch, names: IndexNames, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = ensure_schema(client, names)
        sides = (names.rejected, names.ledger)
        assert (first.template, first.side_templates) == ("made", dict.fromkeys(sides, "made"))
        assert first.made_indices == sides
        index = f"{names.prefix}-2026-11"
        assert ensure_month(client, names, index).made is True
        before = client.indices.get(index=f"{names.prefix}*")

        requests = Requests(client, monkeypatch)
        second = ensure_schema(client, names)
        assert (second.template, second.side_templates) == ("unchanged", dict.fromkeys(sides, "unchanged"))
        assert second.made_indices == ()
        assert second.upgraded_indices == ()
        assert second.ready_months == {index}
        assert len(requests.sent) == 2
        assert ensure_month(client, names, index).made is False
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

    def test_months_come_with_their_aliases_and_nobody_writes_to_the_one_over_them(
        self, client: OpenSearch, names: IndexNames, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ensure_schema(client, names)
        requests = Requests(client, monkeypatch)
        months = [f"{names.prefix}-{number}" for number in ("2026-10", "2026-12", "2026-11", "2025-01", "2027-01")]
        for month in months:
            ensure_month(client, names, month)
        assert months_behind(client, names) == {month: {"is_write_index": False} for month in months}
        assert list(client.indices.get_alias(name=names.write_alias(months[0]))) == [months[0]]
        assert not any("_alias" in request for request in requests.sent[:-2])
        with pytest.raises(IndexConflictError, match="no write index is defined for alias"):
            call(client, "PUT", f"/{names.alias}/_doc/1", doing="to write to the alias", body={})

    def test_a_lost_alias_is_given_back(self, client: OpenSearch, names: IndexNames, month: str) -> None:
        client.indices.delete_alias(index=month, name="*")
        assert ensure_schema(client, names).ready_months == frozenset()
        assert ensure_month(client, names, month).made is False
        assert list(months_behind(client, names)) == [month]
        assert ensure_schema(client, names).ready_months == {month}

    def test_many_tasks_at_once_end_in_the_same_state_as_one(self, opensearch_url: str, names: IndexNames) -> None:
        months = [f"{names.prefix}-{year}-{number:02d}" for year in (2025, 2026) for number in (1, 6, 12)]
        barrier = threading.Barrier(12)

        def task(number: int) -> bool:
            client = make_client(OpenSearchSettings(url=opensearch_url, allow_http=True))
            try:
                barrier.wait()
                ensure_schema(client, names)
                return ensure_month(client, names, months[number % len(months)]).made
            finally:
                client.close()

        with ThreadPoolExecutor(12) as pool:
            made = list(pool.map(task, range(12)))
        assert made.count(True) == len(months)
        client = make_client(OpenSearchSettings(url=opensearch_url, allow_http=True))
        assert set(months_behind(client, names)) == set(months)
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

    def test_another_task_makes_the_same_month(
        self, client: OpenSearch, other: OpenSearch, names: IndexNames, requests: Requests
    ) -> None:
        index = f"{names.prefix}-2026-11"
        ensure_schema(client, names)
        requests.before[f"PUT /{index}"] = lambda: ensure_month(other, names, index)
        assert ensure_month(client, names, index).made is False
        assert list(months_behind(client, names)) == [index]

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

    def test_a_month_is_deleted_before_it_gets_back_its_aliases(
        self, client: OpenSearch, other: OpenSearch, names: IndexNames, requests: Requests
    ) -> None:
        index = f"{names.prefix}-2026-11"
        ensure_schema(client, names)
        ensure_month(client, names, index)
        client.indices.delete_alias(index=index, name="*")
        requests.before["POST /_aliases"] = lambda: other.indices.delete(index=index)
        assert ensure_month(client, names, index).made is True
        assert requests.before == {}
        assert list(months_behind(client, names)) == [index]


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
        client.indices.create(index=index)
        assert "severity" not in client.indices.get_mapping(index=index)[index]["mappings"]["properties"]
        report = ensure_schema(client, names)
        assert (report.template, report.upgraded_indices) == ("upgraded", (index,))
        mapping = client.indices.get_mapping(index=index)[index]["mappings"]
        assert mapping["properties"]["severity"]["type"] == "keyword"
        assert mapping["_meta"]["version"] == month_template(names).version
        assert ensure_schema(client, names).upgraded_indices == ()

    def test_a_ledger_of_version_1_gets_the_new_field(self, client: OpenSearch, names: IndexNames) -> None:
        ours = side_template(names, names.ledger)
        older = copy.deepcopy(ours.body)
        older["template"]["mappings"]["properties"].pop("loading_since")
        older["version"] = 1
        for meta in (older["_meta"], older["template"]["mappings"]["_meta"]):
            meta["version"] = 1
        client.indices.put_index_template(name=ours.name, body=older)
        client.indices.create(index=names.ledger)
        report = ensure_schema(client, names)
        assert (report.side_templates[names.ledger], report.upgraded_indices) == ("upgraded", (names.ledger,))
        mapping = client.indices.get_mapping(index=names.ledger)[names.ledger]["mappings"]
        assert mapping["properties"]["loading_since"]["type"] == "date"
        assert mapping["_meta"]["version"] == ours.version
        again = ensure_schema(client, names)
        assert (again.side_templates[names.ledger], again.upgraded_indices) == ("unchanged", ())

    def test_a_newer_template_is_never_downgraded(self, client: OpenSearch, names: IndexNames) -> None:
        self.make_older(client, names, version=99)
        assert ensure_schema(client, names).template == "newer"
        index = f"{names.prefix}-2026-11"
        assert ensure_month(client, names, index).made is True
        mapping = client.indices.get_mapping(index=index)[index]["mappings"]
        assert mapping["_meta"]["version"] == 99
        assert "severity" not in mapping["properties"]

    def test_an_archived_month_stops_nobody(self, client: OpenSearch, names: IndexNames) -> None:
        old, new = f"{names.prefix}-2026-10", f"{names.prefix}-2026-11"
        self.make_older(client, names)
        client.indices.create(index=old)
        client.indices.put_settings(index=old, body={"index.blocks.read_only": True})
        try:
            report = ensure_schema(client, names)
            assert set(report.not_upgraded) == {old}
            assert report.ready_months == frozenset()
            assert ensure_month(client, names, new).made is True
            with pytest.raises(IndexBlockedError, match="blocked"):
                ensure_month(client, names, old)
        finally:
            client.indices.put_settings(index=old, body={"index.blocks.read_only": None})

    def test_a_month_whose_mapping_somebody_changed_is_a_conflict(self, client: OpenSearch, names: IndexNames) -> None:
        index = f"{names.prefix}-2026-11"
        self.make_older(client, names)
        client.indices.create(index=index)
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
