"""The helper that writes ``.env``."""

from __future__ import annotations

import base64
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from local import paths
from local.compose import env

if TYPE_CHECKING:
    from pathlib import Path


def parsed(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_every_secret_is_made_up_anew_and_long() -> None:
    first, second = parsed(env.complete("")), parsed(env.complete(""))
    assert first.keys() == env.VARIABLES.keys()
    for name in first.keys() - {"OKTALOGGER_START_DATE"}:
        assert first[name] != second[name]
        assert len(first[name]) >= 32
        assert not set(first[name]) & set("$'\"\\# /@:"), "would need quoting somewhere"
    assert len(base64.urlsafe_b64decode(first["AIRFLOW_FERNET_KEY"])) == 32
    assert first["OKTA_TOKEN"].startswith("00")
    assert len(first["OKTA_TOKEN"]) == 42


def test_the_start_is_a_window_of_the_last_hours() -> None:
    start = datetime.fromisoformat(env.start_date())
    assert start.minute % 5 == start.second == 0
    assert timedelta(hours=1) <= datetime.now(UTC) - start < timedelta(hours=1, minutes=6)


def test_what_is_there_stays() -> None:
    text = "POSTGRES_PASSWORD=mine\nOKTA_TOKEN=\n# a comment"
    completed = env.complete(text)
    assert completed.startswith(text + "\n")
    assert parsed(completed)["POSTGRES_PASSWORD"] == "mine"
    assert len(parsed(completed)["OKTA_TOKEN"]) == 42, "an empty one is missing, and the last one counts"
    assert env.complete(completed) == completed


def test_the_file_is_for_its_owner_and_not_for_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(env, "FILE", tmp_path / ".env")
    assert env.main() == 0
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    before = (tmp_path / ".env").read_text()
    assert env.main() == 0
    assert (tmp_path / ".env").read_text() == before
    for value in parsed(before).values():
        assert value not in capsys.readouterr().out
    assert "/.env" in (paths.ROOT / ".gitignore").read_text().splitlines()


def test_a_file_that_is_there_keeps_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / ".env"
    monkeypatch.setattr(env, "FILE", file)
    for mode in (0o600, 0o400, 0o640):
        file.unlink(missing_ok=True)
        file.write_text("POSTGRES_PASSWORD=mine\n")
        file.chmod(mode)
        assert env.main() == 0
        assert stat.S_IMODE(file.stat().st_mode) == mode
        assert ("chmod 600" in capsys.readouterr().err) == (mode == 0o640)
        assert "POSTGRES_PASSWORD=mine\n" in file.read_text()
        assert [path.name for path in tmp_path.iterdir()] == [".env"]
