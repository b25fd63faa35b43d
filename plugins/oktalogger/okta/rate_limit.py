"""What Okta says about its rate limit, and the gate that every request passes.

Source of the headers: Okta, "Rate limits overview": ``X-Rate-Limit-Limit``, ``-Remaining``, and ``-Reset`` in epoch
seconds (UTC), on every response. Limit 0 with remaining 0 on a 429 means too many requests at the same moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One response's view of the rate limit.

    :param limit: requests that are allowed a minute
    :param remaining: how many of them are left
    :param reset: when the count starts anew
    :param date: Okta's own time of the response; None where it names none
    """

    limit: int
    remaining: int
    reset: datetime
    date: datetime | None = None

    @property
    def seconds_left(self) -> float:
        """How long the count still lasts, by Okta's clock where it told the time."""
        return max(0.0, (self.reset - (self.date or datetime.now(UTC))).total_seconds())

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
    """Return the rate limit that a response names, or None when a header is missing or is no number.

    :param headers: response headers; the mapping ignores case.
    """
    try:
        return RateLimit(
            limit=int(headers["X-Rate-Limit-Limit"]),
            remaining=int(headers["X-Rate-Limit-Remaining"]),
            reset=datetime.fromtimestamp(int(headers["X-Rate-Limit-Reset"]), UTC),
            date=date_of(headers),
        )
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def seconds_until_reset(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Return how long the rate window still lasts, or None when the response does not say.

    Okta's own clock (``Date``) counts, so that a wrong clock here neither waits for ever nor asks too early.

    :param headers: response headers; the mapping ignores case.
    :param now: this machine's time, for a response without ``Date``.
    """
    rate_limit = from_headers(headers)
    if rate_limit is not None:
        return max(0.0, (rate_limit.reset - (date_of(headers) or now)).total_seconds())
    try:
        # Okta documents no Retry-After; a gateway in between may send one.
        return max(0.0, float(int(headers["Retry-After"])))
    except (KeyError, ValueError):
        return None


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return the server's time from the ``Date`` header, or None."""
    try:
        moment = parsedate_to_datetime(headers["Date"])
    except (KeyError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
