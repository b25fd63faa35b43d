"""Airflow's command line for many commands: one process imports Airflow, which takes longer than most commands."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local.process import end_group, tail

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORKING = Path(__file__).with_name("forking.py")


class CommandLine:
    """Runs commands one after the other, each in a fork of a process that has imported Airflow.

    :param folder: for what the commands print
    """

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self._folder = folder
        self._process = process
        self._lock = threading.Lock()

    def run(self, *arguments: str, environment: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a command to its end.

        What Airflow reads once, when it is imported, must not differ from the environment of this process's start.

        :param arguments: of Airflow's command line, or ``-c`` and Python to run
        :param environment: the whole one
        :param timeout: seconds
        """
        output, errors = self._folder / "output", self._folder / "errors"
        request = {
            "arguments": arguments,
            "environment": dict(environment),
            "output": str(output),
            "errors": str(errors),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            answered, _, _ = select.select([self._process.stdout], [], [], timeout)
            code = self._process.stdout.readline() if answered else b""
            if not code:
                said = "\n".join(tail(file) for file in (output, errors, self._folder / "forking.log"))
                raise AssertionError(f"airflow {' '.join(arguments)} did not end within {timeout:.0f} s:\n{said}")
            return subprocess.CompletedProcess(arguments, int(code), output.read_text(), errors.read_text())


@contextmanager
def command_line(environment: Mapping[str, str], python: str = sys.executable) -> Iterator[CommandLine]:
    """Start the process; it ends with the block.

    :param environment: the whole one, of an Airflow home
    :param python: the interpreter of the environment that has Airflow
    """
    with tempfile.TemporaryDirectory(prefix="oktalogger-commands-") as folder:
        with (Path(folder) / "forking.log").open("wb") as log:
            process = subprocess.Popen(
                [python, "-P", str(FORKING)],
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield CommandLine(Path(folder), process)
        finally:
            end_group(process)
            if process.stdin is not None:
                process.stdin.close()
