"""The client against a real HTTP server: what it asks, what it makes of pages, and that a token stays at home."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

import oktalogger
from oktalogger.okta.client import SystemLogClient, SystemLogQuery
from oktalogger.okta.rate import RateLimit
from tests.unit.okta.conftest import TOKEN
from tests.unit.okta.server import ScriptedServer, events, page

Connect = Callable[..., SystemLogClient]

T = "2026-11-23T10:0{}:00.000Z"
FIRST = events((T.format(0), "a"), (T.format(1), "b"))
SECOND = events((T.format(2), "c"))


def read(client: SystemLogClient, query: SystemLogQuery, **more: str) -> list[bytes]:
    return [bytes(event) for page_ in client.pages(query, **more) for event in page_.events]


def test_two_pages(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    rates = [("X-Rate-Limit-Limit", "60"), ("X-Rate-Limit-Remaining", "59"), ("X-Rate-Limit-Reset", "1700000000")]
    first = page(FIRST, next_url=f"{okta.url}/api/v1/logs?after=1")
    first.headers = [*first.headers, *rates]
    okta.answers(first, page(SECOND))

    pages = list(connect().pages(query))

    assert [p.number for p in pages] == [1, 2]
    assert [len(p.events) for p in pages] == [2, 1]
    assert bytes(pages[0].events[0]) == FIRST[1 : FIRST.index(b"}") + 1]
    assert pages[0].next_url == f"{okta.url}/api/v1/logs?after=1" == pages[1].url
    assert pages[1].next_url is None
    assert pages[0].rate_limit == RateLimit(60, 59, datetime.fromtimestamp(1700000000, UTC))
    assert pages[1].rate_limit is None
    assert [p.request_id for p in pages] == ["req-1", "req-1"]
    assert [p.size_bytes for p in pages] == [len(FIRST), len(SECOND)]
    assert [(p.requests, p.waited_seconds, p.note) for p in pages] == [(1, pytest.approx(0, abs=0.1), None)] * 2


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
        "since": ["2026-11-23T10:00:00.001Z"],
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


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/logs?after=a%2Fb%3a%3A%2b+c%7e~&filter=x%20eq%20%22y%22",
        '/api/v1/logs?filter=x{}|^`"[]&after=,;<%',
        "/api/v1/logs/../logs/./?a=?&b=%zz",
        "//api//v1/logs?after=1",
        "/api/v1/logs?after=1&after=1&limit=%31",
    ],
)
def test_next_arrives_byte_for_byte(okta: ScriptedServer, connect: Connect, query: SystemLogQuery, target: str) -> None:
    target = target.replace("<", "")  # the one sign that ends nothing but cannot stand in a Link header
    okta.answers(page(FIRST, next_url=okta.url + target), page(SECOND))

    read(connect(), query)

    assert okta.asked[1].target == target
