"""Where include/ is looked for."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

import oktalogger.resources
from oktalogger.resources import ResourceError, include_dir, resource

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

TEMPLATE = "opensearch/index-template.json"


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
    assert resource(TEMPLATE, {}).parts[-3:] == ("include", "opensearch", "index-template.json")


def test_the_order(package: Path, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="OKTALOGGER_INCLUDE_DIR") as caught:
        include_dir({})
    assert str(package / "_include") in str(caught.value)
    beside = make(tmp_path / "include")
    assert include_dir({}) == beside
    inside = make(package / "_include")
    assert include_dir({}) == inside
    named = make(tmp_path / "named")
    assert resource(TEMPLATE, {"OKTALOGGER_INCLUDE_DIR": str(named)}) == named / TEMPLATE


def test_a_wrong_variable_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="not a folder"):
        include_dir({"OKTALOGGER_INCLUDE_DIR": str(tmp_path / "none")})
    with pytest.raises(ResourceError, match=r"index-template\.json is missing"):
        resource(TEMPLATE, {"OKTALOGGER_INCLUDE_DIR": str(tmp_path)})
