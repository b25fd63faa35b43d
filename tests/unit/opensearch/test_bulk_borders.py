"""Where the bulk writer's bounds lie, and what it does at them."""

from __future__ import annotations

import random

import pytest
from opensearchpy import OpenSearch

from oktalogger.opensearch.bulk import DEFAULT_MAX_BODY_BYTES, BulkRetry, BulkWriter, Document
from oktalogger.opensearch.bulk_response import read_outcomes
from oktalogger.opensearch.errors import OpenSearchResponseError, OpenSearchUnavailableError

from .conftest import Answer, Received, Server, stored
from .test_bulk import INDEX, Clock, create, documents


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writer(client: OpenSearch, clock: Clock) -> BulkWriter:
    return BulkWriter(client, sleep=clock.sleep, clock=clock)


def test_the_bounds_that_hold_where_nobody_sets_others() -> None:
    assert BulkRetry() == BulkRetry(
        first_wait_seconds=0.5,
        longest_wait_seconds=20.0,
        total_seconds=120.0,
        blocked_seconds=30.0,
        server_error_tries=6,
    )
    assert DEFAULT_MAX_BODY_BYTES == 5_242_880


def test_documents_are_made_visible_at_once_only_where_that_was_asked_for(server: Server, writer: BulkWriter) -> None:
    writer.write(documents("a"))
    writer.write(documents("a"), refresh=True)
    assert ["refresh=true" in request.path for request in server.received] == [False, True]
    assert "refresh" not in server.received[0].path


def test_an_id_that_no_body_can_hold_is_rejected_and_not_sent(server: Server, writer: BulkWriter) -> None:
    result = writer.write([Document("", INDEX, b"\xff"), *documents("a")])
    (rejection,) = result.rejected
    assert (rejection.id, rejection.reason_type, rejection.published) == (None, "invalid_id", None)
    assert "0 bytes" in rejection.reason
    assert [request.ids for request in server.received] == [["a"]]


@pytest.mark.parametrize(("action", "status"), [("update", 200), ("create", 409), ("create", 201)])
def test_whatever_the_server_took_shows_that_it_takes_others(
    server: Server, writer: BulkWriter, action: str, status: int
) -> None:
    def one_fails(request: Received) -> Answer:
        return stored(request, bad=500, good=status)

    server.script = [one_fails] * 6
    good = Document("good", INDEX, b"{}", action)  # type: ignore[arg-type]
    result = writer.write([good, *documents("bad")])
    assert [rejection.id for rejection in result.rejected] == ["bad"]
    assert result.created + result.updated + result.existing == 1


def test_a_body_that_is_too_large_is_halved(server: Server, writer: BulkWriter) -> None:
    def one_at_a_time(request: Received) -> Answer:
        return stored(request) if len(request.ids) == 1 else Answer(413, b"")

    server.script = [one_at_a_time] * 20
    assert create(writer, documents(*"abcdef")).created == 6
    assert [len(request.ids) for request in server.received] == [6, 3, 1, 2, 1, 1, 3, 1, 2, 1, 1]


def test_a_wait_that_ends_with_the_bound_is_still_taken(
    server: Server, client: OpenSearch, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    server.script = [Answer(503, {})] * 9
    writer = BulkWriter(client, retry=BulkRetry(total_seconds=1.5), sleep=clock.sleep, clock=clock)
    with pytest.raises(OpenSearchUnavailableError):
        create(writer, documents("a"))
    assert clock.slept == [0.5, 1.0]


@pytest.mark.parametrize("answer", [{"items": 7}, {"items": [{"create": {"status": "x"}}]}, [], "items"])
def test_an_answer_of_another_form_is_none(answer: object) -> None:
    with pytest.raises(OpenSearchResponseError, match="What answered a bulk request is not OpenSearch"):
        read_outcomes(answer, ["create"])
