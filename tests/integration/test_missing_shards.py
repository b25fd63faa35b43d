"""A shard that is missing for a moment, as while nodes restart: what it holds is taken for neither deleted nor new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from oktalogger.opensearch.errors import OpenSearchLoadError, OpenSearchUnavailableError
from oktalogger.opensearch.inventory import OpenSearchCensus
from oktalogger.opensearch.rebuild import count_of, rebuild
from oktalogger.opensearch.request import search
from oktalogger.opensearch.scroll import scroll
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.ui.kinds import kinds_by_hour
from oktalogger.window import Window

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames

pytestmark = pytest.mark.opensearch

DAY = Window(datetime(2026, 10, 31, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
ONE_MISSING = {"number_of_shards": 2, "number_of_replicas": 0, "routing.allocation.total_shards_per_node": 1}
AT_ONCE = {"wait_for_active_shards": 0}


@pytest.fixture
def lame(client: OpenSearch, names: IndexNames, month: str) -> OpenSearch:
    """Behind the alias are one month whose shard answers, and one of whose two shards one is not there."""
    older = f"{names.prefix}-2026-10"
    aliases = {names.alias: {"is_write_index": False}}
    client.indices.create(index=older, body={"settings": ONE_MISSING, "aliases": aliases}, params=AT_ONCE)
    answer = client.search(index=names.alias)
    assert answer["_shards"]["successful"], "the other month answers"
    assert answer["_shards"]["successful"] < answer["_shards"]["total"]
    return client


def test_a_count_is_whole_or_none(lame: OpenSearch, names: IndexNames) -> None:
    with pytest.raises(OpenSearchUnavailableError):
        OpenSearchCensus(lame, names).events_by_hour("example.okta.com", DAY)


def test_a_list_of_ids_is_whole_or_none(lame: OpenSearch, names: IndexNames) -> None:
    with pytest.raises(OpenSearchUnavailableError):
        OpenSearchCensus(lame, names).ids("example.okta.com", DAY)


def test_a_search_a_reading_and_the_volume_on_the_page_are_whole_or_none(lame: OpenSearch, names: IndexNames) -> None:
    with pytest.raises(OpenSearchUnavailableError):
        search(lame, names.alias, {"size": 0}, doing="to try")
    with pytest.raises(OpenSearchUnavailableError):
        list(scroll(lame, names.alias))
    with pytest.raises(OpenSearchUnavailableError):
        kinds_by_hour(lame, names, "example.okta.com", DAY)


def test_an_index_of_which_a_shard_is_missing_is_not_replaced(lame: OpenSearch, names: IndexNames) -> None:
    """A copy of what the other shards hold would be as large as what they count, and the index be deleted."""
    older = f"{names.prefix}-2026-10"
    uuid = lame.indices.get(index=older)[older]["settings"]["index"]["uuid"]
    with pytest.raises(OpenSearchUnavailableError):
        count_of(lame, older)
    with pytest.raises(OpenSearchLoadError):
        rebuild(lame, older, {}, time_field="oktalogger.ingested_at", sleep=lambda _: None)
    assert lame.indices.get(index=older)[older]["settings"]["index"]["uuid"] == uuid
    assert lame.indices.get(index=f"rebuilt-{older}", ignore_unavailable=True) == {}


def test_the_ledger_is_read_whole_or_not_at_all(client: OpenSearch, names: IndexNames, month: str) -> None:
    # A ledger of several shards, one of which is not there.
    client.indices.delete(index=names.ledger)
    client.indices.create(
        index=names.ledger,
        body={
            "settings": ONE_MISSING,
            "mappings": {
                "properties": {
                    "org": {"type": "keyword"},
                    "id": {"type": "keyword"},
                    "window_start": {"type": "date"},
                    "window_end": {"type": "date"},
                }
            },
        },
        params=AT_ONCE,
    )
    ledger = LedgerStore(client, names)
    with pytest.raises(OpenSearchUnavailableError):
        list(ledger.entries("example.okta.com", Window(DAY.start, DAY.end + timedelta(days=1))))
    with pytest.raises(OpenSearchUnavailableError):
        ledger.newest_complete("example.okta.com")
