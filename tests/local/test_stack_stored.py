"""The comparison that ``make demo-check`` stands on must be able to fail."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import requests

from local.stack import stored
from local.stack.stored import compare, stored_uuids

END = datetime(2026, 11, 23, 10, 5, tzinfo=UTC)
LOADED_AFTER = END + timedelta(seconds=30)
ORG = {"a": END - timedelta(seconds=3), "b": END + timedelta(seconds=5)}


def test_everything_there_once_holds() -> None:
    found = compare(Counter("ab"), ORG, LOADED_AFTER)
    assert found.holds
    assert (found.expected, found.late) == (2, 0)


@pytest.mark.parametrize(
    ("there", "missing", "twice", "foreign"),
    [
        ("a", ("b",), (), ()),
        ("abb", (), ("b",), ()),
        ("abx", (), (), ("x",)),
        ("", ("a", "b"), (), ()),
    ],
)
def test_anything_else_does_not(
    there: str, missing: tuple[str, ...], twice: tuple[str, ...], foreign: tuple[str, ...]
) -> None:
    found = compare(Counter(there), ORG, LOADED_AFTER)
    assert not found.holds
    assert (found.missing, found.twice, found.foreign) == (missing, twice, foreign)


def test_an_event_that_came_after_the_load_may_be_missing_and_may_be_there() -> None:
    org = ORG | {"late": LOADED_AFTER + timedelta(seconds=1)}
    for there in (["a", "b"], ["a", "b", "late"]):
        found = compare(Counter(there), org, LOADED_AFTER)
        assert found.holds
        assert found.late == 1


@pytest.mark.opensearch
def test_an_event_in_two_months_is_counted_twice(opensearch_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alias = f"stored-{time.time_ns()}"
    monkeypatch.setattr(stored, "ALIAS", alias)
    monkeypatch.setattr(stored, "PAGE", 2)
    mapping = {"mappings": {"properties": {"published": {"type": "date"}, "uuid": {"type": "keyword"}}}}
    for month in ("10", "11"):
        index = f"{opensearch_url}/{alias}-{month}"
        requests.put(index, json={**mapping, "aliases": {alias: {}}}, timeout=30).raise_for_status()
        for uuid in ("a", f"only-{month}"):
            event = {"uuid": uuid, "published": "2026-11-23T10:04:59.999Z"}
            requests.put(f"{index}/_doc/{uuid}", json=event, timeout=30).raise_for_status()
    outside = {"uuid": "outside", "published": "2026-11-23T10:05:00.000Z"}
    requests.put(f"{opensearch_url}/{alias}-11/_doc/outside", json=outside, timeout=30).raise_for_status()
    found = stored_uuids(opensearch_url, END - timedelta(minutes=5), END)
    assert found == {"a": 2, "only-10": 1, "only-11": 1}
    for month in ("10", "11"):
        requests.delete(f"{opensearch_url}/{alias}-{month}", timeout=30)
