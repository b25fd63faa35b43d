"""The rate budget: how many requests a task may take out of Okta's bucket before it waits for the next one.

Okta counts requests per org (or token) and minute, shares the bucket among everything that the company runs, and
reports using it up as a violation. There is no coordinator between workers: each task goes by the headers of its own
responses, which show what everybody together has left.

A row of tasks keeps to one share without knowing of each other: one that begins within a minute takes the part of its
share that goes with the rest of that minute, and one that ends within a minute keeps its place for as long as the
requests that it made would take at the pace of the share.
"""

from __future__ import annotations

import logging
import math
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from oktalogger.okta.rate_limit import MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from oktalogger.okta.rate_limit import RateLimit

log = logging.getLogger(__name__)

# The reset is told in whole seconds, and several tasks must not return in the same instant.
_MARGIN_SECONDS: Final = 1.0
_JITTER_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Share:
    """The part of Okta's rate limit that a task may use.

    :param part: of the limit, over 0 and at most 1: requests of this task a minute
    :param among: how many tasks of this kind may ask at once; the part is divided among them
    :param reserve: of the limit, at least 0: stop when no more than this is left for everybody, so that work of more
        importance always finds room. One request always stays, whatever this says
    :param tasks: how many tasks of all kinds may ask at once: as many requests stay as well, because each of the others
        may have one on its way that this task's last answer did not yet show
    :param paced: whether tasks follow one another in a row that keeps to the share as a whole
    :raises ValueError: where a number is out of its range
    """

    part: float
    among: int = 1
    reserve: float = 0.0
    tasks: int = 1
    paced: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.part <= 1 or self.among < 1 or not 0 <= self.reserve < 1 or self.tasks < 1:
            raise ValueError(
                f"{self} is no share: part lies over 0 up to 1, among and tasks are 1 or more, reserve 0 up to 1"
            )

    def exact(self, limit: int) -> float:
        """Return the requests a minute that this task may make, on the average."""
        return limit * self.part / self.among

    def floor(self, limit: int) -> int:
        """Return how many requests must be left after one of ours."""
        return max(self.tasks, math.ceil(limit * self.reserve))


class RateBudget:
    """A gate for a ``SystemLogClient`` that keeps one task within its share.

    The first request goes out blind: before any answer nobody knows what is left.

    :param share: what the task may use
    :param sleep: waits a number of seconds
    :param clock: seconds that only ever grow
    :param jitter: returns a number between its two arguments
    """

    def __init__(
        self,
        share: Share,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._share = share
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter
        self._limit = 0
        self._remaining = 0
        self._reset: datetime | None = None
        self._ends = -math.inf
        self._quota = 1
        self._carried = 0.5  # the part of a request that earlier minutes left; a half rounds to the nearest
        self._used = 0
        self._asked = 0.0
        self._began = 0.0  # since when the requests counted in `_used` are made, at the pace of the share
        self.remaining: int | None = None
        self.waits = 0

    def before_request(self) -> None:
        """Wait until the task may make one more request; a single wait, until Okta's reset."""
        now = self._clock()
        if now < self._ends and not self._may_ask():
            seconds = self._ends - now + _MARGIN_SECONDS + self._jitter(0.0, _JITTER_SECONDS)
            log.info(
                "Waiting %.0f s for Okta's rate limit: %d of %d requests a minute are left, %d of the %d of this task "
                "are used.",
                seconds,
                self._remaining,
                self._limit,
                self._used,
                self._quota,
            )
            self.waits += 1
            self._sleep(seconds)
        self._asked = self._clock()
        if self._asked >= self._ends:
            self._used = 0
        self._used += 1

    def after_response(self, rate_limit: RateLimit | None) -> None:
        """Take note of what is left. Numbers of a concurrency violation say nothing about the bucket."""
        if rate_limit is None or rate_limit.is_concurrency:
            return
        now = self._clock()
        left = rate_limit.seconds_to_reset()
        if left is None:
            # When the count begins anew is not known: a minute from its first answer on, however many follow.
            if now >= self._ends:
                self._open(rate_limit, MINUTE)
                self._ends = now + MINUTE
        else:
            if self._reset is None or (rate_limit.reset is not None and rate_limit.reset > self._reset):
                self._open(rate_limit, left)
                self._reset = rate_limit.reset
            self._ends = now + left
        self._limit, self._remaining = rate_limit.limit, rate_limit.remaining
        self.remaining = rate_limit.remaining

    def rest(self) -> None:
        """Wait, at the end of a task, until the next one may make its first request.

        A task's first request goes out blind. Where the floor is reached, the place is kept up to Okta's reset, so that
        no more first requests go out than there are places. A row of short tasks would know no share either: a paced
        one keeps its place for as long as its requests take at the pace of the share.
        """
        now = self._clock()
        if not self._limit or now >= self._ends:
            return
        until_reset = self._ends - now + _MARGIN_SECONDS
        if self._remaining - 1 < self._share.floor(self._limit):
            seconds = until_reset
        elif not self._share.paced:
            return
        else:
            pace = MINUTE * self._used / self._share.exact(self._limit)
            seconds = min(until_reset, self._began + pace - now)
        if seconds > 0:
            log.info("Keeping the place for %.0f s more, so that the next task finds Okta's rate limit open.", seconds)
            self.waits += 1
            self._sleep(seconds)

    def _open(self, rate_limit: RateLimit, left: float) -> None:
        """Begin a new minute of Okta's, whose first request of ours was the one just answered.

        :param left: seconds until it ends
        """
        left = min(MINUTE, left)
        exact = self._share.exact(rate_limit.limit)
        self._began = self._clock() + left - MINUTE
        if not self._limit and self._share.paced:
            # What the task before this one used of this minute is not known: its part of it is.
            exact *= left / MINUTE
            self._began = self._asked
        self._used = 1
        self._quota = max(1, math.floor(exact + self._carried))
        self._carried = min(1.0, max(0.0, exact + self._carried - self._quota))

    def _may_ask(self) -> bool:
        return self._used < self._quota and self._remaining - 1 >= self._share.floor(self._limit)
