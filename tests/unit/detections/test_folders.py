"""Rules of several folders: together they are one set, in which ids and names stand once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oktalogger.detections.bundle import load_detections
from oktalogger.detections.rules.compiler import Compiled
from oktalogger.detections.rules.folders import merge_folders
from oktalogger.detections.rules.problems import DetectionsError, Problem
from tests.unit.detections.bundles import detection, write_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_the_rules_of_each_come_one_after_the_other(tmp_path: Path) -> None:
    ours = write_folder(tmp_path / "ours", [detection(1), detection(2)])
    others = write_folder(tmp_path / "others", [detection(3)])
    assert [rule.name for rule in load_detections(ours, others)] == ["rule_1", "rule_2", "rule_3"]


@pytest.mark.parametrize(
    ("changes", "what"), [({"name": "other", "file": "other.yml"}, "id"), ({"id": "another"}, "name")]
)
def test_two_with_one_id_or_name_are_refused_with_both_places(
    tmp_path: Path, changes: dict[str, str], what: str
) -> None:
    ours = write_folder(tmp_path / "ours", [detection(1)])
    others = write_folder(tmp_path / "others", [detection(1, **changes), detection(2)])
    with pytest.raises(DetectionsError) as caught:
        load_detections(ours, others, skip_broken=True)
    (problem,) = caught.value.problems
    assert problem.file == str(others / changes.get("file", "rule_1.yml"))
    assert problem.message.startswith(f"the {what} ")
    assert f"already belongs to {ours / 'rule_1.yml'}" in problem.message


def test_problems_of_several_folders_name_the_folder(tmp_path: Path) -> None:
    broken = Compiled((), {}, (Problem("rule.yml", 3, "x"),))
    fine = Compiled((detection(1),), {}, ())
    assert merge_folders({tmp_path: broken}) == broken
    merged = merge_folders({tmp_path / "a": broken, tmp_path / "b": fine})
    assert [problem.file for problem in merged.problems] == [str(tmp_path / "a" / "rule.yml")]
    assert merged.detections == fine.detections
