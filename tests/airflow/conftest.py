"""What every test here needs: an Airflow of its own, in a folder of its own, set up before Airflow is imported."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.okta.server import ScriptedServer, scripted_server

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]

_home = tempfile.TemporaryDirectory(prefix="oktalogger-airflow-")  # kept until the process ends


def airflow_environment(home: Path) -> dict[str, str]:
    """Return the variables of an Airflow that knows this repository's DAGs and plugins and nothing else."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }


# At import time, because Airflow reads its settings once, when it is first imported.
for _name in [name for name in os.environ if name.startswith(("AIRFLOW", "OKTALOGGER_"))]:
    if _name != "OKTALOGGER_LOCAL" and not _name.startswith("OKTALOGGER_TEST_"):
        del os.environ[_name]
os.environ.update(airflow_environment(Path(_home.name)))

if importlib.util.find_spec("airflow") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """The folder of the Airflow that this process imports."""
    return Path(_home.name)


@pytest.fixture(scope="session")
def airflow_db(airflow_home: Path) -> Path:
    """The metadata database of that Airflow, with all its tables, and the DAG of this repository in it."""
    run_airflow("db", "migrate")
    run_airflow("pools", "set", "okta_api", "4", "tasks that ask Okta")
    run_airflow("dags", "reserialize")
    return airflow_home / "airflow.db"


def run_airflow(*arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Airflow's command line as a user does, in this process's Airflow home."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "plugins"), "PYTHONWARNINGS": "ignore", **environment},
        text=True,
        capture_output=True,
        timeout=240,
    )
    if check and done.returncode:
        pytest.fail(f"airflow {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


@pytest.fixture
def okta_server() -> Iterator[ScriptedServer]:
    """A real HTTP server in Okta's place, which answers from a script."""
    with scripted_server() as server:
        yield server
