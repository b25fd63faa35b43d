"""Asks Airflow in an environment whether it can run what was deployed: pool, DAGs, import errors.

If ``pip`` fails on MWAA, only a line in a log says so, and a task whose pool is missing never starts. A deploy shows
neither, so this asks Airflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deploy.mwaa.aws import MwaaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.mwaa.rest import RestApi

POOL: Final = "okta_api"
SLOTS: Final = 4
_MOST: Final = 100  # Airflow's own default for the rows of an answer
_CONFLICT: Final = 409


def make_pool(rest: RestApi, name: str = POOL, slots: int = SLOTS) -> bool:
    """Make the pool, if it is missing.

    :param rest: Airflow's REST API
    :param name: the value of ``OKTALOGGER_POOL``
    :param slots: how many tasks may ask Okta at once
    :return: whether this call made it
    :raises MwaaError: if Airflow refuses
    """
    if rest.ask("GET", f"/pools/{name}").ok:
        return False
    body = {"name": name, "slots": slots, "description": "Tasks that ask Okta"}
    made = rest.ask("POST", "/pools", body)
    if not made.ok and made.status != _CONFLICT:
        raise MwaaError(f"Airflow makes no pool {name}: {made.reason}. Without it no task is ever started.")
    return True


def problems(rest: RestApi, files: Sequence[str]) -> list[str]:
    """Return the problems that keep the DAGs of a package from running, a sentence each.

    :param rest: Airflow's REST API
    :param files: names of the package's DAG files
    """
    dags = _rows(rest, "/dags", "dags", dag_id_pattern="okta_")
    errors = {
        file: str(error["stack_trace"])
        for error in _rows(rest, "/importErrors", "import_errors")
        if (file := _base(error["filename"])) in files
    }
    found = [f"{file} cannot be imported: {trace.strip().splitlines()[-1]}" for file, trace in sorted(errors.items())]
    known = {_base(dag["fileloc"]) for dag in dags}
    found += [f"{file} has not been read by Airflow yet." for file in files if file not in known and file not in errors]
    return found


def paused(rest: RestApi, files: Sequence[str]) -> list[str]:
    """Return the ids of a package's paused DAGs. Airflow pauses every new DAG."""
    dags = _rows(rest, "/dags", "dags", dag_id_pattern="okta_")
    return sorted(dag["dag_id"] for dag in dags if dag["is_paused"] and _base(dag["fileloc"]) in files)


def ready(rest: RestApi, files: Sequence[str], *, say: Callable[[str], None], pool: str = POOL) -> bool:
    """Make the pool, and say whether every DAG can run.

    :param rest: Airflow's REST API
    :param files: names of the package's DAG files
    :param say: shows the results
    :param pool: the value of ``OKTALOGGER_POOL``
    :return: whether nothing is wrong; a paused DAG is not wrong
    """
    say(f"The pool {pool} {'was made' if make_pool(rest, pool) else 'is there'}.")
    wrong = problems(rest, files)
    for problem in wrong:
        say(problem)
    if wrong:
        say("Airflow reads new files within some minutes. If a problem stays after that, see docs/mwaa.md.")
        return False
    say(f"Airflow has read all {len(files)} DAG files.")
    for dag_id in paused(rest, files):
        say(f"{dag_id} is paused: turn it on in Airflow's web page when you want it to run.")
    return True


def _rows(rest: RestApi, path: str, name: str, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        answer = rest.ask("GET", path, query={**query, "limit": _MOST, "offset": len(rows)})
        if not answer.ok:
            raise MwaaError(f"Airflow does not answer {path}: {answer.reason}.")
        rows += answer.body[name]
        if not answer.body[name] or len(rows) >= answer.body["total_entries"]:
            return rows


def _base(path: str) -> str:
    return path.rpartition("/")[2]
