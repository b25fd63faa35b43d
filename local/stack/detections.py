"""Waits for what the detections find in the demo, and shows it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from local.process import end_of_newest
from local.stack.airflow_api import AirflowBusyError
from local.stack.settings import StackError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.console import Stopwatch
    from local.stack.stack import Stack

DAG_ID = "okta_detections_after_load"
LOOK = "detect"
SHOW = "finding"
MATCHES = "okta-detection-matches"
TIMEOUT = 420  # seconds after the windows are loaded
POLL = 2.0
SIGN_OF_LIFE = 15.0

# Which rule has to find which of the simulator's stories.
FINDS = {
    "okta_admin_console_access_refused": "admin-probe",
    "okta_user_added_to_admin_group": "admin-group",
    "okta_password_spray": "password-spray",
    "okta_push_fatigue": "mfa-fatigue",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found in one run.

    :param run_id: Airflow's
    :param label: what the run's task for it is called in the UI
    :param rule: its name
    :param title: its title
    :param severity: its severity
    :param matches: how many
    :param first: when the first of its events was published
    :param example: one of its events in a line
    """

    run_id: str
    label: str
    rule: str
    title: str
    severity: str
    matches: int
    first: datetime
    example: str

    def __str__(self) -> str:
        return (
            f"  {self.severity:8} {self.rule:36} {self.matches:>3} from {self.first.astimezone(UTC):%H:%M:%S} on: "
            f"{self.title}"
        )


def wait_for_findings(stack: Stack, watch: Stopwatch, rules: Iterable[str]) -> list[Finding]:
    """Wait until each of these rules has found something.

    :return: everything that was found until then, in order of time
    :raises StackError: if a run of the detections or a part fails, or it takes too long
    """
    deadline = time.monotonic() + TIMEOUT
    said = time.monotonic()
    found: list[Finding] = []
    seen: set[str] = set()
    while True:
        stack.parts.check()
        found += findings(stack, seen)
        missing = sorted(set(rules) - {one.rule for one in found})
        if not missing:
            return sorted(found, key=lambda one: (one.first, one.rule))
        if time.monotonic() > deadline:
            stories = ", ".join(f"{rule} (the story {FINDS[rule]})" for rule in missing)
            raise StackError(f"After {TIMEOUT} s these rules have not found what is there to be found: {stories}.")
        if time.monotonic() - said > SIGN_OF_LIFE:
            said = time.monotonic()
            watch.say(f"waiting for detections: {len(missing)} of the stories that were told are not found yet")
        time.sleep(POLL)


def findings(stack: Stack, seen: set[str]) -> list[Finding]:
    """What runs of this start found that have ended and were not seen yet; nothing while Airflow is too busy to tell.

    :param seen: ids of the runs that were; those of this time are added
    :raises StackError: if a run failed, with the end of its log
    """
    found: list[Finding] = []
    with suppress(AirflowBusyError):
        for run_id, state in stack.api.run_states(DAG_ID, stack.started).items():
            if state == "failed":
                logs = stack.airflow.task_logs(DAG_ID, run_id)
                raise StackError(f"The run {run_id} of {DAG_ID} failed.{end_of_newest(logs)}")
            if state == "success" and run_id not in seen:
                labels = stack.api.mapped_labels(DAG_ID, run_id, SHOW)
                rows = stack.api.returned(DAG_ID, run_id, LOOK)
                seen.add(run_id)
                found += [_finding(run_id, row, label) for row, label in zip(rows, labels, strict=True)]
    return found


def ui_url(stack: Stack, run_id: str | None) -> str:
    """The page of Airflow's UI that names what a run found, or that of the DAG."""
    if run_id is None:
        return f"{stack.airflow.url}/dags/{DAG_ID}"
    run = quote(run_id, safe="")
    if stack.airflow.is_2:
        return f"{stack.airflow.url}/dags/{DAG_ID}/grid?dag_run_id={run}&task_id={SHOW}&tab=mapped_tasks"
    return f"{stack.airflow.url}/dags/{DAG_ID}/runs/{run}/tasks/{SHOW}/mapped"


def _finding(run_id: str, row: dict[str, Any], label: str) -> Finding:
    return Finding(
        run_id=run_id,
        label=label,
        rule=row["rule"],
        title=row["title"],
        severity=row["severity"],
        matches=row["matches"],
        first=datetime.fromisoformat(row["first"]),
        example=row["example"],
    )
