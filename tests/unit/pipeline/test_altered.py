"""Reconcile compares what is there already with what Okta says, value by value."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from oktalogger.pipeline.load import LoadPlan, load_window
from oktalogger.pipeline.load_result import LoadResult
from oktalogger.privacy.policy import Policy
from oktalogger.privacy.redactor import Redactor
from tests.unit.pipeline.loading import NOW, MemoryStore, ScriptedSource, event, pages_of, plan


def of_kind(kind: str, **options: Any) -> LoadPlan:
    made = plan(**options, compares=kind == "reconcile")
    return replace(made, stamp=replace(made.stamp, kind=kind))  # type: ignore[arg-type]


def load(store: MemoryStore, made: LoadPlan, pages: list[list[msgspec.Raw]] | None = None) -> LoadResult:
    return load_window(ScriptedSource(pages or pages_of(30)), store, made, clock=lambda: NOW)


def spoil(store: MemoryStore, uuid: str, **values: Any) -> None:
    """Put something else into a document, as somebody who may write it."""
    document = store.documents[uuid]
    source = json.loads(document.source) | values
    store.documents[uuid] = msgspec.structs.replace(document, source=json.dumps(source).encode())


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    load(made, of_kind("scheduled"))
    return made


def test_where_all_is_the_same_nothing_is_said(store: MemoryStore) -> None:
    result = load(store, of_kind("reconcile"))
    assert (result.existing, result.altered, result.notes) == (30, 0, [])
    assert store.compared == 30


def test_other_loads_do_not_compare(store: MemoryStore) -> None:
    spoil(store, "u-7", severity="NOTHING")
    for kind in ("scheduled", "backfill", "manual"):
        assert load(store, of_kind(kind)).altered == 0
    assert store.compared == 0


@pytest.mark.parametrize("values", [{"severity": "x"}, {"published": "2026-11-23T10:00:00.007001Z"}, {"actor": {}}])
def test_what_differs_is_counted_and_named(store: MemoryStore, values: dict[str, Any]) -> None:
    spoil(store, "u-7", **values)
    result = load(store, of_kind("reconcile"))
    assert (result.altered, result.created, result.late) == (1, 0, 0)
    (note,) = result.notes
    assert "u-7" in note


def test_many_are_counted_and_some_named(store: MemoryStore) -> None:
    for number in range(25):
        spoil(store, f"u-{number}", severity="x")
    result = load(store, of_kind("reconcile"))
    assert result.altered == 25
    assert result.notes[0].count("u-") == 10
    assert "and more" in result.notes[0]


def test_a_document_that_cannot_be_ours_is_altered(store: MemoryStore) -> None:
    spoil(store, "u-7", oktalogger={"unmapped": "nonsense"})
    assert load(store, of_kind("reconcile")).altered == 1


def test_of_two_events_of_one_id_the_document_may_hold_either() -> None:
    store = MemoryStore()
    other = msgspec.Raw(json.dumps({**json.loads(bytes(event(1))), "severity": "x"}).encode())
    pages = [[event(1), other]]
    load(store, of_kind("scheduled"), pages)
    assert load(store, of_kind("reconcile"), pages).altered == 0


def test_what_was_stored_before_anything_was_redacted_is_the_same() -> None:
    raw = {**json.loads(bytes(event(1))), "actor": {"id": "a", "displayName": "Ada Lovelace"}}
    pages = [[msgspec.Raw(json.dumps(raw).encode())]]
    redactor = Redactor(Policy({"names": "drop"}))
    store = MemoryStore()
    load(store, of_kind("scheduled"), pages)
    assert load(store, of_kind("reconcile", redactor=redactor), pages).altered == 0
    spoil(store, "u-1", severity="x")
    assert load(store, of_kind("reconcile", redactor=redactor), pages).altered == 1


def test_redacted_is_compared_with_redacted() -> None:
    raw = {**json.loads(bytes(event(1))), "actor": {"id": "a", "displayName": "Ada Lovelace"}}
    pages = [[msgspec.Raw(json.dumps(raw).encode())]]
    redactor = Redactor(Policy({"names": "drop"}))
    store = MemoryStore()
    load(store, of_kind("scheduled", redactor=redactor), pages)
    assert load(store, of_kind("reconcile", redactor=redactor), pages).altered == 0
    assert load(store, of_kind("reconcile"), pages).altered == 1
