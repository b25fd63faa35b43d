"""The stand-in answers as the real server did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.standins.alerting import AlertingStandIn
from local.standins.stored_form import stored_search

DATA = Path(__file__).parents[3] / "data"
EXCHANGES = json.loads((DATA / "alerting-exchanges.json").read_text())
FORMS = json.loads((DATA / "stored-forms-2.19.json").read_text())["forms"]

# What depends on the clock, on chance, or on documents that only a real server can search.
MASKED = {
    *("_id", "_seq_no", "id", "took", "_score", "max_score", "enabled_time", "last_update_time"),
    *("period_start", "period_end", "results", "agg_result_buckets", "triggered"),
}
DEFAULT_MONITOR_MASK = "<masked>"


def masked(value: Any, key: str = "") -> Any:
    if key in MASKED:
        return DEFAULT_MONITOR_MASK if value is not None else None
    if isinstance(value, dict):
        return {name: masked(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    return value


def without_ids(text: str, ids: dict[str, str], numbers: dict[str, str]) -> str:
    for theirs, ours in {**ids, **numbers}.items():
        text = text.replace(theirs, ours)
    return text


@pytest.fixture(scope="module")
def replayed() -> list[tuple[dict[str, Any], int, Any]]:
    """Every recorded request sent to a stand-in, in order, with the ids that it gave instead of the recorded ones."""
    standin = AlertingStandIn(indices={"okta-system-log-contract"})
    ids: dict[str, str] = {}
    numbers: dict[str, str] = {}
    answers = []
    for exchange in EXCHANGES:
        target = without_ids(exchange["path"], ids, numbers)
        status, answer = standin.handle(exchange["method"], target, exchange["body"], {"user-agent": "recorder"})
        recorded = exchange["response"]
        if "_seq_no" in recorded:
            numbers[f"if_seq_no={recorded['_seq_no']}&"] = f"if_seq_no={answer['_seq_no']}&"
            numbers[f"[{recorded['_seq_no']}]"] = f"[{answer['_seq_no']}]"
        if exchange["method"] == "POST" and status == 201:
            ids[recorded["_id"]] = answer["_id"]
        for trigger_id, result in recorded.get("trigger_results", {}).items():
            for ours, mine in answer["trigger_results"].items():
                if mine["name"] == result["name"]:
                    ids[trigger_id] = ours
        expected = json.loads(without_ids(json.dumps(recorded), ids, numbers))
        answers.append(({**exchange, "response": expected}, status, answer))
    return answers


@pytest.mark.parametrize("number", range(len(EXCHANGES)), ids=[exchange["name"] for exchange in EXCHANGES])
def test_answers_as_recorded(number: int, replayed: list[tuple[dict[str, Any], int, Any]]) -> None:
    exchange, status, answer = replayed[number]
    assert status == exchange["status"]
    expected, got = masked(exchange["response"]), masked(answer)
    if "hits" in expected:
        for side in (expected, got):
            side["hits"]["hits"].sort(key=json.dumps)
    for result in (got, expected):
        for trigger in result.get("trigger_results", {}).values():
            if trigger["error"]:
                trigger["error"] = "compile error" in trigger["error"]
    assert got == expected


@pytest.mark.parametrize("form", FORMS, ids=[json.dumps(form["sent"])[12:90] for form in FORMS])
def test_stores_a_search_as_the_server_writes_it(form: dict[str, Any]) -> None:
    assert stored_search(form["sent"]) == form["stored"]


@pytest.mark.parametrize("form", FORMS, ids=[json.dumps(form["sent"])[12:90] for form in FORMS])
def test_a_stored_search_is_stored_again_as_it_is(form: dict[str, Any]) -> None:
    assert stored_search(form["stored"]) == form["stored"]


def test_shows_ui_metadata_only_to_dashboards() -> None:
    standin = AlertingStandIn(indices={"okta-system-log-contract"})
    created = next(exchange for exchange in EXCHANGES if exchange["name"] == "create query-level")
    _, answer = standin.handle("POST", created["path"], created["body"])
    path = f"{created['path']}/{answer['_id']}"
    assert "ui_metadata" not in standin.handle("GET", path, headers={"user-agent": "curl"})[1]["monitor"]
    seen = standin.handle("GET", path, headers={"user-agent": "x OpenSearch-Dashboards y"})[1]["monitor"]
    assert seen["ui_metadata"] == created["body"]["ui_metadata"]


def test_the_recording_shows_that_ui_metadata_is_withheld() -> None:
    get = next(exchange for exchange in EXCHANGES if exchange["name"] == "get")
    assert "ui_metadata" not in get["response"]["monitor"]
