"""Starts a backfill in an environment, by Airflow's REST API.

Airflow's own backfill commands do not work here: Amazon MWAA's endpoint for the command line is synchronous, and the
command of Airflow 2 runs as long as the backfill. A run of ``okta_system_log_backfill`` is one short request.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from deploy.mwaa.aws import MwaaError
from oktalogger.pipeline.backfill import BackfillError, read_request, warnings
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.mwaa.environment import Environment
    from deploy.mwaa.rest import RestApi

DAG_ID: Final = "okta_system_log_backfill"
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409


def dag_id_for(okta_conn_id: str) -> str:
    """Return the id of the backfill's DAG for an org, as the DAG file makes it."""
    return DAG_ID if okta_conn_id == "okta_default" else f"{DAG_ID}__{okta_conn_id}"


def run_body(airflow_version: tuple[int, ...], conf: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """Return the request that starts a run.

    We choose the run's id, so that a request repeated after a lost answer does not start a second run.

    :param airflow_version: the environment's version of Airflow
    :param conf: the DAG's params
    :param at: the time, in UTC
    """
    body: dict[str, Any] = {"dag_run_id": f"mwaa-{at:%Y%m%dT%H%M%SZ}", "conf": dict(conf)}
    # Airflow 3 demands the key, and null means a run without a window of its own; Airflow 2 refuses null.
    return body if airflow_version < (3,) else body | {"logical_date": None}


def read_conf(params: Mapping[str, Any], *, now: datetime, say: Callable[[str], None]) -> dict[str, Any]:
    """Return a run's params, checked as the run itself checks them.

    :param params: ``from``, and optionally ``to``, ``chunk``, ``order`` and ``share``
    :param now: the time, in UTC
    :param say: shows warnings
    :raises MwaaError: if they are wrong
    """
    try:
        request = read_request(params, now=now)
    except BackfillError as error:
        raise MwaaError(str(error)) from error
    for warning in warnings(request, now=now):
        say(f"warning: {warning}")
    window = {"from": format_instant(request.window.start), "to": format_instant(request.window.end)}
    return {name: value for name, value in params.items() if value is not None} | window


def start_backfill(
    rest: RestApi,
    environment: Environment,
    params: Mapping[str, Any],
    *,
    say: Callable[[str], None],
    okta_conn_id: str = "okta_default",
    unpause: bool = False,
    now: datetime | None = None,
) -> str:
    """Start a backfill.

    :param rest: Airflow's REST API
    :param environment: the environment
    :param params: as for :func:`read_conf`
    :param say: shows progress
    :param okta_conn_id: the org
    :param unpause: turn the DAG on first, if it is paused
    :param now: the time, in UTC
    :return: the id of the run
    :raises MwaaError: if the params are wrong, or Airflow refuses the run
    """
    at = now or datetime.now(UTC)
    conf = read_conf(params, now=at, say=say)
    dag_id = dag_id_for(okta_conn_id)
    _check_dag(rest, dag_id, unpause=unpause, say=say)
    body = run_body(environment.airflow_version, conf, at)
    started = rest.ask("POST", f"/dags/{dag_id}/dagRuns", body)
    run_id: str = body["dag_run_id"]
    if started.status == _CONFLICT:
        say(f"The run {run_id} was there already: an earlier request for it had arrived.")
    elif not started.ok:
        raise MwaaError(f"Airflow starts no run of {dag_id}: {started.reason}.")
    say(f"{dag_id} loads {conf['from']} to {conf['to']} in the run {run_id}. One run at a time: others wait for it.")
    say(f"See {environment.url}/dags/{dag_id}")
    return run_id


def _check_dag(rest: RestApi, dag_id: str, *, unpause: bool, say: Callable[[str], None]) -> None:
    found = rest.ask("GET", f"/dags/{dag_id}")
    if found.status == _NOT_FOUND:
        raise MwaaError(
            f"Airflow knows no DAG {dag_id}. See what is wrong: python -m deploy.mwaa ready --environment ..."
        )
    if not found.ok:
        raise MwaaError(f"Airflow does not say whether it has {dag_id}: {found.reason}.")
    if not found.body["is_paused"]:
        return
    if not unpause:
        raise MwaaError(f"{dag_id} is paused: its runs would wait for ever. Turn it on in Airflow, or give --unpause.")
    turned = rest.ask("PATCH", f"/dags/{dag_id}", {"is_paused": False})
    if not turned.ok:
        raise MwaaError(f"Airflow does not turn {dag_id} on: {turned.reason}.")
    say(f"{dag_id} was paused, and is turned on.")
