"""What rules compile to, and that the text survives what a document-level monitor does to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sigma")

from oktalogger.detections.rules import lucene_query as query
from oktalogger.detections.rules.fields import Field
from tests.unit.detections.rule_texts import COUNTING, GOOD, changed, compile_texts, detecting, query_of

if TYPE_CHECKING:
    from pathlib import Path

QUERIES = {
    "code": (["eventType: system.api_token.create"], "eventType:system.api_token.create"),
    "old_names": (["eventtype: system.api_token.create"], "eventType:system.api_token.create"),
    "wrong_case_of_a_code": (["outcome.result: failure"], "outcome.result:FAILURE"),
    "wildcard_in_a_code": (["eventType: system.log_stream.lifecycle.*"], "eventType:system.log_stream.lifecycle.*"),
    "several": (["eventType:", "  - zone.delete", "  - zone.update"], "eventType:(zone.delete OR zone.update)"),
    "text_in_any_case": (["actor.displayName: Bo"], "actor.displayName:/[Bb][Oo]/"),
    "text_as_it_is": (["actor.displayName|cased: Bo"], "actor.displayName:Bo"),
    "id_as_it_is": (["actor.id: 00uAb"], "actor.id:00uAb"),
    "address_of_mail": (["actor.alternateId: a@b"], r"actor.alternateId:/[Aa]\@[Bb]/"),
    "contains": (["target.displayName|contains: '9'"], "oktalogger.target.any.display_name:/.*9.*/"),
    "starts": (["target.displayName|startswith: '9'"], "oktalogger.target.any.display_name:/9.*/"),
    "all_of": (
        ["oktalogger.behaviors_positive|all:", "  - '1'", "  - '2'"],
        '(oktalogger.behaviors_positive:1 AND oktalogger.behaviors_positive:2)',
    ),
    "boolean_as_text": (["securityContext.isProxy: 'true'"], "securityContext.isProxy:true"),
    "boolean": (["securityContext.isProxy: false"], "securityContext.isProxy:false"),
    "number": (["securityContext.asNumber: 64500"], "securityContext.asNumber:64500"),
    "greater": (["oktalogger.published_hour|gte: 22"], "oktalogger.published_hour:>=22"),
    "less_than_nothing": (["oktalogger.lateness_ms|lt: -5"], "oktalogger.lateness_ms:[* TO -5}"),
    "address": (["client.ipAddress: 203.0.113.7"], "client.ipAddress:203.0.113.7"),
    "network": (["client.ipAddress|cidr: 10.0.0.0/8"], 'client.ipAddress:"10.0.0.0/8"'),
    "network_6": (["client.ipAddress|cidr: '2001:db8::/32'"], r'client.ipAddress:"2001\:db8\:\:/32"'),
    "missing": (
        ["outcome.reason: null"],
        "(*:* AND NOT (_exists_:outcome.reason OR oktalogger.too_long:outcome.reason))",
    ),
    "there": (["outcome.reason|exists: true"], "(_exists_:outcome.reason OR oktalogger.too_long:outcome.reason)"),
    "anything": (["outcome.reason: '*'"], "(_exists_:outcome.reason OR oktalogger.too_long:outcome.reason)"),
    "not_equal": (["actor.type|neq: '1'"], "(*:* AND NOT actor.type:1)"),
    "regex": (["actor.alternateId|re: '^x\\d+$'"], "actor.alternateId:/x[0-9]+/"),
    "regex_in_any_case": (["actor.alternateId|re|i: '^x$'"], "actor.alternateId:/[Xx]/"),
    "debug": (["debugContext.debugData.threatSuspected: 'true'"], "oktalogger.threat_suspected:true"),
    "braces": (["outcome.reason|cased: 'a{{b}}'"], r'outcome.reason:"a\{\{b\}\}"'),
    "word_of_the_language": (["outcome.reason|cased: OR"], 'outcome.reason:"OR"'),
}  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
def test_a_selection_compiles_to_its_query(name: str, tmp_path: Path) -> None:
    lines, expected = QUERIES[name]
    assert query_of(tmp_path, *lines) == expected


def test_a_condition_with_not_never_stands_alone(tmp_path: Path) -> None:
    text = changed(
        GOOD,
        ("    outcome.result: SUCCESS\n", "  other:\n    outcome.result: SUCCESS\n"),
        ("condition: selection", "condition: selection or not other"),
    )
    (detection,) = compile_texts(tmp_path, rule=text).strictly()
    assert detection.selection == "(eventType:system.api_token.create OR (*:* AND NOT outcome.result:SUCCESS))"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("all of part_*", "(eventType:system.api_token.create AND outcome.result:SUCCESS)"),
        ("1 of part_*", "(eventType:system.api_token.create OR outcome.result:SUCCESS)"),
        ("part_a and not 1 of part_b*", "(eventType:system.api_token.create AND NOT (outcome.result:SUCCESS))"),
        (
            "not part_a and not part_b",
            "(*:* AND NOT eventType:system.api_token.create AND NOT (outcome.result:SUCCESS))",
        ),
        ("all of them", "(eventType:system.api_token.create AND outcome.result:SUCCESS)"),
    ],
)
def test_conditions_over_several_searches(tmp_path: Path, condition: str, expected: str) -> None:
    text = changed(
        GOOD,
        ("  selection:\n", "  part_a:\n"),
        ("    outcome.result: SUCCESS\n", "  part_b:\n    outcome.result: SUCCESS\n"),
        ("condition: selection", f"condition: {condition}"),
    )
    (detection,) = compile_texts(tmp_path, rule=text).strictly()
    assert detection.selection.replace("NOT outcome.result:SUCCESS", "NOT (outcome.result:SUCCESS)") == expected


def test_lists_are_filled_in_and_an_empty_one_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "variables.yml").write_text("friends: [ab@c, 7]\nnobody: []\n")
    text = changed(
        detecting("actor.alternateId|expand: '%friends%'"),
        (
            "  condition: selection",
            "  filter:\n    actor.id|contains|expand: '%nobody%'\n  condition: selection and not filter",
        ),
    )
    (detection,) = compile_texts(tmp_path, rule=text).strictly()
    assert detection.selection == r"(actor.alternateId:(/[Aa][Bb]\@[Cc]/ OR 7) AND NOT (NOT *:*))"


def test_every_query_leaves_historical_events_out(tmp_path: Path) -> None:
    for detection in compile_texts(tmp_path, rule=GOOD, counting=COUNTING).strictly():
        assert detection.query == f"({detection.selection}) AND NOT oktalogger.historical:true"


@pytest.mark.parametrize(
    "value", ["a  b", "eventType: x", "a:b", "tab\there", 'quote " and \\', "a/b~c*", "{{period_end}}", "#<@>&"]
)
def test_a_value_holds_nothing_that_a_monitor_would_change(value: str) -> None:
    field = Field("outcome.reason", "keyword")
    written = [query.text(field, [value], cased=True).text]
    if "\t" not in value:
        written += [query.text(field, [value]).text, query.text(field, [query.Wildcard.MANY, value]).text]
    for text in written:
        assert "{{" not in text
        # Runs of white space become one blank, and `name:` is renamed wherever it stands.
        assert re.sub(r"\s+", " ", text) == text
        assert re.findall(r"(?<!\\):", text) == [":"]


def test_what_counts_says_what_is_counted(tmp_path: Path) -> None:
    (detection,) = compile_texts(tmp_path, counting=COUNTING).strictly()
    threshold = detection.threshold
    assert threshold is not None
    assert (threshold.counted, threshold.group_by, threshold.seconds, threshold.at_least) == (
        None,
        ("client.ipAddress",),
        600,
        10,
    )
    assert detection.selection == "(eventType:user.session.start AND outcome.result:FAILURE)"
    assert detection.fields == ("client.ipAddress", "eventType", "outcome.result")


def test_gt_is_one_more_than_gte(tmp_path: Path) -> None:
    (detection,) = compile_texts(tmp_path, counting=changed(COUNTING, ("gte: 10", "gt: 10"))).strictly()
    assert detection.threshold is not None
    assert detection.threshold.at_least == 11


def test_values_of_a_field_are_counted_under_its_index_name(tmp_path: Path) -> None:
    text = changed(COUNTING, ("event_count", "value_count"), ("gte: 10", "gte: 10\n    field: target.id"))
    (detection,) = compile_texts(tmp_path, counting=text).strictly()
    assert detection.threshold is not None
    assert detection.threshold.counted == "oktalogger.target.any.id"


def test_a_counted_rule_alerts_too_where_the_correlation_says_so(tmp_path: Path) -> None:
    text = changed(COUNTING, ("  timespan", "  generate: true\n  timespan"))
    text = text.replace("name: failed\n", "name: failed\nid: 33333333-3333-4333-8333-333333333333\nlevel: low\n")
    compiled = compile_texts(tmp_path, counting=text)
    assert [detection.name for detection in compiled.detections] == ["counting", "counting_failed"]


def test_rules_of_other_files_can_be_counted(tmp_path: Path) -> None:
    first, _, second = COUNTING.partition("---\n")
    compiled = compile_texts(tmp_path, counting=first, failed=second)
    assert [detection.file for detection in compiled.strictly()] == ["counting.yml"]
