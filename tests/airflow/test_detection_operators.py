"""The operators of the sync against the stand-in, with a context like Airflow's."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from local.standins.alerting import AlertingStandIn
from local.standins.monitors import detection_id
from local.standins.transport import serve
from oktalogger.compat import AirflowFailException, AirflowSkipException
from oktalogger.detections.monitors.sync import SyncIncompleteError
from oktalogger.operators.detections import (
    MOST_UNITS,
    DetectionApplyOperator,
    DetectionPlanOperator,
    DetectionVerifyOperator,
    parts,
)
from tests.unit.detections.bundles import counting, detection, write_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oktalogger.detections.model import CompiledDetection


def logged(operator: type[Any]) -> Any:
    """An operator that writes to the standard library's log, which pytest can read on every line of Airflow."""
    return type(operator.__name__, (operator,), {"log": property(lambda _: logging.getLogger("tests"))})


def execute(operator: Any, context: Any) -> Any:
    # Airflow wraps this method, to complain of a call that is not its own.
    method = type(operator).execute
    return getattr(method, "__wrapped__", method)(operator, context)


class Tasks:
    """The tasks of the DAG, run one after the other."""

    def __init__(self, standin: AlertingStandIn, folder: Path) -> None:
        self.standin = standin
        self.folder = folder
        self.xcoms: dict[str, Any] = {}

    def rules(self, *rules: CompiledDetection) -> None:
        write_folder(self.folder, rules)

    def context(self, **params: Any) -> Any:
        ti = SimpleNamespace(xcom_push=lambda key, value: self.xcoms.__setitem__(key, value))
        return {"run_id": "manual__1", "ti": ti, "params": params}

    def plan(self, **params: Any) -> Any:
        return execute(logged(DetectionPlanOperator)(task_id="plan", folder=str(self.folder)), self.context(**params))

    def apply(self, part: dict[str, Any], **params: Any) -> Any:
        operator = logged(DetectionApplyOperator)(task_id="apply", folder=str(self.folder), **part)
        return execute(operator, self.context(**params))

    def verify(self, **params: Any) -> Any:
        return execute(
            logged(DetectionVerifyOperator)(task_id="verify", folder=str(self.folder)), self.context(**params)
        )

    def all(self, **params: Any) -> None:
        for part in self.plan(**params):
            self.apply(part, **params)
        self.verify(**params)


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[AlertingStandIn]:
    standin = AlertingStandIn(channels=[{"config_id": "c1", "name": "soc"}])
    with serve(standin) as url:
        host, port = url.removeprefix("http://").split(":")
        connection = {"conn_type": "opensearch", "host": host, "port": int(port), "schema": "http"}
        monkeypatch.setenv("AIRFLOW_CONN_OPENSEARCH_DEFAULT", json.dumps(connection))
        yield standin


@pytest.fixture
def tasks(standin: AlertingStandIn, tmp_path: Path) -> Tasks:
    return Tasks(standin, tmp_path / "detections")


def test_a_plan_names_each_change_and_writes_nothing(tasks: Tasks, caplog: pytest.LogCaptureFixture) -> None:
    tasks.rules(detection(1), counting(2, 5))
    with caplog.at_level(logging.INFO):
        assert tasks.plan() == [
            {"detection_ids": [detection_id(1)], "unit": f"create: Rule 1 [{detection_id(1)}]"},
            {"detection_ids": [detection_id(2)], "unit": f"create: Rule 2 [{detection_id(2)}]"},
        ]
    assert tasks.xcoms["plan"]["counts"]["create"] == 2
    assert "create: oktalogger: Rule 1" in caplog.text
    assert json.dumps(tasks.xcoms["plan"])
    assert tasks.standin.writes == []


def test_a_dry_run_has_nothing_to_apply(tasks: Tasks) -> None:
    tasks.rules(detection(1))
    assert tasks.plan(dry_run=True) == []
    assert tasks.xcoms["plan"]["counts"]["create"] == 1
    with pytest.raises(AirflowSkipException):
        tasks.verify(dry_run=True)


def test_a_part_deals_with_its_rule_alone(tasks: Tasks) -> None:
    tasks.rules(detection(1), detection(2))
    _, second = tasks.plan()
    done = tasks.apply(second)
    assert [step["detection_id"] for step in done] == [detection_id(2)]
    assert len(tasks.standin.jobs) == 1
    with pytest.raises(AirflowFailException, match="Rule 1"):
        tasks.verify()


def test_a_second_run_writes_nothing(tasks: Tasks) -> None:
    tasks.rules(detection(1), counting(2, 5))
    tasks.all()
    writes = len(tasks.standin.writes)
    assert tasks.plan() == []
    assert tasks.verify()["unchanged"] == 2
    assert len(tasks.standin.writes) == writes == 2


def test_a_part_that_is_run_again_writes_nothing(tasks: Tasks) -> None:
    tasks.rules(detection(1))
    [part] = tasks.plan()
    tasks.apply(part)
    assert tasks.apply(part) == []


