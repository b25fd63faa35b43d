"""Copies behind the alias, filters on it, months that lost it: found before each load, named, and put right."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.opensearch.schema import ensure_month, ensure_schema
from tests.integration.indices import months_behind

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames
    from tests.integration.conftest import Deployment

pytestmark = pytest.mark.opensearch


def change(client: OpenSearch, **action: dict[str, Any]) -> None:
    client.indices.update_aliases(body={"actions": [action]})


def test_a_copy_is_taken_from_behind_the_alias(client: OpenSearch, names: IndexNames, month: str) -> None:
    copy = f"{month}-restored"
    client.indices.create(
        index=copy,
        body={
            "aliases": {names.alias: {"is_write_index": False}, names.write_alias(month): {}},
            "settings": {"number_of_replicas": 0},
        },
    )
    report = ensure_schema(client, names)
    assert list(months_behind(client, names)) == [month]
    assert list(client.indices.get_alias(name=names.write_alias(month))) == [month]
    assert client.indices.exists(index=copy), "its documents stay"
    assert any(copy in sentence for sentence in report.repaired)
    assert ensure_schema(client, names).repaired == ()


def test_a_copy_of_the_ledger_does_not_stop_loads(client: OpenSearch, names: IndexNames, month: str) -> None:
    """A snapshot of everything, restored under another name, as its aliases come along by default."""
    alias = names.write_alias(names.ledger)
    copy = f"{names.prefix}-ledger-restored"
    mapping = client.indices.get_mapping(index=names.ledger)[names.ledger]["mappings"]
    client.indices.create(index=copy, body={"aliases": {alias: {}}, "mappings": mapping})
    (sentence,) = ensure_schema(client, names).repaired
    assert copy in sentence
    assert list(client.indices.get_alias(name=alias)) == [names.ledger]
    assert client.indices.exists(index=copy), "its documents stay"


def test_a_filter_and_a_routing_go(client: OpenSearch, names: IndexNames, month: str) -> None:
    for how in ({"filter": {"term": {"severity": "WARN"}}}, {"search_routing": "1"}, {"index_routing": "1"}):
        change(client, add={"index": month, "alias": names.alias, **how})
        (sentence,) = ensure_schema(client, names).repaired
        assert month in sentence
        assert months_behind(client, names) == {month: {"is_write_index": False}}


def test_a_month_that_lost_the_alias_gets_it_back(client: OpenSearch, names: IndexNames, month: str) -> None:
    older = f"{names.prefix}-2026-10"
    ensure_month(client, names, older)
    for lost in (older, month):
        change(client, remove={"index": lost, "alias": names.alias})
        assert any(lost in sentence for sentence in ensure_schema(client, names).repaired)
        ensure_month(client, names, lost)
        assert months_behind(client, names) == {one: {"is_write_index": False} for one in (older, month)}


def test_a_month_that_is_not_append_only_or_has_a_pipeline_is_named(
    client: OpenSearch, names: IndexNames, month: str
) -> None:
    older = f"{names.prefix}-2026-10"
    mapping = client.indices.get_mapping(index=month)[month]["mappings"]
    client.indices.create(
        index=older,
        body={
            "mappings": {"_meta": mapping["_meta"]},
            "settings": {"index.append_only.enabled": False, "index.final_pipeline": "redact"},
        },
    )
    troubles = ensure_schema(client, names).troubles
    assert [older in sentence for sentence in troubles] == [True, True]
    assert "append-only" in troubles[0]
    assert "redact" in troubles[1]


def test_the_check_of_the_setup_names_them_and_the_setup_puts_them_right(deployment: Deployment) -> None:
    client, names = deployment.client, deployment.names
    month = f"{names.prefix}-2026-11"
    ensure_schema(client, names)
    ensure_month(client, names, month)

    def setup(*more: str) -> subprocess.CompletedProcess[str]:
        environ = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": "plugins",
            "OKTALOGGER_OPENSEARCH_URL": deployment.url,
            "OKTALOGGER_INDEX_PREFIX": names.prefix,
        }
        return subprocess.run(
            deployment.command("setup", *more), env=environ, capture_output=True, text=True, timeout=120, check=False
        )

    assert setup().returncode == 0
    assert setup("--check").returncode == 0
    change(client, add={"index": month, "alias": names.alias, "filter": {"match_all": {}}})
    checked = setup("--check")
    assert checked.returncode == 3
    assert f"alias of {month}" in checked.stdout
    assert setup().returncode == 0
    assert setup("--check").returncode == 0
    assert months_behind(client, names)[month] == {"is_write_index": False}
