"""Okta's rate limits: fixed windows of a minute that do not begin with the clock's minute, and nested buckets.

A request counts against the org's bucket and against its token's, which is half of it. Whatever reaches the end of a
bucket is a violation, and Okta writes an event about it. The headers tell of the bucket that has less left.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from local.simulator.errors import TOO_MANY, ApiError
from local.simulator.world.event import MINUTE, SECOND

WINDOW_US = MINUTE


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """How much may be asked.

    :param per_minute: requests to the System Log in one window, for the whole org
    :param token_share: share of that for one token or app
    :param concurrent: requests under way at once, for the whole org
    :param others: requests that the org's other programs spend in each window, evenly over it
    :param offset_seconds: where in the clock's minute a window begins
    """

    per_minute: int = 120
    token_share: float = 0.5
    concurrent: int = 75
    others: int = 0
    offset_seconds: int = 20

    def __post_init__(self) -> None:
        if self.per_minute < 1 or not 0 < self.token_share <= 1 or self.concurrent < 1 or self.others < 0:
            raise ValueError(f"not a rate limit: {self}")


DEFAULT = LimitSettings()


@dataclass(slots=True)
class _Bucket:
    used: int = 0
    reported: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What the three headers say.

    :param reset_s: UTC epoch seconds at which the window ends
    """

    limit: int
    remaining: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        """The headers that every response carries."""
        return {
            "X-Rate-Limit-Limit": str(self.limit),
            "X-Rate-Limit-Remaining": str(self.remaining),
            "X-Rate-Limit-Reset": str(self.reset_s),
        }


@dataclass(frozen=True, slots=True)
class Violation:
    """A bucket that was used up.

    :param bucket: ``org`` or a token's id
    """

    bucket: str
    limit: int
    refused: bool


@dataclass(slots=True)
class Limits:
    """The counters of the present window."""

    settings: LimitSettings
    under_way: int = 0
    violations: list[Violation] = field(default_factory=list)
    """New ones, until somebody takes them."""
    _window: int = -1
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def _turn(self, now_us: int) -> int:
        """Go to the present window; returns where it began."""
        offset = self.settings.offset_seconds * SECOND
        window = (now_us - offset) // WINDOW_US
        if window != self._window:
            self._window = window
            self._buckets.clear()
        return window * WINDOW_US + offset

    def take(self, token: str, now_us: int) -> Standing:
        """Count one request.

        :param token: id of the token or app that asks
        :return: what is left after it
        :raises ApiError: 429 with its headers, when the window or the places are used up
        """
        settings = self.settings
        if self.under_way > settings.concurrent:
            reset = Standing(0, 0, now_us // SECOND + 60)
            raise ApiError(429, "E0000047", TOO_MANY, (), reset.headers())
        began = self._turn(now_us)
        reset_s = (began + WINDOW_US) // SECOND
        others = settings.others * (now_us - began) // WINDOW_US
        own = max(1, int(settings.per_minute * settings.token_share))
        rows = []
        refused = False
        for name, limit, foreign in (("org", settings.per_minute, others), (token, own, 0)):
            bucket = self._buckets.setdefault(name, _Bucket())
            refused = refused or bucket.used + foreign >= limit
            rows.append((name, bucket, limit, foreign))
        standings = []
        for name, bucket, limit, foreign in rows:
            if not refused:
                bucket.used += 1
            left = max(0, limit - bucket.used - foreign)
            standings.append(Standing(limit, left, reset_s))
            if left == 0 and not bucket.reported:
                bucket.reported = True
                self.violations.append(Violation(name, limit, refused))
        tightest = min(standings, key=lambda standing: (standing.remaining, standing.limit))
        if refused:
            raise ApiError(429, "E0000047", TOO_MANY, (), tightest.headers())
        return tightest

    def standing(self, now_us: int) -> Standing:
        """What is left of the org's bucket, without counting a request."""
        began = self._turn(now_us)
        limit, used = self.settings.per_minute, self._buckets.get("org", _Bucket()).used
        others = self.settings.others * (now_us - began) // WINDOW_US
        return Standing(limit, max(0, limit - used - others), (began + WINDOW_US) // SECOND)

    def reset(self) -> None:
        """Begin a window anew."""
        self._window = -1
        self.violations.clear()
