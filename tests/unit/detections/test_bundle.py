"""The bundle: what workers read, and how a stale one is noticed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sigma")

from oktalogger.detections.bundle import BUNDLE_FILE, BundleError, load_detections, write_bundle
from oktalogger.detections.rules.compiler import CompilerMissingError, compile_folder
from oktalogger.detections.rules.problems import DetectionsError
from tests.unit.detections.rule_texts import COUNTING, GOOD, changed, compile_texts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "variables.yml").write_text("friends: [a]\n")
    write_bundle(tmp_path, compile_texts(tmp_path, rule=GOOD, counting=COUNTING))
    return tmp_path


@pytest.fixture
def _without_pysigma(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oktalogger.detections.rules.compiler.find_spec", lambda name: None)


@pytest.mark.usefixtures("_without_pysigma")
def test_a_worker_reads_what_was_compiled(folder: Path) -> None:
    assert [detection.file for detection in load_detections(folder)] == ["counting.yml", "rule.yml"]
    with pytest.raises(CompilerMissingError, match="pip install pysigma"):
        compile_folder(folder)


@pytest.mark.usefixtures("_without_pysigma")
@pytest.mark.parametrize("file", ["rule.yml", "variables.yml"])
def test_a_file_edited_later_is_a_clear_error(folder: Path, file: str) -> None:
    path = folder / file
    path.write_text(path.read_text() + "# changed\n")
    with pytest.raises(BundleError, match=f"older than its rules: {file}") as caught:
        load_detections(folder)
    assert "python -m oktalogger detections bundle" in str(caught.value)


@pytest.mark.usefixtures("_without_pysigma")
def test_a_rule_added_or_removed_later_is_one_too(folder: Path) -> None:
    (folder / "more.yml").write_text(changed(GOOD, ("id: 1", "id: 4")))
    with pytest.raises(BundleError, match=r"more\.yml"):
        load_detections(folder)
    (folder / "more.yml").unlink()
    (folder / "rule.yml").unlink()
    with pytest.raises(BundleError, match=r"rule\.yml"):
        load_detections(folder)


def test_where_pysigma_is_an_edited_rule_is_compiled_on_the_spot(folder: Path) -> None:
    (folder / "rule.yml").write_text(changed(GOOD, ("title: An API token was made", "title: Changed")))
    assert {detection.title for detection in load_detections(folder)} == {"Changed", "Many failed sign-ins"}


def test_broken_rules_stop_the_others_unless_asked_otherwise(folder: Path) -> None:
    (folder / "rule.yml").write_text(changed(GOOD, ("level: medium", "level: severe")))
    with pytest.raises(DetectionsError, match=r"rule\.yml:18: "):
        load_detections(folder)
    assert [detection.file for detection in load_detections(folder, skip_broken=True)] == ["counting.yml"]


def test_a_bundle_is_never_made_of_broken_rules(folder: Path) -> None:
    before = (folder / BUNDLE_FILE).read_text()
    (folder / "rule.yml").write_text("title: nothing\n")
    with pytest.raises(DetectionsError):
        write_bundle(folder, compile_folder(folder))
    assert (folder / BUNDLE_FILE).read_text() == before


@pytest.mark.usefixtures("_without_pysigma")
def test_a_bundle_of_another_compiler_is_stale(folder: Path) -> None:
    data = json.loads((folder / BUNDLE_FILE).read_text())
    data["compiler_version"] = 0
    (folder / BUNDLE_FILE).write_text(json.dumps(data))
    with pytest.raises(BundleError, match="another version of the compiler"):
        load_detections(folder)


@pytest.mark.usefixtures("_without_pysigma")
@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 7}', '{"format": 1, "sources": {}, "detections": [{}]}'])
def test_a_damaged_bundle_is_an_error_that_says_what_to_do(folder: Path, text: str) -> None:
    (folder / BUNDLE_FILE).write_text(text)
    with pytest.raises(BundleError, match="detections bundle"):
        load_detections(folder)


@pytest.mark.usefixtures("_without_pysigma")
def test_line_ends_of_another_system_do_not_make_it_stale(folder: Path) -> None:
    path = folder / "rule.yml"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    load_detections(folder)
