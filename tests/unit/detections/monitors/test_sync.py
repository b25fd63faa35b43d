"""The sync against the stand-in: what it sends, and what it does when a request goes wrong."""

from __future__ import annotations

from typing import Any

import pytest

from local.standins.alerting import AlertingStandIn
from local.standins.alerting_answers import Answer
from local.standins.monitors import detection_id, event_body, rendered, rules, threshold_body
from local.standins.transport import in_process_client
from oktalogger.detections.model import source_hash
from oktalogger.detections.monitors.api import (
    MONITORS,
    AlertingClient,
)
from oktalogger.detections.monitors.change import ChangeKind, PlanRefusedError
from oktalogger.detections.monitors.compare import normal
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.monitors.sync import SyncIncompleteError, SyncOptions, apply_sync, plan_sync
from oktalogger.opensearch.errors import OpenSearchUnavailableError
from tests.unit.detections.faults import client_of, cut, once

OWNER = Owner()


def sync(standin: AlertingStandIn, wanted: Any, *, client: AlertingClient | None = None, **options: Any) -> Any:
    return apply_sync(client or client_of(standin), wanted, OWNER, SyncOptions(**options), sleep=lambda _: None)


def names(standin: AlertingStandIn) -> list[str]:
    return sorted(content["name"] for content in standin.monitors().values())


def test_creates_updates_and_deletes_and_then_sends_no_write() -> None:
    standin = AlertingStandIn()
    assert sync(standin, rules(4)).writes == 4
    changed = [rendered(1, query="eventType:new"), *rules(4)[1:3]]
    result = sync(standin, changed, delete_share=0.5)
    assert [step.kind for step in result.done] == [ChangeKind.UPDATE, ChangeKind.DELETE]
    assert names(standin) == sorted(rule.name for rule in changed)
    log = len(standin.log)
    again = sync(standin, changed)
    assert (again.writes, again.rounds, len(standin.log) - log) == (0, 1, 1)
    assert again.as_dict()["left"]["counts"]["unchanged"] == 3


def test_marks_what_it_wrote_with_the_version_that_it_has() -> None:
    standin = AlertingStandIn()
    for query in ("a", "b", "c"):
        sync(standin, [rendered(1, query=query)])
    (job,) = standin.jobs.values()
    assert job.version == 3
    assert job.content["ui_metadata"]["oktalogger"] == {
        "detection_id": detection_id(1),
        "hash": rendered(1, query="c").source_hash,
        "version": 3,
        "content": source_hash(normal(event_body(1, query="c"))),
        "prefix": "okta-system-log",
    }


def test_reads_every_page_and_every_owner_and_no_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oktalogger.detections.monitors.api.PAGE_SIZE", 3)
    standin = AlertingStandIn()
    sync(standin, rules(10))
    ids = list(standin.jobs)
    standin.jobs[ids[0]].content["owner"] = "security_analytics"
    standin.add_workflow("all of them", ids)
    found = client_of(standin).monitors()
    assert sorted(monitor.id for monitor in found) == sorted(ids)


def test_reads_more_than_the_ten_monitors_that_a_search_returns_by_itself() -> None:
    standin = AlertingStandIn()
    sync(standin, rules(25))
    assert len(client_of(standin).monitors()) == 25
    assert sync(standin, rules(25)).writes == 0


def test_pages_do_not_lose_monitors_of_another_shard_with_the_same_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oktalogger.detections.monitors.api.PAGE_SIZE", 3)
    standin = AlertingStandIn()
    sync(standin, rules(9))
    for number, job in enumerate(standin.jobs.values()):
        job.seq_no = number // 2
    assert len(client_of(standin).monitors()) == 9


def test_a_monitor_that_is_written_while_pages_are_read_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oktalogger.detections.monitors.api.PAGE_SIZE", 3)
    standin = AlertingStandIn()
    sync(standin, rules(9))

    def edit(method: str, path: str) -> None:
        for monitor_id in list(standin.jobs)[:2]:
            standin.edit(monitor_id, keep_metadata=True)

    assert len({monitor.id for monitor in client_of(standin, after=edit).monitors()}) == 9


