"""Severities that move: a rule is a form for each, and no event belongs to two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sigma")

from oktalogger.detections.criteria import RiskSum
from oktalogger.detections.select import select_detections
from tests.unit.detections.rule_texts import COUNTING, GOOD, changed, compile_texts

if TYPE_CHECKING:
    from pathlib import Path

MOVES = """\
  severity:
    - level: critical
      when: {actor.id: 00uRoot}
    - level: low
      when: {securityContext.asNumber: 64500}
  runbook:"""
ROOT, OFFICE = "actor.id:00uRoot", "securityContext.asNumber:64500"
RISK = """\
title: Risky
id: 44444444-4444-4444-8444-444444444444
level: high
oktalogger:
  risk_sum: {at_least: 100, rules: 3}
"""


def test_each_severity_is_a_form_with_an_id_of_its_own_that_stays(tmp_path: Path) -> None:
    compiled = compile_texts(tmp_path, rule=changed(GOOD, ("  runbook:", MOVES)))
    forms = compiled.strictly()
    assert [(form.name, form.severity) for form in forms] == [
        ("rule", "medium"),
        ("rule_critical", "critical"),
        ("rule_low", "low"),
    ]
    assert forms == compile_texts(tmp_path).strictly()
    assert len({form.id for form in forms}) == len({form.title for form in forms}) == 3
    assert {form.form_of for form in forms[1:]} == {forms[0].id}
    assert select_detections(forms, [forms[0].id]) == forms
    assert all(compiled.rules[form.id] is compiled.rules[forms[0].id] for form in forms)
    assert {"actor.id", "securityContext.asNumber"} <= set(forms[0].fields)


def test_the_first_condition_that_holds_decides(tmp_path: Path) -> None:
    base, critical, low = compile_texts(tmp_path, rule=changed(GOOD, ("  runbook:", MOVES))).strictly()
    plain = "(eventType:system.api_token.create AND outcome.result:SUCCESS)"
    assert base.selection == f"({plain}) AND NOT (({ROOT}) OR ({OFFICE}))"
    assert critical.selection == f"({plain}) AND ({ROOT})"
    assert low.selection == f"({plain}) AND ({OFFICE}) AND NOT (({ROOT}))"


def test_a_threshold_counts_all_and_looks_for_one_that_moves_it(tmp_path: Path) -> None:
    text = changed(COUNTING, ("  throttle: 30m", MOVES.removesuffix("\n  runbook:")))
    forms = compile_texts(tmp_path, rule=text).strictly()
    assert len({form.selection for form in forms}) == 1
    found = [form.threshold and (form.threshold.with_query, form.threshold.without_query) for form in forms]
    assert found == [("", f"({ROOT}) OR ({OFFICE})"), (ROOT, ""), (OFFICE, f"({ROOT})")]


def test_an_empty_list_makes_no_form(tmp_path: Path) -> None:
    (tmp_path / "variables.yml").write_text("nobody: []\n", encoding="utf-8")
    moves = "  severity:\n    - level: high\n      when: {actor.id|expand: '%nobody%'}\n  runbook:"
    (detection,) = compile_texts(tmp_path, rule=changed(GOOD, ("  runbook:", moves))).strictly()
    assert "actor.id" not in detection.selection


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("actor.id", "actor.idd", 22, "`actor.idd` is not a field"),
        ("level: critical", "level: severe", 20, "it must be one of informational"),
        ("level: low", "level: critical", 20, "has a `level` twice"),
        ("      when: {actor.id: 00uRoot}\n", "", 20, "a mapping with `level` and `when`"),
        ("{actor.id: 00uRoot}", "root", 22, "must be a mapping of fields"),
    ],
)
def test_what_is_wrong_with_one_has_its_line(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    text = changed(changed(GOOD, ("  runbook:", MOVES)), (old, new))
    (problem,) = compile_texts(tmp_path, rule=text).errors
    assert problem.line == line, problem
    assert words in problem.message


def test_a_rule_that_adds_up_findings_needs_no_events(tmp_path: Path) -> None:
    (detection,) = compile_texts(tmp_path, rule=RISK).strictly()
    assert detection.risk_sum == RiskSum(at_least=100, rules=3)
    assert not detection.is_monitored


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("at_least: 100", "at_least: 0", "a whole number from 1 to 10000"),
        ("{at_least: 100, rules: 3}", "{rules: 3}", "risk_sum.at_least"),
        ("  risk_sum", "  risk: 3\n  risk_sum", "`risk` has no effect beside `risk_sum`"),
    ],
)
def test_what_is_wrong_with_a_sum_is_said(tmp_path: Path, old: str, new: str, words: str) -> None:
    (problem,) = compile_texts(tmp_path, rule=changed(RISK, (old, new))).errors
    assert words in problem.message


def test_a_risk_of_its_own_takes_the_place_of_the_severitys(tmp_path: Path) -> None:
    assert compile_texts(tmp_path, rule=GOOD).strictly()[0].risk_score == 40
    own = changed(GOOD, ("  runbook:", "  risk: 7\n  runbook:"))
    assert compile_texts(tmp_path, rule=own).strictly()[0].risk_score == 7
