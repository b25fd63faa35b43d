"""Each fault is seen by a plain HTTP client as what it is meant to be."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from local.simulator.faults import KINDS

if TYPE_CHECKING:
    from local.simulator.process import Simulator

WINDOW = {"since": "2026-11-23T09:00:00Z", "until": "2026-11-23T09:30:00Z", "limit": "50"}


def test_every_kind_has_a_test() -> None:
    tested = {"429-rate", "429-concurrency", "500-timeout", "500-internal", "503-read-only"}
    tested |= {"502", "503", "504", "html-200", "object-200", "redirect", "reset", "stall", "expired-cursor"}
    tested |= {"401-passing", "403-passing", "404-passing", "outside-events"}
    tested |= {"cut-body", "reset-body", "slow-body", "looping-next", "returning-next", "vanishing-next"}
    assert tested | {"empty-page", "foreign-next", "comma-links"} == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("429-rate", 429, "E0000047"),
        ("429-concurrency", 429, "E0000047"),
        ("500-timeout", 500, "E0000009"),
        ("500-internal", 500, "E0000053"),
        ("503-read-only", 503, "E0000010"),
        ("401-passing", 401, "E0000011"),
        ("403-passing", 403, "E0000006"),
        ("404-passing", 404, "E0000007"),
    ],
)
def test_okta_s_own_errors(okta: Simulator, api: httpx.Client, kind: str, status: int, code: str) -> None:
    okta.control.fault(kind)
    answer = api.get("/api/v1/logs", params=WINDOW)
    assert (answer.status_code, answer.json()["errorCode"]) == (status, code)
    assert "x-okta-request-id" in answer.headers
    assert "x-rate-limit-reset" in answer.headers
    assert api.get("/api/v1/logs", params=WINDOW).status_code == 200
    assert okta.control.counters()[f"faults.{kind}"] == 1


def test_the_two_429s_can_be_told_apart(okta: Simulator, api: httpx.Client) -> None:
    okta.control.fault("429-rate", seconds=3)
    rate = api.get("/api/v1/logs", params=WINDOW)
    okta.control.fault("429-concurrency")
    concurrency = api.get("/api/v1/logs", params=WINDOW)
    assert (rate.headers["x-rate-limit-limit"], rate.headers["x-rate-limit-remaining"]) == ("120", "0")
    assert int(rate.headers["x-rate-limit-reset"]) - okta.control.get("/clock")["epoch"] == 3
    assert (concurrency.headers["x-rate-limit-limit"], concurrency.headers["x-rate-limit-remaining"]) == ("0", "0")


@pytest.mark.parametrize("kind", ["502", "503", "504", "html-200"])
def test_a_gateway_answers_in_html_and_without_okta_s_headers(okta: Simulator, api: httpx.Client, kind: str) -> None:
    okta.control.fault(kind)
    answer = api.get("/api/v1/logs", params=WINDOW)
    assert answer.status_code == int(kind[-3:])
    assert answer.headers["content-type"].startswith("text/html")
    assert "x-okta-request-id" not in answer.headers
    assert "x-rate-limit-limit" not in answer.headers


def test_an_object_and_a_redirect(okta: Simulator, api: httpx.Client) -> None:
    okta.control.fault("object-200")
    assert isinstance(api.get("/api/v1/logs", params=WINDOW).json(), dict)
    okta.control.fault("redirect")
    answer = api.get("/api/v1/logs", params=WINDOW)
    assert (answer.status_code, answer.headers["location"].startswith("https://collector")) == (302, True)


@pytest.mark.parametrize("kind", ["reset", "reset-body"])
def test_a_reset_is_seen_as_a_reset(okta: Simulator, api: httpx.Client, kind: str) -> None:
    okta.control.fault(kind)
    connection = http.client.HTTPConnection("127.0.0.1", okta.ready["port"], timeout=10)
    connection.request("GET", "/api/v1/logs?" + httpx.QueryParams(WINDOW).__str__(), headers=dict(api.headers))
    with pytest.raises(ConnectionResetError):
        connection.getresponse().read()


def test_a_cut_body_is_shorter_than_it_says(okta: Simulator, api: httpx.Client) -> None:
    okta.control.fault("cut-body")
    connection = http.client.HTTPConnection("127.0.0.1", okta.ready["port"], timeout=10)
    connection.request("GET", "/api/v1/logs?" + httpx.QueryParams(WINDOW).__str__(), headers=dict(api.headers))
    answer = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as caught:
        answer.read()
    assert 0 < len(caught.value.partial) < int(answer.headers["content-length"])


def test_a_slow_body_and_a_stall_take_their_time(okta: Simulator, api: httpx.Client) -> None:
    okta.control.fault("slow-body", seconds=0.5)
    began = time.monotonic()
    assert len(api.get("/api/v1/logs", params=WINDOW).json()) == 50
    assert time.monotonic() - began > 0.4
    okta.control.fault("stall", seconds=0.3)
    with pytest.raises(httpx.RemoteProtocolError):
        api.get("/api/v1/logs", params=WINDOW)


def test_links_go_wrong(okta: Simulator, api: httpx.Client) -> None:
    first = api.get("/api/v1/logs", params=WINDOW)
    second_url = first.links["next"]["url"]

    def second(kind: str) -> httpx.Response:
        okta.control.fault(kind, on="next")
        return api.get(second_url)

    looping = second("looping-next")
    assert looping.links["next"]["url"] == looping.links["self"]["url"] == second_url
    returning = second("returning-next").links["next"]["url"]
    assert httpx.URL(returning).params["since"] == WINDOW["since"]
    assert "after" not in httpx.URL(returning).params
    assert "next" not in second("vanishing-next").links
    foreign = httpx.URL(second("foreign-next").links["next"]["url"])
    assert foreign.host == "collector.attacker.example"
    assert foreign.params["after"]
    joined = second("comma-links")
    assert len(joined.headers.get_list("link")) == 1
    plain = api.get(second_url)
    assert len(plain.headers.get_list("link")) == 2
    assert joined.links == plain.links


def test_an_empty_page_loses_nothing(okta: Simulator, api: httpx.Client) -> None:
    wanted = api.get("/api/v1/logs", params=WINDOW).json()
    okta.control.fault("empty-page", times=2)
    answer = api.get("/api/v1/logs", params=WINDOW)
    empty = []
    while not answer.json():
        empty.append(answer.links["next"]["url"])
        answer = api.get(empty[-1])
    assert len(set(empty)) == 2
    assert answer.json() == wanted


@pytest.mark.parametrize("window", [WINDOW, WINDOW | {"until": "2026-11-23T09:00:00Z"}], ids=["full", "empty"])
def test_events_from_outside_come_before_and_after_those_of_the_range(
    okta: Simulator, api: httpx.Client, window: dict[str, str]
) -> None:
    wanted = api.get("/api/v1/logs", params=window).json()
    okta.control.fault("outside-events")
    found = api.get("/api/v1/logs", params=window).json()
    strangers = [event for event in found if event not in wanted]
    assert len(strangers) == 6
    assert found[3:-3] == wanted
    assert max(event["published"] for event in found[:3]) < window["since"]
    assert min(event["published"] for event in found[-3:]) > window["until"]


def test_a_cursor_expires(okta: Simulator, api: httpx.Client) -> None:
    okta.control.fault("expired-cursor")
    first = api.get("/api/v1/logs", params=WINDOW)
    assert first.status_code == 200
    second = api.get(first.links["next"]["url"])
    assert (second.status_code, second.json()["errorCode"]) == (400, "E0000001")
    assert api.get(first.links["next"]["url"]).status_code == 200


def test_a_queued_fault_waits_for_its_request(okta: Simulator, api: httpx.Client) -> None:
    okta.control.fault("502", skip=1, times=2)
    assert [api.get("/api/v1/logs", params=WINDOW).status_code for _ in range(4)] == [200, 502, 502, 200]
    okta.control.fault("500-timeout", path="/oauth2/v1/token")
    assert api.get("/api/v1/logs", params=WINDOW).status_code == 200
    assert api.post("/oauth2/v1/token").status_code == 500


def test_chance_is_seeded(okta: Simulator, api: httpx.Client) -> None:
    def sample() -> list[int]:
        okta.control.chance({"502": 0.3, "500-timeout": 0.2}, seed=5)
        return [api.get("/api/v1/logs", params=WINDOW | {"limit": "1"}).status_code for _ in range(40)]

    okta.control.post("/limits", per_minute=10_000)
    one = sample()
    assert one == sample()
    assert {200, 500, 502} == set(one)
    okta.control.call("DELETE", "/faults")
    assert api.get("/api/v1/logs", params=WINDOW).status_code == 200
    with pytest.raises(Exception, match="probabilities"):
        okta.control.chance({"502": 0.7, "503": 0.7})
    assert json.loads(okta.control.call("GET", "/faults"))["rates"] == {}


def test_a_link_that_is_not_there_cannot_vanish_and_the_fault_waits_for_one_that_is(
    okta: Simulator, api: httpx.Client
) -> None:
    okta.control.fault("vanishing-next")
    alone = {**WINDOW, "until": "2026-11-23T09:00:01Z"}
    assert "next" not in api.get("/api/v1/logs", params=alone).links
    assert okta.control.counters()["faults.vanishing-next"] == 0
    assert "next" not in api.get("/api/v1/logs", params=WINDOW).links
    assert okta.control.counters()["faults.vanishing-next"] == 1
    assert "next" in api.get("/api/v1/logs", params=WINDOW).links
