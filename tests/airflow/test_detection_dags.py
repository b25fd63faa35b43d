"""The DAGs of the detections: their shape, when the sync runs, and a run of each by Airflow itself."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction

from local.standins.alerting import AlertingStandIn
from local.standins.transport import serve
from oktalogger.timetables import FilesOrDailyTimetable, changed_at
from tests.airflow.command_line import CommandLine
from tests.airflow.conftest import run_airflow
from tests.airflow.test_dags import load_bag, load_dags
from tests.unit.detections.bundles import detection, write_folder

if TYPE_CHECKING:
    from pathlib import Path

CHANGED = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
EVERYTHING = TimeRestriction(earliest=None, latest=None, catchup=False)


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    return load_dags()


def test_their_tasks(dags: dict[str, Any]) -> None:
    assert [task.task_id for task in dags["okta_detections"].tasks] == ["plan", "apply", "verify"]
    assert [task.task_id for task in dags["okta_detection_replay"].tasks] == ["parts", "replay", "report"]
    assert [task.task_id for task in dags["okta_detections_after_load"].tasks] == ["detect", "finding", "verdict"]


def test_only_one_sync_runs_at_a_time(dags: dict[str, Any]) -> None:
    assert dags["okta_detections"].max_active_runs == 1
    assert dags["okta_detections"].catchup is False


def test_what_only_shows_findings_holds_up_no_search(dags: dict[str, Any]) -> None:
    dag = dags["okta_detections_after_load"]
    detect, finding, verdict = (dag.get_task(name) for name in ("detect", "finding", "verdict"))
    # Runs that still show their findings, as many as loads begin in the longest life of one, leave room for the next.
    assert dag.dagrun_timeout is not None
    assert dag.max_active_runs > dag.dagrun_timeout / timedelta(minutes=5)
    assert detect.max_active_tis_per_dag == 1, "two at once could tell a channel of the same match"
    assert detect.priority_weight > finding.partial_kwargs["priority_weight"]
    assert finding.partial_kwargs["max_active_tis_per_dag"] == 2
    assert verdict.upstream_task_ids == {"detect"}
    assert detect.upstream_task_ids == set()


def test_the_mapped_tasks_are_named_after_what_they_do(dags: dict[str, Any]) -> None:
    for dag_id, task_id in (("okta_detections", "apply"), ("okta_detection_replay", "replay")):
        assert dags[dag_id].get_task(task_id).map_index_template == "{{ task.unit }}"


def test_their_params(dags: dict[str, Any]) -> None:
    assert dags["okta_detections"].params.dump() == {"dry_run": False, "confirm_deletions": False, "put_back": []}
    replay = dags["okta_detection_replay"].params
    assert set(replay) == {"from", "to", "rules"}
    with pytest.raises(Exception, match=r"No value passed|not of type"):
        replay.get_param("from").resolve()


def test_any_org_that_is_loaded_starts_the_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTALOGGER_OKTA_CONN_IDS", "okta_default,okta_emea")
    timetable = load_dags()["okta_detections_after_load"].timetable
    condition = getattr(timetable, "asset_condition", None) or timetable.dataset_condition
    assert type(condition).__name__ in ("AssetAny", "DatasetAny")


@pytest.mark.parametrize("variable", ["OKTALOGGER_DETECTIONS_DIR", "OKTALOGGER_INCLUDE_DIR"])
def test_a_folder_that_is_missing_is_an_import_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "nowhere"))
    errors = load_bag().import_errors
    assert [path.rpartition("/")[2] for path in errors] == ["okta_detections.py"]
    assert f"{variable} names" in next(iter(errors.values()))


class TestTimetable:
    """When the sync runs."""

    def due(self, last: datetime | None, changed: datetime = CHANGED, restriction: Any = EVERYTHING) -> datetime | None:
        interval = DataInterval.exact(pendulum.instance(last)) if last else None
        info = FilesOrDailyTimetable(changed).next_dagrun_info(
            last_automated_data_interval=interval, restriction=restriction
        )
        return info and info.run_after

    def test_at_once_when_it_never_ran(self) -> None:
        assert self.due(None) == CHANGED

    def test_at_once_when_files_changed_since(self) -> None:
        assert self.due(CHANGED - timedelta(hours=1)) == CHANGED

    def test_a_day_after_the_last_run_when_they_did_not(self) -> None:
        last = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
        assert self.due(last) == last + timedelta(days=1)
        assert self.due(CHANGED, CHANGED) == CHANGED + timedelta(days=(datetime.now(UTC) - CHANGED).days)

    def test_once_after_an_outage_of_many_days(self) -> None:
        last = datetime.now(UTC) - timedelta(days=9, hours=1)
        due = self.due(last, changed=last - timedelta(days=1))
        assert due == last + timedelta(days=9)
        assert due is not None
        assert self.due(due, changed=last) == due + timedelta(days=1)

    def test_not_before_the_start_nor_after_the_end(self) -> None:
        start = pendulum.instance(CHANGED + timedelta(days=1))
        assert self.due(None, restriction=TimeRestriction(start, None, False)) == start
        assert (
            self.due(None, restriction=TimeRestriction(None, pendulum.instance(CHANGED) - timedelta(days=1), False))
            is None
        )

    def test_survives_serialization(self) -> None:
        back = FilesOrDailyTimetable.deserialize(json.loads(json.dumps(FilesOrDailyTimetable(CHANGED).serialize())))
        assert back.serialize() == FilesOrDailyTimetable(CHANGED).serialize()

    def test_a_file_that_is_added_changed_or_removed_is_a_change(self, tmp_path: Path) -> None:
        folder = tmp_path / "rules"
        (folder / "more").mkdir(parents=True)
        file = folder / "more" / "rule.yml"
        for action in (lambda: file.write_text("a"), lambda: file.write_text("b"), file.unlink):
            before = changed_at(folder)
            time.sleep(0.02)
            action()
            assert changed_at(folder) > before
        other = tmp_path / "others"
        other.mkdir()
        before = changed_at(folder, other)
        time.sleep(0.02)
        (other / "rule.yml").write_text("a")
        assert changed_at(folder, other) > before
        file.write_text("a")
        before = changed_at(folder)
        time.sleep(0.02)
        os.utime(file, (0, 0))  # unpacked from an archive
        assert changed_at(folder) > before


@pytest.mark.airflow
def test_airflow_runs_the_sync(airflow_db: Path, airflow_commands: CommandLine, tmp_path: Path) -> None:
    write_folder(tmp_path / "ours", [detection(1)])
    write_folder(tmp_path / "others", [detection(2)])
    standin = AlertingStandIn()
    with serve(standin) as url:
        where = urlsplit(url)
        connection = {"conn_type": "opensearch", "host": where.hostname, "port": where.port, "schema": "http"}
        environment: dict[str, Any] = {
            "commands": airflow_commands,
            "AIRFLOW_CONN_OPENSEARCH_DEFAULT": json.dumps(connection),
            "OKTALOGGER_DETECTIONS_DIR": f"{tmp_path / 'ours'},{tmp_path / 'others'}",
        }
        done = run_airflow("dags", "test", "okta_detections", **environment)
        assert len(standin.jobs) == 2
        assert standin.writes.count(("POST", "/_plugins/_alerting/monitors")) == 2
        said = done.stdout + done.stderr
        assert "create: oktalogger: Rule 1" in said
        assert "2 unchanged" in said
        writes = len(standin.writes)
        run_airflow("dags", "test", "okta_detections", "-c", json.dumps({"put_back": ["all"]}), **environment)
        assert len(standin.writes) == writes
