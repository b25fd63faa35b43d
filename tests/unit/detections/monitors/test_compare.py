from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from local.standins.alerting import AlertingStandIn
from local.standins.monitors import document_level_body, event_body, threshold_body
from oktalogger.detections.monitors.compare import differences, dropped, normal

DATA = Path(__file__).parents[3] / "data"
FORMS = json.loads((DATA / "stored-forms-2.19.json").read_text())["forms"]
EXCHANGES = json.loads((DATA / "alerting-exchanges.json").read_text())
WRITTEN = [exchange for exchange in EXCHANGES if exchange["status"] in (200, 201) and "monitor" in exchange["response"]]
WRITTEN = [exchange for exchange in WRITTEN if exchange["body"]]


def search_monitor(search: dict[str, Any]) -> dict[str, Any]:
    return {"type": "monitor", "inputs": [{"search": {"indices": ["i"], "query": search}}]}


@pytest.mark.parametrize("form", FORMS, ids=[json.dumps(form["sent"])[12:90] for form in FORMS])
def test_a_search_and_its_stored_form_are_the_same(form: dict[str, Any]) -> None:
    found = differences(search_monitor(form["sent"]), search_monitor(form["stored"]))
    if '"composite"' in json.dumps(form) and '"offset"' in json.dumps(form["sent"]):
        (lost,) = found
        assert lost.path.endswith("date_histogram.offset")
        assert (lost.files, lost.server) == ("5m", None)
    else:
        assert found == ()


@pytest.mark.parametrize("exchange", WRITTEN, ids=[exchange["name"] for exchange in WRITTEN])
def test_a_recorded_monitor_is_what_was_sent(exchange: dict[str, Any]) -> None:
    assert dropped(exchange["body"], exchange["response"]["monitor"]) == ()


@pytest.mark.parametrize(
    "body", [event_body(1), threshold_body(2), document_level_body(3)], ids=["event", "threshold", "old"]
)
def test_a_monitor_of_ours_survives_the_stand_in(body: dict[str, Any]) -> None:
    _, answer = AlertingStandIn().handle("POST", "/_plugins/_alerting/monitors", body)
    assert differences(body, answer["monitor"]) == ()


def _filters(body: dict[str, Any]) -> list[dict[str, Any]]:
    filters: list[dict[str, Any]] = body["inputs"][0]["search"]["query"]["query"]["bool"]["filter"]
    return filters


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda body: body.update(enabled=False), "enabled"),
        (lambda body: body.update(name="other"), "name"),
        (lambda body: body["schedule"]["period"].update(interval=5), "schedule.period.interval"),
        (lambda body: body["triggers"][0]["bucket_level_trigger"].update(severity="5"), "severity"),
        (lambda body: body["triggers"][0]["bucket_level_trigger"]["actions"].append({"name": "a"}), "actions[0]"),
        (lambda body: _filters(body)[0]["query_string"].update(query="eventType:y"), "query"),
        (lambda body: body["inputs"][0]["search"]["indices"].append("other"), "indices[1]"),
        (lambda body: body["triggers"].clear(), "triggers[0]"),
    ],
)
def test_shows_where_a_monitor_was_changed(change: Any, path: str) -> None:
    files = event_body(1)
    server = copy.deepcopy(files)
    change(server)
    (found,) = differences(files, server)
    assert path in found.path


@pytest.mark.parametrize(
    ("files", "server"),
    [
        ({"range": {"published": {"gt": "a"}}}, {"range": {"published": {"gte": "a"}}}),
        ({"range": {"published": {"gt": "a"}}}, {"range": {"published": {"gt": "b"}}}),
        ({"term": {"a": "b"}}, {"term": {"a": {"value": "c", "boost": 1.0}}}),
        ({"term": {"a": "b"}}, {"term": {"a": {"value": "b", "boost": 2.0}}}),
        ({"exists": {"field": "a"}}, {"exists": {"field": "b"}}),
        ({"match_all": {}}, {"match_none": {}}),
        ({"query_string": {"query": "a"}}, {"query_string": {"query": "a", "default_operator": "and"}}),
    ],
)
def test_does_not_take_different_searches_for_the_same(files: dict[str, Any], server: dict[str, Any]) -> None:
    assert differences(search_monitor({"query": files}), search_monitor({"query": server}))


def test_does_not_call_dropped_what_the_server_added() -> None:
    sent = event_body(1)
    assert dropped(sent, {**sent, "new_in_some_version": {"a": 1}}) == ()
    assert differences(sent, {**sent, "new_in_some_version": {"a": 1}}) != ()


def test_leaves_the_values_it_compares_as_they_are() -> None:
    body = threshold_body(1)
    before = copy.deepcopy(body)
    normal(body)
    assert body == before


def test_cuts_long_values_in_what_people_read() -> None:
    (found,) = differences({"name": "a" * 500}, {"name": "b"})
    assert len(found.as_dict()["files"]) == 160
    assert str(found).startswith("name: files 'aaa")
