"""A shard that is missing for a moment, as while nodes restart: what it holds is taken for neither deleted nor new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from oktalogger.opensearch.errors import OpenSearchUnavailableError
from oktalogger.opensearch.inventory import OpenSearchCensus
from oktalogger.pipeline.ledger_store import LedgerStore
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
