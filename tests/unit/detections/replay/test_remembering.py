"""Keeping matches, and who has heard of them, while OpenSearch has too much to do or others write the same."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow")

from oktalogger.compat import AirflowFailException
from oktalogger.detections.replay.alerts import Alert, mark_notified
from oktalogger.detections.replay.matches import store_matches
from oktalogger.opensearch.errors import IndexMissingError, OpenSearchRequestError
from oktalogger.operators.errors import failing_at_once
from tests.unit.detections.bundles import detection
from tests.unit.opensearch.conftest import Answer, Received, Server, stored

from .test_alerts import AT, match

if TYPE_CHECKING:
    from collections.abc import Callable

    from opensearchpy import OpenSearch

INDEX = "okta-detection-matches"


class Matches:
    """An index of matches that answers ``_mget`` and ``_bulk``, and keeps who has heard of what."""

    def __init__(self, *ids: str) -> None:
        self.heard: dict[str, list[str]] = {identity: [] for identity in ids}
        self.seq_no = Counter(ids)
        self.before_bulk: list[Callable[[Received], Answer | None]] = []

    def write(self, identity: str, channels: list[str]) -> None:
        self.heard[identity] = channels
        self.seq_no[identity] += 1

    def __call__(self, request: Received) -> Answer:
        if "/_mget" in request.path:
            return Answer(body={"docs": [self.document(one) for one in json.loads(request.body)["ids"]]})
        answer = self.before_bulk.pop(0)(request) if self.before_bulk else None
        return answer or self.bulk(request)

    def document(self, identity: str) -> dict[str, Any]:
        if identity not in self.heard:
            return {"_id": identity, "found": False}
        source = {"notified": self.heard[identity]}
        return {
            "_id": identity,
            "found": True,
            "_seq_no": self.seq_no[identity],
            "_primary_term": 1,
            "_source": source,
        }

    def bulk(self, request: Received) -> Answer:
        statuses = {}
        for (_, said), source in zip(request.items, request.sources, strict=True):
            identity = said["_id"]
            if identity not in self.heard:
                statuses[identity] = 404
            elif said.get("if_seq_no", self.seq_no[identity]) != self.seq_no[identity]:
                statuses[identity] = 409
            else:
                self.write(identity, source["doc"]["notified"])
        return stored(request, **statuses)


def mark(client: OpenSearch, channel: str, *ids: int) -> None:
    alert = Alert(detection(1), channel, tuple(match(number) for number in ids))
    with failing_at_once():
        mark_notified(client, INDEX, alert, sleep=lambda _: None)


def serve(server: Server, matches: Matches) -> None:
    server.script = [matches] * 50


def busy(request: Received) -> Answer:
    return stored(request, **dict.fromkeys(request.ids, 429))


def test_a_full_write_queue_is_waited_for_while_matches_are_stored(server: Server, client: OpenSearch) -> None:
    server.script = [lambda request: stored(request, **{"1": 429, "2": 409, "3": 429}), busy, busy]
    waits: list[float] = []
    new = store_matches(
        client,
        INDEX,
        detection(1),
        [match(1), match(2), match(3)],
        run_id="r",
        found_at=AT,
        sleep=waits.append,
    )
    assert [one.id for one in new] == ["1", "3"]
    assert [request.ids for request in server.received] == [["1", "2", "3"], *[["1", "3"]] * 3]
    assert len(waits) == 3


def test_a_server_that_is_away_is_waited_for_while_matches_are_stored(server: Server, client: OpenSearch) -> None:
    server.script = [Answer(503, b"", "text/plain"), Answer(0)]
    new = store_matches(client, INDEX, detection(1), [match(1)], run_id="r", found_at=AT, sleep=lambda _: None)
    assert ([one.id for one in new], len(server.received)) == (["1"], 3)


def test_a_match_that_is_refused_for_what_it_is_keeps_no_other_from_being_stored(
    server: Server, client: OpenSearch
) -> None:
    server.script = [lambda request: stored(request, **{"2": 400})]
    with pytest.raises(OpenSearchRequestError, match=r"refused 1 of 3 matches of Rule 1, .* because of 2"):
        store_matches(
            client, INDEX, detection(1), [match(1), match(2), match(3)], run_id="r", found_at=AT, sleep=lambda _: None
        )
    assert server.received[0].ids == ["1", "2", "3"]


def test_a_full_write_queue_is_waited_for_while_who_heard_is_remembered(server: Server, client: OpenSearch) -> None:
    matches = Matches("1", "2")
    matches.before_bulk = [busy, lambda _: Answer(429, {"error": {"type": "x"}}), lambda _: Answer(0)]
    serve(server, matches)
    mark(client, "soc", 1, 2)
    assert matches.heard == {"1": ["soc"], "2": ["soc"]}


def test_a_server_that_is_away_is_waited_for_as_long_as_by_a_bulk_request(server: Server, client: OpenSearch) -> None:
    matches = Matches("1")
    server.script = [*[Answer(503, b"", "text/plain")] * 9, *[matches] * 5]
    waits: list[float] = []
    mark_notified(client, INDEX, Alert(detection(1), "soc", (match(1),)), sleep=waits.append)
    assert matches.heard == {"1": ["soc"]}
    assert sum(waits) > 60


def test_two_tasks_that_remember_two_channels_at_once_lose_none(server: Server, client: OpenSearch) -> None:
    matches = Matches("1", "2")

    def other_task(_: Received) -> None:
        matches.write("1", ["pager"])

    matches.before_bulk = [other_task]
    serve(server, matches)
    mark(client, "soc", 1, 2)
    assert matches.heard == {"1": ["pager", "soc"], "2": ["soc"]}


def test_another_conflict_right_after_the_first_ends_nothing(server: Server, client: OpenSearch) -> None:
    matches = Matches("1")
    others = iter(["pager", "mail", "chat"])

    def other_task(_: Received) -> None:
        matches.write("1", [*matches.heard["1"], next(others)])

    matches.before_bulk = [other_task] * 3
    serve(server, matches)
    mark(client, "soc", 1)
    assert matches.heard == {"1": ["chat", "mail", "pager", "soc"]}


def test_what_another_task_has_remembered_meanwhile_is_not_written_again(server: Server, client: OpenSearch) -> None:
    matches = Matches("1")

    def other_task(_: Received) -> None:
        matches.write("1", ["soc"])

    matches.before_bulk = [other_task]
    serve(server, matches)
    mark(client, "soc", 1)
    assert [request.path.partition("?")[0].rpartition("/")[2] for request in server.received] == [
        "_mget",
        "_bulk",
        "_mget",
    ]


def test_matches_that_are_gone_end_nothing(
    server: Server, client: OpenSearch, caplog: pytest.LogCaptureFixture
) -> None:
    matches = Matches("2")
    matches.before_bulk = [lambda _: matches.heard.clear()]
    serve(server, matches)
    mark(client, "soc", 1, 2)
    assert "1 matches are no longer in okta-detection-matches" in caplog.text


def test_a_server_that_does_not_tell_revisions_is_written_all_the_same(server: Server, client: OpenSearch) -> None:
    matches = Matches("1")
    document = matches.document

    def without_revision(identity: str) -> dict[str, Any]:
        return {key: value for key, value in document(identity).items() if key not in ("_seq_no", "_primary_term")}

    matches.document = without_revision  # type: ignore[method-assign]
    serve(server, matches)
    mark(client, "soc", 1)
    assert matches.heard == {"1": ["soc"]}


def test_a_refusal_for_good_says_that_the_notification_went_out(server: Server, client: OpenSearch) -> None:
    matches = Matches("1", "2")
    matches.before_bulk = [lambda request: stored(request, **{"2": 400})]
    serve(server, matches)
    with pytest.raises(AirflowFailException, match="soc was told of Rule 1, but OpenSearch refused to remember"):
        mark(client, "soc", 1, 2)


def test_an_index_that_is_gone_is_an_error(server: Server, client: OpenSearch) -> None:
    server.script = [Answer(404, {"error": {"type": "index_not_found_exception", "reason": "no such index"}})]
    with pytest.raises(IndexMissingError):
        store_matches(client, INDEX, detection(1), [match(1)], run_id="r", found_at=AT, sleep=lambda _: None)
