"""The simulated time as every process of the campaign sees it, and clocks that are off.

The conductor moves it; the workers read it out of a small file. In between it runs by this machine's monotonic clock,
which all processes share.
"""

from __future__ import annotations

import mmap
import struct
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

# A sequence number at both ends: whoever reads two different ones has met a write half-way.
_RECORD = struct.Struct("=QdddQ")
_LONGEST_NAP = 0.05
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SharedClock:
    """The simulated time.

    :param file: where it is kept
    :param skew: how far this process's clock is ahead, in seconds; may be negative
    """

    def __init__(self, file: Path, *, skew: float = 0.0) -> None:
        self._file = file.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), _RECORD.size)
        self._skew = skew

    @classmethod
    def made(cls, file: Path, start: datetime) -> Self:
        """Make the file, with a clock that stands."""
        file.write_bytes(_RECORD.pack(1, start.timestamp(), time.monotonic(), 0.0, 1))
        return cls(file)

    def set(self, epoch: float, speed: float) -> None:
        """Say what time it is, and how many seconds pass in one."""
        number = _RECORD.unpack(self._map[:])[0] + 1
        self._map[:] = _RECORD.pack(number, epoch, time.monotonic(), speed, number)

    def _state(self) -> tuple[float, float, float]:
        while True:
            first, epoch, set_at, speed, last = _RECORD.unpack(self._map[:])
            if first == last:
                return epoch, set_at, speed

    @property
    def speed(self) -> float:
        """Seconds that pass in one of the machine's."""
        return self._state()[2]

    def seconds(self) -> float:
        """Seconds since 1970, by this process's clock."""
        epoch, set_at, speed = self._state()
        return epoch + (time.monotonic() - set_at) * speed + self._skew

    def now(self) -> datetime:
        """The time, by this process's clock."""
        return _EPOCH + timedelta(seconds=self.seconds())

    def sleep(self, seconds: float) -> None:
        """Let so many simulated seconds pass."""
        until = self.seconds() + seconds
        while (left := until - self.seconds()) > 0:
            time.sleep(min(_LONGEST_NAP, left / max(self.speed, 0.001)))

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
        self._file.close()
