"""Progress for the person who waits, on standard error: standard output is for results."""

from __future__ import annotations

import sys
import time


def progress(text: str) -> None:
    """Show one line at once."""
    print(text, file=sys.stderr, flush=True)


class Stopwatch:
    """Progress lines that begin with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        """Show one line."""
        progress(f"[{self.seconds:4.0f} s] {text}")
