"""Detections after each load where the cluster has the Alerting plugin, and the notifiers that they tell."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from local.standins.alerting import AlertingStandIn
from local.standins.monitors import detection_id
from local.standins.transport import serve
from oktalogger.compat import AirflowSkipException
from oktalogger.detections.criteria import Absence, RiskSum
from oktalogger.detections.model import Exclusion
from oktalogger.detections.monitors.render import monitor_settings, render_monitor
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.monitors.sync import apply_sync
from oktalogger.notifications.channels import make_notifier
from oktalogger.opensearch.names import IndexNames
from oktalogger.operators.detection_replay import (
    DetectionAlertOperator,
)
from oktalogger.operators.detection_verdict import DetectionVerdictOperator, MonitorsNotAtWorkError
from oktalogger.settings import SettingsError, load_settings
from tests.airflow.test_dags import load_dags
from tests.airflow.test_detection_operators import execute, logged
from tests.unit.detections.bundles import detection, write_folder
from tests.unit.detections.faults import client_of

if TYPE_CHECKING:
    from pathlib import Path


def _run_with_plugin(operator: type[Any], standin: AlertingStandIn, folder: Path) -> None:
    with serve(standin) as url, pytest.MonkeyPatch.context() as patch:
        where = urlsplit(url)
        connection = {"conn_type": "opensearch", "host": where.hostname, "port": where.port, "schema": "http"}
        patch.setenv("AIRFLOW_CONN_OPENSEARCH_DEFAULT", json.dumps(connection))
        execute(logged(operator)(task_id="task", folder=str(folder)), {"run_id": "1", "params": {}})


def _with_plugin(standin: AlertingStandIn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run the task where two rules are, and return what it runs itself."""
    ran: list[str] = []

    def look(_: Any, __: Any, ___: Any, rules: Any, *____: Any) -> Any:
        ran.extend(rule.id for rule in rules)
        return [], None

    monkeypatch.setattr(DetectionAlertOperator, "_look", look)
    _run_with_plugin(DetectionAlertOperator, standin, folder)
    return ran


def test_with_the_plugin_it_is_skipped_only_where_monitors_are_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rules = [detection(1), detection(2)]
    write_folder(tmp_path, rules)
    standin = AlertingStandIn()
    assert len(_with_plugin(standin, tmp_path, monkeypatch)) == 2, "nobody has made a monitor"
    assert "no monitor is at work for 2 of 2 rules" in caplog.text
    settings = monitor_settings(load_settings())
    monitors = [render_monitor(rule, names=IndexNames(), channel_ids={}, settings=settings) for rule in rules]
    apply_sync(client_of(standin), monitors, Owner())
    with pytest.raises(AirflowSkipException, match="a monitor is at work for each rule"):
        _with_plugin(standin, tmp_path, monkeypatch)
    first = next(iter(standin.jobs))
    standin.edit(first, enabled=False)
    assert len(_with_plugin(standin, tmp_path, monkeypatch)) == 1
    assert "its monitor is switched off" in caplog.text


def test_the_verdict_fails_where_the_plugin_is_and_a_monitor_is_not_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [detection(1), detection(2)]
    write_folder(tmp_path, rules)
    standin = AlertingStandIn()
    with pytest.raises(MonitorsNotAtWorkError, match=r"(?s)for 2 of 2 rules.*okta_detections.*Rule 1: it has no moni"):
        _run_with_plugin(DetectionVerdictOperator, standin, tmp_path)
    settings = monitor_settings(load_settings())
    monitors = [render_monitor(rule, names=IndexNames(), channel_ids={}, settings=settings) for rule in rules]
    apply_sync(client_of(standin), monitors, Owner())
    _run_with_plugin(DetectionVerdictOperator, standin, tmp_path)
    standin.edit(next(iter(standin.jobs)), enabled=False)
    with pytest.raises(MonitorsNotAtWorkError, match=r"(?s)for 1 of 2 rules.*its monitor is switched off"):
        _run_with_plugin(DetectionVerdictOperator, standin, tmp_path)
    monkeypatch.setenv("OKTALOGGER_MONITORS_EXPECTED", "false")
    _run_with_plugin(DetectionVerdictOperator, standin, tmp_path)


def test_with_the_plugin_it_runs_what_no_monitor_can_and_keeps_what_others_find_for_a_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missed = detection(3, absence=Absence(seconds=3600, group_by=(), history_seconds=86_400))
    summed = detection(4, selection="", risk_sum=RiskSum(at_least=100, rules=2))
    excepted = Exclusion("why", ("rule_2",), "eventType:x", owner="me", until="2099-01-01")
    rules = [detection(1), detection(2, exceptions=(excepted,))]
    settings = monitor_settings(load_settings())
    standin = AlertingStandIn()
    monitors = [render_monitor(rule, names=IndexNames(), channel_ids={}, settings=settings) for rule in rules]
    apply_sync(client_of(standin), monitors, Owner())
    kept: list[str] = []

    def keep(_: Any, __: Any, rules: Any, *____: Any, **_____: Any) -> None:
        kept.extend(rule.id for rule in rules)

    monkeypatch.setattr("oktalogger.operators.detection_replay.keep_excepted", keep)
    write_folder(tmp_path, [*rules, missed])
    assert _with_plugin(standin, tmp_path, monkeypatch) == [detection_id(3)]
    assert kept == [detection_id(2)], "rule 2 alerts by its monitor, and what is excepted is kept here"
    write_folder(tmp_path, [*rules, missed, summed])
    assert _with_plugin(standin, tmp_path, monkeypatch) == [detection_id(number) for number in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ({"class": "no.such.Notifier"}, "ModuleNotFoundError"),
        ({"class": "oktalogger.notifications.webhook.Other"}, "AttributeError"),
        ({"class": "oktalogger.notifications.webhook.WebhookNotifier", "colour": "red"}, "TypeError"),
        ({"class": "oktalogger.window.WindowError"}, "is not a notifier"),
    ],
)
def test_a_notifier_that_cannot_be_made_is_named(definition: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=f"{definition['class']}.*'soc'.*{why}") as raised:
        make_notifier("soc", definition)
    assert "red" not in str(raised.value)


def test_the_notifier_of_the_documentation_can_be_made() -> None:
    documented = re.search(r"`(\{\"soc\".*?\}\})`", str(load_dags()["okta_detections_after_load"].doc_md), re.DOTALL)
    assert documented is not None
    notifier = make_notifier("soc", json.loads(documented[1])["soc"])
    assert type(notifier).__name__ == "SnsNotifier"
    assert "message" in notifier.template_fields
