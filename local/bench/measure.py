"""Runs a command as a whole process and reads the operating system's own account of it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ACCOUNT = Path(__file__).with_name("account.py")


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

    :raises CommandFailedError: if its exit code is not 0
    """
    with tempfile.NamedTemporaryFile(suffix=".json") as account:
        done = subprocess.run(  # noqa: S603
            [sys.executable, str(ACCOUNT), account.name, *command],
            env=dict(environ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandFailedError(
                f"{' '.join(command)} ended with exit code {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return Run(stdout=done.stdout, **json.load(account))
