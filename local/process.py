"""Programs that say in one JSON line on standard output that they are ready, and end on SIGTERM."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from local.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

LOCAL_PYTHON = ROOT / ".venvs" / "local" / "bin" / "python"
END_TIMEOUT = 30  # seconds between SIGTERM and SIGKILL
LOOK_EVERY = 0.5  # seconds


class NotReadyError(Exception):
    """A program ended, or said nothing, before it was ready; the message holds the end of its log."""


@contextmanager
def ready_program(
    name: str,
    command: Sequence[str],
    *,
    log: Path,
    timeout: float,
    environment: Mapping[str, str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Run a program from this checkout until the block is left.

    :param name: what to call it in an error
    :param log: gets its standard error
    :param timeout: seconds until it must be ready
    :param environment: added to this process's
    :return: the JSON object that it printed
    :raises NotReadyError: if it does not become ready
    """
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        yield ready_line(name, process, log, timeout)
    finally:
        end_group(process)


def end_group(process: subprocess.Popen[bytes], patience: float = END_TIMEOUT) -> None:
    """End a process that leads its own group, and the group with it.

    :param patience: seconds between SIGTERM and SIGKILL
    """
    for number, timeout in ((signal.SIGTERM, patience), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            continue
    if process.stdout is not None:
        process.stdout.close()


def ready_line(
    name: str,
    process: subprocess.Popen[bytes],
    log: Path,
    timeout: float,
    meanwhile: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Wait for the JSON line by which a program says that it is ready.

    :param process: whose standard output is a pipe
    :param meanwhile: called again and again while nothing comes; what it raises ends the waiting
    :raises NotReadyError: if it ends before that, or takes longer
    """
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    deadline = time.monotonic() + timeout
    received = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while b"\n" not in received:
            left = deadline - time.monotonic()
            if left <= 0:
                raise NotReadyError(f"{name} was not ready after {timeout:.0f} s. The end of {log}:\n{tail(log)}")
            if not selector.select(min(left, LOOK_EVERY)):
                meanwhile()
                continue
            chunk = os.read(process.stdout.fileno(), 65_536)
            if not chunk:
                raise NotReadyError(
                    f"{name} ended with exit code {process.wait()} before it was ready. The end of {log}:\n{tail(log)}"
                )
            received += chunk
    found: dict[str, Any] = json.loads(received.partition(b"\n")[0])
    return found


def tail(log: Path, lines: int = 25) -> str:
    """The last lines of a log, indented."""
    text = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"  {line}" for line in text[-lines:])


def end_of_newest(logs: Iterable[Path]) -> str:
    """The end of the log that was written last, as a further sentence of an error; nothing if there is none."""
    newest = max(logs, key=lambda log: log.stat().st_mtime, default=None)
    return f" The end of {newest}:\n{tail(newest)}" if newest else ""
