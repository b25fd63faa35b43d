"""Starts the demo's parts, watches them, and ends them and whatever they started."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from local.paths import ROOT
from local.process import NotReadyError, ready_line, tail
from local.stack.settings import StackError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

MARKER = "OKTALOGGER_STACK"
"""Environment variable that tells every process of a demo, however deep, from all others."""
END_TIMEOUT = 15  # seconds between SIGTERM and SIGKILL


@dataclass(frozen=True, slots=True)
class Part:
    """A program that is running.

    :param name: what to call it
    :param process: leads a session of its own
    :param log: what it prints
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Parts:
    """The running parts of one demo.

    :param marker: value of :data:`MARKER` for all of them
    :param logs: folder for their logs
    """

    def __init__(self, marker: str, logs: Path) -> None:
        self.marker = marker
        self.logs = logs
        self._parts: list[Part] = []

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str], *, ready: bool = False) -> Part:
        """Start one part.

        :param environment: its whole environment, to which only the marker is added
        :param ready: its standard output is read by :meth:`ready_line`, and does not go to its log
        """
        log = self.logs / f"{name}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(  # noqa: S603
                command,
                cwd=ROOT,
                env={**environment, MARKER: self.marker},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if ready else file,
                stderr=subprocess.STDOUT if not ready else file,
                start_new_session=True,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )
        part = Part(name, process, log)
        self._parts.append(part)
        return part

    def run(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run a program to its end.

        :raises StackError: if it fails
        """
        part = self.start(name, command, environment)
        while part.process.poll() is None:
            self.check(besides=part)
            time.sleep(0.1)
        self._parts.remove(part)
        if part.process.returncode:
            raise _ended(part)

    def ready_line(self, part: Part, timeout: float) -> dict[str, Any]:
        """Wait for the JSON line by which a part says that it is ready.

        :raises StackError: if it, or another part, ends before that, or it takes longer
        """
        try:
            return ready_line(part.name, part.process, part.log, timeout, self.check)
        except NotReadyError as error:
            raise StackError(str(error)) from error

    def check(self, *, besides: Part | None = None) -> None:
        """See that every part is running.

        :raises StackError: naming one that is not, with the end of its log
        """
        for part in self._parts:
            if part is not besides and part.process.poll() is not None:
                raise _ended(part)

    def stop(self) -> None:
        """End all parts, the latest first, and whatever they left behind."""
        early = [part for part in reversed(self._parts) if part.process.stdout is None]
        late = [part for part in reversed(self._parts) if part.process.stdout is not None]
        # Airflow's parts still talk to the servers while they end.
        for some in (early, late):
            end(psutil.Process(part.process.pid) for part in some if part.process.poll() is None)
            for part in some:
                part.process.wait()
                if part.process.stdout is not None:
                    part.process.stdout.close()
        end(marked(self.marker))
        self._parts.clear()


def marked(marker: str) -> list[psutil.Process]:
    """All processes of one demo but this one."""
    found = []
    for process in psutil.process_iter():
        # A process may end under our eyes, and other users' processes keep their environment to themselves.
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(MARKER) == marker:
                found.append(process)
    return found


def end(processes: Iterable[psutil.Process]) -> None:
    """Ask processes to end, and kill those that do not."""
    alive = list(processes)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        _, alive = psutil.wait_procs(alive, timeout=END_TIMEOUT)


def adopt_orphans() -> None:
    """Become the parent of what a part leaves behind, so that no dead process stays in the process table (Linux)."""
    if sys.platform == "linux":
        set_child_subreaper = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def bury_orphans() -> None:
    """Take leave of adopted processes that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _end_with_parent() -> None:
    """Ask Linux to end this process when the demo dies, even by SIGKILL. Runs in the child, before its program."""
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def _ended(part: Part) -> StackError:
    return StackError(f"{part.name} ended with exit code {part.process.returncode}.\n{_end_of(part)}")


def _end_of(part: Part) -> str:
    return f"The end of {part.log}:\n{tail(part.log)}"
