"""Bounded and polling queries over HTTP, as the System Log answers them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.simulator.process import Simulator

SINCE, UNTIL = "2026-11-23T09:00:00Z", "2026-11-23T09:20:00Z"
LOGS = "/api/v1/logs"


@pytest.fixture(autouse=True)
def _plenty(okta: Simulator) -> None:
    okta.control.post("/limits", per_minute=100_000, token_share=1.0)


def follow(api: httpx.Client, **query: str) -> Iterator[httpx.Response]:
    """All pages of a bounded query."""
    answer = api.get(LOGS, params=query)
    while True:
        assert answer.status_code == 200, answer.text
        yield answer
        if "next" not in answer.links:
            return
        answer = api.get(answer.links["next"]["url"])


def uuids(events: list[dict[str, Any]]) -> list[str]:
    return [event["uuid"] for event in events]


def test_a_bounded_query_is_finite_ordered_and_whole(okta: Simulator, api: httpx.Client) -> None:
    pages = list(follow(api, since=SINCE, until=UNTIL, limit="100"))
    found = [event for page in pages for event in page.json()]
    wanted = okta.control.events(SINCE, UNTIL)
    assert found == wanted
    assert len(wanted) > 900
    assert [len(page.json()) for page in pages[:-1]] == [100] * (len(pages) - 1)
    assert uuids(found) == uuids(sorted(found, key=lambda event: event["published"]))


def test_a_bounded_next_carries_the_query_and_an_opaque_cursor(api: httpx.Client) -> None:
    query = {"since": SINCE, "until": UNTIL, "limit": "10", "filter": 'eventType sw "user."', "q": "okta"}
    first = api.get(LOGS, params=query)
    links = first.headers.get_list("link")
    assert len(links) == 2
    assert links[0].endswith('; rel="self"')
    assert first.links["self"]["url"] == str(first.url)
    given = dict(httpx.URL(first.links["next"]["url"]).params)
    after = given.pop("after")
    assert given == query
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", after)
    assert len(api.get(first.links["next"]["url"]).json()) == 10


def test_a_full_last_page_has_no_next(okta: Simulator, api: httpx.Client) -> None:
    okta.control.post("/events", published="2026-08-30T00:00:00Z", count=20, step=0.5)
    wanted = okta.control.events("2026-08-30T00:00:00Z", "2026-08-30T00:00:10Z")
    query = {"since": "2026-08-30T00:00:00Z", "until": "2026-08-30T00:00:09.999Z"}
    answer = api.get(LOGS, params=query | {"limit": str(len(wanted))})
    assert answer.json() == wanted
    assert "next" not in answer.links
    assert "next" in api.get(LOGS, params=query | {"limit": str(len(wanted) - 1)}).links


def test_both_ends_of_a_bounded_query_are_inclusive(okta: Simulator, api: httpx.Client) -> None:
    for at in ("09:00:00.000", "09:00:00.500", "09:00:01.000"):
        okta.control.post("/events", event={"displayMessage": "edge"}, published=f"2026-11-23T{at}Z")
    query = {"since": SINCE, "until": "2026-11-23T09:00:01Z", "filter": 'displayMessage eq "edge"'}
    assert len(api.get(LOGS, params=query).json()) == 3


def test_descending_turns_the_order_and_moves_until(api: httpx.Client) -> None:
    up = [event for page in follow(api, since=SINCE, until=UNTIL, limit="1000") for event in page.json()]
    pages = list(follow(api, since=SINCE, until=UNTIL, limit="300", sortOrder="DESCENDING"))
    assert [event for page in pages for event in page.json()] == up[::-1]
    moved = httpx.URL(pages[0].links["next"]["url"]).params["until"]
    assert moved == pages[0].json()[-1]["published"]
    assert api.get(LOGS, params={"sortOrder": "DESCENDING", "limit": "1"}).json()[0]["published"] > "2026-11-23T09:59"


def test_a_thousand_events_in_one_millisecond_can_be_paged(okta: Simulator, api: httpx.Client) -> None:
    okta.control.post("/stories", name="same-millisecond", at="2026-11-23T09:10:00Z")
    found = [event for page in follow(api, since=SINCE, until=UNTIL, limit="333") for event in page.json()]
    assert found == okta.control.events(SINCE, UNTIL)
    assert len(set(uuids(found))) == len(found) > 1900


def test_a_late_event_is_missed_by_a_bounded_query_and_found_by_the_next(okta: Simulator, api: httpx.Client) -> None:
    (held,) = okta.control.post("/hold", since=SINCE, until=UNTIL, count=1, persisted="+1h")
    window = {"since": SINCE, "until": UNTIL, "limit": "1000"}

    def read() -> list[str]:
        return [event["uuid"] for page in follow(api, **window) for event in page.json()]

    before = read()
    assert held["uuid"] not in before
    assert before == uuids(okta.control.events(SINCE, UNTIL))
    okta.control.advance(3600)
    after = read()
    assert set(after) - set(before) == {held["uuid"]}
    assert after == uuids(okta.control.events(SINCE, UNTIL))


def poll(api: httpx.Client, answer: httpx.Response) -> tuple[list[dict[str, Any]], httpx.Response, list[int]]:
    """Follow polling links until there is nothing new."""
    found, sizes = answer.json(), [len(answer.json())]
    while answer.links["next"]["url"] != answer.links["self"]["url"]:
        answer = api.get(answer.links["next"]["url"])
        sizes.append(len(answer.json()))
        found += answer.json()
    return found, answer, sizes


def test_polling_goes_by_persistence_and_never_ends(okta: Simulator, api: httpx.Client) -> None:
    (held,) = okta.control.post("/hold", since=SINCE, until=UNTIL, count=1, persisted="+10m")
    found, last, sizes = poll(api, api.get(LOGS, params={"since": SINCE, "limit": "50"}))
    hidden = okta.control.hidden("2026-11-23T08:50:00Z", "2026-11-23T10:10:00Z")
    persisted = {event["uuid"]: event["persisted"] for event in hidden}
    assert sorted(uuids(found)) == sorted(uuid for uuid, at in persisted.items() if at >= SINCE.replace("Z", ""))
    assert [persisted[event["uuid"]] for event in found] == sorted(persisted[event["uuid"]] for event in found)
    assert uuids(found) != uuids(sorted(found, key=lambda event: event["published"]))
    assert any(0 < size < 50 for size in sizes[:-2])
    assert last.json() == []
    cursor = dict(httpx.URL(last.links["next"]["url"]).params)
    assert set(cursor) == {"limit", "after"}
    assert re.fullmatch(r"\d{13}_\d+", cursor["after"])
    okta.control.advance(900)
    more, _, _ = poll(api, api.get(last.links["next"]["url"]))
    assert held["uuid"] in uuids(more)
    assert not set(uuids(more)) & set(uuids(found))


def test_polling_with_a_filter_keeps_its_place(okta: Simulator, api: httpx.Client) -> None:
    query = {"since": SINCE, "limit": "7", "filter": 'eventType eq "user.session.start"'}
    found, last, _ = poll(api, api.get(LOGS, params=query))
    whole, _, _ = poll(api, api.get(LOGS, params={"since": SINCE, "limit": "1000"}))
    assert uuids(found) == [event["uuid"] for event in whole if event["eventType"] == "user.session.start"]
    assert httpx.URL(last.links["next"]["url"]).params["filter"] == query["filter"]


def test_limit_and_defaults(api: httpx.Client) -> None:
    assert len(api.get(LOGS, params={"since": SINCE, "until": UNTIL}).json()) == 100
    assert api.get(LOGS, params={"since": SINCE, "until": UNTIL, "limit": "0"}).json() == []
    week = api.get(LOGS, params={"until": UNTIL, "limit": "1"}).json()
    assert week[0]["published"].startswith("2026-11-16T09:20:0")
    assert api.get(LOGS, params={"limit": "1", "until": "", "since": SINCE}).links["next"]


def test_history_ends_after_ninety_days(okta: Simulator, api: httpx.Client) -> None:
    okta.control.advance(86400)
    query = {"since": "2026-08-20T00:00:00Z", "until": UNTIL, "limit": "1"}
    assert api.get(LOGS, params=query).json()[0]["published"].startswith("2026-08-26T10:00")
    assert len(okta.control.events("2026-08-26T09:59:00Z", "2026-08-26T10:01:00Z")) < 80
    assert okta.control.events("2026-08-26T09:00:00Z", "2026-08-26T09:59:00Z") == []


@pytest.mark.parametrize(
    ("query", "code", "summary"),
    [
        ({"until": "yesterday"}, "E0000001", "Api validation failed: 'until': The date format in your query is not"),
        ({"since": "2026-13-01"}, "E0000001", "Api validation failed: 'since': The date format"),
        ({"since": "2026-11-23T09:00:00 00:00"}, "E0000001", "Api validation failed: 'since'"),
        ({"limit": "1001"}, "E0000001", "Api validation failed: 'limit'"),
        ({"limit": "-1"}, "E0000001", "Api validation failed: 'limit'"),
        ({"limit": "many"}, "E0000001", "Api validation failed: 'limit'"),
        ({"sortOrder": "SIDEWAYS"}, "E0000001", "Api validation failed: 'sortOrder'"),
        (
            {"q": "x" * 41},
            "E0000001",
            "Api validation failed: 'q': Freeform search cannot contain items longer than 40",
        ),
        ({"q": " ".join("abcdefghijk")}, "E0000001", "Api validation failed: 'q'"),
        (
            {"after": "349996bd-5091-45dc-a39f-d357867a30d7", "until": UNTIL},
            "E0000001",
            "Api validation failed: 'after'",
        ),
        ({"after": "nonsense"}, "E0000001", "Api validation failed: 'after'"),
        ({"after": "1627500044869_1", "since": SINCE}, "E0000001", "Api validation failed: 'since'"),
        ({"after": "1627500044869_1", "until": UNTIL}, "E0000001", "Api validation failed: 'after'"),
        ({"since": UNTIL, "until": SINCE}, "E0000001", "Api validation failed: 'since'"),
        ({"since": "2026-11-23T11:00:00Z"}, "E0000053", "Invalid parameter: The since parameter is in the future."),
        (
            {"since": "2026-05-26T00:00:00Z"},
            "E0000053",
            "Invalid parameter: The since parameter is over 180 days prior to the current day.",
        ),
        ({"filter": "published gt 1"}, "E0000053", "field is not valid: published"),
    ],
)
def test_what_is_refused(api: httpx.Client, query: dict[str, str], code: str, summary: str) -> None:
    answer = api.get(LOGS, params=query)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
    assert answer.json()["errorSummary"].startswith(summary)
    assert answer.json()["errorId"]
    assert "x-rate-limit-remaining" in answer.headers


def test_a_bad_date_has_two_causes(api: httpx.Client) -> None:
    causes = api.get(LOGS, params={"until": "x"}).json()["errorCauses"]
    assert [cause["errorSummary"][:7] for cause in causes] == ["until: ", "until: "]


def test_the_180th_day_is_still_answered(api: httpx.Client) -> None:
    assert api.get(LOGS, params={"since": "2026-05-27T00:00:00Z", "until": UNTIL, "limit": "1"}).status_code == 200


def test_headers_of_every_answer(okta: Simulator, api: httpx.Client) -> None:
    okta.control.post("/clock", set="2026-11-23T10:00:42Z")
    for answer in (api.get(LOGS, params={"limit": "1"}), api.get(LOGS, params={"limit": "x"}), api.get("/nowhere")):
        assert answer.headers["date"] == "Mon, 23 Nov 2026 10:00:42 GMT"
        assert len(answer.headers["x-okta-request-id"]) == 32
        assert answer.headers["content-type"] == "application/json"
    assert api.get("/nowhere").json()["errorCode"] == "E0000007"
    for method in ("POST", "DELETE", "PUT"):
        answer = api.request(method, LOGS)
        assert (answer.status_code, answer.json()["errorCode"]) == (405, "E0000022")


def test_times_with_offsets_and_fractions(api: httpx.Client) -> None:
    plain = api.get(LOGS, params={"since": SINCE, "until": UNTIL}).json()
    for since in ("2026-11-23T10:00:00+01:00", "2026-11-23T09:00:00.000Z", "2026-11-23T09:00:00.000000Z"):
        assert api.get(LOGS, params={"since": since, "until": UNTIL}).json() == plain
    assert datetime.fromisoformat(plain[0]["published"]) >= datetime.fromisoformat(SINCE)
