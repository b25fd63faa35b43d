"""Since when each moment is covered by a complete window: what is created there afterwards is late."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from oktalogger.window import Window


class CoveredTime:
    """Windows whose load was complete, each with the time at which it was complete for the first time.

    :param complete: window and time
    """

    def __init__(self, complete: Iterable[tuple[Window, datetime]] = ()) -> None:
        windows = sorted((window.start, window.end, since) for window, since in complete)
        self._starts: list[datetime] = []
        self._since: list[datetime | None] = []
        open_windows: list[tuple[datetime, datetime]] = []
        position = 0
        for instant in sorted({bound for start, end, _ in windows for bound in (start, end)}):
            while position < len(windows) and windows[position][0] <= instant:
                _, end, since = windows[position]
                heapq.heappush(open_windows, (since, end))
                position += 1
            while open_windows and open_windows[0][1] <= instant:
                heapq.heappop(open_windows)
            self._starts.append(instant)
            self._since.append(open_windows[0][0] if open_windows else None)

    def since(self, instant: datetime) -> datetime | None:
        """Return when the first load that covers an instant was complete; None if none does."""
        position = bisect_right(self._starts, instant) - 1
        return self._since[position] if position >= 0 else None


NOTHING_COVERED: Final = CoveredTime()
