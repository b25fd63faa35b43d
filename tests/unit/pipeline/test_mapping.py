"""The mapping of the months: what `tests/unit/test_generated.py` holds against the declarations fits a cluster."""

from __future__ import annotations

import json
from typing import Any

from oktalogger.pipeline.added_fields import ADDED, LONGEST_KEYWORD
from oktalogger.resources import resource


def leaves(properties: dict[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, field in properties.items():
        if "properties" in field:
            found |= leaves(field["properties"], f"{prefix}{name}.")
        else:
            found[prefix + name] = field
    return found


def mapped() -> dict[str, dict[str, Any]]:
    template = json.loads(resource("opensearch/index-template.json").read_bytes())
    return leaves(template["template"]["mappings"]["properties"])


def test_every_field_that_is_added_is_mapped_with_its_type_and_no_other() -> None:
    added = {
        name.removeprefix("oktalogger."): field["type"]
        for name, field in mapped().items()
        if name.startswith("oktalogger.")
    }
    assert added == {field.path: field.type for field in ADDED}


def test_keywords_hold_what_is_lifted_at_its_longest() -> None:
    keywords = [field for field in mapped().values() if field["type"] == "keyword"]
    assert keywords
    assert {field["ignore_above"] for field in keywords} == {LONGEST_KEYWORD}


def test_the_mapping_is_far_below_the_limit_of_fields() -> None:
    assert len(mapped()) < 500
