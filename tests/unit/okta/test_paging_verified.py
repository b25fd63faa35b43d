"""How verifying counts: each one anew, and no further than the events that are known can reach."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from oktalogger.okta.errors import OktaPagingStuckError
from oktalogger.okta.paging import Pager, PagingSettings
from tests.unit.okta.test_paging import FIRST, FULL, NEXT, ORIGIN, SINCE, UNTIL, query_url, rows


@pytest.fixture
def pager() -> Pager:
    return Pager(origin=ORIGIN, since=SINCE, until=UNTIL, limit=2, query_url=query_url)


def verifying(pager: Pager) -> str:
    """Bring a pager to where it asks again from its last event, and return what it asks."""
    return pager.feed(FIRST, FULL, None).next_url or ""


def test_the_bounds_that_hold_where_nobody_sets_others() -> None:
    assert PagingSettings() == PagingSettings(max_pages=10_000, max_pages_without_progress=3)


def test_a_second_verifying_has_as_much_patience_as_the_first(pager: Pager) -> None:
    assert pager.feed(verifying(pager), [], f"{NEXT}0").next_url == f"{NEXT}0"
    assert pager.feed(f"{NEXT}0", [], f"{NEXT}1").next_url == f"{NEXT}1"
    again = pager.feed(f"{NEXT}1", rows((2, "c"), (3, "d")), None)
    assert again.next_url == query_url(SINCE + timedelta(milliseconds=3))
    assert pager.feed(again.next_url, [], f"{NEXT}2").next_url == f"{NEXT}2"


def test_what_verifying_brings_gives_as_much_patience_as_any_progress(pager: Pager) -> None:
    assert pager.feed(verifying(pager), rows((2, "c"), (3, "d")), f"{NEXT}0").next_url == f"{NEXT}0"
    assert pager.feed(f"{NEXT}0", [], f"{NEXT}1").next_url == f"{NEXT}1"
    assert pager.feed(f"{NEXT}1", [], f"{NEXT}2").next_url == f"{NEXT}2"
    assert pager.feed(f"{NEXT}2", [], f"{NEXT}3").next_url == query_url(SINCE + timedelta(milliseconds=3))


def test_empty_pages_are_counted_anew_after_one_that_holds_events(pager: Pager) -> None:
    burst = rows((1, "a"), (1, "b"))
    url = pager.feed(FIRST, burst, None).next_url or ""
    assert pager.feed(url, burst, f"{NEXT}0").next_url == f"{NEXT}0"
    assert pager.feed(f"{NEXT}0", [], f"{NEXT}1").next_url == f"{NEXT}1"
    assert pager.feed(f"{NEXT}1", [], f"{NEXT}2").next_url == f"{NEXT}2"
    assert pager.feed(f"{NEXT}2", [], f"{NEXT}3").next_url is None


def test_only_events_of_the_last_millisecond_can_come_once_more(pager: Pager) -> None:
    url = pager.feed(FIRST, rows((0, "x"), (1, "a")), None).next_url or ""
    twice = rows((1, "a"), (1, "a"))
    assert pager.feed(url, twice, f"{NEXT}0").next_url == f"{NEXT}0"
    with pytest.raises(OktaPagingStuckError, match="all known"):
        pager.feed(f"{NEXT}0", twice, f"{NEXT}1")


def test_a_known_event_from_before_the_last_one_is_not_new(pager: Pager) -> None:
    step = pager.feed(verifying(pager), rows((0, "a")), None)
    assert (step.events, step.next_url) == ([], None)


def test_it_asks_again_from_the_millisecond_itself() -> None:
    asked: list[datetime] = []

    def url(since: datetime) -> str:
        asked.append(since)
        return query_url(since)

    pager = Pager(origin=ORIGIN, since=SINCE, until=UNTIL, limit=1, query_url=url)
    pager.feed(FIRST, rows((5.75, "a")), None)
    assert asked == [SINCE + timedelta(milliseconds=5)]


@pytest.mark.parametrize("limit", ["0", "x", "-1"])
def test_a_page_size_that_is_none_is_that_of_the_query(pager: Pager, limit: str) -> None:
    assert pager.feed(f"{ORIGIN}/api/v1/logs?limit={limit}", rows((1, "b")), None).next_url is None


def test_the_page_size_of_the_request_counts(pager: Pager) -> None:
    assert pager.feed(f"{ORIGIN}/api/v1/logs?limit=1", rows((1, "b")), None).next_url is not None


def test_known_events_are_followed_no_further_than_all_of_the_first_millisecond_reach(pager: Pager) -> None:
    pager.feed(FIRST, rows((0, "a"), (0, "b")), NEXT)
    url = pager.feed(NEXT, rows((0, "c"), (0, "a")), None).next_url or ""
    known = rows((0, "a"), (0, "b"))
    for number in range(2):
        url = pager.feed(url, known, f"{NEXT}{number}").next_url or ""
    with pytest.raises(OktaPagingStuckError, match="all known"):
        pager.feed(url, known, f"{NEXT}2")


def test_short_pages_are_counted_anew_after_a_full_one(pager: Pager) -> None:
    url = verifying(pager)
    for number, page in enumerate([[], FULL, [], []]):
        following = f"{NEXT}{number}"
        assert pager.feed(url, page, following).next_url == following
        url = following


def test_an_event_from_before_the_window_says_nothing_of_its_order(pager: Pager) -> None:
    assert pager.feed(FIRST, rows((5, "a")), NEXT).note is None
    assert pager.feed(NEXT, rows((-1, "b")), None).note is None


def test_events_that_came_before_are_marked(pager: Pager) -> None:
    assert pager.feed(FIRST, rows((0, "a"), (0, "a")), f"{NEXT}0").repeated == {1}
    assert pager.feed(f"{NEXT}0", rows((1, "b"), (0, "a")), f"{NEXT}1").repeated == {1}
    url = pager.feed(f"{NEXT}1", rows((2, "c"), (3, "d")), None).next_url or ""
    # Verifying hands on what is new, and nothing else.
    step = pager.feed(url, rows((3, "d"), (4, "e")), None)
    assert (len(step.events), step.repeated) == (1, frozenset())
