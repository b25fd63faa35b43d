"""Runs a command as a whole process and reads the operating system's own account of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class CommandFailedError(Exception):
    """A measured command ended with an error; the message holds what it wrote."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a command took.

    :param seconds: from start to end, the interpreter's start included
    :param cpu_seconds: user and system time of the process
    :param peak_rss_mb: greatest resident memory, in MiB
    :param stdout: what it printed
    """

    seconds: float
    cpu_seconds: float
    peak_rss_mb: float
    stdout: str


def run(command: Sequence[str], environ: Mapping[str, str]) -> Run:
    """Run a command to its end.

    :raises CommandFailedError: where its exit code is not 0
    """
    began = time.monotonic()
    with subprocess.Popen(  # noqa: S603
        list(command), env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        if process.stdout is None:
            raise CommandFailedError("The command's output could not be read.")
        stdout = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if process.returncode:
        raise CommandFailedError(f"{' '.join(command)} ended with exit code {process.returncode}:\n{stdout}")
    kib = usage.ru_maxrss / 1024 if sys.platform == "darwin" else usage.ru_maxrss
    return Run(seconds, usage.ru_utime + usage.ru_stime, kib / 1024, stdout)
