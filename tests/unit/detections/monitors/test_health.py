"""Whether monitors are at work, asked of the stand-in, which answers as the real plugin does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from local.standins.alerting import BASE, AlertingStandIn, NeverAnswersError
from local.standins.monitors import rendered
from oktalogger.detections.criteria import Absence
from oktalogger.detections.model import MonitorSettings
from oktalogger.detections.monitors.api import MonitorMissingError
from oktalogger.detections.monitors.health import Health, check_health, not_at_work, shape_problems
from oktalogger.detections.monitors.render import render_monitor
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.monitors.sync import apply_sync
from oktalogger.opensearch.names import IndexNames
from tests.unit.detections.compiled import EVENT, THRESHOLD
from tests.unit.detections.faults import client_of

OWNER = Owner()
NAMES = IndexNames()
SETTINGS = MonitorSettings(default_channels=("soc",))


@pytest.fixture
def standin() -> AlertingStandIn:
    standin = AlertingStandIn(channels=[{"config_id": "c1", "name": "soc"}])
    rules = [
        render_monitor(rule, names=NAMES, channel_ids={"soc": "c1"}, settings=SETTINGS) for rule in (EVENT, THRESHOLD)
    ]
    apply_sync(client_of(standin), rules, OWNER)
    return standin


def id_of(standin: AlertingStandIn, name: str) -> str:
    return next(one for one, content in standin.monitors().items() if name in content["name"])


def health(standin: AlertingStandIn, **options: Any) -> Health:
    client = client_of(standin)
    return check_health(client, client.monitors(), **options)


def test_monitors_at_work_are_well(standin: AlertingStandIn) -> None:
    assert health(standin) == Health({})


def test_a_monitor_that_fails_says_so_only_when_it_is_asked(standin: AlertingStandIn) -> None:
    standin.failing[id_of(standin, EVENT.id)] = "no such index [lg-gone]"
    (problem,) = health(standin).problems
    assert EVENT.title in problem
    assert "no such index [lg-gone]" in problem


def test_a_failure_without_a_word_is_one(standin: AlertingStandIn) -> None:
    standin.failing[id_of(standin, EVENT.id)] = ""
    (problem,) = health(standin).problems
    assert "without a word" in problem


def test_a_monitor_that_has_missed_three_runs_does_not_run(standin: AlertingStandIn) -> None:
    standin.idle.add(id_of(standin, EVENT.id))
    now = datetime.now(UTC)
    assert health(standin, now=now + timedelta(minutes=2)).ailing == {}, "just written"
    assert "never run" in health(standin, now=now + timedelta(minutes=4)).problems[0]
    # The other runs every three minutes.
    standin.idle.clear()
    assert list(health(standin, now=now + timedelta(minutes=4)).ailing) == [EVENT.monitor_name]
    assert len(health(standin, now=now + timedelta(minutes=10)).ailing) == 2


def test_a_scheduler_that_is_off_runs_nothing(standin: AlertingStandIn) -> None:
    standin.is_scheduling = False
    assert len(health(standin).ailing) == 2
    assert "plugins.scheduled_jobs.enabled" in health(standin).problems[0]


def test_alerts_that_would_double_are_told_before_they_do(standin: AlertingStandIn) -> None:
    monitor = id_of(standin, EVENT.id)
    standin.alerts = [{"id": str(one), "monitor_id": monitor, "state": "ACTIVE"} for one in range(400)]
    assert health(standin).problems == ()
    standin.alerts.append({"id": "400", "monitor_id": monitor, "state": "ACTIVE"})
    (problem,) = health(standin).problems
    assert "401 of its alerts are open" in problem
    assert "cells: 16" in problem


def bucket(key: dict[str, Any]) -> dict[str, Any]:
    return {"agg_alert_content": {"properties": {"bucket": {"properties": {"key": key}}}}}


def test_an_index_of_alerts_that_drops_ours_is_told(standin: AlertingStandIn) -> None:
    names = {"okta_org": {"type": "text"}, "okta_hour": {"type": "long"}}
    standin.alert_mapping = bucket({"properties": names})
    assert health(standin).problems == ()
    standin.alert_mapping = bucket({"type": "text"})
    (problem,) = health(standin).problems
    assert "drops every alert of ours" in problem
    for name, kind in (("okta_actor", "date"), ("okta_hour", "text"), ("okta_cell", "long")):
        (problem,) = shape_problems(bucket({"properties": {**names, name: {"type": kind}}}))
        assert f"{name} as {kind}" in problem
    assert list(shape_problems(bucket({"properties": {"theirs": {"type": "date"}}}))) == []


def test_what_may_not_be_asked_is_said(standin: AlertingStandIn) -> None:
    def refuse(method: str, path: str, *_: Any) -> Any:
        if "stats" not in path:
            return None
        right = "cluster:admin/opendistro/_scheduled_jobs/stats"
        reason = f"no permissions for [{right}] and User [name=x, backend_roles=[], requestedTenant=null]"
        return 403, {"error": {"type": "security_exception", "reason": reason}, "status": 403}

    client = client_of(standin, before=refuse)
    found = check_health(client, client.monitors())
    assert found.problems == ()
    assert "not known when monitors last ran" in found.unasked[0]


def why_not(standin: AlertingStandIn, **options: Any) -> dict[str, str]:
    rules = [EVENT, THRESHOLD]
    return not_at_work(client_of(standin), rules, names=NAMES, settings=SETTINGS, owner=OWNER, **options)


def test_rules_whose_monitors_are_at_work_need_nobody_else(standin: AlertingStandIn) -> None:
    assert why_not(standin) == {}


def test_a_rule_that_no_monitor_can_run_needs_none(standin: AlertingStandIn) -> None:
    absent = replace(EVENT, id=str(UUID(int=7)), absence=Absence(seconds=3600, group_by=(), history_seconds=86_400))
    assert not_at_work(client_of(standin), [absent], names=NAMES, settings=SETTINGS, owner=Owner()) == {}


def test_rules_without_a_monitor_at_work_are_named(standin: AlertingStandIn) -> None:
    event, threshold = id_of(standin, EVENT.id), id_of(standin, THRESHOLD.id)
    del standin.jobs[threshold]
    assert why_not(standin) == {THRESHOLD.id: "it has no monitor"}
    standin.edit(event, enabled=False)
    assert why_not(standin)[EVENT.id] == "its monitor is switched off"
    standin.edit(event, enabled=True)
    assert why_not(standin)[EVENT.id] == "its monitor was changed by hand"
    assert set(why_not(AlertingStandIn(is_untouched=True)).values()) == {"it has no monitor"}


def test_a_monitor_of_an_older_rule_is_not_at_work(standin: AlertingStandIn) -> None:
    changed = replace(EVENT, selection="eventType:other")
    said = not_at_work(client_of(standin), [changed], names=NAMES, settings=SETTINGS, owner=OWNER)
    assert said == {EVENT.id: "its monitor is not what the rule says now"}


def test_a_monitor_that_does_not_run_is_not_at_work(standin: AlertingStandIn) -> None:
    standin.idle.add(id_of(standin, EVENT.id))
    assert "never run" in why_not(standin, now=datetime.now(UTC) + timedelta(minutes=5))[EVENT.id]


def test_acknowledging_never_asks_for_a_monitor_that_is_gone(standin: AlertingStandIn) -> None:
    client = client_of(standin)
    monitor = next(one for one in client.monitors() if EVENT.id in one.name)
    standin.alerts = [{"id": "a", "monitor_id": monitor.id, "state": "ACTIVE"}]
    assert client.acknowledge(monitor, ["a"]) == {}
    assert client.acknowledge(monitor, ["a"]) == {"a": "Alert has already been acknowledged."}
    assert "does not exist" in client.acknowledge(monitor, ["nope"])["nope"]
    del standin.jobs[monitor.id]
    # Asked for a monitor that is not there, the real plugin never answers.
    with pytest.raises(NeverAnswersError):
        standin.handle("POST", f"{BASE}/{monitor.id}/_acknowledge/alerts", {"alerts": ["a"]})
    with pytest.raises(MonitorMissingError, match="is gone"):
        client.acknowledge(monitor, ["a"])


def test_the_plugin_refuses_more_than_ten_triggers_and_an_index_of_alerts_of_our_own() -> None:
    body = rendered(1).body
    standin = AlertingStandIn()
    status, answer = standin.handle("POST", BASE, body | {"triggers": body["triggers"] * 11})
    assert (status, "10 triggers" in answer["error"]["reason"]) == (400, True)
    status, answer = standin.handle("POST", BASE, body | {"data_sources": {"alerts_index": "mine"}})
    assert (status, answer["error"]["reason"]) == (400, "Custom Data Sources are not allowed.")


def test_a_dry_run_does_not_say_what_is_wrong_with_a_script() -> None:
    body = rendered(1).body
    body["triggers"][0]["bucket_level_trigger"]["condition"]["script"]["source"] = "params.n > ("
    (said,) = client_of(AlertingStandIn()).dry_run(body)
    assert "compile" not in said
    assert "Empty list" in said
