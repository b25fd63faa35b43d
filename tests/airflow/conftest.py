"""What every test here needs: an Airflow of its own, in a folder of its own, set up before Airflow is imported."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.airflow.command_line import CommandLine, command_line
from tests.unit.okta.server import ScriptedServer, scripted_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.simulator.process import Simulator
    from tests.airflow.deployment import Deployment

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
        "OKTALOGGER_START_DATE": "2026-01-01T00:00:00Z",
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


@pytest.fixture(autouse=True)
def _no_masks() -> None:
    """Let Airflow forget what it masks: each line that is logged takes longer for each secret of earlier tests."""
    for module in [module for name, module in sys.modules.items() if name.endswith(".secrets_masker")]:
        if hasattr(module, "_secrets_masker"):
            masker = module._secrets_masker()
            masker.patterns, masker.replacer = set(), None


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """The folder of the Airflow that this process imports."""
    return Path(_home.name)


@pytest.fixture(scope="session")
def airflow_commands() -> Iterator[CommandLine]:
    """Airflow's command line in this process's Airflow home."""
    with command_line(_command_environment()) as commands:
        yield commands


@pytest.fixture(scope="session")
def airflow_db(airflow_home: Path, airflow_commands: CommandLine) -> Path:
    """The metadata database of that Airflow, with all its tables, and the DAG of this repository in it."""
    run_airflow("db", "migrate", commands=airflow_commands)
    run_airflow("pools", "set", "okta_api", "4", "tasks that ask Okta", commands=airflow_commands)
    run_airflow("dags", "reserialize", commands=airflow_commands)
    return airflow_home / "airflow.db"


def _command_environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "plugins"), "PYTHONWARNINGS": "ignore", **more}


def run_airflow(
    *arguments: str, check: bool = True, commands: CommandLine | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Airflow's command line as a user does, in this process's Airflow home.

    :param check: whether a command that fails fails the test
    :param commands: runs it in a process that has imported Airflow; one with settings of Airflow's needs its own
    :param environment: added to this process's
    """
    whole = _command_environment(**environment)
    if commands is not None:
        done = commands.run(*arguments, environment=whole, timeout=240)
    else:
        command = [sys.executable, "-m", "airflow", *arguments]
        done = subprocess.run(command, env=whole, text=True, capture_output=True, timeout=240)
    if check and done.returncode:
        pytest.fail(f"airflow {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


@pytest.fixture
def okta_server() -> Iterator[ScriptedServer]:
    """A real HTTP server in Okta's place, which answers from a script."""
    with scripted_server() as server:
        yield server


@pytest.fixture(scope="session")
def _quiet() -> Iterator[Simulator]:
    from local.simulator.process import running

    # Hours of a large org would take minutes to load, and say no more.
    with running("--seed", "quiet", "--rate", "4", "--rhythm", "flat") as simulator:
        yield simulator


@pytest.fixture
def quiet_okta(_quiet: Simulator) -> Simulator:
    """A quiet org, begun anew for each test."""
    _quiet.control.post("/reset")
    return _quiet


@pytest.fixture
def here(quiet_okta: Simulator, opensearch_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Operators on the quiet org and a real OpenSearch, in indices of the test's own."""
    import httpx

    from tests.airflow.deployment import Deployment

    where = urlsplit(opensearch_url)
    connections = {
        "OKTA_DEFAULT": {"conn_type": "okta", "host": quiet_okta.url, "password": quiet_okta.token},
        "OPENSEARCH_DEFAULT": {
            "conn_type": "opensearch",
            "host": where.hostname,
            "port": where.port,
            "extra": {"use_ssl": False},
        },
    }
    for name, connection in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
    # The covered time begins with what the tests load: an earlier start date would make gaps of all before that.
    monkeypatch.setenv("OKTALOGGER_START_DATE", datetime.now(UTC).isoformat())
    monkeypatch.setenv("OKTALOGGER_OVERLAP_SECONDS", "0")
    quiet_okta.control.post("/limits", per_minute=100_000)
    here = Deployment(quiet_okta, opensearch_url, f"test-{uuid.uuid4().hex[:12]}")
    yield here
    for path in (f"/_index_template/{here.prefix}*", f"/{here.prefix}*?expand_wildcards=all"):
        with suppress(httpx.HTTPStatusError):
            here.call("DELETE", path)
