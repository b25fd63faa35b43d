"""The client against a real HTTP server: what it asks, what it makes of pages, and that a token stays at home."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

import oktalogger
from oktalogger.okta.errors import (
    OktaConfigurationError,
    OktaCursorError,
    OktaForeignLinkError,
    OktaPageLimitError,
    OktaPagingStuckError,
    OktaRequestError,
)
from oktalogger.okta.paging import PagingSettings
from oktalogger.okta.rate_limit import OpenGate, RateLimit
from oktalogger.okta.system_log import Page, SystemLogClient, SystemLogQuery
from tests.unit.okta.server import TOKEN, Answer, ScriptedServer, error, events, page, scripted_server, too_many

Connect = Callable[..., SystemLogClient]

T = "2026-11-23T10:0{}:00.000Z"
FIRST = events((T.format(0), "a"), (T.format(1), "b"))
SECOND = events((T.format(2), "c"))


@pytest.fixture
def other() -> Iterator[ScriptedServer]:
    """A server of another origin."""
    with scripted_server() as server:
        server.answers(page(SECOND))
        yield server


def read(client: SystemLogClient, query: SystemLogQuery, resume_from: str | None = None) -> list[bytes]:
    return [bytes(event) for page_ in client.pages(query, resume_from=resume_from) for event in page_.events]


def test_two_pages(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    first = page(FIRST, next_url=f"{okta.url}/api/v1/logs?after=1")
    rates = [("X-Rate-Limit-Limit", "60"), ("X-Rate-Limit-Remaining", "59"), ("X-Rate-Limit-Reset", "1700000000")]
    first.headers = [*first.headers, *rates]
    okta.answers(first, page(SECOND))

    one, two = connect().pages(query)

    assert (one.number, two.number) == (1, 2)
    assert (len(one.events), len(two.events)) == (2, 1)
    assert bytes(one.events[0]) == FIRST[1 : FIRST.index(b"}") + 1]
    assert one.next_url == f"{okta.url}/api/v1/logs?after=1" == two.url
    assert two.next_url is None
    assert one.rate_limit is not None
    assert one.rate_limit == RateLimit(60, 59, datetime.fromtimestamp(1700000000, UTC), one.rate_limit.date)
    assert two.rate_limit is None
    assert one.request_id == two.request_id == "req-1"
    assert (one.size_bytes, two.size_bytes) == (len(FIRST), len(SECOND))
    for one_or_two in (one, two):
        assert (one_or_two.requests, one_or_two.note) == (1, None)
        assert one_or_two.waited_seconds < 0.1


def test_the_first_request(okta: ScriptedServer, connect: Connect) -> None:
    okta.answers(page(b"[]"))
    query = SystemLogQuery(
        since=datetime(2026, 11, 23, 12, 0, 0, 1999, tzinfo=timezone(timedelta(hours=2))),
        until=datetime(2026, 11, 23, 10, 5, 0, 1, tzinfo=UTC),
        filter='eventType eq "user.session.start" and actor.alternateId sw "a+b"',
        q="Łódź",
    )

    assert read(connect(user_agent="company/1"), query) == []

    (asked,) = okta.asked
    assert urlsplit(asked.target).path == "/api/v1/logs"
    assert parse_qs(urlsplit(asked.target).query) == {
        "since": ["2026-11-23T10:00:00.000Z"],
        "until": ["2026-11-23T10:05:00.001Z"],
        "sortOrder": ["ASCENDING"],
        "limit": ["1000"],
        "filter": ['eventType eq "user.session.start" and actor.alternateId sw "a+b"'],
        "q": ["Łódź"],
    }
    assert asked.headers["Authorization"] == f"SSWS {TOKEN}"
    assert asked.headers["Accept"] == "application/json"
    expected = f"oktalogger/{oktalogger.__version__} python-requests/{requests.__version__} company/1"
    assert asked.headers["User-Agent"] == expected
    assert asked.headers["Host"] == urlsplit(okta.url).netloc


TARGETS = [
    "/api/v1/logs?after=a%2Fb%3a%3A%2b+c%7e~&filter=x%20eq%20%22y%22",
    '/api/v1/logs?filter=x{}|^`"[]&after=,;%',
    "/api/v1/logs/../logs/./?a=?&b=%zz",
    "//api//v1/logs?after=1",
    "/api/v1/logs?after=1&after=1&limit=%31",
    "?after=1",
    "/api/v1/logs?after=1#fragment",
]


@pytest.mark.parametrize("target", TARGETS)
def test_next_arrives_byte_for_byte(okta: ScriptedServer, connect: Connect, query: SystemLogQuery, target: str) -> None:
    okta.answers(page(FIRST, next_url=okta.url + target), page(SECOND))
    assert len(read(connect(), query)) == 3
    sent = target.partition("#")[0]  # a fragment is never sent
    assert okta.asked[1].target == (sent if sent.startswith("/") else f"/{sent}")


def test_next_in_one_joined_header(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    link = f'<{okta.url}/api/v1/logs?a,b>; rel="self", <{okta.url}/api/v1/logs?after=1,2;3>; rel="next"'
    okta.answers(Answer(body=FIRST, headers=[("Link", link)]), page(SECOND))
    assert len(read(connect(), query)) == 3
    assert okta.asked[1].target == "/api/v1/logs?after=1,2;3"


def test_a_page_is_requested_when_the_one_before_is_taken(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery
) -> None:
    okta.answers(page(FIRST, next_url=f"{okta.url}/api/v1/logs?after=1"), page(SECOND))
    pages = connect().pages(query)
    assert okta.asked == []
    next(pages)
    assert len(okta.asked) == 1


def test_no_token_for_a_foreign_next(
    okta: ScriptedServer, other: ScriptedServer, connect: Connect, query: SystemLogQuery
) -> None:
    okta.answers(page(FIRST, next_url=f"{other.url}/api/v1/logs?after=1"))
    with pytest.raises(OktaForeignLinkError, match=f"leads to {other.url}/api/v1/logs, not to {okta.url}") as caught:
        read(connect(), query)
    assert other.asked == []
    assert not caught.value.retryable


def test_no_token_for_a_foreign_resume(
    okta: ScriptedServer, other: ScriptedServer, connect: Connect, query: SystemLogQuery
) -> None:
    with pytest.raises(OktaCursorError, match="the org's URL has changed since"):
        read(connect(), query, resume_from=f"{other.url}/api/v1/logs?after=1")
    assert other.asked == okta.asked == []


def test_no_token_behind_a_redirect(
    okta: ScriptedServer, other: ScriptedServer, connect: Connect, query: SystemLogQuery
) -> None:
    okta.answers(Answer(status=302, headers=[("Location", f"{other.url}/login?token=x")]))
    with pytest.raises(Exception, match=f"a redirect to {other.url}/login, which is not followed"):
        read(connect(), query)
    assert other.asked == []
    assert len(okta.asked) == 1


def test_cookies_and_netrc_stay_out(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w") as file:
        file.write("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", netrc)
    first = page(FIRST, next_url=f"{okta.url}/api/v1/logs?after=1")
    first.headers = [*first.headers, ("Set-Cookie", "JSESSIONID=1; Path=/")]
    okta.answers(first, page(SECOND))
    read(connect(), query)
    assert [asked.headers["Cookie"] for asked in okta.asked] == [None, None]
    assert {asked.headers["Authorization"] for asked in okta.asked} == {f"SSWS {TOKEN}"}


def test_resumes(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    okta.answers(page(SECOND))
    (only,) = connect().pages(query, resume_from=f"{okta.url}/api/v1/logs?after=7%3a")
    assert okta.asked[0].target == "/api/v1/logs?after=7%3a"
    assert (only.number, only.next_url) == (1, None)


@pytest.mark.parametrize("status", [400, 404])
def test_a_refused_cursor_says_to_begin_again(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery, status: int
) -> None:
    okta.answers(error(status, "E0000001", "Api validation failed: after"))
    with pytest.raises(OktaCursorError, match=r"validation failed.*Begin again at the window's start") as caught:
        read(connect(), query, resume_from=f"{okta.url}/api/v1/logs?after=7")
    assert (caught.value.status, caught.value.code, caught.value.request_id) == (status, "E0000001", "req-e")


def test_a_refused_first_request_is_no_cursor_error(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery
) -> None:
    okta.answers(error(400, "E0000053", "Invalid parameter: The since parameter is over 180 days"))
    with pytest.raises(OktaRequestError) as caught:
        read(connect(), query)
    assert not isinstance(caught.value, OktaCursorError)


def test_a_full_page_without_next_is_verified(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    okta.answers(page(FIRST), page(events((T.format(1), "b"), (T.format(3), "d"))), page(events((T.format(3), "d"))))
    one, two, three = connect().pages(query)
    assert "a full page came without a next link" in (one.note or "")
    assert [len(p.events) for p in (one, two, three)] == [2, 1, 0]
    assert b'"d"' in bytes(two.events[0])
    asked = parse_qs(urlsplit(okta.asked[1].target).query)
    assert asked["since"] == ["2026-11-23T10:01:00.000Z"]
    assert asked["until"] == ["2026-11-23T10:05:00.000Z"]


def test_paging_that_is_stuck(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    okta.answers(page(events((T.format(1), "a"), (T.format(1), "b"))))
    with pytest.raises(OktaPagingStuckError) as caught:
        read(connect(), query)
    assert caught.value.retryable
    assert len(okta.asked) == 2


def test_the_page_cap_is_loud(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    numbers = iter(range(100))
    okta.answers(lambda _: page(FIRST, next_url=f"{okta.url}/api/v1/logs?after={next(numbers)}"))
    client = connect(paging=PagingSettings(max_pages=4, max_pages_without_progress=9))
    got: list[Page] = []
    with pytest.raises(OktaPageLimitError, match=r"more than 4 pages of 2 events.*narrower window"):
        got.extend(client.pages(query))
    assert len(got) == len(okta.asked) == 4


def test_the_gate_is_asked_and_told(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    seen: list[object] = []

    class Gate:
        def before_request(self) -> None:
            seen.append("before")

        def after_response(self, rate_limit: RateLimit | None) -> None:
            seen.append(rate_limit and rate_limit.remaining)

    okta.answers(too_many(), Answer(reset="before"), page(b"[]"))
    read(connect(gate=Gate()), query)
    assert seen == ["before", 0, "before", None, "before", None]


def test_waiting_at_the_gate_is_counted(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    clock = Clock()

    class SlowGate(OpenGate):
        def before_request(self) -> None:
            clock.now += 7

    okta.answers(page(b"[]"))
    (only,) = connect(gate=SlowGate(), clock=clock).pages(query)
    assert only.waited_seconds == 7


def test_the_check_is_one_request_without_retries(okta: ScriptedServer, connect: Connect, slept: list[float]) -> None:
    okta.answers(page(FIRST, next_url=f"{okta.url}/api/v1/logs?after=1"))
    connect().check()
    (asked,) = okta.asked
    assert parse_qs(urlsplit(asked.target).query)["limit"] == ["1"]

    okta.answers(too_many())
    with pytest.raises(Exception, match="rate limit is used up"):
        connect().check()
    assert slept == []


@pytest.mark.parametrize(
    ("since", "until", "limit", "says"),
    [
        (datetime(2026, 1, 1), datetime(2026, 1, 2, tzinfo=UTC), 1, "since .* has no time zone"),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2), 1, "until .* has no time zone"),
        (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), 1, "is not before"),
        (datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), 1, "is not before"),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), 0, "1 to 1000"),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), 1001, "1 to 1000"),
    ],
)
def test_queries_that_cannot_work(since: datetime, until: datetime, limit: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SystemLogQuery(since=since, until=until, limit=limit)


def test_http_needs_to_be_asked_for(connect: Connect) -> None:
    with pytest.raises(OktaConfigurationError, match="not https"):
        connect(org_url="http://okta.test")
    connect(org_url="http://okta.test", allow_http=True)


def test_a_user_agent_cannot_smuggle_headers(connect: Connect) -> None:
    with pytest.raises(OktaConfigurationError):
        connect(user_agent="a\r\nX: y")


def test_closes(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    okta.answers(page(b"[]"))
    with connect() as client:
        read(client, query)


def test_an_event_that_no_parser_takes_is_handed_on_with_its_neighbours(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery
) -> None:
    good = FIRST[1 : FIRST.index(b"}") + 1]
    poison = b'{"uuid": "p", "x": "\\ud83d"}'
    okta.answers(page(b"[%b, %b, %b]" % (good, poison, good.replace(b'"a"', b'"z"'))))
    (got,) = connect().pages(SystemLogQuery(since=query.since, until=query.until, limit=10))
    assert [bytes(event) for event in got.events][:2] == [good, poison]
    assert len(got.events) == 3
