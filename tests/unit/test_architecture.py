from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def contract(id: str) -> dict[str, Any]:
    [found] = [one for one in CONTRACTS if one["id"] == id]
    return dict(found)


def picture(folder: str) -> list[str]:
    """The rooms of one picture on the page, a line each, without what is said of them."""
    [block] = re.findall(rf"```\n{re.escape(folder)}\n(.*?)```", PAGE, re.DOTALL)
    return [re.split(r"\s{3,}", line.strip())[0] for line in block.splitlines()]


@pytest.mark.parametrize(
    ("id", "folder"), [("rooms", "plugins/oktalogger/"), ("detections", "plugins/oktalogger/detections/")]
)
def test_the_picture_is_the_contract(id: str, folder: str) -> None:
    assert picture(folder) == contract(id)["layers"]


def test_the_page_names_the_rooms_that_need_no_airflow() -> None:
    [sentence] = re.findall(r"^([^.]+) need no Airflow and import none\.", PAGE, re.MULTILINE)
    folders = {f"oktalogger.{name}" for name in re.findall(r"`(\w+)`", sentence)}
    packages = {
        name for name in contract("core")["source_modules"] if (ROOT / "plugins" / Path(*name.split("."))).is_dir()
    }
    assert folders == packages


def test_every_top_level_folder_is_on_the_page() -> None:
    [block] = re.findall(r"```\n(dags/.*?)```", PAGE, re.DOTALL)
    named = {line.split("/")[0] for line in block.splitlines() if not line.startswith(" ")}
    made = {"build", "dist"}
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")} - made
    assert named == folders - {"plugins", "docs", "requirements"}


def test_no_file_name_stands_in_two_core_rooms() -> None:
    seen: dict[str, list[str]] = {}
    for room in ("okta", "opensearch", "pipeline", "detections"):
        for path in (ROOT / "plugins" / "oktalogger" / room).rglob("*.py"):
            seen.setdefault(path.stem, []).append(str(path.relative_to(ROOT)))
    allowed = {"__init__", "errors", "report", "client"}
    assert {name: paths for name, paths in seen.items() if len(paths) > 1 and name not in allowed} == {}


def test_no_public_class_has_the_name_of_another() -> None:
    seen: dict[str, list[str]] = {}
    for path in (ROOT / "plugins" / "oktalogger").rglob("*.py"):
        for name in re.findall(r"^class ([A-Z]\w*)", path.read_text(), re.MULTILINE):
            seen.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in seen.items() if len(paths) > 1} == {}


def test_airflow_is_told_to_leave_every_file_but_the_plugin_alone() -> None:
    home = ROOT / "plugins" / "oktalogger"
    ignored = {line for line in (home / ".airflowignore").read_text().splitlines() if line.startswith("/")}
    there = {f"/{path.name}" for path in home.glob("*.py")} | {f"/{path.parent.name}/" for path in home.glob("*/*.py")}
    assert ignored == there - {"/plugin.py"}
