from __future__ import annotations

import socket
import time

import pytest

from oktalogger.okta.adapter import _DeadlineReader


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_reads_no_longer_than_the_deadline_and_leaves_the_usual_time_out() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb", buffering=0) as raw:
        ours.settimeout(5.0)
        clock = Clock()
        reader = _DeadlineReader(raw, ours, deadline=10.0, clock=clock)
        buffer = bytearray(8)

        theirs.sendall(b"one")
        assert reader.readinto(buffer) == 3

        clock.now = 9.9  # a tenth of a second is left
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            reader.readinto(buffer)
        assert time.monotonic() - began < 2
        assert ours.gettimeout() == 5.0

        clock.now = 10.0  # none is left, though bytes are there
        theirs.sendall(b"two")
        with pytest.raises(TimeoutError, match="took too long"):
            reader.readinto(buffer)
        assert ours.gettimeout() == 5.0
