"""What a user installs and what the package asks for are one list."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

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


LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
# One requirement: its first line, and those that go on with it.
ENTRY = re.compile(r"^[^\s#].*(?:\n[ \t]+.*)*", re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_file_pins_each_package_to_its_hashes_and_names_no_index(lock: Path) -> None:
    text = lock.read_text()
    entries = ENTRY.findall(text)
    assert len(entries) > 3
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z0-9,_-]+\])?==[^\s;]+( ; [^\\]+)? \\\n", entry), entry.splitlines()[0]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry.splitlines()[0]
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host| @ ", text)


def test_every_lock_file_is_made_by_the_script_from_a_list() -> None:
    script = (ROOT / "tools" / "lock.sh").read_text()
    for lock in LOCKS:
        assert lock.with_suffix(".in").exists()
        assert re.search(rf"^lock {re.escape(lock.stem)} ", script, re.MULTILINE), lock.stem
