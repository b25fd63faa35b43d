"""Which settings and mappings of an index are not as its template would make it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from oktalogger.opensearch.deviations import standard_of, troubles
from oktalogger.opensearch.existing import IndexState, flat
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.stored_templates import TemplateState
from oktalogger.opensearch.templates import Meta, month_template, side_template

NAMES = IndexNames()
MONTH = "okta-system-log-2026-11"
TEMPLATE = month_template(NAMES)
SETTINGS = flat(TEMPLATE.body["template"]["settings"]["index"])


def found(
    settings: dict[str, str | None] | None = None,
    mapping: dict[str, Any] | None = None,
    *,
    name: str = MONTH,
    version: int = TEMPLATE.version,
    uuid: str = "u",
    server: TemplateState | None = None,
) -> list[str]:
    """Say what is found of an index that is as its template says but for what is given."""
    merged = {key: value for key, value in {**SETTINGS, **(settings or {})}.items() if value is not None}
    state = IndexState(
        name, {}, Meta("oktalogger", version), uuid, settings=merged, mapping=mapping or TEMPLATE.mappings
    )
    return [
        trouble.found
        for trouble in troubles(
            NAMES,
            standard_of(TEMPLATE, server),
            {NAMES.ledger: standard_of(side_template(NAMES, NAMES.ledger), None)},
            {name: state},
        )
    ]


def changed(**fields: dict[str, Any] | None) -> dict[str, Any]:
    """Return our mapping with some fields of the top level put otherwise, or taken out."""
    mapping = copy.deepcopy(TEMPLATE.mappings)
    for field, how in fields.items():
        if how is None:
            del mapping["properties"][field]
        else:
            mapping["properties"][field] = how
    return mapping


def test_an_index_as_its_template_says_is_well() -> None:
    assert found() == []


@pytest.mark.parametrize(
    "settings",
    [
        {"number_of_replicas": "2", "auto_expand_replicas": None, "codec": "default", "number_of_shards": "4"},
        {"refresh_interval": "1s"},
        {"refresh_interval": "1m"},
        {"refresh_interval": None},
        {"blocks.write": "true", "routing.allocation.require.box": "warm", "search.slowlog.threshold.query.warn": "1s"},
        {"provided_name": "x", "creation_date": "1", "version.created": "2", "replication.type": "SEGMENT"},
        {"default_pipeline": "_none", "hidden": "false", "blocks.read": "false"},
        {"plugins.index_state_management.policy_id": "ours"},
    ],
)
def test_how_an_index_is_kept_is_the_administrators_matter(settings: dict[str, str | None]) -> None:
    assert found(settings) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"append_only.enabled": None}, "not append-only"),
        ({"append_only.enabled": "false"}, "not append-only"),
        ({"final_pipeline": "redact"}, "the ingest pipeline redact"),
        ({"default_pipeline": "redact"}, "the ingest pipeline redact"),
        ({"search.default_pipeline": "blind"}, "index.search.default_pipeline=blind"),
        ({"hidden": "true"}, "index.hidden=true"),
        ({"blocks.read": "true"}, "index.blocks.read=true"),
        ({"refresh_interval": "-1"}, "index.refresh_interval=-1"),
        ({"refresh_interval": "365d"}, "index.refresh_interval=365d"),
        ({"query.default_field": "uuid"}, "index.query.default_field=uuid"),
        ({"something.new": "1"}, "index.something.new=1"),
    ],
)
def test_settings_that_hide_or_change_events_are_named(settings: dict[str, str | None], said: str) -> None:
    (sentence,) = found(settings)
    assert MONTH in sentence
    assert said in sentence
    assert "okta_opensearch_setup" in sentence


def test_what_an_administrator_put_into_the_template_is_right() -> None:
    server = TemplateState(Meta("oktalogger", TEMPLATE.version), {"query.default_field": "uuid"}, TEMPLATE.mappings)
    assert found({"query.default_field": "uuid"}, server=server) == []


def test_where_no_settings_are_told_none_are_missed() -> None:
    assert found({"append_only.enabled": None}, uuid="") == []


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (changed(eventType={"type": "keyword", "index": False}), "properties.eventType.index is false"),
        (changed(eventType={"type": "keyword", "ignore_above": 0}), "properties.eventType.ignore_above is 0"),
        (changed(eventType=None), "properties.eventType.type is not there"),
        (changed(more={"type": "integer"}), "properties.more.type is integer"),
        (changed(published={"type": "date", "format": "epoch_second"}), "properties.published.format is epoch_second"),
        ({**TEMPLATE.mappings, "dynamic": "true"}, "dynamic is true"),
        ({**TEMPLATE.mappings, "_source": {"enabled": False}}, "_source.enabled is false"),
    ],
)
def test_a_mapping_that_hides_events_is_named(mapping: dict[str, Any], said: str) -> None:
    (sentence,) = found(mapping=mapping)
    assert said in sentence


def test_an_older_mapping_may_lack_fields_but_has_no_others() -> None:
    older = TEMPLATE.version - 1
    assert found(mapping=changed(eventType=None), version=older) == []
    (sentence,) = found(mapping=changed(eventType={"type": "long"}), version=older)
    assert "properties.eventType.type is long" in sentence


def test_a_mapping_newer_than_the_template_was_not_made_from_it() -> None:
    newer = TEMPLATE.version + 1
    (sentence,) = found(mapping=changed(eventType=None), version=newer)
    assert f"version {newer}" in sentence
    mapping = changed(newField={"type": "keyword"})
    server = TemplateState(Meta("oktalogger", newer), SETTINGS, mapping)
    assert found(mapping=mapping, version=newer, server=server) == []
    assert len(found(version=newer, server=server)) == 1


def test_each_index_is_held_against_its_own_template() -> None:
    ledger = side_template(NAMES, NAMES.ledger)
    assert any("another mapping" in sentence for sentence in found(name=NAMES.ledger, version=ledger.version))
    assert found(name="okta-system-log-else", mapping=changed(eventType=None)) == []
