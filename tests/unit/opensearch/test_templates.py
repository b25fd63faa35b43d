"""The index templates as files, and how they are fitted to a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.templates import Meta, Template, matches_template, month_template, side_template

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = IndexNames("okta")
TEMPLATES = [
    month_template(NAMES),
    *(side_template(NAMES, index) for index in NAMES.side_indices),
    matches_template(NAMES),
]


def fields(properties: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, how in properties.items():
        yield f"{path}{name}", how
        yield from fields(how.get("properties", {}), f"{path}{name}.")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_the_version_is_the_same_in_each_place(template: Template) -> None:
    meta = {"managed_by": "oktalogger", "version": template.version}
    assert template.body["_meta"] == template.mappings["_meta"] == meta
    assert Meta.of(meta).ours


NUMBERS = {"byte", "integer", "long", "double"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_only_types_that_monitors_see_and_that_take_any_length(template: Template) -> None:
    assert template.mappings["dynamic"] is False
    for path, how in fields(template.mappings["properties"]):
        assert "dynamic" not in how
        kind = how.get("type", "object")
        assert kind in {"object", "keyword", "text", "date", "ip", "boolean", "geo_point", "alias", *NUMBERS}
        if kind == "keyword":
            # In bytes at most 4 * 8191 = 32764; Lucene takes 32766.
            assert how["ignore_above"] == 8191, path
        if kind in {"ip", "geo_point", *NUMBERS}:
            assert how["ignore_malformed"] is True, path


def test_target_has_four_keywords_and_nothing_free_form_is_mapped() -> None:
    mapped = dict(fields(month_template(NAMES).mappings["properties"]))
    assert {path for path in mapped if path.startswith("target.")} == {
        "target.id", "target.type", "target.alternateId", "target.displayName",
    }  # fmt: skip
    assert not any("detailEntry" in path or "debugData" in path or "changeDetails" in path for path in mapped)
    assert len(mapped) < 400


def test_patterns_follow_the_prefix_and_keep_apart() -> None:
    assert month_template(NAMES).body["index_patterns"] == ["okta-20*-*"]
    names = ["okta-rejected", "okta-ledger", "okta-detection-matches"]
    assert [template.body["index_patterns"] for template in TEMPLATES[1:]] == [[name] for name in names]
    assert [template.name for template in TEMPLATES] == ["okta", *names] == list(NAMES.templates)


def test_the_matches_of_the_default_prefix_keep_the_name_that_they_had_before_there_was_a_template() -> None:
    template = matches_template(IndexNames())
    assert template.body["index_patterns"] == ["okta-detection-matches"]
    assert template.name == "okta-system-log-detection-matches", "found with the others, which begin with the prefix"


def test_shards_and_replicas() -> None:
    def settings(**asked: int) -> dict[str, Any]:
        return dict(month_template(NAMES, **asked).body["template"]["settings"]["index"])

    assert settings()["auto_expand_replicas"] == "0-1"
    assert settings()["number_of_shards"] == 1
    sized = settings(shards=3, replicas=2)
    assert (sized["number_of_shards"], sized["number_of_replicas"]) == (3, 2)
    assert "auto_expand_replicas" not in sized


@pytest.mark.parametrize("meta", [None, 1, [], {}, {"managed_by": 1}, {"managed_by": "somebody", "version": "2"}])
def test_any_other_mark_is_not_ours(meta: Any) -> None:
    assert not Meta.of(meta).ours
    assert Meta.of(meta).version == 0
