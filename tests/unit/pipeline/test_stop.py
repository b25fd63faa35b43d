from __future__ import annotations

import threading

import pytest

from oktalogger.pipeline.stop import LoadStoppedError, StopSignal


def test_a_wait_ends_with_an_error_as_soon_as_the_end_is_asked_for() -> None:
    stop = StopSignal()
    threading.Timer(0.01, stop.set).start()
    with pytest.raises(LoadStoppedError):
        stop.sleep(3600)


def test_a_wait_that_nobody_ends_returns() -> None:
    stop = StopSignal()
    stop.sleep(0.001)
    stop.check()
