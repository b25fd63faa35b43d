"""Airflow as a company runs it: PostgreSQL, Redis, a scheduler, an API server, and two Celery workers."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import psycopg2
import requests

from local.paths import ROOT
from local.ports import free_port
from tests.cluster.programs import program
from tests.cluster.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORKERS = ("worker-1", "worker-2")
_LOADING = "select pid from task_instance where dag_id = 'okta_system_log' and state = 'running' and pid is not null"


@dataclass
class Company:
    """A running deployment.

    :param database: how to reach PostgreSQL
    """

    supervisor: Supervisor
    database: str

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the metadata database."""
        connection = psycopg2.connect(self.database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def busy_worker(self) -> str | None:
        """The name of a worker that is at a load."""
        workers = {self.supervisor.kept[name].process.pid: name for name in WORKERS}
        for (pid,) in self.query(_LOADING):
            for ancestor in _ancestors(pid):
                if ancestor in workers:
                    return workers[ancestor]
        return None

    def wait(self, what: str, done: Callable[[], Any], seconds: float) -> Any:
        """Wait until something is true, and return it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            # PostgreSQL may be restarting, and OpenSearch choosing a leader.
            with suppress(psycopg2.OperationalError, requests.RequestException):
                if found := done():
                    return found
            time.sleep(0.5)
        raise AssertionError(f"Not within {seconds:.0f} s: {what}.\n{self.supervisor.logs()}")


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 1:
        yield pid
        try:
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
        except FileNotFoundError:  # it has ended
            return
        pid = int(after_name.split()[1])


@contextmanager
def company(folder: Path, settings: Callable[[], dict[str, str]]) -> Iterator[Company]:
    """Start everything, the DAG of live loads included; all of it ends with the block.

    :param folder: for logs and Airflow's home
    :param settings: connections and settings; called when only what loads is still to be started
    """
    data = Path(tempfile.mkdtemp(prefix="oktalogger-postgres-", dir="/var/tmp"))
    supervisor = Supervisor(folder)
    try:
        port = _start_postgres(supervisor, data)
        redis_port = free_port()
        redis = [str(program("redis-server", "redis-server")), "--port", str(redis_port), "--bind", "127.0.0.1"]
        supervisor.start("redis", [*redis, "--save", "", "--appendonly", "no"], dict(os.environ))
        running = Company(supervisor, f"postgresql://airflow@127.0.0.1:{port}/postgres")
        running.wait("an answer of PostgreSQL", lambda: running.query("select 1"), 60)
        _start_airflow(running, folder, {**os.environ, **_environment(folder, port, redis_port)}, settings)
        yield running
    finally:
        supervisor.end()
        shutil.rmtree(data, ignore_errors=True)


def _start_postgres(supervisor: Supervisor, data: Path) -> int:
    """Make a database cluster and start it; PostgreSQL refuses to run as root."""
    initdb = program("initdb", "postgresql")
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(data, entry.pw_uid, entry.pw_gid)
    make = [str(initdb), "-D", str(data), "-U", "airflow", "-A", "trust", "--no-sync", "--no-instructions"]
    subprocess.run(make, check=True, capture_output=True, user=user, group=user, extra_groups=[], cwd="/", timeout=120)
    port = free_port()
    settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "max_connections": 200}
    command = [str(program("postgres", "postgresql")), "-D", str(data), "-p", str(port)]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    supervisor.start("postgres", command, {"PATH": os.environ["PATH"], "LC_ALL": "C"}, user=user)
    return port


def _start_airflow(
    company: Company, home: Path, environment: dict[str, str], settings: Callable[[], dict[str, str]]
) -> None:
    (home / "dags").mkdir()
    shutil.copy(ROOT / "dags" / "okta_system_log.py", home / "dags")
    airflow = [sys.executable, "-m", "airflow"]
    done = subprocess.run(
        [*airflow, "db", "migrate"], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    port = environment["AIRFLOW__API__PORT"]
    start = company.supervisor.start
    start("api-server", [*airflow, "api-server", "--port", port, "--workers", "1"], environment)
    company.wait("an answer of the API server", lambda: _answers(port), 180)
    whole = environment | settings()
    start("dag-processor", [*airflow, "dag-processor"], whole)
    for name in WORKERS:
        start(
            name,
            [
                *airflow, "celery", "worker", "--concurrency", "2", "--celery-hostname", f"{name}@%h", "--pid",
                str(home / f"{name}.pid"), "--skip-serve-logs", "--without-mingle", "--without-gossip",
            ],
            whole,
        )  # fmt: skip
    start("scheduler", [*airflow, "scheduler"], whole)


def _answers(port: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/api/v2/version", trust_env=False).is_success
    return False


def _environment(home: Path, postgres: int, redis: int) -> dict[str, str]:
    api = free_port()
    database = f"airflow@127.0.0.1:{postgres}/postgres"
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "PYTHONPATH": str(ROOT / "plugins"),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{api}/execution/",
        "AIRFLOW__API__PORT": str(api),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{api}",
        "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-this-test-and-long-enough-to-sign-with-sha512-in-the-api-server",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
        "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{redis}/0",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{database}",
        # What a worker took with it when it died comes back within an interval, see docs/scale.md.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "4",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "4",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "20",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
    }


def connections(okta_url: str, token: str, opensearch_url: str) -> dict[str, str]:
    """The connections, as variables."""
    where = urlsplit(opensearch_url)
    opensearch = {
        "conn_type": "opensearch",
        "host": where.hostname,
        "port": where.port,
        "extra": {"use_ssl": False},
    }
    okta = {"conn_type": "okta", "host": okta_url, "password": token}
    return {
        "AIRFLOW_CONN_OKTA_DEFAULT": json.dumps(okta),
        "AIRFLOW_CONN_OPENSEARCH_DEFAULT": json.dumps(opensearch),
    }