def test_rules_that_vanish_in_numbers_stop_the_plan(tasks: Tasks) -> None:
    tasks.rules(detection(1), detection(2))
    tasks.all()
    tasks.rules(detection(1))
    with pytest.raises(AirflowFailException, match="confirm_deletions"):
        tasks.plan()
    assert tasks.plan(dry_run=True) == []
    tasks.all(confirm_deletions=True)
    assert len(tasks.standin.jobs) == 1


def test_the_share_that_may_vanish_is_a_setting(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks.rules(detection(1), detection(2))
    tasks.all()
    tasks.rules(detection(1))
    monkeypatch.setenv("OKTALOGGER_DETECTION_DELETE_PERCENT", "50")
    tasks.all()
    assert len(tasks.standin.jobs) == 1


def test_what_was_changed_by_hand_is_named_and_put_back_when_asked(
    tasks: Tasks, caplog: pytest.LogCaptureFixture
) -> None:
    tasks.rules(detection(1))
    tasks.all()
    (monitor_id,) = tasks.standin.jobs
    tasks.standin.edit(monitor_id, enabled=False)
    with caplog.at_level(logging.INFO):
        tasks.all()
    assert "enabled: files True, server False" in caplog.text
    assert tasks.standin.jobs[monitor_id].content["enabled"] is False
    tasks.all(put_back=["all"])
    assert tasks.standin.jobs[monitor_id].content["enabled"] is True


def test_a_channel_that_is_missing_fails_before_anything_is_written(tasks: Tasks) -> None:
    tasks.rules(detection(1), detection(2, channels=("nobody",)))
    with pytest.raises(AirflowFailException, match="'nobody' does not exist"):
        tasks.plan()
    assert tasks.standin.writes == []


def test_channels_of_the_settings_reach_the_monitors(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTALOGGER_DETECTION_CHANNELS", "soc")
    tasks.rules(detection(1), detection(2, severity="low"))
    tasks.all()
    actions = {
        content["name"].split()[2]: trigger["actions"]
        for content in tasks.standin.monitors().values()
        for trigger in content["triggers"][0].values()
    }
    assert [action["destination_id"] for action in actions["1"]] == ["c1"]
    assert actions["2"] == []


def test_without_the_plugin_it_is_skipped_and_says_so(tasks: Tasks) -> None:
    tasks.rules(detection(1, channels=("soc",)))
    tasks.standin.plugin = False
    with pytest.raises(AirflowSkipException, match="okta_detections_after_load"):
        tasks.plan()


def test_a_stale_bundle_fails_at_once(tasks: Tasks) -> None:
    tasks.rules(detection(1))
    (tasks.folder / "bundle.json").unlink()
    with pytest.raises(AirflowFailException, match="bundle"):
        tasks.plan()


def test_a_field_that_the_cluster_lacks_fails_at_once_before_anything_is_written(tasks: Tasks) -> None:
    tasks.rules(detection(1, fields=("oktalogger.debug.lifted_since",)))
    tasks.standin.mappings["okta-system-log-2026-11"] = {"_meta": {"version": 1}, "properties": {}}
    with pytest.raises(AirflowFailException, match="is version 1, ours is"):
        tasks.plan()
    with pytest.raises(AirflowFailException, match="is version 1, ours is"):
        tasks.apply({"detection_ids": [detection_id(1)]})
    assert tasks.standin.writes == []


def test_a_folder_that_is_not_there_fails_at_once(tasks: Tasks) -> None:
    tasks.folder = tasks.folder / "nowhere"
    with pytest.raises(AirflowFailException, match="nowhere' as a folder of detection rules, which is not a folder"):
        tasks.plan()


def test_a_refused_monitor_fails_its_part_only(tasks: Tasks) -> None:
    tasks.rules(detection(1))
    [part] = tasks.plan()
    tasks.standin.indices.clear()
    with pytest.raises(SyncIncompleteError, match="must be there first"):
        tasks.apply(part)


def test_many_changes_are_few_parts_and_no_rule_is_in_two(tasks: Tasks) -> None:
    tasks.rules(*(detection(number) for number in range(1, 251)))
    cut = tasks.plan()
    assert len(cut) == MOST_UNITS
    ids = [one for part in cut for one in part["detection_ids"]]
    assert len(ids) == len(set(ids)) == 250
    assert cut[0]["unit"].endswith("and 4 more")
    assert (len(tasks.xcoms["plan"]["steps"]), tasks.xcoms["plan"]["more"]) == (200, 50)


def test_a_rule_with_two_kinds_of_change_is_in_one_part(tasks: Tasks) -> None:
    from oktalogger.detections.monitors.change import ChangeKind, MonitorChange, SyncPlan

    steps = (
        MonitorChange(ChangeKind.DUPLICATE, "a", "A"),
        MonitorChange(ChangeKind.UPDATE, "a", "A"),
        MonitorChange(ChangeKind.DELETE, "b", "B"),
    )
    assert [part["unit"] for part in parts(SyncPlan(steps))] == ["update: A", "delete: B"]
