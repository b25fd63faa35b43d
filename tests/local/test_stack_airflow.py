"""An Airflow that nothing of the user's own Airflow leaks into."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from local.stack.airflow import Airflow
from local.stack.settings import StackError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["3.3", "2.11"])
def airflow(request: pytest.FixtureRequest, tmp_path: Path) -> Airflow:
    connections = {"okta_default": {"conn_type": "okta", "host": "http://localhost:1", "password": "secret"}}
    return Airflow(
        line=request.param, home=tmp_path / "airflow", port=18080, connections=connections, variables={"OWN": "1"}
    )


def test_the_users_own_airflow_stays_out(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", "okta://production")
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", "/somewhere/else")
    monkeypatch.setenv("OKTALOGGER_OKTA_CONN_IDS", "production")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    environment = airflow.environment()
    assert json.loads(environment["AIRFLOW_CONN_OKTA_DEFAULT"])["host"] == "http://localhost:1"
    assert environment["AIRFLOW__CORE__DAGS_FOLDER"].endswith("/dags")
    assert "OKTALOGGER_OKTA_CONN_IDS" not in environment
    assert environment["OWN"] == "1"
    assert "localhost" in environment["NO_PROXY"]


def test_secrets_are_made_once_and_are_the_owners(airflow: Airflow) -> None:
    first = airflow.environment()
    assert airflow.environment() == first
    assert len(airflow.password) >= 12
    passwords = airflow.home / "passwords.json"
    passwords.touch(mode=0o644)  # as earlier releases made it
    airflow.write_files()
    for path in (airflow.home / "secrets.json", passwords):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    assert json.loads(passwords.read_text()) == {"admin": airflow.password}


def test_every_server_listens_on_this_machine_only(airflow: Airflow) -> None:
    hosts = [value for name, value in airflow.environment().items() if name.endswith(("API__HOST", "WEB_SERVER_HOST"))]
    assert hosts == ["127.0.0.1"]
    assert all("--skip-serve-logs" in command for _, command in airflow.runners())


def test_a_database_that_cannot_be_used_is_an_error_in_words(airflow: Airflow) -> None:
    (airflow.home / "airflow.db").mkdir(parents=True)
    with pytest.raises(StackError, match=r"SQLite cannot use .*airflow.db: .*Is the disk full"):
        airflow.write_files()
