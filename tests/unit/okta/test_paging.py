"""The rules of paging: by example, and against a model of a server that fails in every way known."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.okta.errors import OktaForeignLinkError, OktaPagingStuckError
from oktalogger.okta.paging import Pager, PagingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ORIGIN = "https://company.okta.com"
SINCE = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
UNTIL = SINCE + timedelta(minutes=5)
FIRST = f"{ORIGIN}/first"


def at(milliseconds: float) -> str:
    return (SINCE + timedelta(milliseconds=milliseconds)).isoformat()


def raw(milliseconds: float, uuid: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode({"uuid": uuid, "published": at(milliseconds)}))


def rows(*pairs: tuple[float, str]) -> list[msgspec.Raw]:
    return [raw(*pair) for pair in pairs]


def query_url(since: datetime) -> str:
    return f"{ORIGIN}/since?{int((since - SINCE) / timedelta(milliseconds=1))}"


@pytest.fixture
def pager() -> Pager:
    return Pager(origin=ORIGIN, since=SINCE, until=UNTIL, limit=2, query_url=query_url)


FULL = rows((0, "a"), (1, "b"))
SHORT = rows((1, "b"))
NEXT = f"{ORIGIN}/next"


def test_follows_next(pager: Pager) -> None:
    step = pager.feed(FIRST, FULL, NEXT)
    assert (step.events, step.next_url, step.note) == (FULL, NEXT, None)


@pytest.mark.parametrize("last", [SHORT, []])
def test_a_short_page_without_next_is_the_end(pager: Pager, last: list[msgspec.Raw]) -> None:
    step = pager.feed(FIRST, last, None)
    assert (step.events, step.next_url, step.note) == (last, None, None)


def test_a_short_page_with_next_is_not(pager: Pager) -> None:
    assert pager.feed(FIRST, SHORT, NEXT).next_url == NEXT


def test_an_empty_page_with_next_is_no_end(pager: Pager) -> None:
    assert pager.feed(FIRST, [], NEXT).next_url == NEXT
    assert pager.feed(NEXT, FULL, NEXT + "2").next_url == NEXT + "2"


def test_a_full_page_without_next_is_verified(pager: Pager) -> None:
    step = pager.feed(FIRST, FULL, None)
    assert (step.events, step.next_url) == (FULL, query_url(SINCE + timedelta(milliseconds=1)))
    assert step.note == "a full page came without a next link: asking again from the last event"

    step = pager.feed(step.next_url or "", SHORT, None)
    assert (step.events, step.next_url) == ([], None)
    assert step.note is not None
    assert "nothing is missing" in step.note


def test_verifying_goes_on_with_what_is_new(pager: Pager) -> None:
    verifying = pager.feed(FIRST, FULL, None).next_url or ""
    step = pager.feed(verifying, rows((1, "b"), (1, "c")), NEXT)
    assert ([*map(bytes, step.events)], step.next_url) == ([bytes(raw(1, "c"))], NEXT)
    step = pager.feed(NEXT, rows((2, "d")), None)
    assert (len(step.events), step.next_url) == (1, None)


@pytest.mark.parametrize("loop", [FIRST, NEXT])
def test_next_that_was_read_already_is_verified(pager: Pager, loop: str) -> None:
    pager.feed(FIRST, FULL, NEXT)
    step = pager.feed(NEXT, rows((2, "c")), loop)
    assert step.next_url == query_url(SINCE + timedelta(milliseconds=2))
    assert pager.feed(step.next_url, rows((2, "c")), step.next_url).next_url is None


def test_three_pages_without_anything_new_are_verified(pager: Pager) -> None:
    pager.feed(FIRST, FULL, f"{NEXT}0")
    assert pager.feed(f"{NEXT}0", [], f"{NEXT}1").next_url == f"{NEXT}1"
    repeated = pager.feed(f"{NEXT}1", FULL, f"{NEXT}2")  # a page again, under another URL
    assert (repeated.events, repeated.next_url) == (FULL, f"{NEXT}2")
    step = pager.feed(f"{NEXT}2", rows((0, "a")), f"{NEXT}3")
    assert step.next_url == query_url(SINCE + timedelta(milliseconds=1))

    # What verifying brings counts as progress, and what comes after it is judged as before.
    assert pager.feed(step.next_url, rows((1, "b"), (2, "c")), f"{NEXT}4").next_url == f"{NEXT}4"
    assert pager.feed(f"{NEXT}4", rows((2, "c")), f"{NEXT}5").next_url == f"{NEXT}5"


def test_verifying_before_any_event_begins_at_since(pager: Pager) -> None:
    for number in range(2):
        pager.feed(f"{NEXT}{number}", [], f"{NEXT}{number + 1}")
    step = pager.feed(f"{NEXT}2", [], f"{NEXT}3")
    assert step.next_url == query_url(SINCE)
    assert pager.feed(step.next_url, [], f"{NEXT}4").next_url is None


def test_full_of_known_events_is_loud(pager: Pager) -> None:
    burst = rows((1, "a"), (1, "b"))
    verifying = pager.feed(FIRST, burst, None).next_url or ""
    with pytest.raises(OktaPagingStuckError, match=r"stuck at 2026-11-23T10:00:00.001.*2 events that are all known"):
        pager.feed(verifying, burst, None)


def test_known_events_are_followed_only_as_far_as_they_can_reach(pager: Pager) -> None:
    burst = rows((1, "a"), (1, "b"))
    url = pager.feed(FIRST, burst, None).next_url or ""
    for number in range(2):
        url = pager.feed(url, burst, f"{NEXT}{number}").next_url or ""
    with pytest.raises(OktaPagingStuckError):
        pager.feed(url, burst, f"{NEXT}2")


def test_an_empty_page_ends_verifying_only_when_it_stays_so(pager: Pager) -> None:
    url = pager.feed(FIRST, FULL, None).next_url or ""
    assert pager.feed(url, [], f"{NEXT}0").next_url == f"{NEXT}0"
    assert pager.feed(f"{NEXT}0", [], f"{NEXT}1").next_url == f"{NEXT}1"
    step = pager.feed(f"{NEXT}1", rows((1, "b")), None)
    assert step.next_url is None
    assert "nothing is missing" in (step.note or "")


def test_verifying_that_does_not_even_bring_what_is_known_proves_nothing(pager: Pager) -> None:
    url = pager.feed(FIRST, FULL, None).next_url or ""
    with pytest.raises(OktaPagingStuckError, match="does not even bring the event") as caught:
        pager.feed(url, [], None)
    assert caught.value.retryable


def test_empty_pages_prove_nothing_however_many(pager: Pager) -> None:
    url = pager.feed(FIRST, FULL, None).next_url or ""
    for number in range(2):
        url = pager.feed(url, [], f"{NEXT}{number}").next_url or ""
    with pytest.raises(OktaPagingStuckError, match="What follows may be missing"):
        pager.feed(url, [], f"{NEXT}2")


def test_an_event_nested_beyond_reason_is_one_that_names_no_time(pager: Pager) -> None:
    deep = msgspec.Raw(b'{"x": %b%b, "uuid": "a"}' % (b"[" * 5000, b"]" * 5000))
    assert pager.feed(FIRST, [deep], NEXT).events == [deep]


def test_a_server_that_goes_on_past_the_end_is_not_followed_for_ever(pager: Pager) -> None:
    pager.feed(FIRST, FULL, f"{NEXT}0")
    for number in range(2):
        past = rows((300_000, f"x{number}"), (300_001, f"y{number}"))
        step = pager.feed(f"{NEXT}{number}", past, f"{NEXT}{number + 1}")
        assert (step.events, step.next_url) == (past, f"{NEXT}{number + 1}")
    step = pager.feed(f"{NEXT}2", rows((300_002, "x2"), (300_003, "y2")), f"{NEXT}3")
    assert step.next_url == query_url(SINCE + timedelta(milliseconds=1))
    step = pager.feed(step.next_url, rows((1, "b"), (300_000, "x0")), None)
    assert (step.events, step.next_url) == ([], None)
    assert "nothing is missing" in (step.note or "")


def test_events_past_the_end_do_not_end_the_window(pager: Pager) -> None:
    assert pager.feed(FIRST, rows((300_000, "x"), (300_001, "y")), NEXT).next_url == NEXT
    step = pager.feed(NEXT, FULL, f"{NEXT}1")
    assert (step.events, step.next_url) == (FULL, f"{NEXT}1")


def test_it_asks_again_from_the_last_event_of_the_window(pager: Pager) -> None:
    step = pager.feed(FIRST, rows((299_999, "x"), (300_000, "y")), None)
    assert step.next_url == query_url(SINCE + timedelta(milliseconds=299_999))


def ten_pages(outlier: int) -> list[list[msgspec.Raw]]:
    """Return ninety events, one a second, ten a page, of which one comes nine minutes too early."""
    times = [1000 * number for number in range(90)]
    events = [(time, f"u{number:02d}") for number, time in enumerate(times)]
    events[outlier] = (250_000, events[outlier][1])
    return [rows(*events[first : first + 10]) for first in range(0, 90, 10)]


@pytest.mark.parametrize("outlier", [0, 35, 39, 89])
def test_one_event_out_of_order_loses_no_other(outlier: int) -> None:
    pages = ten_pages(outlier)
    pager = Pager(origin=ORIGIN, since=SINCE, until=UNTIL, limit=10, query_url=query_url)
    got: list[msgspec.Raw] = []
    for number, page in enumerate(pages):
        following = f"{NEXT}{number + 1}" if number < 8 else None
        step = pager.feed(f"{NEXT}{number}", page, following)
        assert step.next_url == following or number == 8
        got += step.events
    assert len({bytes(event) for event in got}) == 90


def test_where_order_is_broken_verifying_begins_earlier_and_takes_what_is_older(pager: Pager) -> None:
    pager.feed(FIRST, rows((9_000, "late"), (0, "a")), f"{NEXT}0")
    step = pager.feed(f"{NEXT}0", rows((1_000, "b"), (2_000, "c")), FIRST)
    assert step.next_url == query_url(SINCE)
    assert "9 s before the last event" in (step.note or "")
    step = pager.feed(step.next_url, rows((9_000, "late"), (0, "a")), f"{NEXT}1")
    assert (step.events, step.next_url) == ([], f"{NEXT}1")
    step = pager.feed(f"{NEXT}1", rows((2_000, "c"), (3_000, "d")), f"{NEXT}2")
    assert (step.events, step.next_url) == (rows((3_000, "d")), f"{NEXT}2")
    step = pager.feed(f"{NEXT}2", rows((4_000, "e")), None)
    assert (step.next_url, step.note) == (None, "events came out of order, by up to 9 s")


def test_where_order_is_broken_the_link_says_where_the_window_ends(pager: Pager) -> None:
    burst = rows((1, "a"), (0, "b"))
    url = pager.feed(FIRST, burst, None).next_url or ""
    step = pager.feed(url, burst, None)
    assert step.next_url is None
    assert "believed" in (step.note or "")


def test_verifying_follows_a_short_page_with_a_link(pager: Pager) -> None:
    url = pager.feed(FIRST, FULL, None).next_url or ""
    assert pager.feed(url, SHORT, f"{NEXT}0").next_url == f"{NEXT}0"
    step = pager.feed(f"{NEXT}0", rows((2, "c")), None)
    assert (len(step.events), step.next_url) == (1, None)


@pytest.mark.parametrize(
    "foreign", ["https://evil.example/api/v1/logs", "http://company.okta.com/", "//evil.example/", "logs?after=1"]
)
def test_next_to_another_origin_is_refused(pager: Pager, foreign: str) -> None:
    with pytest.raises(OktaForeignLinkError, match="the token would go there"):
        pager.feed(FIRST, FULL, foreign)


def test_the_page_size_is_that_of_the_url(pager: Pager) -> None:
    assert pager.feed(f"{ORIGIN}/api/v1/logs?after=1&limit=1", SHORT, None).next_url is not None
    assert pager.feed(f"{ORIGIN}/api/v1/logs?after=1&limit=1000", FULL, None).next_url is None


def test_fractions_finer_than_milliseconds(pager: Pager) -> None:
    url = pager.feed(FIRST, rows((1.1, "a"), (1.9, "b")), None).next_url or ""
    assert url == query_url(SINCE + timedelta(milliseconds=1))
    assert pager.feed(url, rows((1.1, "a"), (1.9, "b")), NEXT).next_url == NEXT


def test_a_beginning_finer_than_milliseconds() -> None:
    since = SINCE + timedelta(microseconds=500)
    pager = Pager(origin=ORIGIN, since=since, until=UNTIL, limit=1, query_url=query_url)
    assert pager.feed(FIRST, rows((0.7, "a")), None).next_url == query_url(SINCE)
    assert len(pager.feed(query_url(SINCE), rows((0.7, "b")), None).events) == 1


@pytest.mark.parametrize(
    "odd", [b"{}", b'"text"', b"null", b'{"published":"yesterday","uuid":"a"}', b'{"published":1,"uuid":2}']
)
def test_events_that_name_no_time_end_too(pager: Pager, odd: bytes) -> None:
    page = [msgspec.Raw(odd), msgspec.Raw(odd)]
    url = pager.feed(FIRST, page, None).next_url or ""
    with pytest.raises(OktaPagingStuckError):
        pager.feed(url, page, None)


def test_times_without_a_zone_are_utc(pager: Pager) -> None:
    event = msgspec.Raw(b'{"published":"2026-11-23T10:00:01","uuid":"a"}')
    assert pager.feed(FIRST, [event, event], None).next_url == query_url(SINCE + timedelta(seconds=1))


# The model: a server with these events, whose every answer may be spoilt. An empty page with a next is a hiccup: three
# in a row, and the same again when asked anew, count as the end, so the model does not go as far as that.

FAULTS = ["", "no next", "self", "first", "empty", "repeat"]


@dataclass
class Model:
    events: Sequence[tuple[int, str]]
    limit: int
    fault: Callable[[], str]
    requests: int = 0
    empty: int = 0
    swaps: Sequence[tuple[int, int]] = ()
    first: str = field(default=f"{ORIGIN}/api/v1/logs?since=0&after=0&n=0")

    def url(self, since: int, after: int) -> str:
        return f"{ORIGIN}/api/v1/logs?since={since}&after={after}&n={self.requests}"

    def answer(self, url: str) -> tuple[list[msgspec.Raw], str | None]:
        self.requests += 1
        query = {name: int(values[0]) for name, values in parse_qs(urlsplit(url).query).items()}
        since, after, verifying = query["since"], query.get("after", 0), "after" not in query
        ordered = sorted(self.events)
        for one, other in self.swaps:
            ordered[one % len(ordered)], ordered[other % len(ordered)] = (
                ordered[other % len(ordered)],
                ordered[one % len(ordered)],
            )
        matching = [event for event in ordered if event[0] >= since]
        page = matching[after : after + self.limit]
        beyond = after + len(page)
        following = self.url(since, beyond) if beyond < len(matching) else None
        match self.fault():
            case "no next" if len(page) == self.limit:
                following = None
            case "self":
                following = url
            case "first":
                following = self.first
            case "empty":
                self.empty += 1
                if self.empty < 3:
                    return [], self.url(since, after)
            case "repeat" if not verifying and len(page) == self.limit:
                following = self.url(since, after)
        self.empty = 0
        return [raw(*event) for event in page], following


bursts = st.lists(st.integers(0, 5), max_size=30)


def read(model: Model, limit: int) -> set[bytes]:
    """Page through a model as a client does, and return what came."""
    pager = Pager(
        origin=ORIGIN,
        since=SINCE,
        until=UNTIL,
        limit=limit,
        query_url=lambda since: f"{ORIGIN}/api/v1/logs?since={int((since - SINCE) / timedelta(milliseconds=1))}",
        settings=PagingSettings(max_pages_without_progress=3),
    )
    got: set[bytes] = set()
    url: str | None = model.first
    while url is not None:
        assert model.requests < 50 + 40 * len(model.events), "reads for ever"
        page, following = model.answer(url)
        step = pager.feed(url, page, following)
        got |= {bytes(event) for event in step.events}
        url = step.next_url
    return got


@given(bursts, st.integers(1, 4), st.lists(st.sampled_from(FAULTS), max_size=20), st.sampled_from(FAULTS))
def test_nothing_is_missed_in_silence(times: list[int], limit: int, faults: list[str], then_always: str) -> None:
    script = iter(faults)
    model = Model([(time, f"{n:02d}") for n, time in enumerate(times)], limit, lambda: next(script, then_always))
    try:
        got = read(model, limit)
    except OktaPagingStuckError:
        assert max(map(times.count, times)) >= limit, "stuck where more than a page shares no millisecond"
        return
    assert got == {bytes(raw(*event)) for event in model.events}


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=30),
    st.integers(1, 4),
    st.lists(st.sampled_from(["", "empty"]), max_size=20),
    st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), min_size=1, max_size=5),
)
def test_no_order_of_events_loses_any(
    times: list[int], limit: int, faults: list[str], swaps: list[tuple[int, int]]
) -> None:
    script = iter(faults)
    events = [(time, f"{n:02d}") for n, time in enumerate(times)]
    model = Model(events, limit, lambda: next(script, ""), swaps=swaps)
    try:
        got = read(model, limit)
    except OktaPagingStuckError:
        assert max(map(times.count, times)) >= limit
        return
    assert got == {bytes(raw(*event)) for event in events}
