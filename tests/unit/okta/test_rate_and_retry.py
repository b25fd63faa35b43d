from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

import pytest
from urllib3 import HTTPHeaderDict

from oktalogger.okta import errors
from oktalogger.okta import rate_limit as rate
from oktalogger.okta.rate_limit import RateLimit
from oktalogger.okta.retry import RetrySettings, is_transient, retrying, wait_seconds

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
DATE = ("Date", "Mon, 23 Nov 2026 10:00:00 GMT")


def headers(limit: object = 60, remaining: object = 0, reset: object = None, *more: tuple[str, str]) -> HTTPHeaderDict:
    reset = int(NOW.timestamp()) + 20 if reset is None else reset
    names = ("x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset")
    return HTTPHeaderDict([*zip(names, map(str, (limit, remaining, reset)), strict=True), *more])


def low(first: float, second: float) -> float:
    return min(first, second)


def high(first: float, second: float) -> float:
    return max(first, second)


def test_rate_headers() -> None:
    assert rate.from_headers(headers(120, 7)) == RateLimit(120, 7, NOW + timedelta(seconds=20))
    assert rate.from_headers(HTTPHeaderDict({"X-Rate-Limit-Limit": "1"})) is None


@pytest.mark.parametrize("bad", ["", "x", "1.5", "9" * 5000])
def test_rate_headers_that_are_no_numbers(bad: str) -> None:
    assert rate.from_headers(headers(limit=bad)) is None
    assert rate.from_headers(headers(remaining=bad)) is None
    assert rate.from_headers(headers(reset=bad)) == RateLimit(60, 0, None)


@pytest.mark.parametrize("left", [-2, 0, 20, 75])
def test_a_reset_that_can_be(left: int) -> None:
    said = RateLimit(60, 0, NOW + timedelta(seconds=left), NOW)
    assert said.seconds_to_reset() == max(0, left)
    assert RateLimit(60, 0, NOW + timedelta(seconds=left)).seconds_to_reset(now=NOW) == max(0, left)


@pytest.mark.parametrize("left", [-86400, -3, 76, 5445])
def test_a_reset_that_cannot_be_is_not_known(left: int) -> None:
    assert RateLimit(60, 0, NOW + timedelta(seconds=left), NOW).seconds_to_reset() is None
    assert RateLimit(60, 0, None, NOW).seconds_to_reset() is None


def test_the_wait_goes_by_oktas_clock() -> None:
    wrong_clock = NOW + timedelta(hours=1)
    assert rate.seconds_until_reset(headers(60, 0, None, DATE), now=wrong_clock) == 20
    assert rate.seconds_until_reset(headers(), now=NOW) == 20
    assert rate.seconds_until_reset(headers(reset=1), now=NOW) == 60
    assert rate.seconds_until_reset(headers(60, 0, "x"), now=NOW) == 60
    assert rate.seconds_until_reset(headers(60, 0, 1, ("Retry-After", "9")), now=NOW) == 9
    assert rate.seconds_until_reset(HTTPHeaderDict({"Retry-After": "9" * 400}), now=NOW) is None
    assert rate.seconds_until_reset(HTTPHeaderDict({"Retry-After": "7"}), now=NOW) == 7
    assert rate.seconds_until_reset(HTTPHeaderDict({"Retry-After": "Mon, 23 Nov"}), now=NOW) is None
    assert rate.seconds_until_reset(HTTPHeaderDict(), now=NOW) is None


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Nov 2026 10:00:00 GMT"])
def test_a_date_that_is_none(date: str) -> None:
    assert rate.date_of(HTTPHeaderDict({"Date": date})) is None


def rate_error(kind: str = "rate", reset: float | None = 20.0) -> errors.OktaRateLimitError:
    error = errors.OktaRateLimitError("", status=429)
    error.kind = "concurrency" if kind == "concurrency" else "rate"
    error.reset_in_seconds = reset
    return error


def test_waits() -> None:
    settings = RetrySettings()
    assert wait_seconds(rate_error(), 1, settings, low) == 21
    assert wait_seconds(rate_error(), 5, settings, high) == 24
    # A concurrency limit names a reset, too, but only as a suggestion: it is free again in a moment.
    assert wait_seconds(rate_error("concurrency"), 1, settings, high) == 1
    assert wait_seconds(rate_error("concurrency"), 3, settings, low) == 2
    assert wait_seconds(rate_error(reset=None), 2, settings, high) == 2
    server = errors.OktaServerError("", status=503)
    assert [wait_seconds(server, n, settings, high) for n in (1, 2, 3, 6, 7, 5000)] == [1, 2, 4, 30, 30, 30]


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (rate_error(), True),
        (rate_error("concurrency"), True),
        (errors.OktaServerError("", status=500, code="E0000009"), False),
        (errors.OktaServerError("", status=500, code="E0000053"), True),
        (errors.OktaServerError("", status=500, code="E0000001"), False),
        (errors.OktaServerError("", status=500), False),
        (errors.OktaServerError("", status=501), False),
        (errors.OktaServerError("", status=502), True),
        (errors.OktaServerError("", status=503, code="E0000010"), True),
        (errors.OktaServerError("", status=504), True),
        (errors.OktaConnectionError(""), True),
        (errors.OktaUnknownHostError(""), False),
        (errors.OktaCertificateError(""), False),
        (errors.OktaAuthenticationError("", status=401), False),
        (errors.OktaScopeError("", status=403), False),
        (errors.OktaRequestError("", status=400, code="E0000009"), False),
        (errors.OktaProtocolError(""), False),
        (errors.OktaPagingStuckError(""), False),
        (ValueError(), False),
    ],
)
def test_what_is_tried_again(error: Exception, again: bool) -> None:
    assert is_transient(error) is again


def test_a_wait_beyond_the_bound_is_not_begun() -> None:
    slept: list[float] = []
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        raise rate_error(reset=50)

    with pytest.raises(errors.OktaRateLimitError):
        retrying(RetrySettings(max_wait_seconds=120), sleep=slept.append, jitter=low)(call)
    assert slept == [51, 51]
    assert len(calls) == 3


def test_errors_survive_pickling() -> None:
    error = rate_error("concurrency")
    error.gave_up(3, 12.4)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (str(copy), copy.kind, copy.status) == (str(error), "concurrency", 429)
    assert "3 requests and 12 s" in str(copy)