def test_monitors_that_the_plugin_returns_unparsed_are_read_too() -> None:
    standin = AlertingStandIn()
    sync(standin, rules(2))

    def unparsed(method: str, target: str, body: Any, headers: dict[str, str]) -> Answer:
        status, answer = standin.handle(method, target, body, headers)
        for hit in answer["hits"]["hits"]:
            hit["_source"] = {"monitor": hit["_source"]}
        return status, answer

    client = AlertingClient(in_process_client(unparsed))
    assert plan_sync(client, rules(2), OWNER).counts["unchanged"] == 2


def test_asks_as_dashboards_so_that_its_own_marker_comes_back() -> None:
    standin = AlertingStandIn()
    sync(standin, rules(1))
    (monitor,) = client_of(standin).monitors()
    assert OWNER.marker(monitor) is not None
    again = client_of(standin).get(monitor.id)
    assert again is not None
    assert OWNER.marker(again) is not None


def test_a_proxy_that_hides_the_marker_costs_no_writes_without_end() -> None:
    standin = AlertingStandIn()

    def proxy(method: str, target: str, body: Any, headers: dict[str, str]) -> Answer:
        return standin.handle(method, target, body, headers | {"user-agent": "proxy"})

    client = AlertingClient(in_process_client(proxy), sleep=lambda _: None)
    assert sync(standin, rules(3), client=client).writes == 3
    again = sync(standin, rules(3), client=client)
    assert again.writes == 0
    assert again.plan.warnings


def test_a_create_whose_connection_was_cut_is_not_sent_twice() -> None:
    standin = AlertingStandIn()
    result = sync(standin, rules(1), client=client_of(standin, after=once("POST", MONITORS, cut)))
    assert len(standin.jobs) == 1
    assert result.writes == 1
    lost = AlertingStandIn()
    sync(lost, rules(1), client=client_of(lost, before=once("POST", MONITORS, cut)))
    assert len(lost.jobs) == 1


def test_a_create_that_was_refused_for_load_is_repeated() -> None:
    standin = AlertingStandIn()
    busy = once("POST", MONITORS, lambda: (429, {"error": {"type": "x", "reason": "too many requests"}, "status": 429}))
    result = sync(standin, rules(1), client=client_of(standin, before=busy))
    assert (len(standin.jobs), result.rounds) == (1, 2)


def test_an_update_in_conflict_is_read_and_planned_again() -> None:
    standin = AlertingStandIn()
    sync(standin, [rendered(1), rendered(2)])

    def colleague() -> None:
        for monitor_id, content in standin.monitors().items():
            if content["name"].startswith("oktalogger: Rule 1 "):
                standin.edit(monitor_id, enabled=False)

    changed = [rendered(1, query="new"), rendered(2, query="new")]
    client = client_of(standin, before=once("PUT", MONITORS, colleague))
    result = sync(standin, changed, client=client)
    assert [step.detection_id for step in result.done] == [detection_id(2)]
    assert [step.detection_id for step in result.plan.of(ChangeKind.EDITED)] == [detection_id(1)]
    assert [content["enabled"] for content in standin.monitors().values()].count(False) == 1


def test_a_monitor_that_vanished_is_created_again() -> None:
    standin = AlertingStandIn()
    sync(standin, rules(1))
    client = client_of(standin, before=once("PUT", MONITORS, standin.jobs.clear))
    sync(standin, [rendered(1, query="new")], client=client)
    assert len(standin.jobs) == 1


def test_an_update_that_may_be_half_done_is_written_again() -> None:
    # The server stores the monitor, then fails to store its queries: the monitor looks right and never fires.
    standin = AlertingStandIn()
    sync(standin, rules(1))
    failed: Answer = (500, {"error": {"type": "x", "reason": "could not index queries"}, "status": 500})
    client = client_of(standin, after=once("PUT", MONITORS, lambda: failed))
    result = sync(standin, [rendered(1, query="new")], client=client)
    assert [method for method, _ in standin.writes] == ["POST", "PUT", "PUT"]
    assert result.rounds == 3


