"""Measures what a task costs besides its events: parsing its DAG file, and a window without events."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.bench import measure, servers

if TYPE_CHECKING:
    from local.simulator.process import Simulator

ROOT = Path(__file__).resolve().parent.parent.parent
AIRFLOW_PYTHON = ROOT / ".venvs" / "airflow-3.3" / "bin" / "python"
IN_AIRFLOW = Path(__file__).with_name("task_in_airflow.py")
OURS = ROOT / "dags" / "okta_system_log.py"
# As much of Airflow as a DAG of a task cannot do without.
EMPTY_DAG = """
from datetime import datetime
from airflow.sdk import DAG, BaseOperator

class EmptyTask(BaseOperator):
    def execute(self, context):
        pass

with DAG("empty", schedule=None, start_date=datetime(2026, 1, 1)):
    EmptyTask(task_id="load")
"""
# The simulated org has events at all times, and none of this type.
NO_EVENTS = 'eventType eq "no.such.event"'


def cpu_seconds(okta: Simulator, url: str, prefix: str, folder: Path, rounds: int) -> dict[str, float]:
    """Measure whole processes, in turn; each figure is the median of the rounds.

    :param okta: the simulated org
    :param url: address of OpenSearch
    :param prefix: of the indices
    :param folder: for Airflow's home and an empty DAG
    :param rounds: how often each is measured
    """
    empty = folder / "empty.py"
    empty.write_text(EMPTY_DAG)
    environ = _environ(okta, url, prefix, folder)
    commands = {
        "empty_task_cpu_seconds": [str(empty), "empty", "run"],
        "parsed_dag_cpu_seconds": [str(OURS), "okta_system_log", "parse"],
        "quiet_task_cpu_seconds": [str(OURS), "okta_system_log", "run"],
    }
    found: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, arguments in commands.items():
            done = measure.run([str(AIRFLOW_PYTHON), str(IN_AIRFLOW), *arguments], environ)
            if number:  # the first of each compiles, and makes Airflow's settings and our indices
                found[name].append(done.cpu_seconds)
    return {name: statistics.median(values) for name, values in found.items()}


def _environ(okta: Simulator, url: str, prefix: str, folder: Path) -> dict[str, str]:
    where = urlsplit(url)
    org = {"conn_type": "okta", "host": okta.url, "password": okta.token, "extra": {"filter": NO_EVENTS}}
    cluster = {"conn_type": "opensearch", "host": where.hostname, "port": where.port, "extra": {"use_ssl": False}}
    return servers.environ(okta, url, prefix) | {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW_CONN_OKTA_DEFAULT": json.dumps(org),
        "AIRFLOW_CONN_OPENSEARCH_DEFAULT": json.dumps(cluster),
        "BENCH_DAY": servers.DAY,
    }
