"""Keeps programs running, as systemd or Kubernetes does: what ends is started again."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.process import end_group, tail

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LOOK_SECONDS = 0.5
# As systemd's RestartSec of a careful company.
_RESTART_SECONDS = 3.0
_PATIENCE_SECONDS = 5.0


@dataclass
class Kept:
    """A program that is kept running.

    :param command: its command line
    :param environment: the whole one
    :param user: whom it runs as; None for the user of the tests
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    user: str | None
    process: subprocess.Popen[bytes]
    starts: int = 1
    ended_at: float | None = None


@dataclass
class Supervisor:
    """Starts programs, and starts again what ends.

    :param folder: for their logs
    """

    folder: Path
    kept: dict[str, Kept] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)
    _watcher: threading.Thread | None = None

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, user: str | None = None
    ) -> None:
        """Start a program, to be kept running from now on."""
        log = self.folder / f"{name}.log"
        with self._lock:
            self.kept[name] = Kept(command, environment, log, user, _started(command, environment, log, user))
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, daemon=True)
            self._watcher.start()

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a program and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.kept[name].process.pid, number)

    def starts(self) -> dict[str, int]:
        """How often each program was started."""
        return {name: kept.starts for name, kept in self.kept.items()}

    def logs(self, lines: int = 30) -> str:
        """The end of each log."""
        return "\n".join(f"{name}:\n{tail(kept.log, lines)}" for name, kept in self.kept.items())

    def end(self) -> None:
        """End all programs, the last one first."""
        self._over.set()
        if self._watcher is not None:
            self._watcher.join()
        for kept in reversed(self.kept.values()):
            end_group(kept.process, patience=_PATIENCE_SECONDS)

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            with self._lock:
                for kept in self.kept.values():
                    self._look_after(kept)

    def _look_after(self, kept: Kept) -> None:
        if kept.process.poll() is None:
            return
        if kept.ended_at is None:
            kept.ended_at = time.monotonic()
        elif time.monotonic() - kept.ended_at > _RESTART_SECONDS:
            kept.process = _started(kept.command, kept.environment, kept.log, kept.user)
            kept.starts += 1
            kept.ended_at = None


def _started(
    command: Sequence[str], environment: Mapping[str, str], log: Path, user: str | None
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