def test_a_monitor_that_was_edited_is_not_deleted_in_the_last_moment() -> None:
    standin = AlertingStandIn()
    sync(standin, rules(2))

    def colleague() -> None:
        for monitor_id in standin.jobs:
            standin.edit(monitor_id, enabled=False)

    client = client_of(standin, before=once("GET", MONITORS, colleague))
    result = sync(standin, [], client=client, confirm_deletions=True)
    assert len(standin.jobs) == 2
    assert result.plan.counts["changed by hand"] == 2


def test_a_refused_monitor_does_not_stop_the_others() -> None:
    standin = AlertingStandIn()
    bad = rendered(2, index="no-such-index")
    with pytest.raises(SyncIncompleteError, match="no-such-index") as raised:
        sync(standin, [rendered(1), bad, rendered(3)])
    assert len(standin.jobs) == 2
    assert raised.value.result.problems.keys() == {detection_id(2)}
    assert raised.value.result.rounds == 2


def test_a_script_that_does_not_compile_is_not_stored() -> None:
    standin = AlertingStandIn()
    body = threshold_body(1)
    body["triggers"][0]["bucket_level_trigger"]["condition"]["script"]["source"] = "params.n >= (3"
    with pytest.raises(SyncIncompleteError, match="compile error"):
        sync(standin, [rendered(1, body=body)])
    assert not standin.jobs


def test_what_the_server_drops_is_an_error_in_every_run() -> None:
    standin = AlertingStandIn()
    body = threshold_body(1)
    sources = body["inputs"][0]["search"]["query"]["aggs"]["composite_agg"]["composite"]["sources"]
    sources[1] = {"slot": {"date_histogram": {"field": "published", "fixed_interval": "10m", "offset": "5m"}}}
    for writes in (2, 0):
        with pytest.raises(SyncIncompleteError, match="offset") as raised:
            sync(standin, [rendered(1, body=body), rendered(2)])
        assert raised.value.result.writes == writes


def test_a_monitor_that_a_workflow_uses_is_named() -> None:
    standin = AlertingStandIn()
    sync(standin, rules(1))
    standin.add_workflow("combined", list(standin.jobs))
    with pytest.raises(SyncIncompleteError, match="composite monitor"):
        sync(standin, [], confirm_deletions=True)


def test_too_many_deletions_stop_everything_else_too() -> None:
    standin = AlertingStandIn()
    sync(standin, rules(4))
    log = len(standin.writes)
    with pytest.raises(PlanRefusedError):
        sync(standin, [rendered(9)])
    assert len(standin.writes) == log


def test_deals_only_with_the_rules_that_it_was_given() -> None:
    standin = AlertingStandIn()
    sync(standin, rules(4), only=frozenset({detection_id(2)}))
    assert names(standin) == [rules(4)[1].name]


def test_gives_up_when_somebody_writes_without_end() -> None:
    standin = AlertingStandIn()
    sync(standin, rules(1))

    def always(method: str, path: str) -> None:
        if method == "PUT":
            for monitor_id in standin.jobs:
                standin.edit(monitor_id, keep_metadata=True, enabled=False)

    with pytest.raises(SyncIncompleteError, match="version conflict"):
        sync(standin, [rendered(1, query="new")], client=client_of(standin, before=always), put_back=frozenset({"all"}))


def test_a_server_that_stays_away_is_a_typed_error() -> None:
    with pytest.raises(OpenSearchUnavailableError):
        sync(AlertingStandIn(), rules(1), client=client_of(AlertingStandIn(), before=lambda *_: cut()))


def test_two_syncs_at_once_leave_one_monitor() -> None:
    standin = AlertingStandIn()
    sync(
        standin,
        rules(3),
        client=client_of(
            standin, before=once("POST", MONITORS + "/_execute", lambda: sync(standin, rules(3)) and None)
        ),
    )
    assert names(standin) == sorted(rule.name for rule in rules(3))


def test_the_caller_hears_of_each_step() -> None:
    heard: list[str] = []
    standin = AlertingStandIn()
    apply_sync(client_of(standin), rules(2), OWNER, on_step=lambda step: heard.append(step.detection_id))
    assert heard == [detection_id(1), detection_id(2)]
