"""A real Airflow's REST API, of the versions that an image of MWAA has, with this repository's DAGs."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from deploy.mwaa.rest import Answer
from local.paths import ROOT
from local.process import end_group, tail
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

STARTS_WITHIN = 240  # seconds, on a machine with much else to do
BROKEN = "okta_broken.py"
# This command of Airflow's leaves out the import errors that its DAG processor stores, and the processor takes long.
PARSE = """
import runpy, sys, traceback
from pathlib import Path
file = Path(sys.argv[1])
sys.argv = ["airflow", "dags", "reserialize"]
from airflow.__main__ import main
main()
from airflow.models.errors import ParseImportError
from airflow.utils.session import create_session
from airflow.utils.timezone import utcnow
try:
    runpy.run_path(str(file))
except ImportError:
    trace = traceback.format_exc()
with create_session() as session:
    error = ParseImportError(filename=str(file), stacktrace=trace, timestamp=utcnow())
    if hasattr(error, "bundle_name"):
        error.filename, error.bundle_name = file.name, "dags-folder"
    session.add(error)
"""


@dataclass(frozen=True)
class AirflowServer:
    """A running one, asked as :class:`deploy.mwaa.rest.MwaaRestApi` is.

    :param line: ``3.3`` and the like
    :param root: address of its REST API
    :param headers: the login
    """

    line: str
    root: str
    headers: Mapping[str, str]

    @property
    def version(self) -> tuple[int, ...]:
        return tuple(map(int, self.ask("GET", "/version").body["version"].split(".")))

    def ask(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Answer:
        answer = httpx.request(
            method,
            f"{self.root}{path}",
            json=body,
            params=dict(query or {}),
            headers=dict(self.headers),
            timeout=60,
            trust_env=False,
        )
        return Answer(answer.status_code, answer.json())


@contextmanager
def airflow_server(line: str, home: Path) -> Iterator[AirflowServer]:
    """Run one until the block is left. Its DAG folder has one file more, which cannot be imported.

    :param line: of an environment ``mwaa-<line>``
    :param home: an empty folder
    """
    is_2 = line.startswith("2.")
    shutil.copytree(ROOT / "dags", home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    (home / "dags" / BROKEN).write_text("from airflow import DAG\nimport a_library_that_pip_could_not_install\n")
    # Whoever asks is an admin, as IAM says who may ask on MWAA.
    (home / "webserver_config.py").write_text("AUTH_ROLE_PUBLIC = 'Admin'\n")
    port = free_port()
    airflow = [str(ROOT / ".venvs" / f"mwaa-{line}" / "bin" / "python"), "-m", "airflow"]
    environment = _environment(line, home, port)

    def run(*command: str) -> None:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr

    run(*airflow, "db", "migrate")
    log = home / "server.log"
    arguments = ["webserver" if is_2 else "api-server", "--port", str(port), "--workers", "1"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*airflow, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        run(airflow[0], "-c", PARSE, str(home / "dags" / BROKEN))  # while the server starts
        url = f"http://127.0.0.1:{port}"
        _wait(process, f"{url}/api/{'v1' if is_2 else 'v2'}/version", log)
        headers = {}
        if not is_2:
            token = httpx.get(f"{url}/auth/token", timeout=60, trust_env=False).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
        yield AirflowServer(line, f"{url}/api/{'v1' if is_2 else 'v2'}", headers)
    finally:
        end_group(process)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline:
        assert process.poll() is None, tail(log, 60)
        with suppress(httpx.HTTPError):
            if httpx.get(url, trust_env=False, timeout=10).is_success:
                return
        time.sleep(0.3)
    raise AssertionError(tail(log, 60))


def _environment(line: str, home: Path, port: int) -> dict[str, str]:
    home_bin = str(ROOT / ".venvs" / f"mwaa-{line}" / "bin")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "OKTALOGGER")) and not name.lower().endswith("_proxy")
    }
    return inherited | {
        "PATH": f"{home_bin}{os.pathsep}{os.environ['PATH']}",
        "PYTHONWARNINGS": "ignore",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "OKTALOGGER_START_DATE": "2026-01-01T00:00:00Z",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
        "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-this-test-and-long-enough-to-sign-with-sha512-in-the-api-server",
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
    }
