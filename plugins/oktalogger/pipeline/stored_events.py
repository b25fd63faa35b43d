"""Counts the events of a window in the index after a load, hour by hour: as many have to be there later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oktalogger.window import format_instant, hour_of

if TYPE_CHECKING:
    from datetime import datetime

    from oktalogger.window import Window

# Okta repeats events within a few pages. What lies further back is no longer compared, so that memory stays bounded.
_REMEMBERED: Final = 3


class StoredEvents:
    """Counts the different events of a window, by the hour of ``published``.

    What an overlap reads before the window is not counted: it belongs to the window before.

    :param window: the window that the load answers for
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._seen: dict[datetime, set[int]] = {}
        self._counts: dict[datetime, int] = {}

    def add(self, uuid: str, published: datetime) -> None:
        """Count an event that is in the index, unless it was counted already or lies outside the window."""
        if published not in self._window:
            return
        hour = hour_of(published)
        seen = self._seen.get(hour)
        if seen is None:
            seen = self._seen[hour] = set()
            while len(self._seen) > _REMEMBERED:
                del self._seen[min(self._seen)]
        # Two events of one hash are counted as one: with that no hour expects more than there is.
        known = len(seen)
        seen.add(hash(uuid))
        self._counts[hour] = self._counts.get(hour, 0) + len(seen) - known

    def counts(self) -> dict[str, int]:
        """Return the number of events of each hour that has some, as plain JSON values."""
        return {format_instant(hour): number for hour, number in self._counts.items() if number}
