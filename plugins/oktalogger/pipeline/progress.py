"""Reports in a log how far a load is, how fast it goes and how long it still takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from oktalogger.pipeline.load_result import Progress

# A line a page would bury a long load's log; a short load needs its summary only.
EVERY_SECONDS = 10.0


class LoadReporter:
    """Writes a line every few seconds: how far, how fast, how long still.

    :param log: where to
    :param monotonic: tells seconds
    """

    def __init__(self, log: Any, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._monotonic = monotonic
        self._began = self._next = monotonic()
        self._next += EVERY_SECONDS

    def __call__(self, progress: Progress) -> None:
        """Take note of one more page that is safely stored."""
        now = self._monotonic()
        if now < self._next or progress.next_url is None:
            return
        self._next = now + EVERY_SECONDS
        result = progress.result
        seconds = now - self._began
        at = format_instant(result.last_published) if result.last_published else "the beginning"
        self._log.info(
            "%.0f %% of the window (page %d, up to %s): %s events, %.0f events/s%s.",
            100 * progress.done,
            result.pages,
            at,
            f"{result.read:,}",
            result.read / seconds,
            _left(seconds, progress.done),
        )


def _left(seconds: float, done: float) -> str:
    """Estimate how long the rest takes, by how much of the time range lies behind."""
    if done < 0.01:
        return ""
    left = seconds * (1 - done) / done
    if left < 90:
        return f", about {left:.0f} s left"
    return f", about {left / 60:.0f} min left" if left < 5400 else f", about {left / 3600:.1f} h left"
