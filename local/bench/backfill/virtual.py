"""Gives threads a clock that jumps: time passes only when all of them wait.

One thread runs at a time, the one whose time has come; equal times go by the order of asking. So a run of days takes
as long as its work, and two runs are the same to the last request.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OverError(BaseException):
    """Another thread has failed, so that there is nothing to wait for any more."""


class VirtualTime:
    """The clock of a run.

    :param start: what it shows at first, with a time zone
    """

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._seconds = 0.0
        self._waiting: list[tuple[float, int, threading.Event]] = []
        self._order = itertools.count()
        self._error: BaseException | None = None

    def seconds(self) -> float:
        """Return the seconds since the run began."""
        return self._seconds

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self._start + timedelta(seconds=self._seconds)

    def now_us(self) -> int:
        """Return the time in microseconds since 1970."""
        return (self.now() - EPOCH) // timedelta(microseconds=1)

    def sleep(self, seconds: float) -> None:
        """Wait; others run meanwhile. For the thread whose turn it is.

        :raises OverError: if the run has failed
        """
        turn = self._enter(seconds)
        self._hand_over()
        turn.wait()
        if self._error is not None:
            raise OverError

    def sleep_until(self, moment: datetime) -> None:
        """Wait until a moment; not at all if that has passed."""
        left = (moment - self.now()).total_seconds()
        if left > 0:
            self.sleep(left)

    def run(self, *actors: Callable[[], None]) -> None:
        """Run some functions, each in a thread of its own, to their ends.

        :param actors: in the order in which they begin
        :raises Exception: the first that one of them raised
        """
        turns = [self._enter(0.0) for _ in actors]
        threads = [
            threading.Thread(target=self._act, args=(actor, turn), daemon=True)
            for actor, turn in zip(actors, turns, strict=True)
        ]
        for thread in threads:
            thread.start()
        self._hand_over()
        for thread in threads:
            thread.join()
        if self._error is not None:
            raise self._error

    def _enter(self, seconds: float) -> threading.Event:
        turn = threading.Event()
        heapq.heappush(self._waiting, (self._seconds + seconds, next(self._order), turn))
        return turn

    def _act(self, actor: Callable[[], None], turn: threading.Event) -> None:
        turn.wait()
        try:
            if self._error is None:
                actor()
        except OverError:
            pass
        except BaseException as error:
            self._error = self._error or error
        finally:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._waiting:
            at, _, turn = heapq.heappop(self._waiting)
            self._seconds = max(self._seconds, at)
            turn.set()
