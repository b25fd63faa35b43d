"""Waits for the demo's parts to do their work, however slow the machine is, and says what for."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, TypeVar

import requests

from local.stack.settings import StackError

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.console import Stopwatch

Answer = TypeVar("Answer")

POLL = 2.0  # seconds
SIGN_OF_LIFE = 15.0  # seconds without news after which something is said
BUSY = 1.5
"""Programs that want to run, for each processor, above which a machine is called busy."""


class AirflowBusyError(StackError):
    """Airflow does not answer at the moment."""


# What a server that is well may do on a busy machine.
_MAY_PASS = (
    AirflowBusyError,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)


def until(
    ask: Callable[[], Answer | None],
    waiting: Callable[[], str],
    watch: Stopwatch,
    check: Callable[[], None],
    *,
    limit: float | None = None,
) -> Answer:
    """Ask until there is an answer, again where a server was too busy to give one.

    :param ask: asks once; None means not yet
    :param waiting: says what is waited for, and how far it is
    :param watch: says that every quarter of a minute
    :param check: called before each question; raises if asking makes no sense any more
    :param limit: seconds after which to give up; None asks as long as ``check`` lets it
    :raises StackError: at the limit, with what was waited for
    """
    began = said = time.monotonic()
    silent_since: float | None = None
    reason = ""
    while True:
        check()
        try:
            answer = ask()
        except _MAY_PASS as error:
            silent_since = silent_since or time.monotonic()
            reason = str(error)
        else:
            silent_since = None
            if answer is not None:
                return answer
        now = time.monotonic()
        silence = f"; no answer for {now - silent_since:.0f} s: {reason}" if silent_since else ""
        if limit is not None and now - began > limit:
            raise StackError(f"Gave up after {limit:.0f} s: {waiting()}{silence}{load_note()}.")
        if now - said > SIGN_OF_LIFE:
            said = now
            watch.say(f"{waiting()}{silence}{load_note()}")
        time.sleep(POLL)


def load_note() -> str:
    """Say that the machine is busy, as the rest of a sentence; nothing if it is not."""
    processors = os.cpu_count() or 1
    load = os.getloadavg()[0]
    if load < BUSY * processors:
        return ""
    return f" (this machine is busy: {load:.0f} programs want its {processors} processors)"
