"""Refusals, limits, broken connections and wrong hosts, each from a real server: the error, its words, the retries."""

from __future__ import annotations

import socket
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from oktalogger.okta import errors
from oktalogger.okta.retry import RetrySettings
from oktalogger.okta.system_log import SystemLogClient, SystemLogQuery
from tests.unit.okta.server import TOKEN, Answer, ScriptedServer, error, events, gzipped, page, too_many

Connect = Callable[..., SystemLogClient]
PAGE = events(*[("2026-11-23T10:00:00.000Z", str(n)) for n in range(50)], padding="x" * 500)
HTML = b"<!DOCTYPE html><html><head><title>Access\n denied</title></head></html>"


def read(client: SystemLogClient, query: SystemLogQuery) -> int:
    return sum(len(page_.events) for page_ in client.pages(query))


@pytest.fixture
def query(query: SystemLogQuery) -> SystemLogQuery:
    return SystemLogQuery(since=query.since, until=query.until)


REFUSALS: list[tuple[Answer, type[errors.OktaApiError], str]] = [
    (
        error(401, "E0000011", "Invalid token provided"),
        errors.OktaAuthenticationError,
        "Okta refuses the login: 401 E0000011 Invalid token provided.*Security > API > Tokens",
    ),
    (error(401, "E0000004", "Authentication failed"), errors.OktaAuthenticationError, "401 E0000004"),
    (error(401, "E0000004", "odd", content_type="text/html"), errors.OktaAuthenticationError, "401 E0000004 odd"),
    (error(403, "E0000005", "Invalid session"), errors.OktaAuthenticationError, "403 E0000005"),
    (Answer(401, b"", content_type=""), errors.OktaAuthenticationError, "401 with an empty body"),
    (
        error(403, "E0000006", "You do not have permission to perform the requested action"),
        errors.OktaPermissionError,
        "Okta denies access: 403 E0000006.*Read-only Administrator",
    ),
    (
        Answer(
            403,
            b"",
            [("WWW-Authenticate", 'Bearer realm="x", scope="okta.logs.read", error="insufficient_scope", a="b"')],
        ),
        errors.OktaScopeError,
        "A scope is missing: 403 insufficient_scope.*okta.logs.read",
    ),
    (
        error(
            400,
            "E0000001",
            "Api validation failed: 'until'",
            ["'until': The date format in your query is not recognized.", "second cause"],
        ),
        errors.OktaRequestError,
        r"400 E0000001 Api validation failed: 'until' \('until': The date format .*; second cause\)",
    ),
    (
        error(400, "E0000053", "Invalid parameter: The since parameter is over 180 days prior to the current day."),
        errors.OktaRequestError,
        "over 180 days prior to the current day. This was",
    ),
    (error(404, "E0000007", "Not found: Resource"), errors.OktaRequestError, "Check the org URL"),
    (error(405, "E0000022", "The endpoint does not support"), errors.OktaRequestError, "405 E0000022"),
    (Answer(400, b'{"message":"no"}'), errors.OktaRequestError, "400 with JSON that Okta does not send"),
]


@pytest.mark.parametrize(("answer", "kind", "says"), REFUSALS)
def test_refusals_are_told_apart(
    okta: ScriptedServer,
    connect: Connect,
    query: SystemLogQuery,
    answer: Answer,
    kind: type[errors.OktaApiError],
    says: str,
) -> None:
    okta.answers(answer)
    with pytest.raises(errors.OktaApiError, match=says) as caught:
        read(connect(), query)
    assert type(caught.value) is kind
    passing = answer.status in (401, 404) or b"E0000006" in answer.body
    assert len(okta.asked) == (4 if passing else 1)
    message = str(caught.value)
    assert f"GET {okta.url}/api/v1/logs (window 2026-11-23T10:00:00.000Z to 2026-11-23T10:05:00.000Z)" in message
    assert TOKEN not in message + repr(caught.value.__dict__)
    assert caught.value.status == answer.status
    assert caught.value.url.startswith(f"{okta.url}/api/v1/logs?since=")
    assert ("Gave up after 4 requests" in message) is passing
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "answer",
    [
        error(403, "E0000006", "You do not have permission to perform the requested action"),
        error(401, "E0000011", "Invalid token provided"),
        error(404, "E0000007", "Not found: Resource"),
        Answer(408, b""),
        Answer(425, b""),
        Answer(500, b""),
        Answer(520, b""),
    ],
)
def test_a_refusal_that_passes_costs_no_load(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery, answer: Answer
) -> None:
    okta.answers(answer, answer, answer, page(b"[]"))
    (only,) = connect().pages(query)
    assert only.requests == 4


@pytest.mark.parametrize("answer", [Answer(407, b""), error(407, "E0000001", "Proxy"), error(500, "E0000002", "odd")])
def test_some_refusals_are_final_at_once(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery, answer: Answer
) -> None:
    okta.answers(answer)
    with pytest.raises(errors.OktaError):
        read(connect(), query)
    assert len(okta.asked) == 1


