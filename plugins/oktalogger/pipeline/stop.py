"""Asks a load to end before its window is complete."""

from __future__ import annotations

import threading


class LoadStoppedError(Exception):
    """The load was told to stop; what had been stored stays, the rest is left for the next try."""


class StopSignal:
    """Lets another thread, or a signal handler, end a load early, also in the middle of a wait."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask for the end."""
        self._event.set()

    def check(self) -> None:
        """Raise ``LoadStoppedError`` if the end was asked for."""
        if self._event.is_set():
            raise LoadStoppedError("The load was stopped before its window was complete.")

    def sleep(self, seconds: float) -> None:
        """Wait, or raise ``LoadStoppedError`` as soon as the end is asked for."""
        self._event.wait(seconds)
        self.check()
