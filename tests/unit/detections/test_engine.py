"""What OpenSearch says of a search becomes a sentence for the rule's author; the answers are recorded ones."""

from __future__ import annotations

from typing import Any

import pytest

from local.standins import engine as answers
from local.standins.alerting import AlertingStandIn
from local.standins.alerting_answers import Answer
from local.standins.monitors import rendered, threshold_body
from local.standins.transport import in_process_client
from oktalogger.detections.engine import refusals
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.monitors.sync import SyncIncompleteError, apply_sync
from oktalogger.detections.monitors.trial import monitor_refusals
from oktalogger.opensearch.errors import IndexMissingError, OpenSearchPermissionError
from tests.unit.detections.faults import client_of

INDEX = "okta-system-log"
SEARCH = {"size": 0, "query": {"query_string": {"query": "eventType:a"}}}
TOO_MANY_CLAUSES = {
    "error": {
        "root_cause": [
            {
                "type": "too_many_nested_clauses",
                "reason": "Query contains too many nested clauses; maxClauseCount is set to 1024",
            }
        ],
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
    },
    "status": 500,
}


def asked(validated: str | Answer, searched: Answer | None = None) -> tuple[tuple[str, ...], list[tuple[str, Any]]]:
    """Ask a server that answers so."""
    requests: list[tuple[str, Any]] = []

    def handle(_: str, target: str, body: Any, __: dict[str, str]) -> Answer:
        requests.append((target, body))
        if "_validate" not in target:
            return searched or answers.search(body)
        return answers.validate(INDEX, body, {"": validated}) if isinstance(validated, str) else validated

    return refusals(in_process_client(handle), INDEX, SEARCH, title="Rule", sleep=lambda _: None), requests


def test_a_search_without_a_fault_is_validated_as_parsed_and_then_run() -> None:
    said, requests = asked("ConstantScore(eventType:a)")
    assert said == ()
    (validate, text), (search, body) = requests
    assert validate == f"/{INDEX}/_validate/query?explain=true&rewrite=false"
    assert text == {"query": {"query_string": {"query": "eventType:a"}}}
    assert search == f"/{INDEX}/_search"
    assert (body["size"], body["terminate_after"]) == (0, 1)


@pytest.mark.parametrize(
    ("explained", "words"),
    [
        (answers.TOO_COMPLEX_2, "too complex; let what comes before"),
        (f"+(+eventType:a -{answers.TOO_COMPLEX_2}) -oktalogger.historical:T", "too complex; let what comes before"),
        (answers.TOO_COMPLEX_3, "too complex; let what comes before"),
        ('eventType:a MatchNoDocsQuery("unmapped fields [nosuch]")', "correct its name"),
        ('eventType:a MatchNoDocsQuery("unmapped field:nosuch")', "unmapped field:nosuch"),
        (
            "MatchNoDocsQuery(\"failed [client.ipAddress] query, caused by illegal_argument_exception:['x' is not an "
            'IP string literal.]")',
            "'x' is not an IP string literal",
        ),
        (
            f"[i/u] QueryShardException[Failed to parse query [{'x' * 40_000}]]; nested: IllegalArgumentException["
            "Query string length exceeds max allowed length 32000 (search.query.max_query_string_length)];",
            "split it, or its list, in two",
        ),
    ],
)
def test_what_a_server_says_becomes_a_sentence(explained: str, words: str) -> None:
    (said,), requests = asked(explained)
    assert words in said
    assert len(said) < 900
    assert len(requests) == 1


def test_a_value_that_looks_like_the_servers_words_is_no_fault() -> None:
    assert asked('+actor.displayName:MatchNoDocsQuery("failed x")')[0] == ()


def test_too_many_clauses_show_only_when_the_search_runs() -> None:
    (said,), _ = asked("ok", (500, TOO_MANY_CLAUSES))
    assert "split it, or its list, in two" in said
    assert "maxClauseCount is set to 1024" in said


def test_a_script_that_does_not_compile_is_found_with_its_text() -> None:
    standin = AlertingStandIn()
    body = threshold_body(3)
    body["triggers"][0]["bucket_level_trigger"]["condition"]["script"]["source"] = "params.n > ("
    (said,) = monitor_refusals(in_process_client(standin.handle), body)
    assert "params.n > (" in said
    assert "compile error" in said


def test_an_index_that_is_not_there_is_told() -> None:
    client = in_process_client(AlertingStandIn(indices=set()).handle)
    with pytest.raises(IndexMissingError):
        refusals(client, INDEX, SEARCH, title="Rule")


def test_apply_stores_no_monitor_that_opensearch_cannot_run_and_all_others() -> None:
    standin = AlertingStandIn(refused={"displayName:/": answers.TOO_COMPLEX_2})
    wanted = [rendered(1), rendered(2, query="eventType:a AND NOT actor.displayName:/.{0,60}!.{0,60}/")]
    with pytest.raises(SyncIncompleteError, match="too complex"):
        apply_sync(client_of(standin), wanted, Owner(), sleep=lambda _: None)
    assert [content["name"] for content in standin.monitors().values()] == [wanted[0].name]


def test_apply_goes_on_and_says_so_where_it_may_not_ask() -> None:
    standin = AlertingStandIn()
    reason = "no permissions for [indices:admin/validate/query] and User [name=sync, backend_roles=[]]"
    forbidden = {"error": {"type": "security_exception", "reason": reason}, "status": 403}

    def before(_: str, path: str) -> Answer | None:
        return (403, forbidden) if "_validate" in path else None

    result = apply_sync(client_of(standin, before), [rendered(1), rendered(2)], Owner(), sleep=lambda _: None)
    assert len(standin.monitors()) == 2
    assert "indices:admin/validate/query" in result.unasked
    assert result.as_dict()["unasked"] == result.unasked
    client = in_process_client(lambda *_: (403, forbidden))
    with pytest.raises(OpenSearchPermissionError):
        refusals(client, INDEX, SEARCH, title="Rule")
