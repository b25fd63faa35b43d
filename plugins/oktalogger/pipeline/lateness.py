"""Counts how late events came, in bounded memory, however many events there are."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

PERCENTILES: Final = (50, 95, 99)
_DIGITS: Final = 2


class Lateness:
    """Counts of lateness, to two digits: enough to say whether it is seconds, minutes or hours."""

    def __init__(self) -> None:
        self._counts: Counter[float] = Counter()
        self.count = 0
        self.max_seconds = 0.0

    def add(self, seconds: float, times: int = 1) -> None:
        """Count an event that came so many seconds after it was published; a clock ahead of ours counts as 0."""
        seconds = max(0.0, seconds)
        self._counts[_rounded(seconds)] += times
        self.count += times
        self.max_seconds = max(self.max_seconds, seconds)

    def merge(self, other: Lateness) -> None:
        """Add all that another one counted."""
        self._counts.update(other._counts)
        self.count += other.count
        self.max_seconds = max(self.max_seconds, other.max_seconds)

    @classmethod
    def of(cls, counts: Mapping[str, int], max_seconds: float) -> Self:
        """Return what :meth:`counts` was taken of.

        :param counts: as that returned it
        :param max_seconds: the greatest lateness
        """
        made = cls()
        for seconds, times in counts.items():
            made.add(float(seconds), times)
        made.max_seconds = max_seconds
        return made

    def counts(self) -> dict[str, int]:
        """Return how many events came how many seconds late, as plain JSON values."""
        return {f"{seconds:g}": times for seconds, times in sorted(self._counts.items())}

    def percentile(self, percent: int) -> float:
        """Return the lateness that so many percent of the events did not exceed, in seconds; 0 if there are none."""
        wanted = math.ceil(self.count * percent / 100)
        seen = 0
        for seconds, times in sorted(self._counts.items()):
            seen += times
            if seen >= wanted:
                return seconds
        return 0.0

    def as_dict(self) -> dict[str, float]:
        """Return ``{"max": …, "p50": …, "p95": …, "p99": …}`` in seconds."""
        return {
            "max": round(self.max_seconds, 3),
            **{f"p{percent}": self.percentile(percent) for percent in PERCENTILES},
        }


def _rounded(seconds: float) -> float:
    if seconds < 1:
        return round(seconds, _DIGITS)
    return round(seconds, _DIGITS - 1 - math.floor(math.log10(seconds)))
