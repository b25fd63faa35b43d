"""The pack with its test cases, as it travels: compiled already, because pySigma is not where Airflow is."""

from __future__ import annotations

from oktalogger.detections.bundle import load_detections
from oktalogger.detections.rules.compiler import Compiled
from oktalogger.detections.rules.rule import Rule, read_rule
from oktalogger.detections.rules.yaml_source import read_documents, rule_files
from oktalogger.resources import include_dir


def pack() -> Compiled:
    """Read the bundle, and the test cases of its rules."""
    folder = include_dir() / "detections"
    rules: dict[str, Rule] = {}
    for path in rule_files(folder):
        documents, problems = read_documents(path.read_bytes(), path.relative_to(folder).as_posix())
        assert not problems
        rules |= {rule.id: rule for rule in map(read_rule, documents) if rule.id}
    return Compiled(load_detections(folder), rules, ())
