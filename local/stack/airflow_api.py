"""Calls Airflow's REST API for the demo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import requests

from local.stack.airflow import USER
from local.stack.waiting import AirflowBusyError

if TYPE_CHECKING:
    from local.stack.airflow import Airflow

TASK = "load"
PAGE = "/okta"
"""Where the plugin serves its page."""
PAGE_MARK = "okta_page"
"""Stands in that page: the DAG that measures what it shows."""
TIMEOUT = 60  # seconds; on a busy machine one answer may take most of a minute
_NO_ANSWER = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the DAG.

    :param run_id: Airflow's
    :param state: ``queued``, ``running``, ``success`` or ``failed``
    :param start: of its window
    :param end: of its window
    """

    run_id: str
    state: str
    start: datetime
    end: datetime


class AirflowApi:
    """A client that logs in when it must. Its methods raise :class:`AirflowBusyError` if asking again can help.

    :param airflow: the Airflow to ask
    """

    def __init__(self, airflow: Airflow) -> None:
        self._airflow = airflow
        self._root = f"{airflow.url}/api/{'v1' if airflow.is_2 else 'v2'}"
        self._session = requests.Session()
        self._session.trust_env = False
        if airflow.is_2:
            self._session.auth = (USER, airflow.password)

    def answers(self) -> Literal[True] | None:
        """Whether the web server answers yet; None if it does not."""
        path = "/health" if self._airflow.is_2 else "/monitor/health"
        try:
            return self._session.get(f"{self._root}{path}", timeout=TIMEOUT).ok or None
        except _NO_ANSWER:
            return None

    def make_pool(self, name: str, slots: int) -> Literal[True]:
        """Make a pool; one that is there already stays as it is.

        :return: that it is there

        :raises requests.HTTPError: if Airflow refuses
        """
        pool = {"name": name, "slots": slots, "description": "Tasks that ask Okta"}
        answer = self._ask("POST", "/pools", json=pool)
        if answer.status_code != requests.codes.conflict:
            answer.raise_for_status()
        return True

    def runs(self, dag_id: str) -> list[Run]:
        """The DAG's newest runs that have a window, in order of their windows; none before the DAG is known."""
        order = "-execution_date" if self._airflow.is_2 else "-logical_date"
        answer = self._ask("GET", f"/dags/{dag_id}/dagRuns", params={"order_by": order, "limit": 100})
        if answer.status_code == requests.codes.not_found:
            return []
        answer.raise_for_status()
        found = [
            Run(
                run["dag_run_id"],
                run["state"],
                _instant(run["data_interval_start"]),
                _instant(run["data_interval_end"]),
            )
            for run in answer.json()["dag_runs"]
            if run["data_interval_start"]
        ]
        return sorted(found, key=lambda run: run.start)

    def counts(self, dag_id: str, run: Run) -> dict[str, Any]:
        """The counts that a run's task left behind.

        :raises AirflowBusyError: if Airflow does not show them yet
        """
        value: dict[str, Any] = self.returned(dag_id, run.run_id, TASK)
        return value

    def returned(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """What a task returned.

        :raises AirflowBusyError: if Airflow does not show it yet
        """
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/xcomEntries/return_value"
        # Airflow 2 makes a text of the value unless told otherwise, and refuses to deserialize.
        wanted = {"stringify": "false"} if self._airflow.is_2 else {"deserialize": "true"}
        answer = self._ask("GET", path, params=wanted)
        if answer.status_code == requests.codes.not_found:
            raise AirflowBusyError(f"Airflow does not show yet what {task_id} of {run_id} returned.")
        answer.raise_for_status()
        return answer.json()["value"]

    def task_state(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        """The state of a run's task; None before it has one.

        :raises requests.HTTPError: if Airflow refuses
        """
        answer = self._ask("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}")
        if answer.status_code == requests.codes.not_found:
            return None
        answer.raise_for_status()
        state: str | None = answer.json()["state"]
        return state

    def page(self) -> str:
        """The address of the page that oktalogger adds to Airflow's menu; empty if this Airflow serves none."""
        # Without that page Airflow 3 answers with its own, for any address.
        answer = self._ask_address("GET", f"{self._airflow.url}{PAGE}/page")
        if not answer.ok or PAGE_MARK not in answer.text:
            return ""
        return f"{self._airflow.url}{PAGE}/" if self._airflow.is_2 else f"{self._airflow.url}/plugin{PAGE}"

    def start_run(self, dag_id: str) -> str:
        """Start a run of a DAG by hand, and return its id.

        :raises requests.HTTPError: if Airflow refuses
        """
        answer = self._ask("POST", f"/dags/{dag_id}/dagRuns", json={} if self._airflow.is_2 else {"logical_date": None})
        answer.raise_for_status()
        return str(answer.json()["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """The state of a run.

        :raises requests.HTTPError: if Airflow refuses
        """
        answer = self._ask("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id)}")
        answer.raise_for_status()
        return str(answer.json()["state"])

    def run_states(self, dag_id: str, since: datetime) -> dict[str, str]:
        """The state of each of the DAG's newest runs that began since an instant; none before the DAG is known."""
        answer = self._ask("GET", f"/dags/{dag_id}/dagRuns", params={"order_by": "-start_date", "limit": 100})
        if answer.status_code == requests.codes.not_found:
            return {}
        answer.raise_for_status()
        return {
            run["dag_run_id"]: run["state"]
            for run in answer.json()["dag_runs"]
            if run["start_date"] and _instant(run["start_date"]) >= since
        }

    def mapped_labels(self, dag_id: str, run_id: str, task_id: str) -> list[str]:
        """What the UI calls the parts of a mapped task that have been run, in order.

        :raises requests.HTTPError: if Airflow refuses
        """
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/listMapped"
        answer = self._ask("GET", path, params={"limit": 100})
        answer.raise_for_status()
        # A part that has not run yet has no name on Airflow 2, and its number for a name on Airflow 3.
        parts = [
            part
            for part in answer.json()["task_instances"]
            if part["map_index"] >= 0 and part["rendered_map_index"] not in (None, "", str(part["map_index"]))
        ]
        return [str(part["rendered_map_index"]) for part in sorted(parts, key=lambda part: int(part["map_index"]))]

    def _ask(self, method: str, path: str, **what: Any) -> requests.Response:
        return self._ask_address(method, f"{self._root}{path}", **what)

    def _ask_address(self, method: str, url: str, **what: Any) -> requests.Response:
        answer = self._send(method, url, **what)
        if answer.status_code == requests.codes.unauthorized and not self._airflow.is_2:
            self._log_in()
            answer = self._send(method, url, **what)
        return answer

    def _log_in(self) -> None:
        login = {"username": USER, "password": self._airflow.password}
        answer = self._send("POST", f"{self._airflow.url}/auth/token", json=login)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _send(self, method: str, url: str, **what: Any) -> requests.Response:
        try:
            answer = self._session.request(method, url, timeout=TIMEOUT, **what)
        except _NO_ANSWER as error:
            raise AirflowBusyError(f"Airflow does not answer at {url}: {error}") from error
        if answer.status_code >= requests.codes.internal_server_error:
            raise AirflowBusyError(f"Airflow answers {answer.status_code} at {url}: {answer.text[:200]}")
        return answer


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
