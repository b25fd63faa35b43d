"""What the campaign's watch takes for missing, on a real OpenSearch."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from local.campaign.oracle import Happened
from local.campaign.stored import Holdings, NotReadyError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.opensearch

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)


def event(identity: str) -> Happened:
    return Happened(uuid=identity, published=AT, persisted=AT)


@pytest.fixture
def holdings(opensearch_url: str) -> Iterator[tuple[Holdings, str]]:
    prefix = f"test-{uuid.uuid4().hex[:10]}"
    month = f"{opensearch_url}/{prefix}-2026-11"
    httpx.put(f"{month}/_doc/there", json={"a": 1}, timeout=60, trust_env=False).raise_for_status()
    yield Holdings(opensearch_url, prefix), month
    httpx.delete(month, timeout=60, trust_env=False)


def test_what_is_in_no_index_is_missing(holdings: tuple[Holdings, str]) -> None:
    held, _ = holdings
    assert held.missing([event("there"), event("not-there")]) == ["not-there"]


def test_a_month_that_cannot_be_read_says_nothing_of_what_it_holds(holdings: tuple[Holdings, str]) -> None:
    held, month = holdings
    httpx.post(f"{month}/_close", trust_env=False, timeout=60).raise_for_status()
    with pytest.raises(NotReadyError, match="there: index_closed_exception"):
        held.missing([event("there")])
