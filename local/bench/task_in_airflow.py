"""``task_in_airflow.py FILE DAG_ID parse|run``: what a worker does at a task's start, in an environment with Airflow.

It parses the file and runs the DAG's task ``load`` on five minutes of ``BENCH_DAY``. No database of Airflow is needed.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from airflow.models import DagBag


class _Events(dict[Any, Any]):
    def __missing__(self, asset: Any) -> SimpleNamespace:
        return SimpleNamespace(extra={})


def main(file: str, dag_id: str, what: str) -> None:
    """Parse, and run."""
    bag = DagBag(file)
    if bag.import_errors:
        raise SystemExit(str(bag.import_errors))
    task: Any = bag.dags[dag_id].get_task("load")
    if what == "parse":
        return
    start = datetime.fromisoformat(f"{os.environ['BENCH_DAY']}T12:00:00+00:00")
    context = {
        "run_id": "scheduled__bench",
        "dag_run": SimpleNamespace(run_type="scheduled"),
        "ti": SimpleNamespace(xcom_push=lambda key, value: None),
        "params": {},
        "outlet_events": _Events(),
        "data_interval_start": start,
        "data_interval_end": start + timedelta(minutes=5),
    }
    execute = type(task).execute  # Airflow wraps it, to complain of a call that is not its own
    counts = getattr(execute, "__wrapped__", execute)(task, context)
    if counts is not None and (counts["read"] or not counts["requests"]):
        raise SystemExit(f"That was not a quiet window: {counts}")


if __name__ == "__main__":
    main(*sys.argv[1:])