def test_troubles_in_between_leave_refusals_no_more_tries(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery
) -> None:
    refusal, trouble = error(403, "E0000006", "no"), Answer(503, b"")
    okta.answers(refusal, trouble, refusal, trouble, refusal, trouble, refusal)
    with pytest.raises(errors.OktaPermissionError):
        read(connect(), query)
    assert len(okta.asked) == 7


def test_the_error_keeps_oktas_words(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    okta.answers(error(400, "E0000001", "Api validation failed", ["one", "two"]))
    with pytest.raises(errors.OktaRequestError) as caught:
        read(connect(), query)
    found = caught.value
    assert (found.code, found.summary, found.causes, found.request_id) == (
        "E0000001",
        "Api validation failed",
        ("one", "two"),
        "req-e",
    )


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(200, HTML, content_type="text/html"), r"HTML titled 'Access denied' \(status 200, text/html"),
        (Answer(200, HTML), "HTML titled"),
        (Answer(403, HTML, content_type="text/html; charset=x"), "HTML titled 'Access denied'"),
        (Answer(404, b"<html></html>", content_type="text/html"), "answered with HTML "),
        (Answer(407, b""), "an empty body"),
        (Answer(200, b'{"a": 1}'), "JSON, but not an array of events"),
        (Answer(200, b"Hello", content_type="text/plain"), "something that is no JSON"),
        (Answer(204, b""), "no page of events"),
        (Answer(301, HTML, [("Location", "/login")]), "a redirect to /login"),
        (Answer(302, b"", [("Location", "http://[nowhere")]), r"a redirect to http://\[nowhere"),
        (Answer(200, b"", content_type="text/html"), "HTML"),
        (Answer(308, b"", [("Location", "http://user:pw@x.test/y?z")]), "a redirect to http://x.test/y,"),
    ],
)
def test_what_is_not_okta(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery, answer: Answer, says: str
) -> None:
    okta.answers(answer)
    with pytest.raises(errors.OktaProtocolError, match=says) as caught:
        read(connect(), query)
    assert len(okta.asked) == 1
    assert not caught.value.retryable
    assert "Check the org URL" in str(caught.value)


OUTAGES = [
    error(500, "E0000053", "Sorry, there's been an error."),
    Answer(502, HTML, content_type="text/html"),
    error(503, "E0000010", "Service is in read only mode"),
    Answer(504, b""),
    Answer(429, b"", content_type=""),
    too_many(limit=0),
    Answer(200, PAGE, reset="before"),
    Answer(200, PAGE, reset="during"),
    Answer(200, PAGE, announced_length=len(PAGE) + 1),
    Answer(200, PAGE, chunked=True, cut_chunks=True),
    Answer(200, PAGE[:-1]),
    Answer(200, PAGE[:-1], chunked=True),
    Answer(200, PAGE[:1000] + HTML),
    Answer(200, b""),
    gzipped(Answer(200, PAGE), keep=100),
    gzipped(Answer(200, PAGE[:-1])),
    Answer(200, b"no gzip at all", [("Content-Encoding", "gzip")]),
]


@pytest.mark.parametrize("answer", OUTAGES)
def test_outages_are_waited_out(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery, slept: list[float], answer: Answer
) -> None:
    okta.answers(answer, answer, page(PAGE))
    (only,) = connect().pages(query)
    assert len(only.events) == 50
    assert only.requests == len(okta.asked) == 3
    assert len(slept) == 2
    assert 0.5 <= slept[0] <= 1
    assert 1 <= slept[1] <= 2
    assert only.waited_seconds == pytest.approx(sum(slept), abs=0.1)


@pytest.mark.parametrize("answer", OUTAGES)
def test_outages_that_last_are_told(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery, slept: list[float], answer: Answer
) -> None:
    okta.answers(answer)
    with pytest.raises(errors.OktaError, match=r"Gave up after 3 requests and \d s of waiting\.") as caught:
        read(connect(retry=RetrySettings(max_attempts=3)), query)
    assert isinstance(caught.value, errors.OktaServerError | errors.OktaRateLimitError | errors.OktaConnectionError)
    assert caught.value.retryable
    assert f"{okta.url}/api/v1/logs" in str(caught.value)
    assert len(okta.asked) == 3


@pytest.mark.parametrize(
    ("answer", "tries"),
    [(error(500, "E0000001", "other"), 1), (Answer(500, HTML, content_type="text/html"), 4), (Answer(501, b""), 4)],
)
def test_other_server_errors_are_not_repeated_for_long(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery, answer: Answer, tries: int
) -> None:
    okta.answers(answer)
    with pytest.raises(errors.OktaServerError, match=rf"Okta could not answer: {answer.status} ") as caught:
        read(connect(), query)
    assert len(okta.asked) == tries
    assert caught.value.retryable  # by a later run


def test_the_rate_limit_is_waited_out(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery, slept: list[float]
) -> None:
    okta.answers(too_many(reset_in=42), page(PAGE))
    (only,) = connect().pages(query)
    assert 43 <= slept[0] <= 46
    assert only.waited_seconds == pytest.approx(slept[0], abs=0.1)


