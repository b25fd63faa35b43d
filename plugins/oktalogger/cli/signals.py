"""Ends a command at its next step when the terminal or the system asks for it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oktalogger.pipeline.stop import StopSignal


def stop_on_signal(stop: StopSignal) -> None:
    """Set a stop signal on SIGTERM and on Ctrl-C."""

    def ask(*_: object) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
