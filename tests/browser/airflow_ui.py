"""An Airflow with a web server and no scheduler, and what tasks would have left in its store."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from local.paths import ROOT
from local.process import end_group, tail
from local.stack.airflow import USER, Airflow
from oktalogger.ui.packing import fit
from oktalogger.ui.snapshot import Snapshot
from tests.ports import free_port

NOBODY = "nobody"
_RESTRICTED = {
    "AIRFLOW__CORE__AUTH_MANAGER": "tests.browser.restricted.RestrictedAuthManager",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin,{NOBODY}:viewer",
}
# Airflow 2 refuses a sixth login within 40 seconds, and each test logs in.
_UNHURRIED = {"AIRFLOW__FAB__AUTH_RATE_LIMITED": "False"}
PATIENCE = 240  # seconds, on a busy machine

# Airflow 2 has no REST call that makes these.
SEED = """
import json, sys
from datetime import datetime
from airflow.models import DagBag
from airflow.models.xcom import XCom
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType

bag = DagBag(dag_folder=sys.argv[1])
for run in json.load(sys.stdin):
    dag = bag.dags[run["dag_id"]]
    at = datetime.fromisoformat(run["at"])
    dag.create_dagrun(
        run_id=run["run_id"], state=DagRunState.SUCCESS, execution_date=at, start_date=at, run_type=DagRunType.MANUAL,
        data_interval=(at, at),
    )
    if run.get("xcom") is not None:
        XCom.set(key="snapshot", value=run["xcom"], dag_id=run["dag_id"], task_id="measure", run_id=run["run_id"])
"""


@dataclass(frozen=True)
class SeededRun:
    """A run that is to be there.

    :param dag_id: of which DAG
    :param run_id: its id
    :param at: its logical date
    :param xcom: what its task ``measure`` left behind as ``snapshot``
    """

    dag_id: str
    run_id: str
    at: datetime
    xcom: Any = None


def left_by_a_task(run_id: str, snapshot: Snapshot) -> dict[str, str]:
    """Return what the task leaves behind."""
    return {"run_id": run_id, "org": snapshot.org, "data": fit(snapshot)[1]}


@dataclass(frozen=True)
class AirflowUi:
    """A running Airflow.

    :param airflow: how it runs
    :param base: its address, with a URL prefix if it has one
    """

    airflow: Airflow
    base: str

    @property
    def line(self) -> int:
        """Airflow's major version."""
        return 2 if self.airflow.is_2 else 3

    @property
    def page(self) -> str:
        """Where the menu leads."""
        return f"{self.base}/okta/" if self.airflow.is_2 else f"{self.base}/plugin/okta"

    @property
    def static(self) -> str:
        """The page without Airflow's frame around it."""
        return f"{self.base}/okta/page"

    def password_of(self, user: str) -> str:
        """Return the password of a user."""
        return str(json.loads((self.airflow.home / "passwords.json").read_text())[user])

    def session(self) -> requests.Session:
        """Return a session that may ask the REST API."""
        session = requests.Session()
        session.trust_env = False
        if self.airflow.is_2:
            session.auth = (USER, self.airflow.password)
        else:
            body = {"username": USER, "password": self.airflow.password}
            answer = session.post(f"{self.base}/auth/token", json=body, timeout=60)
            answer.raise_for_status()
            session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return session

    def ask(self, path: str) -> Any:
        """Ask the REST API."""
        answer = self.session().get(f"{self.base}/api/{'v1' if self.airflow.is_2 else 'v2'}{path}", timeout=60)
        answer.raise_for_status()
        return answer.json()

    def seed(self, *runs: SeededRun) -> None:
        """Make runs as if they had been."""
        if self.airflow.is_2:
            values = [{**vars(run), "at": run.at.isoformat()} for run in runs]
            self._python(SEED, json.dumps(values))
            return
        session = self.session()
        for run in runs:
            root = f"{self.base}/api/v2/dags/{run.dag_id}/dagRuns"
            body = {"dag_run_id": run.run_id, "logical_date": run.at.isoformat(), "conf": {}}
            if run.dag_id == "okta_system_log_backfill":
                body["conf"] = {"from": run.at.isoformat()}
            session.post(root, json=body, timeout=60).raise_for_status()
            if run.xcom is not None:
                entry = {"key": "snapshot", "value": run.xcom}
                url = f"{root}/{run.run_id}/taskInstances/measure/xcomEntries"
                session.post(url, json=entry, timeout=60).raise_for_status()
            session.patch(f"{root}/{run.run_id}", json={"state": "success"}, timeout=60).raise_for_status()

    def command(self, *arguments: str) -> None:
        """Run Airflow's command line."""
        run_quietly(self.airflow.command(*arguments), self.airflow.environment())

    def _python(self, code: str, given: str) -> None:
        python = self.airflow.command()[0]
        run_quietly([python, "-W", "ignore", "-c", code, str(ROOT / "dags")], self.airflow.environment(), given)


