"""What Okta says about its rate limit, and the gate that every request passes.

Source of the headers: Okta, "Rate limits overview": ``X-Rate-Limit-Limit``, ``-Remaining``, and ``-Reset`` in epoch
seconds (UTC), on every response. Limit 0 with remaining 0 on a 429 means too many requests at the same moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


# Okta, "Rate limits overview": the count is typically begun anew every 60 seconds. Where nothing says when, or what is
# said cannot be, it is taken for as long as that from now.
MINUTE: Final = 60.0
# Both times are told in whole seconds, by servers whose clocks need not be the same.
_EARLIEST: Final = -2.0
_LATEST: Final = MINUTE + 15.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One response's view of the rate limit.

    :param limit: requests that are allowed a minute
    :param remaining: how many of them are left
    :param reset: when the count starts anew; None where the response does not say
    :param date: Okta's own time of the response; None where it names none
    """

    limit: int
    remaining: int
    reset: datetime | None
    date: datetime | None = None

    def seconds_to_reset(self, *, now: datetime | None = None) -> float | None:
        """Return how long the count still lasts, by Okta's clock where it told the time, from 0 to a little over 60.

        :param now: this machine's time, for a response without ``Date``; by default the present
        :return: None where the reset is not told, or is no time at which a minute that is under way can end
        """
        if self.reset is None:
            return None
        left = (self.reset - (self.date or now or datetime.now(UTC))).total_seconds()
        return max(0.0, left) if _EARLIEST <= left <= _LATEST else None

    @property
    def is_concurrency(self) -> bool:
        """Whether these are the numbers that go with a breach of the concurrency limit."""
        return self.limit == 0 and self.remaining == 0


class RequestGate(Protocol):
    """Asked before each System Log request, told after each; the place for a rate budget."""

    def before_request(self) -> None:
        """Wait until one more request may be made, or raise."""

    def after_response(self, rate_limit: RateLimit | None) -> None:
        """Take note of what the response said; None when no response came, or one without rate headers."""


class OpenGate:
    """A gate that lets everything through."""

    def before_request(self) -> None:
        """Return at once."""

    def after_response(self, rate_limit: RateLimit | None) -> None:
        """Take no note."""


def from_headers(headers: Mapping[str, str]) -> RateLimit | None:
    """Return the rate limit that a response names, or None when limit or remaining is missing or is no number.

    :param headers: response headers; the mapping ignores case.
    """
    try:
        limit, remaining = int(headers["X-Rate-Limit-Limit"]), int(headers["X-Rate-Limit-Remaining"])
    except (KeyError, ValueError):
        return None
    return RateLimit(limit=limit, remaining=remaining, reset=_reset_of(headers), date=date_of(headers))


def _reset_of(headers: Mapping[str, str]) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(headers["X-Rate-Limit-Reset"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def seconds_until_reset(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Return how long the rate window still lasts, or None when the response does not say.

    Okta's own clock (``Date``) counts, so that a wrong clock here neither waits for ever nor asks too early. Where its
    times contradict each other the window is taken to last a minute.

    :param headers: response headers; the mapping ignores case.
    :param now: this machine's time, for a response without ``Date``.
    """
    rate_limit = from_headers(headers)
    left = rate_limit.seconds_to_reset(now=now) if rate_limit is not None else None
    if left is not None:
        return left
    try:
        # Okta documents no Retry-After; a gateway in between may send one.
        return max(0.0, float(int(headers["Retry-After"])))
    except (KeyError, ValueError, OverflowError):
        return None if rate_limit is None else MINUTE


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return the server's time from the ``Date`` header, or None."""
    try:
        moment = parsedate_to_datetime(headers["Date"])
    except (KeyError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
