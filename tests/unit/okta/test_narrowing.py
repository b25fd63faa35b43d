"""A window for which Okta needs too long is read in halves."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from oktalogger.okta.errors import OktaServerError
from oktalogger.okta.system_log import Page, SystemLogClient, SystemLogQuery
from tests.unit.okta.server import Answer, Asked, ScriptedServer, error, page

Connect = Callable[..., SystemLogClient]

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
TOO_LONG = error(500, "E0000009", "Your last request took too long to complete.")


class Slow:
    """A server that has an event a minute, and answers no request for more than some span of time."""

    def __init__(self, url: str, span: timedelta, *, cursors_too: bool = False) -> None:
        self.url = url
        self.span = span
        self.cursors_too = cursors_too
        self.times = [TEN + timedelta(minutes=minute) for minute in range(60)]
        self.answered = 0

    def __call__(self, asked: Asked) -> Answer:
        query = {name: values[0] for name, values in parse_qs(urlsplit(asked.target).query).items()}
        since, until = (datetime.fromisoformat(query[name]) for name in ("since", "until"))
        after, limit = int(query.get("after", 0)), int(query["limit"])
        if until - since > self.span + timedelta(seconds=1) and (self.cursors_too or not after):
            return TOO_LONG
        self.answered += 1
        times = [time for time in self.times if since <= time < until]
        rows = [{"uuid": f"{time:%M}", "published": time.isoformat()} for time in times[after : after + limit]]
        link = f"{self.url}{urlsplit(asked.target).path}?{urlsplit(asked.target).query.split('&after=')[0]}"
        more = after + limit < len(times)
        return page(json.dumps(rows).encode(), next_url=f"{link}&after={after + limit}" if more else None)


def uuids(pages: Sequence[Page]) -> set[str]:
    return {json.loads(bytes(event))["uuid"] for one in pages for event in one.events}


QUERY = SystemLogQuery(since=TEN, until=TEN + HOUR, limit=7)


@pytest.mark.parametrize("minutes", [40, 30, 10, 2])
def test_all_of_it_is_read_in_the_end(okta: ScriptedServer, connect: Connect, minutes: int) -> None:
    okta.answers(Slow(okta.url, timedelta(minutes=minutes)))
    pages = list(connect().pages(QUERY))
    assert len(uuids(pages)) == 60
    assert [one.number for one in pages] == sorted({one.number for one in pages})
    assert pages[-1].next_url is None
    assert all(one.next_url is not None for one in pages[:-1])
    assert any(
        "Okta took too long to answer for the window 2026-11-23T10:00:00.000Z to" in (one.note or "") for one in pages
    )


@pytest.mark.parametrize("minutes", [40, 10])
def test_a_later_reading_goes_on_from_any_page_and_misses_nothing(
    okta: ScriptedServer, connect: Connect, minutes: int
) -> None:
    okta.answers(Slow(okta.url, timedelta(minutes=minutes)))
    pages = list(connect().pages(QUERY))
    for number, one in enumerate(pages[:-1], start=1):
        rest = list(connect().pages(QUERY, resume_from=one.next_url))
        assert uuids(pages[:number]) | uuids(rest) == uuids(pages)
        assert rest[-1].next_url is None


def test_where_the_trouble_begins_half_way_what_was_read_is_not_read_again(
    okta: ScriptedServer, connect: Connect
) -> None:
    slow = Slow(okta.url, HOUR, cursors_too=True)
    okta.answers(slow)
    pages = connect().pages(QUERY)
    read = [next(pages) for _ in range(4)]
    slow.span = timedelta(minutes=20)
    read += list(pages)
    assert len(uuids(read)) == 60
    again = [json.loads(bytes(event))["uuid"] for one in read[4:] for event in one.events]
    assert min(again) == "27"


def test_a_window_of_a_minute_is_not_split(okta: ScriptedServer, connect: Connect) -> None:
    okta.answers(Slow(okta.url, timedelta(0)))
    narrow = SystemLogQuery(since=TEN, until=TEN + timedelta(seconds=119))
    with pytest.raises(OktaServerError, match="E0000009") as caught:
        list(connect().pages(narrow))
    assert len(okta.asked) == 4
    assert caught.value.retryable


def test_a_day_that_cannot_be_read_at_all_ends_soon(okta: ScriptedServer, connect: Connect) -> None:
    okta.answers(Slow(okta.url, timedelta(0)))
    with pytest.raises(OktaServerError, match="E0000009"):
        list(connect().pages(SystemLogQuery(since=TEN, until=TEN + 24 * HOUR)))
    assert len(okta.asked) <= 4 * 12


def test_other_troubles_split_nothing(okta: ScriptedServer, connect: Connect) -> None:
    okta.answers(error(500, "E0000053", "Sorry, there's been an error."))
    with pytest.raises(OktaServerError):
        list(connect().pages(QUERY))
    assert len({asked.target for asked in okta.asked}) == 1


@pytest.mark.parametrize("minutes", [40, 10])
def test_what_two_parts_bring_is_marked_in_the_second(okta: ScriptedServer, connect: Connect, minutes: int) -> None:
    okta.answers(Slow(okta.url, timedelta(minutes=minutes)))
    first = [
        json.loads(bytes(event))["uuid"]
        for one in connect().pages(QUERY)
        for position, event in enumerate(one.events)
        if position not in one.repeated
    ]
    assert sorted(first) == sorted(set(first))
    assert len(first) == 60
