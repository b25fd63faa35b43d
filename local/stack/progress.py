"""Waits for windows to be loaded, and shows what was."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING

from local.process import end_of_newest
from local.stack.airflow_api import AirflowBusyError
from local.stack.detections import findings
from local.stack.settings import StackError
from local.stack.stack import DAG_ID

if TYPE_CHECKING:
    from local.console import Stopwatch
    from local.stack.airflow_api import Run
    from local.stack.stack import Stack

LOAD_TIMEOUT = 600  # seconds until the first windows are loaded
POLL = 2.0
SIGN_OF_LIFE = 15.0  # seconds without news after which something is said

HEAD = f"  {'window (UTC)':24} {'read':>7} {'new':>7} {'there':>7} {'refused':>7} {'seconds':>8}"


def wait_for_windows(stack: Stack, watch: Stopwatch, wanted: int) -> list[Run]:
    """Wait until so many windows are loaded.

    :return: the runs that loaded them
    :raises StackError: if a run or a part fails, or it takes too long
    """
    deadline = time.monotonic() + LOAD_TIMEOUT
    said = time.monotonic()
    while True:
        stack.parts.check()
        runs = _runs(stack)
        _check_runs(stack, runs)
        done = [run for run in runs if run.state == "success" and run.start >= stack.first_window]
        if len(done) >= wanted:
            return done
        if time.monotonic() > deadline:
            raise StackError(f"Only {len(done)} windows are loaded after {LOAD_TIMEOUT} s.{_log_of(stack, runs)}")
        if time.monotonic() - said > SIGN_OF_LIFE:
            said = time.monotonic()
            waiting = f"{len(runs)} runs have begun" if runs else "Airflow has not read the DAG yet"
            watch.say(f"waiting for {wanted} windows to be loaded: {len(done)} are, {waiting}{_retries(stack, runs)}")
        time.sleep(POLL)


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


def follow(stack: Stack, shown: set[str], seen: set[str]) -> None:
    """Show each window as it is loaded, and what the detections find, for ever.

    :param shown: ids of the runs that were shown already
    :param seen: ids of the runs of the detections that were
    :raises StackError: if a part ends, or the detections fail
    """
    while True:
        with suppress(AirflowBusyError):  # what could not be shown is shown the next time
            _show_ended(stack, shown)
        for finding in findings(stack, seen):
            print(finding, flush=True)
        for _ in range(5):
            stack.parts.check()
            time.sleep(POLL)


def _show_ended(stack: Stack, shown: set[str]) -> None:
    for run in stack.api.runs(DAG_ID):
        if run.run_id not in shown and run.state in ("success", "failed"):
            print(line(stack, run) if run.state == "success" else _failure(stack, run), flush=True)
            shown.add(run.run_id)


def _runs(stack: Stack) -> list[Run]:
    """The runs; none while Airflow is too busy to tell."""
    with suppress(AirflowBusyError):
        return stack.api.runs(DAG_ID)
    return []


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
