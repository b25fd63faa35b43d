"""A whole Airflow for a test: its database, its scheduler and what else its line needs, ended with all it started."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import httpx

from local.process import end_group, tail
from tests.airflow.command_line import CommandLine, command_line
from tests.airflow.conftest import ROOT, airflow_environment
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

AIRFLOW_2 = version("apache-airflow").startswith("2.")


class StackError(Exception):
    """A part of the stack ended, or something did not come in time; the message holds the end of the logs."""


@dataclass(frozen=True)
class Run:
    """One row of the table of runs."""

    run_id: str
    run_type: str
    state: str
    interval: tuple[str, str] | None


@dataclass
class Stack:
    """An Airflow of one's own.

    :param home: its folder
    :param environment: added to this process's, for all its parts
    """

    home: Path
    environment: dict[str, str]
    port: int
    commands: CommandLine
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def dags(self) -> Path:
        """Where its DAG files are."""
        return self.home / "dags"

    def cli(self, *arguments: str, environment: dict[str, str] | None = None, tries: int = 5) -> str:
        """Run ``airflow`` with some arguments, as a user of this Airflow would."""
        whole = {**os.environ, **self.environment, **(environment or {})}
        done = self.commands.run(*arguments, environment=whole, timeout=300)
        if "database is locked" in done.stderr and tries > 1:  # SQLite has one writer; these commands can be repeated
            return self.cli(*arguments, environment=environment, tries=tries - 1)
        if done.returncode:
            raise StackError(f"airflow {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def python(self, code: str) -> Any:
        """Run Python in this Airflow's environment; what it prints last is JSON."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **self.environment},
            text=True,
            capture_output=True,
            timeout=120,
        )
        if done.returncode:
            raise StackError(done.stdout + done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def start_all(self) -> None:
        """Start all parts of this line."""
        if not AIRFLOW_2:
            self.start("api-server", "--port", str(self.port), "--workers", "1")
            self.start("dag-processor")
            self.wait("an answer of the API server", lambda: _answers(self.port))
        self.start("scheduler")

    def start(self, *arguments: str) -> None:
        """Start one of Airflow's long-running commands."""
        log = (self.home / f"{arguments[0]}.log").open("wb")
        self.processes[arguments[0]] = subprocess.Popen(
            [sys.executable, "-m", "airflow", *arguments],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def end(self) -> None:
        """End everything that was started; whoever wants what it knows has asked already."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(partial(end_group, patience=5), self.processes.values()))

    def wait(self, what: str, done: Callable[[], Any], seconds: float = 120) -> Any:
        """Wait until something is true, and return it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise StackError(f"{name} ended with {process.returncode}:\n{tail(self.home / f'{name}.log', 60)}")
            if found := done():
                return found
            time.sleep(0.5)
        logs = "\n".join(f"{name}:\n{tail(self.home / f'{name}.log', 40)}" for name in self.processes)
        tasks = "\n".join(tail(path, 30) for path in sorted(self.home.glob("logs/**/attempt=1.log"))[-2:])
        raise StackError(f"Not within {seconds:.0f} s: {what}. Runs: {self.runs('%')}\n{logs}\n{tasks}")

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the metadata database."""
        connection = sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True, timeout=20)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def runs(self, dag_id: str = "okta_system_log", run_id: str = "%") -> dict[str, Run]:
        """The runs of a DAG, by run id."""
        with suppress(sqlite3.OperationalError):
            rows = self.query(
                "select run_id, run_type, state, data_interval_start, data_interval_end from dag_run "
                "where dag_id like ? and run_id like ? order by id",
                dag_id,
                run_id,
            )
            return {
                row[0]: Run(row[0], row[1], row[2], (instant(row[3]), instant(row[4])) if row[3] else None)
                for row in rows
            }
        return {}

    def ended(self, run_id: str, dag_id: str = "okta_system_log", seconds: float = 120) -> Run:
        """Wait for the end of a run."""

        def found() -> Run | None:
            run = self.runs(dag_id).get(run_id)
            return run if run and run.state in ("success", "failed") else None

        return self.wait(f"the end of {run_id}", found, seconds)  # type: ignore[no-any-return]

    def xcom(self, run_id: str, key: str = "return_value", dag_id: str = "okta_system_log") -> Any:
        """What a run's task left behind."""
        rows = self.query("select value from xcom where dag_id = ? and run_id = ? and key = ?", dag_id, run_id, key)
        if not rows:
            return None
        value = json.loads(rows[0][0])
        # Airflow 3 keeps JSON text as text within JSON.
        return json.loads(value) if isinstance(value, str) and value.startswith("{") else value

    def window(self, run_id: str, dag_id: str = "okta_system_log") -> tuple[str, str]:
        """Which window a run has loaded."""
        counts = self.xcom(run_id, dag_id=dag_id)
        return counts["window_start"], counts["window_end"]

    def task_log(self, run_id: str) -> str:
        """What the tasks of a run have written."""
        return "\n".join(path.read_text() for path in sorted(self.home.glob(f"logs/**/run_id={run_id}/**/*.log")))

    def rest(self, method: str, path: str, body: Any = None, tries: int = 5) -> Any:
        """Call the REST API (Airflow 3)."""
        base = f"http://127.0.0.1:{self.port}"
        token = httpx.get(f"{base}/auth/token", timeout=60, trust_env=False).raise_for_status().json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.request(method, f"{base}/api/v2{path}", json=body, headers=headers, timeout=120, trust_env=False)
        # The server's audit log waits for SQLite in the same loop that has to run for the lock to end.
        if "database is locked" in answer.text and tries > 1:
            return self.rest(method, path, body, tries=tries - 1)
        if answer.is_error:
            raise StackError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()


def instant(text: str) -> str:
    """Write an instant of the database as Okta does."""
    return text[:19].replace(" ", "T") + "Z"


@contextmanager
def airflow_stack(home: Path, environment: dict[str, str], dags: dict[str, str] | None = None) -> Iterator[Stack]:
    """Make an Airflow with this repository's DAGs, turned on; what is started in it ends with the block.

    :param home: an empty folder
    :param environment: connections and settings
    :param dags: further DAG files, by name
    """
    shutil.copytree(ROOT / "dags", home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    for name, source in (dags or {}).items():
        (home / "dags" / name).write_text(source)
    port = free_port()
    environment = {**_environment(home, port), **environment}
    with command_line({**os.environ, **environment}) as commands:
        stack = Stack(home, environment, port, commands)
        stack.cli("db", "migrate")
        with sqlite3.connect(home / "airflow.db") as connection:
            connection.execute("pragma journal_mode = wal")  # readers and commands do not lock the scheduler out
        stack.cli("pools", "set", "okta_api", "4", "tasks that ask Okta")
        stack.cli("dags", "reserialize")
        try:
            yield stack
        finally:
            stack.end()


def _answers(port: int) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/api/v2/version", trust_env=False).is_success
    return False


def _environment(home: Path, port: int) -> dict[str, str]:
    environment = airflow_environment(home) | {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=20",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "3",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        "AIRFLOW__SCHEDULER__MAX_DAGRUNS_TO_CREATE_PER_LOOP": "20",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    }
    if AIRFLOW_2:
        return environment | {
            # Airflow 2 allows SQLite with its one-at-a-time executor only; here is one scheduler on one machine.
            "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
            "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "30",
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "30",
        }
    return environment | {
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-this-test-and-long-enough-to-sign-with-sha512-in-the-api-server",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
    }
