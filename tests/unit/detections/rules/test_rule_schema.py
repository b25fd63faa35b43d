"""The schema for editors says what the reader says."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("sigma")
pytest.importorskip("jsonschema")

from oktalogger.detections.rules.yaml_source import rule_files
from oktalogger.resources import include_dir, resource
from tests.unit.detections.rule_texts import COUNTING, GOOD
from tests.unit.detections.rules.test_broken_rules import BROKEN

# What a schema cannot know: other files, the fields of the index, Sigma's conditions, expressions.
BEYOND_A_SCHEMA = {
    "condition_names_nothing", "pipe_in_condition", "unknown_field", "unknown_debug_key", "hidden_field",
    "part_of_target",
    "words_without_field", "field_against_field", "look_ahead", "bad_regex", "regex_too_large", "too_long",
    "regex_on_address",
    "address_by_parts", "not_a_network", "not_a_boolean", "not_a_number", "unknown_modifier", "missing_list",
    "dedup_on_a_correlation", "dedup_unknown",
    "temporal", "temporal_twice_the_same", "sum_of_texts", "percentile_without_one", "first_seen_too_long",
    "first_seen_unknown", "first_seen_with_cells", "first_seen_on_a_correlation", "absent_too_soon",
    "absent_longer_than_expected", "absent_with_dedup",
    "throttle_long", "counts_nothing", "groups_by_unknown", "value_count_of_nothing", "no_tests",
    "groups_by_what_is_not_kept", "counts_what_is_not_kept", "global_action",
    "filter_without_condition", "filter_of_another_log", "filter_of_no_rules", "filter_unknown_field",
}  # fmt: skip
NOT_EVEN_A_MAPPING = {"yaml_brackets", "yaml_tab", "empty", "double_key", "alias", "a_list"}


def _validator() -> Any:
    import jsonschema

    schema = json.loads(resource("detections/detection.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def _documents(text: str) -> list[Any]:
    import yaml

    # Editors read a date as text.
    loader: Any = type("Loader", (yaml.SafeLoader,), {})
    loader.yaml_implicit_resolvers = {
        key: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
        for key, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return [document for document in yaml.load_all(text, Loader=loader) if document is not None]


def test_rules_that_can_be_used_fit_the_schema() -> None:
    validator = _validator()
    texts = [path.read_text(encoding="utf-8") for path in rule_files(include_dir() / "detections")]
    for text in (*texts, GOOD, COUNTING):
        for document in _documents(text):
            assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize("name", sorted(set(BROKEN) - BEYOND_A_SCHEMA - NOT_EVEN_A_MAPPING))
def test_broken_rules_do_not(name: str) -> None:
    validator = _validator()
    assert any(list(validator.iter_errors(document)) for document in _documents(BROKEN[name][0]))
