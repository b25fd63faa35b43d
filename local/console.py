"""Progress for the person who waits, on standard error: standard output is for results."""

from __future__ import annotations

import sys
import time
from contextlib import suppress


def progress(text: str) -> None:
    """Show one line at once, if anybody still looks."""
    # Ctrl-C ends `tee` as well, and a closed terminal takes no more text. Neither may keep us from ending our parts.
    with suppress(OSError):
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
