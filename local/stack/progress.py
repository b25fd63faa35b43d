"""Waits for windows to be loaded, and shows what was."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING

from local.process import end_of_newest
from local.stack.detections import DetectionsFailedError
from local.stack.settings import StackError
from local.stack.stack import DAG_ID
from local.stack.waiting import AirflowBusyError, until

if TYPE_CHECKING:
    from local.console import Stopwatch
    from local.stack.airflow_api import Run
    from local.stack.detections import Detections
    from local.stack.stack import Stack

POLL = 2.0
LOOKS = 5
"""How often to look after the parts between two looks at Airflow."""

HEAD = f"  {'window (UTC)':24} {'read':>7} {'new':>7} {'there':>7} {'refused':>7} {'seconds':>8}"


def wait_for_windows(stack: Stack, watch: Stopwatch, wanted: int, *, limit: float | None = None) -> list[Run]:
    """Wait until so many windows are loaded.

    :param limit: seconds after which to give up; None waits as long as the parts run
    :return: the runs that loaded them
    :raises StackError: if a run or a part fails, or at the limit
    """
    runs: list[Run] = []
    done: list[Run] = []

    def ask() -> list[Run] | None:
        runs[:] = stack.api.runs(DAG_ID)
        _check_runs(stack, runs)
        done[:] = [run for run in runs if run.state == "success" and run.start >= stack.first_window]
        return done if len(done) >= wanted else None

    def waiting() -> str:
        begun = f"{len(runs)} runs have begun" if runs else "Airflow has shown no run yet"
        return f"waiting for {wanted} windows to be loaded: {len(done)} are, {begun}{_retries(stack, runs)}"

    return until(ask, waiting, watch, stack.parts.check, limit=limit)


def line(stack: Stack, run: Run) -> str:
    """One window's counts in one line.

    :raises AirflowBusyError: if Airflow is too busy to tell
    """
    counts = stack.api.counts(DAG_ID, run)
    window = f"{run.start.astimezone(UTC):%Y-%m-%d %H:%M} - {run.end.astimezone(UTC):%H:%M}"
    return (
        f"  {window:24} {counts['read']:>7,} {counts['created']:>7,} {counts['existing']:>7,} "
        f"{counts['rejected']:>7,} {counts['seconds']:>8.1f}"
    )


def follow(stack: Stack, shown: set[str], detections: Detections) -> None:
    """Show each window as it is loaded, and what the detections find, for ever.

    :param shown: ids of the runs that were shown already
    :param detections: what was found and shown already
    :raises StackError: if a part ends
    """
    told = len(detections.found)
    while True:
        with suppress(AirflowBusyError):  # what could not be shown is shown the next time
            _show_ended(stack, shown)
        try:
            detections.look()
        except DetectionsFailedError as error:
            print(f"  {error}", flush=True)
        except AirflowBusyError:
            pass
        for finding in detections.found[told:]:
            print(finding, flush=True)
        told = len(detections.found)
        for _ in range(LOOKS):
            stack.parts.check()
            time.sleep(POLL)


def _show_ended(stack: Stack, shown: set[str]) -> None:
    for run in stack.api.runs(DAG_ID):
        if run.run_id not in shown and run.state in ("success", "failed"):
            print(line(stack, run) if run.state == "success" else _failure(stack, run), flush=True)
            shown.add(run.run_id)


def _check_runs(stack: Stack, runs: list[Run]) -> None:
    failed = [run for run in runs if run.state == "failed" and run.start >= stack.first_window]
    if failed:
        raise StackError(_failure(stack, failed[0]))


def _failure(stack: Stack, run: Run) -> str:
    return f"The run {run.run_id} failed.{_log_of(stack, [run])}"


def _retries(stack: Stack, runs: list[Run]) -> str:
    """Say that attempts have failed, and where to read why."""
    logs = [log for run in runs if run.state == "running" for log in stack.airflow.task_logs(DAG_ID, run.run_id)]
    failed = [log for log in logs if log.stem != "attempt=1"]
    return f"; an attempt failed, see the logs in {failed[0].parent}" if failed else ""


def _log_of(stack: Stack, runs: list[Run]) -> str:
    return end_of_newest(log for run in runs for log in stack.airflow.task_logs(DAG_ID, run.run_id))
