"""The simulator's clock: the machine's, one that stands until it is moved, or one that runs by itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from local.simulator.world.event import SECOND, instant, microseconds


@dataclass
class Clock:
    """Tells the simulated time.

    :param base_us: simulated instant at which it was set; ``None`` follows the machine's clock
    :param speed: simulated seconds per second from then on; 0 stands still
    """

    base_us: int | None = None
    speed: float = 0.0
    _set_at: float = field(default_factory=time.monotonic)

    def now_us(self) -> int:
        """Microseconds since 1970."""
        if self.base_us is None:
            return time.time_ns() // 1000
        return self.base_us + int((time.monotonic() - self._set_at) * self.speed * SECOND)

    def now(self) -> datetime:
        """The simulated instant, in UTC."""
        return instant(self.now_us())

    def set(self, moment_us: int, speed: float | None = None) -> None:
        """Jump to an instant; without a speed it goes on as before (the machine's clock runs on at 1)."""
        self.speed = speed if speed is not None else (1.0 if self.base_us is None else self.speed)
        self.base_us = moment_us
        self._set_at = time.monotonic()

    def follow_machine(self) -> None:
        """Tell the machine's time again."""
        self.base_us = None
        self.speed = 1.0

    @property
    def kind(self) -> str:
        """``real``, ``frozen`` or ``running``."""
        return "real" if self.base_us is None else "running" if self.speed else "frozen"


def parse_instant(text: str) -> datetime:
    """An ISO 8601 instant with its offset from UTC; a date alone is midnight UTC.

    :raises ValueError: for anything else
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        if len(text) > len("2026-01-01"):
            raise ValueError(f"{text!r} has no offset from UTC")
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_duration(text: str) -> timedelta:
    """``90d``, ``1.5h``, ``10m``, ``30s``; a number alone is seconds.

    :raises ValueError: for anything else
    """
    number, unit = (text[:-1], _UNITS[text[-1]]) if text[-1:] in _UNITS else (text, "seconds")
    return timedelta(**{unit: float(number)})


def parse_moment(text: str, now_us: int) -> int:
    """An instant, ``now``, or a distance from now such as ``+3m`` and ``-2h``; microseconds since 1970.

    :raises ValueError: for anything else
    """
    if text == "now":
        return now_us
    if text[:1] in "+-" and text[1:]:
        return now_us + int(parse_duration(text).total_seconds() * SECOND)
    return microseconds(parse_instant(text))
