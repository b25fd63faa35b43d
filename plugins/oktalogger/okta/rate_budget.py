"""Keeps a task within its share of Okta's rate limit: when the share is used up, it waits for Okta's reset.

Okta counts requests per org (or token) and minute. Everything that the company runs shares the limit, and Okta reports
using it up as a violation. Workers have no coordinator: each task reads the headers of its own responses, which show
how many requests are left for everybody.

Tasks that run one after the other share one budget without knowing of each other. A task that begins within a minute
uses only the part of its share that belongs to the rest of that minute. A short task waits at its end for as long as
its requests take at the pace of the share, so that the next one cannot exceed it.
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

# Okta names the reset in whole seconds, and several tasks must not ask again at the same instant.
_MARGIN_SECONDS: Final = 1.0
_JITTER_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Share:
    """The part of Okta's rate limit that a task may use.

    :param part: part of the limit, over 0 and at most 1, that tasks of this kind may use a minute
    :param among: how many tasks of this kind may run at once; they divide the part equally
    :param reserve: part of the limit, from 0 to below 1, to leave for more important work. At least one request is
        always left
    :param tasks: how many tasks of all kinds may run at once. Each task leaves one request for each of them, because
        each may have sent one that this task's last answer does not show yet
    :param paced: whether tasks that run one after the other share one budget
    :raises ValueError: if a number is out of its range
    """

    part: float
    among: int = 1
    reserve: float = 0.0
    tasks: int = 1
    paced: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.part <= 1 or self.among < 1 or not 0 <= self.reserve < 1 or self.tasks < 1:
            raise ValueError(
                f"{self} is not a share: part is over 0 and up to 1, among and tasks at least 1, reserve 0 to 1"
            )

    def exact(self, limit: int) -> float:
        """Return how many requests a minute this task may make on average."""
        return limit * self.part / self.among

    def floor(self, limit: int) -> int:
        """Return how many requests this task must leave."""
        return max(self.tasks, math.ceil(limit * self.reserve))


class RateBudget:
    """A gate for a ``SystemLogClient`` that keeps one task within its share.

    The first request is sent without a check, because only an answer shows what is left.

    :param share: the part of the limit that the task may use
    :param sleep: waits a number of seconds
    :param clock: monotonic seconds
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
        self._carried = 0.5  # fraction of a request left from earlier minutes; a half rounds to the nearest
        self._used = 0
        self._asked = 0.0
        self._began = 0.0  # the start of the period in which the requests in `_used` were made
        self.remaining: int | None = None
        self.waits = 0

    def before_request(self) -> None:
        """Wait, if necessary until Okta's reset, until the task may make one more request."""
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
        """Note how many requests are left. The headers of a concurrency violation do not tell."""
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

        A task sends its first request without a check. So if only the reserve is left, this task waits for Okta's reset
        before it ends. And a paced task waits for as long as its requests take at the pace of the share, because many
        short tasks would otherwise exceed it.
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
            log.info("Waiting %.0f s before ending, so that the next task does not exceed Okta's rate limit.", seconds)
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
