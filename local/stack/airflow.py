"""Knows how to run Airflow on one machine: its environment, its database, its parts."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.paths import ROOT
from local.stack.settings import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

USER = "admin"
POOL = "okta_api"
POOL_SLOTS = 4
TASK_TIMEOUT = "60"
"""Seconds without a sign of life after which a task counts as dead: one that ended with the demo before this one."""
PARSE_TIMEOUT = "300"
"""Seconds in which a DAG file must be read: a second's work, on a machine that may be busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Airflow:
    """One Airflow.

    :param line: a lock file ``requirements/airflow-<line>.txt``
    :param home: its ``AIRFLOW_HOME``
    :param port: of its web server
    :param connections: by id, as Airflow's JSON form takes them
    :param variables: further environment variables
    """

    line: str
    home: Path
    port: int
    connections: Mapping[str, Mapping[str, object]]
    variables: Mapping[str, str]

    @property
    def url(self) -> str:
        """The address of the UI and of the REST API."""
        return f"http://localhost:{self.port}"

    @property
    def is_2(self) -> bool:
        """Whether this is Airflow 2, which has a web server of its own, and logs in by another manager."""
        return self.line.startswith("2.")

    @property
    def password(self) -> str:
        """The password of :data:`USER`, made up at the first start."""
        return self._secret("password")

    def command(self, *arguments: str) -> list[str]:
        """Airflow's command line."""
        return [str(self._bin / "python"), "-m", "airflow", *arguments]

    def preparation(self) -> list[tuple[str, list[str]]]:
        """What to run once, before the first start: names and commands."""
        steps = [("airflow-db-migrate", self.command("db", "migrate"))]
        if self.is_2:
            names = ("--firstname", "Demo", "--lastname", "Admin", "--email", "admin@localhost")
            login = ("--username", USER, "--password", self.password, "--role", "Admin")
            steps.append(("airflow-users-create", self.command("users", "create", *login, *names)))
        return steps

    def servers(self) -> list[tuple[str, list[str]]]:
        """What is started first: names and commands. On Airflow 3 a task fails that finds no API server."""
        if self.is_2:
            return [("webserver", self.command("webserver"))]
        return [("api-server", self.command("api-server")), ("dag-processor", self.command("dag-processor"))]

    def runners(self) -> list[tuple[str, list[str]]]:
        """What is started when the web server answers: names and commands."""
        # Logs are files that the web server reads itself, so nothing needs to serve them on a port.
        return [(name, self.command(name, "--skip-serve-logs")) for name in ("scheduler", "triggerer")]

    def task_logs(self, dag_id: str, run_id: str) -> list[Path]:
        """The logs of a run's tasks, one for each attempt."""
        return list((self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}").glob("**/*.log"))

    def write_files(self) -> None:
        """Write what Airflow reads besides its environment, and what its database must be before its first use.

        :raises OSError: if a file cannot be written
        :raises StackError: if the database cannot be used
        """
        self.home.mkdir(parents=True, exist_ok=True)
        _write_private(self.home / "passwords.json", json.dumps({USER: self.password}))
        try:
            with closing(sqlite3.connect(self._database)) as database:
                # Readers and the one writer then do not shut each other out; the database file remembers it.
                database.execute("PRAGMA journal_mode=WAL")
        except sqlite3.Error as error:
            raise StackError(
                f"SQLite cannot use {self._database}: {error}. Is the disk full, or not writable?"
            ) from error

    def environment(self) -> dict[str, str]:
        """The environment of every Airflow process, with nothing of Airflow from this process's."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "_AIRFLOW", "OKTALOGGER"))
        }
        settings = _SETTINGS | self._settings() | (self._settings_2() if self.is_2 else self._settings_3())
        own = {
            # Airflow starts programs of its own by their bare name.
            "PATH": f"{self._bin}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONUNBUFFERED": "1",
            # A proxy does not lead back to this machine.
            "NO_PROXY": "localhost,127.0.0.1",
            "no_proxy": "localhost,127.0.0.1",
            "AIRFLOW_HOME": str(self.home),
            # Airflow 2 refuses SQLite for more than one task at a time. With a write-ahead log it does well here,
            # and windows may overlap as they do on a real deployment.
            "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
        }
        sections = {f"AIRFLOW__{name}": value for name, value in settings.items()}
        connections = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in self.connections.items()}
        return inherited | own | sections | connections | dict(self.variables)

    @property
    def _bin(self) -> Path:
        return ROOT / ".venvs" / f"airflow-{self.line}" / "bin"

    @property
    def _database(self) -> Path:
        return self.home / "airflow.db"

    def _settings(self) -> dict[str, str]:
        return {
            "CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "CORE__FERNET_KEY": self._secret("fernet_key"),
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._database}?timeout=20",
        }

    def _settings_2(self) -> dict[str, str]:
        return {
            "SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": TASK_TIMEOUT,
            "WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "WEBSERVER__WEB_SERVER_PORT": str(self.port),
            "WEBSERVER__BASE_URL": self.url,
            "WEBSERVER__WORKERS": "1",
            # On a busy machine Airflow's own watch over its web server would end one that answers: 0 waits for ever,
            # and replaces no worker that is well.
            "WEBSERVER__WEB_SERVER_MASTER_TIMEOUT": "0",
            "WEBSERVER__WEB_SERVER_WORKER_TIMEOUT": "0",
            "WEBSERVER__WORKER_REFRESH_INTERVAL": "0",
            "CORE__DAG_FILE_PROCESSOR_TIMEOUT": PARSE_TIMEOUT,
            "WEBSERVER__SECRET_KEY": self._secret("secret_key"),
            "WEBSERVER__SHOW_TRIGGER_FORM_IF_NO_PARAMS": "True",
            "API__AUTH_BACKENDS": "airflow.providers.fab.auth_manager.api.auth.backend.basic_auth,"
            "airflow.api.auth.backend.session",
        }

    def _settings_3(self) -> dict[str, str]:
        return {
            "API__HOST": "127.0.0.1",
            "API__PORT": str(self.port),
            "API__BASE_URL": self.url,
            "API__WORKERS": "1",
            "API__SECRET_KEY": self._secret("secret_key"),
            "API_AUTH__JWT_SECRET": self._secret("jwt_secret"),
            "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": PARSE_TIMEOUT,
            "WORKERS__EXECUTION_API_TIMEOUT": "60.0",
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": TASK_TIMEOUT,
        }

    def _secret(self, name: str) -> str:
        """A secret made up at the first start and kept."""
        path = self.home / "secrets.json"
        if not path.exists():
            made = {key: secrets.token_urlsafe(64) for key in ("secret_key", "jwt_secret")}
            made["password"] = secrets.token_urlsafe(9)
            made["fernet_key"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_private(path, json.dumps(made))
        found: dict[str, str] = json.loads(path.read_text())
        return found[name]


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, also if it was there before and others could."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


_SETTINGS = {
    "CORE__LOAD_EXAMPLES": "False",
    "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "CORE__EXECUTOR": "LocalExecutor",
    "CORE__DAGBAG_IMPORT_TIMEOUT": PARSE_TIMEOUT,
    # A laptop: each slot is a process that waits.
    "CORE__PARALLELISM": "4",
    "SCHEDULER__PARSING_PROCESSES": "1",
    "USAGE_DATA_COLLECTION__ENABLED": "False",
    "LOGGING__COLORED_CONSOLE_LOG": "False",
}
