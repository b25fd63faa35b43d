"""Which errors are tried again, how long to wait before that, and when to give up.

429 of both kinds, 500 with Okta's code for "there's been an error", 502, 503, 504, and answers that never came or came
cut off are asked for again and again. Refusals that as a rule are final, and that Okta now and then gives for no
reason, get a few tries: 401, 403 E0000006, 404, 408, 425, 5xx without a code. So does 500 "took too long", which a
request for less may mend. Nothing else is tried again: a wrong filter does not get better by asking again.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenacity import RetryCallState, Retrying, retry_if_exception

from oktalogger.okta.errors import (
    OktaApiError,
    OktaConnectionError,
    OktaError,
    OktaRateLimitError,
    OktaScopeError,
    OktaServerError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

# "Sorry, there's been an error" in the System Log's own documentation.
TRANSIENT_500_CODES = frozenset({"E0000053"})
TRANSIENT_STATUSES = frozenset({502, 503, 504})
# "The request took too long to complete", Okta, "Error codes".
TOOK_TOO_LONG = "E0000009"
DENIED = "E0000006"
_DPOP_CODES = frozenset({"invalid_dpop_proof", "use_dpop_nonce"})


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """How patient one request is, retries included.

    :param max_attempts: requests made at most.
    :param doubtful_attempts: requests made at most where each gets a refusal that as a rule is final.
    :param max_wait_seconds: seconds slept at most, all waits together; a wait that would pass it is not begun.
    :param backoff_seconds: first wait after an error that names no time; doubles each time.
    :param max_backoff_seconds: longest such wait.
    :param rate_margin_seconds: added to the reset that Okta names, whose clock ticks in whole seconds.
    :param rate_jitter_seconds: up to this much more, at random, so that several tasks do not return together.
    """

    max_attempts: int = 8
    doubtful_attempts: int = 4
    max_wait_seconds: float = 300.0
    backoff_seconds: float = 1.0
    max_backoff_seconds: float = 30.0
    rate_margin_seconds: float = 1.0
    rate_jitter_seconds: float = 3.0


def is_transient(error: BaseException) -> bool:
    """Return whether the same request, sent again in a moment, has a fair chance."""
    match error:
        case OktaRateLimitError():
            return True
        case OktaServerError():
            return error.status in TRANSIENT_STATUSES or (error.status == 500 and error.code in TRANSIENT_500_CODES)
        case OktaConnectionError():
            return error.retryable
    return False


def may_pass(error: BaseException) -> bool:
    """Return whether a refusal of a request that changes nothing may pass by itself, however final it sounds."""
    if not isinstance(error, OktaApiError) or isinstance(error, OktaScopeError) or error.code in _DPOP_CODES:
        return False
    match error.status:
        case 401 | 404 | 408 | 425:
            return True
        case 403:
            return error.code == DENIED
        case status if status >= 500:
            return error.code is None or is_too_much(error)
    return False


def is_too_much(error: BaseException) -> bool:
    """Return whether Okta needed too long for what was asked, so that it may manage less."""
    return isinstance(error, OktaServerError) and error.status == 500 and error.code == TOOK_TOO_LONG


def wait_seconds(
    error: OktaError, attempt: int, settings: RetrySettings, jitter: Callable[[float, float], float]
) -> float:
    """Return how long to wait before the next attempt.

    :param attempt: attempts made so far, from 1.
    :param jitter: returns a number between its two arguments.
    """
    if isinstance(error, OktaRateLimitError) and error.kind == "rate" and error.reset_in_seconds is not None:
        return error.reset_in_seconds + settings.rate_margin_seconds + jitter(0.0, settings.rate_jitter_seconds)
    ceiling = min(settings.max_backoff_seconds, settings.backoff_seconds * 2.0 ** min(attempt - 1, 32))
    return jitter(ceiling / 2, ceiling)


def retrying(
    settings: RetrySettings,
    *,
    sleep: Callable[[float], None],
    doubtful: Callable[[BaseException], bool] = may_pass,
    jitter: Callable[[float, float], float] = random.uniform,
) -> Retrying:
    """Return a tenacity loop for one request, which repeats it and lets the last error out as it is.

    :param doubtful: whether an error that is not transient deserves a few tries.
    """
    refusals = 0

    def again(error: BaseException) -> bool:
        nonlocal refusals
        if is_transient(error):
            return True
        refusals += 1
        return doubtful(error) and refusals < settings.doubtful_attempts

    def wait(state: RetryCallState) -> float:
        error = _error(state)
        return wait_seconds(error, state.attempt_number, settings, jitter) if isinstance(error, OktaError) else 0.0

    def stop(state: RetryCallState) -> bool:
        waited = state.idle_for + state.upcoming_sleep
        return state.attempt_number >= settings.max_attempts or waited > settings.max_wait_seconds

    def announce(state: RetryCallState) -> None:
        error = _error(state)
        log.warning(
            "%s Trying again in %.1f s (attempt %d of %d failed).",
            error.message if isinstance(error, OktaError) else error,
            state.upcoming_sleep,
            state.attempt_number,
            settings.max_attempts,
        )

    return Retrying(
        retry=retry_if_exception(again),
        wait=wait,
        stop=stop,
        sleep=sleep,
        before_sleep=announce,
        reraise=True,
    )


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
