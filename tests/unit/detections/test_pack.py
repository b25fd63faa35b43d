"""The pack that comes with the project: complete, and its bundle up to date."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("sigma")

from oktalogger.detections.bundle import COMPILER_VERSION, hash_sources, read_bundle
from oktalogger.detections.rules.compiler import compile_folder
from oktalogger.resources import include_dir

FOLDER = include_dir() / "detections"


def test_every_rule_of_the_pack_says_all_that_an_alert_needs() -> None:
    compiled = compile_folder(FOLDER)
    assert compiled.problems == ()
    assert len(compiled.detections) >= 118
    for detection in compiled.detections:
        assert detection.attack, detection.file
        assert detection.tactics, detection.file
        assert detection.description, detection.file
        assert detection.false_positives, detection.file
        assert re.match(r"1\. ", detection.runbook), detection.file
        assert detection.channels is None, detection.file
        assert all(link.startswith("https://") for link in detection.references), detection.file
        assert len(detection.references) >= 2, detection.file
        if detection.risk_sum is not None:
            continue
        cases = [case.match for case in compiled.rules[detection.id].own.cases]
        assert cases.count(True) >= 2, f"{detection.file} needs two matches in different shapes"
        assert cases.count(False) >= 2, f"{detection.file} needs two near misses"


def test_titles_and_names_are_unique() -> None:
    detections = compile_folder(FOLDER).detections
    assert len({detection.title for detection in detections}) == len(detections)
    assert len({detection.name for detection in detections}) == len(detections)


def test_the_bundle_is_what_the_rules_compile_to() -> None:
    bundle = read_bundle(FOLDER)
    assert bundle is not None
    assert bundle.compiler_version == COMPILER_VERSION
    remedy = "run `python -m oktalogger detections bundle`, and commit bundle.json"
    assert bundle.sources == hash_sources(FOLDER), remedy
    assert bundle.detections == compile_folder(FOLDER).detections, remedy


def test_the_documentation_lists_every_rule() -> None:
    listed = (FOLDER.parent.parent / "docs" / "detections.md").read_text(encoding="utf-8")
    detections = compile_folder(FOLDER).detections
    for detection in detections:
        row = f"| `{detection.name}` | {detection.title} | {detection.severity} |"
        assert row in listed, f"the table of the pack in docs/detections.md lacks the row {row!r}: add it"
    rules = [detection for detection in detections if not detection.form_of]
    assert f"\n{len(rules)} rules, written for this project." in listed


def test_the_documentation_says_how_many_shapes_are_assumed() -> None:
    text = " ".join((FOLDER.parent.parent / "docs" / "detections.md").read_text(encoding="utf-8").split())
    compiled = compile_folder(FOLDER)
    rules = [compiled.rules[detection.id] for detection in compiled.detections if not detection.form_of]
    cases = [case for rule in rules for case in rule.own.cases]
    assumed = sum(case.is_assumed for case in cases)
    assert f"Of the {len(cases)} test cases {assumed} have events whose shape is assumed." in text
