"""What a start of Airflow imports on our account: a task parses its DAG file before it does anything else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.compat import AIRFLOW_3, Asset
from oktalogger.operators.system_log import system_log_asset
from tests.airflow.conftest import ROOT
from tests.airflow.test_dags import DAG_FILES

if TYPE_CHECKING:
    from collections.abc import Iterable

# Each costs a task a tenth of a second and more, and a task that needs one imports it itself.
HEAVY = {"aiohttp", "boto3", "botocore", "cryptography", "jwt", "opensearchpy", "requests", "s3transfer", "sigma"}
# Ours are two thirds of them. Before this was looked at, the DAG of the load imported over 600.
MOST_MODULES = 120
# What every process of Airflow imports, and what settings name.
MODULES = ("plugin", "get_provider_info", "notifications.webhook")

# Airflow itself takes seconds to import, so each file gets a copy of a process that has it.
IMPORTED = """
import json, os, runpy, sys
from airflow.models import DagBag
sys.path.insert(0, sys.argv[1])
for file in sys.argv[2:]:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        runpy.run_path(file)
        print(json.dumps([file, sorted(sys.modules)]), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, file
"""

# All that our DAG files use of Airflow, and nothing of ours.
EMPTY_DAG = """
from datetime import datetime
from airflow.timetables.interval import CronDataIntervalTimetable
try:
    from airflow.sdk import (
        DAG, Asset, BaseHook, BaseNotifier, BaseOperator, BaseOperatorLink, Context, Param, Variable,
    )
    from airflow.sdk.execution_time.xcom import XCom
except ImportError:
    try:
        from airflow.sdk import DAG, BaseNotifier, BaseOperator, BaseOperatorLink, Param
        from airflow.hooks.base import BaseHook
        from airflow.sdk.execution_time.xcom import XCom
    except ImportError:
        from airflow.hooks.base import BaseHook
        from airflow.models.baseoperator import BaseOperator
        from airflow.models.baseoperatorlink import BaseOperatorLink
        from airflow.models.dag import DAG
        from airflow.models.param import Param
        from airflow.models.xcom import XCom
        from airflow.notifications.basenotifier import BaseNotifier


class Part(BaseOperator):
    def __init__(self, *, part="", **kwargs):
        super().__init__(**kwargs)
        self.part = part


with DAG(
    "empty",
    schedule=CronDataIntervalTimetable("*/5 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1),
    params={"at": Param(None, type=["null", "string"], format="date-time")},
):
    first = Part(task_id="first")
    mapped = Part.partial(task_id="mapped").expand(part=first.output)
    mapped >> Part(task_id="last", trigger_rule="all_done")
"""


def imported_by(files: Iterable[Path]) -> dict[Path, set[str]]:
    """The modules that a fresh interpreter has after it has imported Airflow and parsed a file, by file."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORTED, str(ROOT / "plugins"), *map(str, files)],
        text=True,
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    parsed = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    return {Path(file): set(modules) for file, modules in parsed}


def heavy(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] in HEAVY or name.startswith("airflow.providers.amazon")}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What each of our files imports beyond what Airflow imports for any DAG, by the file's name."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "empty.py").write_text(EMPTY_DAG)
    for module in MODULES:
        (folder / f"{module}.py").write_text(f"import oktalogger.{module}\n")
    dags = [ROOT / "dags" / name for name in DAG_FILES]
    imported = imported_by([*folder.iterdir(), *dags])
    of_airflow = imported[folder / "empty.py"]
    return {file.name: modules - of_airflow for file, modules in imported.items()}


@pytest.mark.parametrize("name", [*DAG_FILES, *(f"{module}.py" for module in MODULES)])
def test_a_start_imports_little(name: str, ours: dict[str, set[str]]) -> None:
    assert any(module.startswith("oktalogger.") for module in ours[name])
    assert heavy(ours[name]) == set()
    assert len(ours[name]) <= MOST_MODULES, sorted(ours[name])


@pytest.mark.parametrize(
    "names",
    [
        ("okta_default", "opensearch_default", "okta-system-log"),
        ("okta.emea", "OpenSearch-2", "logs_2026"),
        # Airflow writes these otherwise than they are given.
        ("okta@emea", "opensearch", "logs"),
        ("okta", "opensearch", "logs/"),
        ("okta", "open search?b=1&a=2", "logs"),
        ("okta", "opensearch#1", "logs"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*should not contain auth info")
def test_the_asset_is_the_one_that_airflow_would_make(names: tuple[str, str, str]) -> None:
    made = system_log_asset(*names)
    uri = "okta-system-log://{}/{}/{}".format(*names)
    expected: Any = Asset(uri=uri, name=made.name, group=made.group) if AIRFLOW_3 else Asset(uri)
    assert type(made) is type(expected)
    assert made == expected
    if type(expected).__hash__ is not None:  # 3.0 has no hash of an asset
        assert hash(made) == hash(expected)
    assert made.uri == expected.uri
    assert getattr(made, "name", None) == getattr(expected, "name", None)
