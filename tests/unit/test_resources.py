"""Where include/ and the folders of rules are looked for."""

from __future__ import annotations

import shutil
import warnings
from typing import TYPE_CHECKING

import pytest

import oktalogger.resources
from oktalogger.resources import ResourceError, include_dir, resource, rule_folders
from oktalogger.settings import SettingsError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

TEMPLATE = "opensearch/index-template.json"
PACK = include_dir() / "detections"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's folder, as it would lie in another place."""
    folder = tmp_path / "plugins" / "oktalogger"
    folder.mkdir(parents=True)
    module: ModuleType = oktalogger.resources
    assert module.__file__
    monkeypatch.setattr(module, "__file__", str(shutil.copy(module.__file__, folder)))
    return folder


def make(folder: Path) -> Path:
    (folder / "opensearch").mkdir(parents=True)
    (folder / TEMPLATE).write_text("{}")
    return folder


def test_a_checkout_has_it_beside_plugins() -> None:
    assert resource(TEMPLATE).parts[-3:] == ("include", "opensearch", "index-template.json")


def test_the_order(package: Path, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="keep include/ beside plugins/") as caught:
        include_dir()
    assert str(package / "_include") in str(caught.value)
    beside = make(tmp_path / "include")
    assert include_dir() == beside
    inside = make(package / "_include")
    assert include_dir() == inside
    assert resource(TEMPLATE) == inside / TEMPLATE


def test_a_missing_file_is_named(package: Path) -> None:
    (package / "_include").mkdir()
    with pytest.raises(ResourceError, match=r"index-template\.json is missing"):
        resource(TEMPLATE)


def test_templates_come_from_the_package_whatever_folder_of_rules_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path)
    monkeypatch.setenv("OKTALOGGER_INCLUDE_DIR", str(tmp_path))
    monkeypatch.setenv("OKTALOGGER_DETECTIONS_DIR", str(tmp_path))
    assert resource(TEMPLATE).parent.parent == PACK.parent


@pytest.mark.parametrize(
    ("setting", "wanted"),
    [("", (PACK,)), ("pack", (PACK,)), ("{own}", ("own",)), ("pack, {own}", (PACK, "own")), ("{own},", ("own",))],
)
def test_the_pack_alone_beside_ones_own_or_not_at_all(
    tmp_path: Path, setting: str, wanted: tuple[Path | str, ...]
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    folders = tuple(own if folder == "own" else folder for folder in wanted)
    text = setting.format(own=own)
    assert rule_folders(environ={"OKTALOGGER_DETECTIONS_DIR": text}) == folders
    if text:
        assert rule_folders(text, {"OKTALOGGER_DETECTIONS_DIR": "/nowhere"}) == folders


def test_a_folder_that_is_not_there_is_named_with_what_names_it(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    with pytest.raises(ResourceError, match=r"OKTALOGGER_DETECTIONS_DIR names '.*nowhere' .* not a folder"):
        rule_folders(environ={"OKTALOGGER_DETECTIONS_DIR": f"pack,{nowhere}"})
    with pytest.raises(ResourceError, match=r"What was asked for names '.*nowhere'"):
        rule_folders(str(nowhere))
    with pytest.raises(SettingsError, match="each once"):
        rule_folders("pack,pack")
    with pytest.raises(SettingsError, match=r"OKTALOGGER_DETECTIONS_DIR.*each once"):
        rule_folders(environ={"OKTALOGGER_DETECTIONS_DIR": "pack,pack"})


def test_the_old_variable_names_a_folder_of_rules_for_one_more_release(tmp_path: Path) -> None:
    (tmp_path / "detections").mkdir()
    old = {"OKTALOGGER_INCLUDE_DIR": str(tmp_path)}
    with pytest.warns(FutureWarning, match=rf"Set OKTALOGGER_DETECTIONS_DIR={tmp_path}/detections"):
        assert rule_folders(environ=old) == (tmp_path / "detections",)
    with pytest.warns(FutureWarning, match="has no effect if OKTALOGGER_DETECTIONS_DIR is set"):
        assert rule_folders(environ=old | {"OKTALOGGER_DETECTIONS_DIR": "pack"}) == (PACK,)
    with pytest.warns(FutureWarning), pytest.raises(ResourceError, match="OKTALOGGER_INCLUDE_DIR names '/nowhere/d"):
        rule_folders(environ={"OKTALOGGER_INCLUDE_DIR": "/nowhere"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rule_folders(environ={}) == (PACK,)
