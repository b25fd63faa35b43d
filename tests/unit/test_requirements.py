"""What a user installs and what the package asks for are one list."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def names_and_bounds(lines: list[str]) -> set[str]:
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def test_requirements_are_the_package_s_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {dependency for dependency in project["dependencies"] if not dependency.startswith("apache-airflow>")}
    assert names_and_bounds((ROOT / "requirements.txt").read_text().splitlines()) == wanted


def test_no_line_switches_amazon_s_constraints_off() -> None:
    # Amazon MWAA looks for these words even in comments, and then applies no constraints of its own.
    assert not re.search(r"-c |--constraint ", (ROOT / "requirements.txt").read_text())


def test_the_core_s_lock_asks_for_the_same() -> None:
    core = names_and_bounds((ROOT / "requirements" / "core.in").read_text().splitlines())
    assert core <= names_and_bounds((ROOT / "requirements.txt").read_text().splitlines())