def run_quietly(command: list[str], environment: Mapping[str, str], given: str | None = None) -> None:
    done = subprocess.run(command, env=dict(environment), text=True, capture_output=True, input=given, timeout=PATIENCE)
    assert done.returncode == 0, f"{' '.join(command[:6])}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"


@contextmanager
def running_ui(line: str, home: Path, *, prefix: str = "") -> Iterator[AirflowUi]:
    """Start a web server of one line; it ends with the block.

    :param line: a lock file ``requirements/airflow-<line>.txt``
    :param home: an empty folder
    :param prefix: the URL prefix, such as ``/team``
    """
    port = free_port()
    airflow = Airflow(line=line, home=home, port=port, connections={}, variables={})
    base = f"http://127.0.0.1:{port}{prefix}"
    section = "WEBSERVER" if airflow.is_2 else "API"
    settings = {
        f"AIRFLOW__{section}__BASE_URL": base,
        "OKTALOGGER_START_DATE": "2026-01-01T00:00:00Z",
        "PYTHONPATH": f"{ROOT / 'plugins'}{os.pathsep}{ROOT}",
        "PYTHONWARNINGS": "ignore",
        **(_UNHURRIED if airflow.is_2 else _RESTRICTED),
    }
    airflow = replace(airflow, variables=settings)
    airflow.write_files()
    for _, command in airflow.preparation():
        run_quietly(command, airflow.environment())
    _make_nobody(airflow)
    run_quietly(airflow.command("dags", "reserialize"), airflow.environment())
    [(name, command), *_] = airflow.servers()
    log = home / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=airflow.environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        _wait(f"{base}/{'health' if airflow.is_2 else 'api/v2/monitor/health'}", process, log)
        yield AirflowUi(airflow, base)
    finally:
        end_group(process, patience=5)


def _make_nobody(airflow: Airflow) -> None:
    """Make a user who may see the menu's entry and no DAG."""
    password = secrets.token_urlsafe(9)
    file = airflow.home / "passwords.json"
    file.write_text(json.dumps({USER: airflow.password, NOBODY: password}))
    if not airflow.is_2:
        return
    names = ("--firstname", "N", "--lastname", "N", "--email", "nobody@localhost")
    for arguments in (
        ("sync-perm",),
        ("roles", "create", "Nobody"),
        ("roles", "add-perms", "Nobody", "--resource", "Website", "--action", "can_read"),
        ("users", "create", "--username", NOBODY, "--password", password, "--role", "Nobody", *names),
    ):
        run_quietly(airflow.command(*arguments), airflow.environment())


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    assert urlsplit(url).hostname == "127.0.0.1"
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, tail(log, 60)
        try:
            if requests.get(url, timeout=20).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(1)
    raise AssertionError(f"{url} did not answer in {PATIENCE} s:\n{tail(log, 60)}")
