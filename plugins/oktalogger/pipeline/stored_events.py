"""Counts the events of a window in the index after a load, hour by hour: as many have to be there later."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from oktalogger.window import HOUR, format_instant, hour_of

if TYPE_CHECKING:
    from datetime import datetime

    from oktalogger.window import Window


class StoredEvents:
    """Counts events of a window, by the hour of ``published``.

    What an overlap reads before the window is not counted: it belongs to the window before.

    :param window: the window that the load answers for
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._hour = hour_of(window.start)
        self._counts: Counter[datetime] = Counter()

    def add(self, published: datetime) -> None:
        """Count an event that is in the index, unless it lies outside the window. Each is to be counted once."""
        if published not in self._window:
            return
        # Nearly every event is of the same hour as the one before.
        if not self._hour <= published < self._hour + HOUR:
            self._hour = hour_of(published)
        self._counts[self._hour] += 1

    def counts(self) -> dict[str, int]:
        """Return the number of events of each hour that has some, as plain JSON values."""
        return {format_instant(hour): number for hour, number in self._counts.items()}
