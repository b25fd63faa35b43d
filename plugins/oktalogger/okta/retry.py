"""Which errors are tried again, how long to wait before that, and when to give up.

429 of both kinds, 500 with Okta's codes for "took too long" and "there's been an error", 502, 503, 504, and answers
that never came or came cut off. Nothing else: a wrong token or filter does not get better by asking again.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenacity import RetryCallState, Retrying, retry_if_exception

from oktalogger.okta.errors import OktaConnectionError, OktaError, OktaRateLimitError, OktaServerError

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

# E0000009 "took too long to complete"; E0000053 "Sorry, there's been an error" in the System Log's own documentation.
TRANSIENT_500_CODES = frozenset({"E0000009", "E0000053"})
TRANSIENT_STATUSES = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """How patient one request is, retries included.

    :param max_attempts: requests made at most.
    :param max_wait_seconds: seconds slept at most, all waits together; a wait that would pass it is not begun.
    :param backoff_seconds: first wait after an error that names no time; doubles each time.
    :param max_backoff_seconds: longest such wait.
    :param rate_margin_seconds: added to the reset that Okta names, whose clock ticks in whole seconds.
    :param rate_jitter_seconds: up to this much more, at random, so that several tasks do not return together.
    """

    max_attempts: int = 8
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
    jitter: Callable[[float, float], float] = random.uniform,
) -> Retrying:
    """Return a tenacity loop that repeats a call for transient errors and lets the last error out as it is."""

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
        retry=retry_if_exception(is_transient),
        wait=wait,
        stop=stop,
        sleep=sleep,
        before_sleep=announce,
        reraise=True,
    )


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
