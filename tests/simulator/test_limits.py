"""Rate windows, nested buckets, concurrency, and the events about violations."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from local.simulator.errors import ApiError
from local.simulator.limits import Limits, LimitSettings
from local.simulator.process import running
from local.simulator.world.event import SECOND

if TYPE_CHECKING:
    from local.simulator.process import Simulator

LOGS = "/api/v1/logs"
NOON = 1_795_435_200 * SECOND


def test_a_window_begins_where_it_likes_and_lasts_a_minute() -> None:
    limits = Limits(LimitSettings(per_minute=10, token_share=1.0, offset_seconds=20))
    assert limits.take("t", NOON + 19 * SECOND).reset_s == NOON // SECOND + 20
    first = limits.take("t", NOON + 20 * SECOND)
    assert (first.limit, first.remaining, first.reset_s) == (10, 9, NOON // SECOND + 80)
    assert limits.take("t", NOON + 79 * SECOND).remaining == 8
    assert limits.take("t", NOON + 80 * SECOND).remaining == 9


def test_the_token_has_half_and_the_org_has_all() -> None:
    limits = Limits(LimitSettings(per_minute=10, token_share=0.5))
    one = [limits.take("one", NOON) for _ in range(5)]
    assert [(standing.limit, standing.remaining) for standing in one] == [(5, 4), (5, 3), (5, 2), (5, 1), (5, 0)]
    assert [violation.bucket for violation in limits.violations] == ["one"]
    with pytest.raises(ApiError) as caught:
        limits.take("one", NOON)
    assert (caught.value.status, caught.value.code) == (429, "E0000047")
    assert caught.value.headers["X-Rate-Limit-Remaining"] == "0"
    two = [limits.take("two", NOON) for _ in range(5)]
    assert (two[-1].limit, two[-1].remaining) == (5, 0)
    assert [violation.bucket for violation in limits.violations] == ["one", "org", "two"]
    with pytest.raises(ApiError):
        limits.take("three", NOON)


def test_others_spend_the_org_s_bucket() -> None:
    limits = Limits(LimitSettings(per_minute=60, token_share=1.0, others=60, offset_seconds=0))
    assert limits.take("t", NOON).remaining == 59
    assert limits.take("t", NOON + 30 * SECOND).remaining == 28
    with pytest.raises(ApiError):
        limits.take("t", NOON + 59 * SECOND)


@pytest.mark.parametrize("wrong", [{"per_minute": 0}, {"token_share": 0}, {"token_share": 2}, {"concurrent": 0}])
def test_nonsense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="rate limit"):
        LimitSettings(**wrong)


def test_headers_count_down_and_a_violation_is_an_event(okta: Simulator, api: httpx.Client) -> None:
    okta.control.post("/limits", per_minute=8)
    answers = [api.get(LOGS, params={"limit": "1"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
    assert [answer.headers["x-rate-limit-remaining"] for answer in answers] == ["3", "2", "1", "0", "0", "0"]
    assert answers[-1].json()["errorCode"] == "E0000047"
    assert answers[-1].headers["x-rate-limit-reset"] == answers[0].headers["x-rate-limit-reset"]
    assert okta.control.counters()["violations"] == 1
    reset = int(answers[0].headers["x-rate-limit-reset"])
    okta.control.advance(reset - okta.control.get("/clock")["epoch"])
    query = {"filter": 'eventType eq "system.org.rate_limit.violation"', "since": "2026-11-23T10:00:00Z"}
    (violation,) = api.get(LOGS, params=query).json()
    assert violation["debugContext"]["debugData"]["operationRateLimitThreshold"] == "4"
    expected = okta.control.events("2026-11-23T10:00:00Z", "2026-11-23T10:01:00Z")
    assert violation["uuid"] in {event["uuid"] for event in expected}


def test_refused_requests_without_a_good_token_cost_nothing(okta: Simulator, api: httpx.Client) -> None:
    before = int(api.get(LOGS, params={"limit": "1"}).headers["x-rate-limit-remaining"])
    api.get(LOGS, headers={"Authorization": "SSWS wrong"})
    assert int(api.get(LOGS, params={"limit": "1"}).headers["x-rate-limit-remaining"]) == before - 1


def test_too_many_at_once_is_the_other_429() -> None:
    arguments = ("--latency", "2", "--concurrency", "2", "--rate", "5", "--token", "t")
    with running(*arguments) as okta, httpx.Client(base_url=okta.url, trust_env=False) as client:
        seen: list[tuple[int, str]] = []

        def ask() -> None:
            answer = client.get(LOGS, params={"limit": "1"}, headers={"Authorization": "SSWS t"})
            seen.append((answer.status_code, answer.headers["x-rate-limit-limit"]))

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
            time.sleep(0.01)
        for thread in threads:
            thread.join()
    assert sorted(seen) == [(200, "60")] * 2 + [(429, "0")] * 4
