"""The script that makes the environments refuses early, in words that say what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import namedtuple
from typing import TYPE_CHECKING

import pytest

from local.stack.stack import FIRST_START_BYTES
from tools import env

if TYPE_CHECKING:
    from pathlib import Path

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("version", "name", "says"),
    [
        ((3, 10, 9), "local", "Python 3.11 or newer is needed"),
        ((3, 13, 0), "airflow-2.11", "airflow-2.11 runs on Python 3.11 to 3.12"),
    ],
)
def test_an_unfit_python_is_named(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], name: str, says: str
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(env.EnvError, match=f"{says}.*make PYTHON=python3"):
        env.check_python(name)


def test_this_python_is_fit_for_the_main_line() -> None:
    env.check_python("airflow-3.3")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Nothing is there, and nothing is really made: the names of what would be."""
    names: list[str] = []
    monkeypatch.setattr(env, "VENVS", tmp_path)
    monkeypatch.setattr(env, "make", lambda name, _: names.append(name))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(env.NEEDED_BYTES, 0, env.NEEDED_BYTES))
    return names


def test_every_name_is_checked_before_one_is_made(monkeypatch: pytest.MonkeyPatch, made: list[str]) -> None:
    with pytest.raises(env.EnvError, match="airflow-1"):
        env.make_all(["airflow-3.3", "airflow-1"], sys.executable)
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    with pytest.raises(env.EnvError, match=r"airflow-3\.0 runs on"):
        env.make_all(["airflow-3.3", "airflow-3.0"], sys.executable)
    assert made == []
    env.make_all(["airflow-3.3", "local"], sys.executable)
    assert made == ["airflow-3.3", "local"]


def test_a_full_disk_is_named_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch, made: list[str]) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 99, env.NEEDED_BYTES - 1))
    with pytest.raises(env.EnvError, match=r"disk is too full: 2.0 GiB are free .* need 2 GiB"):
        env.make_all(["local"], sys.executable)
    assert made == []


def test_a_disk_that_becomes_full_is_named_before_the_next_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(env, "VENVS", tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 99, 1))
    with pytest.raises(env.EnvError, match=r"disk is too full: 0.0 GiB are free .* local needs 1 GiB"):
        env.make("local", sys.executable)
    assert list(tmp_path.iterdir()) == []


def test_the_demo_starts_with_what_its_environments_leave_of_the_space_they_want() -> None:
    assert env.NEEDED_BYTES >= 0.7 * 1024**3 + FIRST_START_BYTES
    wanted = f"{env.NEEDED_BYTES / 1024**3:.0f} GB of free disk"
    assert wanted in (env.ROOT / "README.md").read_text()


def test_an_unknown_environment_names_the_known_ones() -> None:
    with pytest.raises(env.EnvError, match=r"no lock file requirements/airflow-1.txt.*airflow-3.3"):
        env.make("airflow-1", sys.executable)


def test_a_python_without_venv_says_which_package_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise subprocess.CalledProcessError(1, ["python3", "-m", "ensurepip"])

    monkeypatch.setattr(env, "VENVS", tmp_path)
    monkeypatch.setattr("venv.create", broken)
    with pytest.raises(env.EnvError, match="apt install python3-venv"):
        env.make("local", sys.executable)
