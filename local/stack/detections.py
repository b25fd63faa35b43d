"""Waits for what the detections find in the demo, and shows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from local.process import end_of_newest
from local.stack.settings import StackError
from local.stack.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.console import Stopwatch
    from local.stack.stack import Stack

DAG_ID = "okta_detections_after_load"
LOOK = "detect"
SHOW = "finding"
MATCHES = "okta-detection-matches"

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
    :param rule: its name
    :param title: its title
    :param severity: its severity
    :param matches: how many
    :param first: when the first of its events was published
    :param example: one of its events in a line
    """

    run_id: str
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


class DetectionsFailedError(StackError):
    """A run could not search what was loaded; the message has the end of its log."""


class Detections:
    """Collects what the runs since the demo's start have found, as soon as each has searched.

    :param stack: the demo
    """

    def __init__(self, stack: Stack) -> None:
        self.found: list[Finding] = []
        self.state = "no run has begun"
        self._stack = stack
        self._seen: set[str] = set()

    def look(self) -> None:
        """Add what runs have found since the last look.

        :raises AirflowBusyError: if Airflow is too busy to tell
        :raises DetectionsFailedError: if the search of a run failed for good; the next look goes on after it
        """
        states = {}
        for run_id in self._stack.api.run_states(DAG_ID, self._stack.started):
            if run_id in self._seen:
                continue
            # The search alone: the tasks after it only show, and may take their time.
            state = self._stack.api.task_state(DAG_ID, run_id, LOOK)
            if state == "success":
                rows = self._stack.api.returned(DAG_ID, run_id, LOOK)
                self.found += [_finding(run_id, row) for row in rows]
            elif state == "failed":
                self._seen.add(run_id)
                logs = self._stack.airflow.task_logs(DAG_ID, run_id)
                raise DetectionsFailedError(f"The run {run_id} of {DAG_ID} failed.{end_of_newest(logs)}")
            elif state != "skipped":
                states[run_id] = state or "not begun"
                continue
            self._seen.add(run_id)
        waiting = Counter(states.values())
        self.state = (
            f"{len(self._seen)} runs have searched"
            + "".join(f", {number} more: {LOOK} is {state}" for state, number in sorted(waiting.items()))
            if self._seen or waiting
            else "no run has begun"
        )


def wait_for_findings(
    stack: Stack, watch: Stopwatch, rules: Iterable[str], *, limit: float | None = None
) -> Detections:
    """Wait until each of these rules has found something.

    :param limit: seconds after which to give up; None waits as long as the parts run
    :return: everything that was found until then, in order of time
    :raises StackError: if a search or a part fails, or at the limit
    """
    detections = Detections(stack)
    wanted = set(rules)

    def ask() -> Detections | None:
        detections.look()
        return None if missing() else detections

    def missing() -> set[str]:
        return wanted - {one.rule for one in detections.found}

    def waiting() -> str:
        stories = ", ".join(f"{FINDS.get(rule, rule)}" for rule in sorted(missing()))
        return (
            f"waiting for detections: {len(wanted) - len(missing())} of {len(wanted)} stories are found, not yet "
            f"{stories}; {detections.state}"
        )

    until(ask, waiting, watch, stack.parts.check, limit=limit)
    detections.found.sort(key=lambda one: (one.first, one.rule))
    return detections


def wait_for_labels(stack: Stack, watch: Stopwatch, run_id: str, number: int, *, limit: float | None) -> list[str]:
    """Wait until Airflow's UI names so many findings of a run.

    :param limit: seconds after which to give up; None waits as long as the parts run
    :return: the names
    :raises StackError: if a part ends, or at the limit
    """

    def ask() -> list[str] | None:
        labels = stack.api.mapped_labels(DAG_ID, run_id, SHOW)
        return labels if len(labels) >= number else None

    waiting = f"waiting for {number} tasks {SHOW} of {run_id}, after which Airflow's UI names them"
    return until(ask, lambda: waiting, watch, stack.parts.check, limit=limit)


def ui_url(stack: Stack, run_id: str | None) -> str:
    """The page of Airflow's UI that names what a run found, or that of the DAG."""
    if run_id is None:
        return f"{stack.airflow.url}/dags/{DAG_ID}"
    run = quote(run_id, safe="")
    if stack.airflow.is_2:
        return f"{stack.airflow.url}/dags/{DAG_ID}/grid?dag_run_id={run}&task_id={SHOW}&tab=mapped_tasks"
    return f"{stack.airflow.url}/dags/{DAG_ID}/runs/{run}/tasks/{SHOW}/mapped"


def _finding(run_id: str, row: dict[str, Any]) -> Finding:
    return Finding(
        run_id=run_id,
        rule=row["rule"],
        title=row["title"],
        severity=row["severity"],
        matches=row["matches"],
        first=datetime.fromisoformat(row["first"]),
        example=row["example"],
    )
