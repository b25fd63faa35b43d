"""A real OpenSearch that can be stopped and killed, and comes back with its data at the same address."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.process import LOCAL_PYTHON, ready_program

if TYPE_CHECKING:
    from collections.abc import Iterator


class Server:
    """A server that can be started again.

    :param version: of OpenSearch
    :param heap: Java's heap
    :param data: keeps its data from start to start
    :param log: gets what it says
    :param brief: it lives for minutes only
    """

    def __init__(self, version: str, heap: str, data: Path, log: Path, *, brief: bool) -> None:
        self._version = version
        self._heap = heap
        self._data = data
        self._log = log
        self._brief = brief
        self._running = ExitStack()
        self._pid = 0
        self.url = ""

    def start(self) -> None:
        """Start it, at the address that it had before."""
        port = urlsplit(self.url).port or 0
        command = [
            str(LOCAL_PYTHON), "-m", "local.opensearch", "run", "--version", self._version, "--heap", self._heap,
            "--data", str(self._data), "--port", str(port),
            *(["--brief"] if self._brief else []),
        ]  # fmt: skip
        program = ready_program("OpenSearch", command, log=self._log, timeout=600)
        ready = self._running.enter_context(program)
        self.url, self._pid = str(ready["url"]), int(ready["server_pid"])

    def stop(self, *, kill: bool = False) -> None:
        """End it.

        :param kill: without a chance to write anything down
        """
        if kill:
            os.kill(self._pid, signal.SIGKILL)
        self._running.close()


@contextmanager
def server(version: str, heap: str, log: Path, *, brief: bool = False) -> Iterator[Server]:
    """Run a server, with data that is removed at the end.

    :param brief: it lives for minutes only
    """
    data = Path(tempfile.mkdtemp(prefix="oktalogger-campaign-"))
    data.chmod(0o755)  # the server may run as another user
    running = Server(version, heap, data, log, brief=brief)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(data, ignore_errors=True)
