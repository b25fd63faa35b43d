"""Correlations of several rules, measures of values, first times and absences: what each compiles to."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sigma")

from oktalogger.detections.criteria import Absence, FirstSeen
from oktalogger.detections.model import CompiledDetection
from tests.unit.detections.rule_texts import COUNTING, GOOD, changed, compile_texts

if TYPE_CHECKING:
    from pathlib import Path

LET_IN = """\
---
title: A sign-in
name: let_in
logsource:
  product: okta
  service: okta
detection:
  selection:
    eventType: user.session.start
    outcome.result: SUCCESS
  condition: selection
"""
TOGETHER = changed(
    COUNTING,
    ("event_count", "temporal"),
    ("    - failed\n", "    - failed\n    - let_in\n"),
    ("  condition:\n    gte: 10\n", ""),
)
MEASURED = changed(COUNTING, ("    gte: 10", "    field: securityContext.asNumber\n    gte: 10"))


def the_one(folder: Path, text: str) -> CompiledDetection:
    (detection,) = compile_texts(folder, rule=text).strictly()
    assert CompiledDetection.from_dict(json.loads(json.dumps(detection.as_dict()))) == detection
    return detection


@pytest.mark.parametrize(("kind", "in_order"), [("temporal", False), ("temporal_ordered", True)])
def test_several_rules_are_the_parts_of_a_correlation_in_their_order(tmp_path: Path, kind: str, in_order: bool) -> None:
    found = the_one(tmp_path, changed(TOGETHER, ("temporal", kind)) + LET_IN).threshold
    assert found is not None
    assert [part.title for part in found.parts] == ["A failed sign-in", "A sign-in"]
    assert found.parts[1].query == "(eventType:user.session.start AND outcome.result:SUCCESS)"
    assert found.in_order is in_order
    assert found.wanted.endswith('"A failed sign-in" and "A sign-in"' + (", in this order," if in_order else ""))


def test_a_monitor_runs_two_rules_in_their_order_and_not_three(tmp_path: Path) -> None:
    two = changed(TOGETHER, ("temporal", "temporal_ordered")) + LET_IN
    assert the_one(tmp_path, two).is_monitored
    third = changed(LET_IN, ("name: let_in", "name: ended"), ("start", "end"))
    three = changed(two, ("    - let_in\n", "    - let_in\n    - ended\n")) + third
    assert not the_one(tmp_path, three).is_monitored
    assert the_one(tmp_path, changed(three, ("temporal_ordered", "temporal"))).is_monitored


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("    gte: 2\n", None),
        ("    gte: 1\n", "leave it out, or write `gte: 2`"),
        (" failed and not let_in\n", "is not supported"),
    ],
)
def test_all_rules_of_a_temporal_correlation_must_match(tmp_path: Path, condition: str, said: str | None) -> None:
    head = "  condition:" + ("\n" if condition.startswith("    ") else "")
    text = changed(TOGETHER, ("  timespan: 10m\n", f"  timespan: 10m\n{head}{condition}")) + LET_IN
    problems = [problem.message for problem in compile_texts(tmp_path, rule=text).problems]
    assert (problems == []) if said is None else (said in " ".join(problems))


@pytest.mark.parametrize(
    ("kind", "condition", "measure", "percentile", "at_least"),
    [
        ("value_sum", "gte: 10", "sum", None, 10),
        ("value_avg", "gte: 2.5", "average", None, 2.5),
        ("value_avg", "gt: 2", "average", None, math.nextafter(2, 3)),
        ("value_median", "gte: 10", "percentile", 50, 10),
        ("value_percentile", "percentile: 95\n    gte: 10", "percentile", 95, 10),
    ],
)
def test_a_measure_computes_one_number_of_all_values(
    tmp_path: Path, kind: str, condition: str, measure: str, percentile: float | None, at_least: float
) -> None:
    found = the_one(tmp_path, changed(MEASURED, ("event_count", kind), ("gte: 10", condition))).threshold
    assert found is not None
    assert (found.measure, found.percentile, found.at_least) == (measure, percentile, at_least)
    assert found.counted == "securityContext.asNumber"


def test_a_first_time_looks_back_over_a_history(tmp_path: Path) -> None:
    text = changed(GOOD, ("  runbook:", "  first_seen: {fields: [client.geographicalContext.country]}\n  runbook:"))
    detection = the_one(tmp_path, text)
    assert detection.first_seen == FirstSeen(fields=("client.geographicalContext.country",), seconds=30 * 86_400)
    assert detection.dedup == ("actor.alternateId",)
    assert "client.geographicalContext.country" in detection.fields
    assert not detection.is_monitored


def test_an_absence_expects_each_group_separately(tmp_path: Path) -> None:
    detection = the_one(
        tmp_path, changed(GOOD, ("  runbook:", "  absent: {after: 2h, group-by: [actor.id]}\n  runbook:"))
    )
    assert detection.absence == Absence(seconds=7200, group_by=("actor.id",), history_seconds=7 * 86_400)
    assert detection.dedup == ("actor.id",)
    assert not detection.is_monitored
