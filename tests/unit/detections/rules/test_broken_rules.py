"""Files that cannot be used: each gives one sentence, with file and line, that says what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sigma")

from tests.unit.detections.rule_texts import COUNTING, GOOD, changed, compile_texts, detecting

if TYPE_CHECKING:
    from pathlib import Path

SELECTED = "    eventType: system.api_token.create\n    outcome.result: SUCCESS\n"

BROKEN = {
    "yaml_brackets": (
        changed(GOOD, ("event: {eventType: system.api_token.create}", "event: {eventType: x")),
        25,
        "not valid YAML",
    ),
    "yaml_tab": (changed(GOOD, ("  product: okta", "\tproduct: okta")), 9, "not valid YAML"),
    "a_list": ("- title: x\n", 1, "a rule is a mapping"),
    "empty": ("\n", 1, "the file holds no rule"),
    "double_key": (changed(GOOD, ("status: test\n", "status: test\nlevel: low\n")), 19, "the key `level` stands twice"),
    "alias": (
        changed(GOOD, ("  selection:\n", "  other: &a {eventType: x}\n  selection2: *a\n  selection:\n")),
        12,
        "YAML alias",
    ),
    "no_title": (changed(GOOD, ("title: An API token was made\n", "")), 1, "needs a `title`"),
    "no_id": (changed(GOOD, ("id: 11111111-1111-4111-8111-111111111111\n", "")), 1, "needs an `id`"),
    "bad_id": (changed(GOOD, ("11111111-1111-4111-8111-111111111111", "token-rule")), 2, "is not a UUID"),
    "wrong_severity": (changed(GOOD, ("level: medium", "level: severe")), 18, "`level` is 'severe'"),
    "no_severity": (changed(GOOD, ("level: medium\n", "")), 1, "`level` is None"),
    "wrong_log": (changed(GOOD, ("product: okta", "product: windows")), 8, "`product: okta`"),
    "no_detection": (
        changed(GOOD, ("detection:\n  selection:\n" + SELECTED + "  condition: selection\n", "")),
        1,
        "`detection` is missing",
    ),
    "no_condition": (changed(GOOD, ("  condition: selection\n", "")), 11, "needs a `condition`"),
    "condition_names_nothing": (
        changed(GOOD, ("condition: selection", "condition: selected")),
        11,
        "Sigma does not accept",
    ),
    "pipe_in_condition": (
        changed(GOOD, ("condition: selection", "condition: selection | count() > 5")),
        11,
        "Sigma does not accept",
    ),
    "unknown_field": (detecting("actor.email: x@example.com"), 13, "`actor.email` is not a field"),
    "unknown_debug_key": (
        detecting("debugContext.debugData.requestURL|contains: admin"),
        13,
        "did you mean `oktalogger.debug.request_uri`",
    ),
    "hidden_field": (
        detecting("securityContext.userBehaviors.name: New IP"),
        13,
        "use `oktalogger.behaviors_positive`",
    ),
    "part_of_target": (detecting("target.detailEntry.policyType: x"), 13, "array of objects"),
    "words_without_field": (
        changed(GOOD, ("  selection:\n" + SELECTED, "  selection:\n    - admin\n    - token\n")),
        11,
        "words in no field",
    ),
    "field_against_field": (detecting("actor.id|fieldref: client.id"), 13, "compared with the field"),
    "look_ahead": (detecting("actor.alternateId|re: '^(?!admin).*$'"), 13, "negative look-ahead"),
    "bad_regex": (detecting("actor.alternateId|re: 'a(b'"), 13, "it is not valid: missing )"),
    "regex_too_large": (detecting("actor.alternateId|re: '(a{1000}){1000}'"), 13, "1,000,000 characters"),
    "too_long": (detecting(f"actor.displayName: {'x' * 300}"), 13, "of 1200 characters, and OpenSearch takes 1000"),
    "regex_on_address": (detecting("client.ipAddress|re: '10\\..*'"), 13, "no text for a regular expression"),
    "address_by_parts": (detecting("client.ipAddress|startswith: '10.'"), 13, "use `|cidr`"),
    "not_a_network": (detecting("client.ipAddress: 10.0.0.0/33"), 13, "is not a network"),
    "not_a_boolean": (detecting("securityContext.isProxy: maybe"), 13, "is true or false"),
    "not_a_number": (detecting("securityContext.asNumber: many"), 13, "holds whole numbers"),
    "unknown_modifier": (detecting("actor.id|soundslike: x"), 11, "Unknown modifier"),
    "missing_list": (
        detecting("actor.alternateId|expand: '%friends%'"),
        13,
        "the list %friends% is not in variables.yml",
    ),
    "own_key": (changed(GOOD, ("  runbook:", "  runbok:")), 20, "has no key `runbok`"),
    "enabled_text": (changed(GOOD, ("  runbook:", "  enabled: 'yes please'\n  runbook:")), 20, "must be true or false"),
    "channels_text": (changed(GOOD, ("  runbook:", "  channels: security\n  runbook:")), 20, "must be a list"),
    "corresponds_text": (
        changed(GOOD, ("  runbook:", "  corresponds: elastic\n  runbook:")),
        20,
        "list of public rules",
    ),
    "corresponds_name": (changed(GOOD, ("  runbook:", "  corresponds: [elastic]\n  runbook:")), 20, "`source/name`"),
    "assumed_text": (
        changed(GOOD, ("      match: true\n", "      match: true\n      assumed: perhaps\n")),
        22,
        "`assumed` of the test case",
    ),
    "dedup_on_a_correlation": (
        changed(COUNTING, ("throttle: 30m", "dedup: [actor.id]")),
        14,
        "`dedup` has no effect on a correlation",
    ),
    "dedup_text": (changed(GOOD, ("  runbook:", "  dedup: actor.id\n  runbook:")), 20, "list of the names of fields"),
    "dedup_unknown": (changed(GOOD, ("  runbook:", "  dedup: [no.such]\n  runbook:")), 20, "no.such"),
    "cells_many": (changed(GOOD, ("  runbook:", "  cells: 1000\n  runbook:")), 20, "from 1 to 100"),
    "throttle_text": (changed(COUNTING, ("throttle: 30m", "throttle: often")), 14, "write a time span"),
    "throttle_long": (changed(COUNTING, ("throttle: 30m", "throttle: 2d")), 14, "from 1m to 1d"),
    "no_tests": (GOOD.partition("  tests:")[0], 19, "has no tests"),
    "no_near_miss": (GOOD.partition("    - name: not made")[0], 21, "no case with `match: false`"),
    "case_without_event_type": (
        changed(GOOD, ("{eventType: system.api_token.create}", "{actor: {id: x}}")),
        22,
        "needs an `eventType`",
    ),
    "case_without_verdict": (changed(GOOD, ("      match: true\n", "")), 22, "needs `match: true` or `match: false`"),
    "tag": (changed(GOOD, ("attack.t1098.001", "T1098")), 7, "is not of the form"),
    "counts_nothing": (
        changed(COUNTING, ("    - failed\n", "    - failing\n")),
        5,
        "counts the rule 'failing', which is in no file here",
    ),
    "temporal": (
        changed(COUNTING, ("type: event_count", "type: temporal")),
        5,
        "needs 2 to 10 rules, and has 1",
    ),
    "temporal_twice_the_same": (
        changed(COUNTING, ("type: event_count", "type: temporal"), ("    - failed\n", "    - failed\n    - failed\n")),
        5,
        "names two rules that select the same events",
    ),
    "sum_of_texts": (
        changed(COUNTING, ("event_count", "value_sum"), ("    gte: 10", "    field: actor.id\n    gte: 10")),
        10,
        "computes with numbers, and `actor.id` is a keyword",
    ),
    "percentile_without_one": (
        changed(
            COUNTING,
            ("event_count", "value_percentile"),
            ("    gte: 10", "    field: securityContext.asNumber\n    gte: 10"),
        ),
        10,
        "needs a `percentile`",
    ),
    "first_seen_of_nothing": (
        changed(GOOD, ("  runbook:", "  first_seen: {history: 3d}\n  runbook:")),
        20,
        "first_seen.fields` must be a list",
    ),
    "first_seen_too_long": (
        changed(GOOD, ("  runbook:", "  first_seen: {fields: [actor.id], history: 91d}\n  runbook:")),
        20,
        "it must be 1d to 90d",
    ),
    "first_seen_unknown": (
        changed(GOOD, ("  runbook:", "  first_seen: {fields: [no.such]}\n  runbook:")),
        20,
        "no.such",
    ),
    "first_seen_with_cells": (
        changed(GOOD, ("  runbook:", "  first_seen: {fields: [actor.id]}\n  cells: 4\n  runbook:")),
        21,
        "`cells` has no effect beside `first_seen`",
    ),
    "first_seen_on_a_correlation": (
        changed(COUNTING, ("throttle: 30m", "first_seen: {fields: [actor.id]}")),
        14,
        "`first_seen` has no effect on a correlation",
    ),
    "absent_too_soon": (changed(GOOD, ("  runbook:", "  absent: {after: 5m}\n  runbook:")), 20, "must be 10m or more"),
    "absent_longer_than_expected": (
        changed(GOOD, ("  runbook:", "  absent: {after: 2d, history: 1d}\n  runbook:")),
        20,
        "shorter than the `history`",
    ),
    "absent_with_dedup": (
        changed(GOOD, ("  runbook:", "  absent: {after: 1h}\n  dedup: [actor.id]\n  runbook:")),
        21,
        "`dedup` has no effect beside `absent`",
    ),
    "absent_key": (changed(GOOD, ("  runbook:", "  absent: {for: 1h}\n  runbook:")), 20, "has no key `for`"),
    "counts_below": (changed(COUNTING, ("gte: 10", "lt: 10")), 10, "not that something stayed away"),
    "timespan": (changed(COUNTING, ("timespan: 10m", "timespan: 3M")), 9, "over 10s to 7d"),
    "groups_by_unknown": (
        changed(COUNTING, ("client.ipAddress", "client.address")),
        3,
        "`client.address` is not a field",
    ),
    "groups_by_what_is_not_kept": (
        changed(COUNTING, ("client.ipAddress", "debugContext.debugData.risk")),
        3,
        "not counted or grouped by",
    ),
    "counts_what_is_not_kept": (
        changed(
            COUNTING,
            ("event_count", "value_count"),
            ("    gte: 10", "    field: debugContext.debugData.url\n    gte: 10"),
        ),
        3,
        "not counted or grouped by",
    ),
    "value_count_of_nothing": (changed(COUNTING, ("event_count", "value_count")), 3, "without field reference"),
    "global_action": ("action: global\n" + GOOD, 1, "`action: global` is not supported"),
    "filter_without_condition": (
        "title: x\nlogsource: {product: okta, service: okta}\nfilter: {rules: [a], s: {eventType: x}}\n",
        3,
        "condition",
    ),
    "filter_of_another_log": (
        "title: x\nlogsource: {product: aws}\nfilter: {rules: any, s: {eventType: user.session.start}, "
        "condition: not s}\n",
        2,
        "must say `product: okta`",
    ),
    "filter_of_no_rules": (
        "title: x\nlogsource: {product: okta, service: okta}\nfilter:\n  s: {eventType: user.session.start}\n"
        "  condition: not s\n",
        3,
        "a filter needs `rules`",
    ),
    "filter_unknown_field": (
        "title: x\nlogsource: {product: okta, service: okta}\nfilter:\n  rules: any\n  s:\n    no.such: y\n"
        "  condition: not s\n",
        6,
        "no.such",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_gives_one_sentence_with_file_and_line(name: str, tmp_path: Path) -> None:
    text, line, words = BROKEN[name]

    compiled = compile_texts(tmp_path, **{name: text})

    assert len(compiled.errors) == 1, [str(problem) for problem in compiled.problems]
    (problem,) = compiled.errors
    assert words in problem.message
    assert (problem.file, problem.line) == (f"{name}.yml", line)
    assert "\n" not in str(problem)
    assert compiled.detections == ()


def test_there_are_at_least_thirty_ways_to_be_wrong() -> None:
    assert len(BROKEN) >= 30


def test_a_broken_rule_does_not_stop_the_others(tmp_path: Path) -> None:
    compiled = compile_texts(
        tmp_path, good=GOOD, bad=changed(GOOD, ("level: medium", "level: severe"), ("id: 1", "id: 3"))
    )

    assert [detection.file for detection in compiled.detections] == ["good.yml"]
    assert len(compiled.errors) == 1


def test_two_rules_with_one_id_are_told_of_each_other(tmp_path: Path) -> None:
    compiled = compile_texts(tmp_path, first=GOOD, second=GOOD)

    (problem,) = compiled.errors
    assert (problem.file, problem.line) == ("second.yml", 2)
    assert "belongs to first.yml:2 already" in problem.message
    assert [detection.file for detection in compiled.detections] == ["first.yml"]


def test_a_correlation_on_a_broken_rule_says_where_to_look(tmp_path: Path) -> None:
    compiled = compile_texts(
        tmp_path,
        counting=changed(COUNTING, ("outcome.result: FAILURE\n  condition", "outcome.res: FAILURE\n  condition")),
    )

    messages = [problem.message for problem in compiled.errors]
    assert len(messages) == 2
    assert any("`outcome.res` is not a field" in message for message in messages)
    assert any("which cannot be used" in message for message in messages)


def test_a_file_that_is_no_text_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "binary.yml").write_bytes(b"title: \xff\xfe")

    compiled = compile_texts(tmp_path)

    assert "not UTF-8" in compiled.errors[0].message


def test_an_event_type_that_okta_does_not_have_is_a_warning_with_a_guess(tmp_path: Path) -> None:
    compiled = compile_texts(tmp_path, rule=detecting("eventType: system.api_token.created"))

    (problem,) = compiled.problems
    assert problem.is_warning
    assert "did you mean system.api_token.create" in problem.message
    assert problem.line == 13


def test_a_public_rule_without_tests_is_a_warning_only(tmp_path: Path) -> None:
    compiled = compile_texts(tmp_path, rule=GOOD.partition("oktalogger:")[0])

    assert compiled.errors == ()
    assert "has no tests" in compiled.problems[0].message
    assert len(compiled.detections) == 1
