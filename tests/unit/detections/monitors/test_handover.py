"""From monitors of older forms to those of today: one apply, nothing judged twice, nothing by neither."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.standins.alerting import AlertingStandIn
from local.standins.monitors import INDEX, document_level_body, rendered, threshold_body
from oktalogger.detections.model import MonitorSettings, RenderedMonitor, source_hash
from oktalogger.detections.monitors.change import ChangeKind
from oktalogger.detections.monitors.handover import GRACE, ceiling_of, floor_of, is_old_form, with_ceiling, with_floor
from oktalogger.detections.monitors.plan import make_plan
from oktalogger.detections.monitors.render import render_monitor
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.monitors.sync import SyncOptions, SyncResult, apply_sync
from oktalogger.opensearch.names import IndexNames
from tests.unit.detections.compiled import EVENT, THRESHOLD
from tests.unit.detections.faults import client_of

OWNER = Owner()
MOMENT = datetime(2026, 11, 29, 10, tzinfo=UTC)
NEW = [
    render_monitor(rule, names=IndexNames(), channel_ids={}, settings=MonitorSettings()) for rule in (EVENT, THRESHOLD)
]


def old_threshold(number: int) -> dict[str, Any]:
    text = json.dumps(threshold_body(number)).replace("composite_agg", "groups")
    body: dict[str, Any] = json.loads(text)
    return body


def old(monitor: RenderedMonitor, body: dict[str, Any]) -> RenderedMonitor:
    body = {**body, "name": monitor.name}
    return replace(monitor, body=body, source_hash=source_hash(body))


OLD = [old(NEW[0], document_level_body(1)), old(NEW[1], old_threshold(2))]


def trigger_ids(body: dict[str, Any]) -> set[str]:
    return {inner["id"] for trigger in body["triggers"] for inner in trigger.values()}


def floors_of(standin: AlertingStandIn) -> set[datetime]:
    return {floor for one in standin.monitors().values() if (floor := floor_of(one))}


def sync(standin: AlertingStandIn, rules: list[RenderedMonitor]) -> SyncResult:
    # Nobody asks OpenSearch about forms that are no longer rendered.
    options = SyncOptions(delete_share=1.0, try_first=rules[0] not in OLD)
    return apply_sync(client_of(standin), rules, OWNER, options, sleep=lambda _: None)


def later(standin: AlertingStandIn, after: timedelta) -> dict[str, int]:
    plan = make_plan(NEW, client_of(standin).monitors(), OWNER, now=datetime.now(UTC) + after)
    return {kind: count for kind, count in plan.counts.items() if count}


@pytest.mark.parametrize("monitor", NEW, ids=["event", "threshold"])
def test_a_new_monitor_judges_from_a_moment_on(monitor: RenderedMonitor) -> None:
    body = with_floor(monitor.body, MOMENT)
    assert floor_of(body) == MOMENT
    assert floor_of(monitor.body) is None
    assert with_floor(monitor.body, None) == monitor.body
    assert not is_old_form(body)
    _, answer = AlertingStandIn().handle("POST", "/_plugins/_alerting/monitors", body)
    assert floor_of(answer["monitor"]) == MOMENT, "as the server writes it"
    assert floor_of(body, now=MOMENT + timedelta(days=4)) is None


def test_a_threshold_still_counts_what_was_loaded_before() -> None:
    search = with_floor(NEW[1].body, MOMENT)["inputs"][0]["search"]["query"]
    assert "2026-11-29" not in json.dumps(search["query"])
    inside = search["aggregations"]["composite_agg"]["aggregations"]
    for slots in ("okta_slots", "okta_shifted_slots"):
        assert "2026-11-29T10:00:00" in json.dumps(inside[slots]["aggregations"]["okta_fresh"])


@pytest.mark.parametrize("monitor", OLD, ids=["event", "threshold"])
def test_an_old_monitor_judges_what_was_loaded_before_it(monitor: RenderedMonitor) -> None:
    body = with_ceiling(monitor.body, MOMENT)
    assert ceiling_of(monitor.body) is None
    assert ceiling_of(body) == MOMENT
    assert is_old_form(body)
    _, answer = AlertingStandIn().handle("POST", "/_plugins/_alerting/monitors", body)
    assert ceiling_of(answer["monitor"]) == MOMENT


def test_one_apply_moves_a_deployment() -> None:
    standin = AlertingStandIn()
    sync(standin, OLD)
    foreign = standin.handle("POST", "/_plugins/_alerting/monitors", threshold_body(9) | {"name": "Somebody's"})[1]
    before = copy.deepcopy(standin.jobs[foreign["_id"]])
    result = sync(standin, NEW)
    assert [step.kind for step in result.done] == [ChangeKind.CREATE] * 2 + [ChangeKind.HAND_OVER] * 2
    for rule in NEW:
        of_rule = [content for content in standin.monitors().values() if content["name"] == rule.name]
        ceilings = {ceiling_of(content) for content in of_rule if is_old_form(content)}
        floors = {floor_of(content) for content in of_rule if not is_old_form(content)}
        # Each event is judged by exactly one of the two, and both are written before the moment comes.
        assert ceilings == floors
        (floor,) = floors
        assert floor is not None
        assert floor > datetime.now(UTC)
        (new,) = (content for content in of_rule if not is_old_form(content))
        assert trigger_ids(new) == trigger_ids(rule.body)
    assert standin.jobs[foreign["_id"]] == before
    assert sync(standin, NEW).writes == 0, "the old ones still judge what they were left"


def test_the_old_ones_go_when_they_have_judged_everything() -> None:
    standin = AlertingStandIn()
    sync(standin, OLD)
    sync(standin, NEW)
    assert later(standin, timedelta(minutes=3)) == {"unchanged": 2, "kept": 2}
    assert later(standin, GRACE + timedelta(minutes=3)) == {"unchanged": 2, "delete duplicate": 2}


def test_the_query_index_of_others_is_not_taken_away() -> None:
    # Who deletes the last monitor of a query index deletes the index, and perhaps the alias that all others need.
    standin = AlertingStandIn()
    sync(standin, OLD)
    standin.handle("POST", "/_plugins/_alerting/monitors", document_level_body(9) | {"name": "Somebody's"})
    sync(standin, NEW)
    after = GRACE + timedelta(minutes=3)
    assert later(standin, after) == {"unchanged": 2, "hand over": 1, "delete duplicate": 1, "foreign": 1}
    plan = make_plan(NEW, client_of(standin).monitors(), OWNER, now=datetime.now(UTC) + after)
    (off,) = plan.of(ChangeKind.HAND_OVER)
    assert off.stored is not None
    client = client_of(standin)
    client.update(off.stored, OWNER.body_of_old(off.stored, off.moment))
    assert standin.jobs[off.stored.id].content["enabled"] is False
    assert later(standin, after) == {"unchanged": 2, "kept": 1, "delete duplicate": 1, "foreign": 1}


def test_what_somebody_changed_in_an_old_monitor_stays() -> None:
    standin = AlertingStandIn()
    sync(standin, OLD[:1])
    (monitor_id,) = standin.jobs
    standin.edit(monitor_id, enabled=False)
    result = sync(standin, NEW[:1])
    assert (result.writes, result.plan.counts["changed by hand"]) == (0, 1)


def test_a_run_that_died_in_between_is_gone_on_with() -> None:
    standin = AlertingStandIn()
    sync(standin, OLD[:1])
    (step,) = make_plan(NEW[:1], client_of(standin).monitors(), OWNER).changes
    assert step.rendered is not None
    client_of(standin).create(OWNER.body_to_send(step.rendered, version=1, floor=step.moment))
    sync(standin, NEW[:1])
    moments = {floor_of(one) or ceiling_of(one) for one in standin.monitors().values()}
    assert len(standin.jobs) == 2
    assert len(moments) == 1


def test_the_moment_stays_over_an_edit_of_the_rule() -> None:
    standin = AlertingStandIn()
    sync(standin, OLD[:1])
    sync(standin, NEW[:1])
    changed = replace(EVENT, severity="high")
    monitor = render_monitor(changed, names=IndexNames(), channel_ids={}, settings=MonitorSettings())
    before = floors_of(standin)
    result = sync(standin, [monitor])
    assert [step.kind for step in result.done] == [ChangeKind.UPDATE]
    assert floors_of(standin) == before


def test_monitors_of_no_older_form_know_no_moment() -> None:
    standin = AlertingStandIn(indices={INDEX})
    sync(standin, [rendered(1)])
    assert [floor_of(one) for one in standin.monitors().values()] == [None]