def test_both_kinds_of_429(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    for limit, kind, says in ((60, "rate", "resets in 20 s.*Rate Limits"), (0, "concurrency", "same moment")):
        okta.answers(too_many(limit=limit))
        with pytest.raises(errors.OktaRateLimitError, match=says) as caught:
            read(connect(retry=RetrySettings(max_attempts=2)), query)
        assert (caught.value.kind, caught.value.code) == (kind, "E0000047")


def test_waiting_is_bounded(okta: ScriptedServer, connect: Connect, query: SystemLogQuery, slept: list[float]) -> None:
    okta.answers(too_many(reset_in=70))
    with pytest.raises(errors.OktaRateLimitError, match="Gave up after 1 request and 0 s of waiting"):
        read(connect(retry=RetrySettings(max_wait_seconds=60)), query)
    assert slept == []


@pytest.mark.parametrize("reset_in", [100_000, 5445, -100_000, -3])
def test_a_reset_that_cannot_be_is_taken_for_a_minute(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery, slept: list[float], reset_in: int
) -> None:
    okta.answers(too_many(reset_in=reset_in), page(PAGE))
    list(connect().pages(query))
    assert len(slept) == 1
    assert 60 <= slept[0] <= 65


def test_a_dripped_head_is_ended(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    okta.answers(Answer(200, PAGE, drip_head_seconds=0.05))
    client = connect(response_seconds=0.3, retry=RetrySettings(max_attempts=1))
    with pytest.raises(errors.OktaConnectionError, match=r"no whole answer within 0\.3 s"):
        read(client, query)


def test_a_body_that_swells_is_not_read_to_its_end(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery
) -> None:
    okta.answers(gzipped(Answer(200, b"[" + b" " * (300 * 1024 * 1024) + b"]")))
    tracemalloc.start()
    try:
        with pytest.raises(errors.OktaProtocolError, match=r"more than 134217728 bytes.*page_limit"):
            read(connect(), query)
        assert tracemalloc.get_traced_memory()[1] < 250 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert len(okta.asked) == 1


def test_a_slow_drip_is_ended(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    okta.answers(Answer(200, PAGE, drip_seconds=0.05))
    client = connect(response_seconds=0.3, retry=RetrySettings(max_attempts=1))
    with pytest.raises(errors.OktaConnectionError, match=r"no whole answer within 0\.3 s"):
        read(client, query)


def test_slow_headers_are_ended(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    okta.answers(Answer(200, PAGE, delay_seconds=1))
    client = connect(response_seconds=0.3, retry=RetrySettings(max_attempts=1))
    with pytest.raises(errors.OktaConnectionError, match=r"no whole answer within 0\.3 s"):
        read(client, query)


def test_the_deadline_leaves_no_trace_on_the_connection(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery
) -> None:
    okta.answers(
        page(PAGE, next_url=f"{okta.url}/api/v1/logs?after=1&limit=50"),
        page(events(("2026-11-23T10:01:00.000Z", "z")), delay_seconds=1, next_url=f"{okta.url}/api/v1/logs?after=2"),
        page(b"[]", delay_seconds=1),
    )
    assert read(connect(response_seconds=1.9, retry=RetrySettings(max_attempts=1)), query) == 51


def test_silence_is_ended(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    okta.answers(Answer(200, PAGE, delay_seconds=1), page(PAGE))
    assert read(connect(timeout=(1.0, 0.2)), query) == 50


def test_nobody_listens(connect: Connect, query: SystemLogQuery, slept: list[float]) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, not listening
        client = connect(org_url=f"http://127.0.0.1:{reserved.getsockname()[1]}")
        with pytest.raises(errors.OktaConnectionError, match=r"Connection refused.*Gave up after 8 requests"):
            read(client, query)
    assert len(slept) == 7


@pytest.mark.parametrize(
    ("code", "kind", "requests"),
    [(socket.EAI_NONAME, errors.OktaUnknownHostError, 0), (socket.EAI_AGAIN, errors.OktaConnectionError, 7)],
)
def test_an_unknown_host_is_not_asked_again(
    connect: Connect,
    query: SystemLogQuery,
    slept: list[float],
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    kind: type[errors.OktaError],
    requests: int,
) -> None:
    def resolve(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(code, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(errors.OktaConnectionError, match="Name or service not known") as caught:
        read(connect(org_url="https://compony.okta.com"), query)
    assert type(caught.value) is kind
    assert len(slept) == requests


def test_a_dead_proxy_is_named_without_its_password(connect: Connect, query: SystemLogQuery) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        proxy = f"http://user:secret@127.0.0.1:{reserved.getsockname()[1]}"
        client = connect(
            org_url="https://company.okta.com", proxies={"https": proxy}, retry=RetrySettings(max_attempts=1)
        )
        with pytest.raises(errors.OktaConnectionError, match="The proxy between here and") as caught:
            read(client, query)
    assert "secret" not in str(caught.value)
