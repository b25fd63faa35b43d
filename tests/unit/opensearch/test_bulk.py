"""What the bulk load makes of a server's answers."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from oktalogger.opensearch.bulk import BulkResult, BulkRetry, BulkWriter, Document
from oktalogger.opensearch.documents import Revision
from oktalogger.opensearch.errors import (
    IndexBlockedError,
    IndexMissingError,
    OpenSearchAuthenticationError,
    OpenSearchLoadError,
    OpenSearchPermissionError,
    OpenSearchRequestError,
    OpenSearchResponseError,
    OpenSearchUnavailableError,
)
from oktalogger.opensearch.names import IndexNames

from .conftest import Answer, Received, Server, stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opensearchpy import OpenSearch

INDEX = "okta-system-log-2026-11"


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writer(client: OpenSearch, clock: Clock) -> BulkWriter:
    return BulkWriter(client, sleep=clock.sleep, clock=clock)


def create(writer: BulkWriter, documents: Sequence[Document]) -> BulkResult:
    """Create as the load does."""
    return writer.write(documents, alias_of=IndexNames().write_alias)


def documents(*ids: str, size: int = 0) -> list[Document]:
    return [Document(identity, INDEX, b'{"x":"%b"}' % (b"x" * size)) for identity in ids]


def with_item(status: int, error_type: str, reason: str = "because") -> Answer:
    item = {"status": status, "error": {"type": error_type, "reason": reason}}
    return Answer(body={"items": [{"create": item}]})


def test_the_request_creates_through_an_alias_that_must_exist(server: Server, writer: BulkWriter) -> None:
    result = create(writer, [Document('a"b', INDEX, b'{"n":\n1}'), *documents("c")])
    request = server.received[0]
    path, _, query = request.path.partition("?")
    assert (request.method, path) == ("POST", f"/{INDEX}-write/_bulk")
    assert "require_alias=true" in query
    assert request.headers["content-type"] == "application/x-ndjson"
    assert request.body == b'{"create":{"_id":"a\\"b"}}\n{"n": 1}\n{"create":{"_id":"c"}}\n{"x":""}\n'
    assert result == BulkResult(created=2, requests=1, bytes_sent=len(request.body))


def test_nothing_to_do_sends_nothing(server: Server, writer: BulkWriter) -> None:
    assert create(writer, []) == BulkResult()
    assert server.received == []


def test_only_refused_items_are_sent_again(server: Server, writer: BulkWriter, clock: Clock) -> None:
    server.script = [
        lambda request: stored(request, b=429, c=503, d=409, e=400),
        lambda request: stored(request, c=429),
    ]
    result = create(writer, documents("a", "b", "c", "d", "e"))
    assert [request.ids for request in server.received] == [["a", "b", "c", "d", "e"], ["b", "c"], ["c"]]
    assert (result.created, result.existing, result.retried, result.requests) == (3, 1, 3, 3)
    assert result.unclear == 0
    assert [(r.id, r.reason_type, r.reason) for r in result.rejected] == [("e", "some_exception", "because of e")]
    assert result.bytes_sent == sum(len(request.body) for request in server.received)
    assert 0.25 <= clock.slept[0] <= 0.5
    assert 0.5 <= clock.slept[1] <= 1.0


@pytest.mark.parametrize("status", [429, 502, 503, 504, 500])
def test_a_whole_request_is_tried_again(server: Server, writer: BulkWriter, status: int) -> None:
    server.script = [Answer(status, b"<html>busy</html>", "text/html")] * 3
    result = create(writer, documents("a", "b"))
    assert (result.created, result.retried, result.requests) == (2, 6, 4)
    assert len(server.received) == 4, "opensearch-py repeats nothing by itself"


def test_trying_ends_after_a_bounded_time(server: Server, writer: BulkWriter, clock: Clock) -> None:
    server.script = [Answer(503, b"", "text/plain")] * 100
    with pytest.raises(OpenSearchUnavailableError, match="HTTP 503") as caught:
        create(writer, documents("a"))
    assert caught.value.retryable
    assert 60 < sum(clock.slept) <= BulkRetry().total_seconds
    assert max(clock.slept) <= BulkRetry().longest_wait_seconds


@pytest.mark.parametrize("status", [403, 429])
def test_blocked_writes_are_waited_for_less_long_and_reject_nothing(
    server: Server, writer: BulkWriter, clock: Clock, status: int
) -> None:
    server.script = [with_item(status, "cluster_block_exception", "index [x] blocked by: [flood-stage]")] * 100
    with pytest.raises(IndexBlockedError):
        create(writer, documents("a"))
    assert 5 < sum(clock.slept) <= BulkRetry().blocked_seconds


def test_a_lost_answer_makes_existing_documents_unclear(server: Server, writer: BulkWriter) -> None:
    server.script = [Answer(0), lambda request: stored(request, a=409, b=409)]
    result = create(writer, documents("a", "b", "c"))
    assert (result.created, result.existing, result.unclear, result.retried) == (1, 2, 2, 3)
    assert len(server.received) == 2, "opensearch-py repeats nothing by itself"


def test_a_refused_request_leaves_nothing_unclear(server: Server, writer: BulkWriter) -> None:
    server.script = [Answer(429, {"error": {"type": "rejected_execution_exception"}}), lambda r: stored(r, a=409)]
    assert create(writer, documents("a")).unclear == 0


def test_a_time_out_is_tried_again(server: Server, client: OpenSearch, clock: Clock) -> None:
    def late(request: Received) -> Answer:
        time.sleep(2)
        return stored(request)

    client.transport.get_connection().timeout = 1
    client.transport.get_connection()._create_urllib3_pool()
    server.script = [late]
    writer = BulkWriter(client, sleep=clock.sleep, clock=clock)
    result = create(writer, documents("a"))
    assert (result.created, result.requests) == (1, 2)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>Please log in</html>", "text/html"),
        Answer(200, {"items": []}),
        Answer(200, {"items": [{"create": {"status": 201}}]}),
        Answer(200, {"items": [{"index": {"status": 201}}]}),
        Answer(200, b'{"items":[{"create":{"sta', claimed_length=1000),
        Answer(200, b'{"items":[{"create":{"sta'),
    ],
    ids=["a proxy's page", "no items", "too few items", "other items", "cut off", "cut off, without a trace"],
)
def test_an_answer_that_is_none_is_never_taken_for_one(server: Server, writer: BulkWriter, answer: Answer) -> None:
    server.script = [answer, lambda request: stored(request, a=409)]
    result = create(writer, documents("a", "b"))
    assert (result.created, result.existing, result.unclear, result.requests) == (1, 1, 1, 2)


def test_a_proxys_page_for_ever_is_an_error(server: Server, writer: BulkWriter) -> None:
    server.script = [Answer(200, b"<html>Please log in</html>", "text/html")] * 100
    with pytest.raises(OpenSearchResponseError, match="Please log in"):
        create(writer, documents("a"))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401, b"Unauthorized", "text/plain"), OpenSearchAuthenticationError),
        (Answer(403, {"Message": "User: anonymous is not authorized"}), OpenSearchPermissionError),
        (Answer(404, b"not here", "text/plain"), OpenSearchRequestError),
        (Answer(302, b"", "text/plain"), OpenSearchRequestError),
        (with_item(403, "security_exception"), OpenSearchPermissionError),
        (with_item(401, "security_exception"), OpenSearchAuthenticationError),
        (with_item(404, "index_not_found_exception"), IndexMissingError),
        (with_item(400, "index_closed_exception"), IndexBlockedError),
    ],
)
def test_what_is_not_the_documents_fault_is_raised_at_once(
    server: Server, writer: BulkWriter, answer: Answer, error: type[OpenSearchLoadError]
) -> None:
    server.script = [answer]
    with pytest.raises(error):
        create(writer, documents("a"))
    assert len(server.received) == 1


@pytest.mark.parametrize("status", [413, 400])
def test_a_document_that_the_server_takes_in_no_body_is_found_and_rejected(
    server: Server, writer: BulkWriter, status: int
) -> None:
    def answer(request: Received) -> Answer:
        if "large" in request.ids:
            return Answer(status, b"Request Entity Too Large", "text/plain")
        return stored(request)

    server.script = [answer] * 20
    result = create(writer, documents("a", "b", "c", "large", "d", "e", "f"))
    assert result.created == 6
    assert [rejection.id for rejection in result.rejected] == ["large"]
    assert result.rejected[0].reason_type == f"http_{status}"
    assert "Too Large" in result.rejected[0].reason


def test_a_server_error_of_one_document_rejects_it_where_others_are_taken(server: Server, writer: BulkWriter) -> None:
    server.script = [lambda request: stored(request, b=500)] * 10
    result = create(writer, documents("a", "b"))
    assert (result.created, [rejection.id for rejection in result.rejected]) == (1, ["b"])
    assert len(server.received) == BulkRetry().server_error_tries


def test_a_server_error_of_one_document_rejects_no_other_that_is_refused_for_load(
    server: Server, writer: BulkWriter
) -> None:
    tries = BulkRetry().server_error_tries
    busy = [lambda request: stored(request, b=500, c=429, d=503)] * tries
    server.script = [*busy, lambda request: stored(request, d=500), lambda request: stored(request)]
    result = create(writer, documents("a", "b", "c", "d"))
    assert [rejection.id for rejection in result.rejected] == ["b"]
    assert result.created == 3, "d had one server error of its own, after many of the others"


def test_a_server_error_of_every_document_rejects_none(server: Server, writer: BulkWriter) -> None:
    server.script = [lambda request: stored(request, a=500, b=500)] * 100
    with pytest.raises(OpenSearchUnavailableError, match="HTTP 500"):
        create(writer, documents("a", "b"))


def test_bodies_stay_below_the_bound(server: Server, client: OpenSearch) -> None:
    writer = BulkWriter(client, max_body_bytes=1000)
    result = create(writer, [*documents(*map(str, range(30)), size=100), *documents("large", size=5000)])
    assert result.created == 31
    sizes = [len(request.body) for request in server.received]
    assert sorted(sizes)[-2] <= 1000 < sorted(sizes)[-1]
    assert min(sizes[:-2]) > 800
    assert server.received[-1].ids == ["large"]


def test_results_add_up() -> None:
    one = BulkResult(created=1, existing=2, retried=3, bytes_sent=4, requests=5, unclear=6)
    assert one + one == BulkResult(created=2, existing=4, retried=6, bytes_sent=8, requests=10, unclear=12)
    assert sum([one, one], start=BulkResult()) == one + one
    assert replace(one) == one


def update(identity: str, source: bytes = b'{"doc":{"a":1}}', read: Revision | None = None) -> Document:
    return Document(identity, "matches", source, action="update", read=read)


def test_each_action_goes_to_the_index_itself_where_no_alias_is_named(server: Server, writer: BulkWriter) -> None:
    result = writer.write(
        [
            Document("a", "matches", b"{}"),
            Document("b", "matches", b"{}", action="index"),
            update("c"),
            update("d", read=Revision(7, 2)),
        ],
        refresh=True,
    )
    request = server.received[0]
    path, _, query = request.path.partition("?")
    assert path == "/matches/_bulk"
    assert "require_alias" not in query
    assert "refresh=true" in query
    assert "timeout=20s" in query
    assert request.items == [
        ("create", {"_id": "a"}),
        ("index", {"_id": "b"}),
        ("update", {"_id": "c", "retry_on_conflict": 3}),
        ("update", {"_id": "d", "if_seq_no": 7, "if_primary_term": 2}),
    ]
    assert (result.created, result.updated) == (2, 2)


def test_a_conflict_is_existing_for_a_create_and_sent_again_for_an_update(server: Server, writer: BulkWriter) -> None:
    server.script = [lambda request: stored(request, a=409, b=409, c=429)]
    result = writer.write([Document("a", "matches", b"{}"), update("b"), update("c")])
    assert [request.ids for request in server.received] == [["a", "b", "c"], ["b", "c"]]
    assert (result.existing_ids, result.updated, result.retried, result.rejected) == (("a",), 2, 2, ())


def test_an_update_that_met_a_conflict_is_made_anew_and_no_other(server: Server, writer: BulkWriter) -> None:
    server.script = [lambda request: stored(request, a=409, b=409, c=429)]
    stale: list[str] = []

    def renew(documents: Sequence[Document]) -> list[Document]:
        stale.extend(document.id for document in documents)
        return [update("a", b'{"doc":{"a":2}}', Revision(9, 1))]

    old = Revision(1, 1)
    result = writer.write([update("a", read=old), update("b", read=old), update("c", read=old)], renew=renew)
    assert stale == ["a", "b"]
    again = server.received[1]
    assert again.items == [
        ("update", {"_id": "c", "if_seq_no": 1, "if_primary_term": 1}),
        ("update", {"_id": "a", "if_seq_no": 9, "if_primary_term": 1}),
    ]
    assert again.sources == [{"doc": {"a": 1}}, {"doc": {"a": 2}}]
    assert (result.updated, result.retried) == (2, 2), "b needed no update any more"


def test_where_nothing_is_left_to_write_nothing_is_sent(server: Server, writer: BulkWriter) -> None:
    server.script = [lambda request: stored(request, a=409)]
    result = writer.write([update("a", read=Revision(1, 1))], renew=lambda _: [])
    assert (len(server.received), result.updated) == (1, 0)


def test_a_conflict_without_an_end_can_be_tried_again_later(server: Server, writer: BulkWriter, clock: Clock) -> None:
    server.script = [lambda request: stored(request, a=409)] * 100
    with pytest.raises(OpenSearchUnavailableError, match="kept writing") as caught:
        writer.write([update("a")])
    assert caught.value.retryable
    assert 60 < sum(clock.slept) <= BulkRetry().total_seconds


def test_an_update_of_what_is_gone_is_rejected_alone(server: Server, writer: BulkWriter) -> None:
    server.script = [lambda request: stored(request, a=404)]
    result = writer.write([update("a"), update("b")])
    assert [(one.id, one.reason_type) for one in result.rejected] == [("a", "document_missing_exception")]
    assert result.updated == 1


def test_an_answer_to_another_action_is_none(server: Server, writer: BulkWriter) -> None:
    server.script = [Answer(200, {"items": [{"index": {"status": 201}}]})]
    result = create(writer, documents("a"))
    assert (result.created, result.requests) == (1, 2)


def test_a_rejection_carries_the_whole_event_and_where_it_was_to_go(server: Server, writer: BulkWriter) -> None:
    source = json.dumps({"uuid": "u", "published": "2026-11-23T10:00:00.000Z"}).encode()
    error = {
        "type": "mapper_parsing_exception",
        "reason": "failed to parse",
        "caused_by": {"type": "x", "reason": "the inner reason", "caused_by": {"type": "y", "reason": "inner"}},
    }
    server.script = [Answer(200, {"items": [{"create": {"status": 400, "error": error}}]})]
    (rejection,) = create(writer, [Document("u", INDEX, source)]).rejected
    assert rejection.event == source
    assert rejection.published == "2026-11-23T10:00:00.000Z"
    assert (rejection.id, rejection.index) == ("u", INDEX)
    assert rejection.reason == "failed to parse: the inner reason"


def test_a_wait_that_somebody_would_notice_is_in_the_log(
    server: Server, writer: BulkWriter, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = [lambda request: stored(request, a=429)] * 4
    create(writer, documents("a"))
    lines = [record.getMessage() for record in caplog.records if "Trying again in" in record.getMessage()]
    assert len(lines) == len([seconds for seconds in clock.slept if seconds >= 1]) > 0
    assert "okta-system-log-2026-11-write" in lines[0]
