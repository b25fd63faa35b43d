"""A real OpenSearch that can be stopped and killed, and comes back with its data at the same address.

One server, or a cluster of three nodes behind a load balancer, of which one node at a time is stopped or killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from local.balancer import balancer
from local.opensearch.nodes import NAMES, Nodes, nodes
from local.process import LOCAL_PYTHON, ready_program

if TYPE_CHECKING:
    from collections.abc import Iterator

_GREEN_SECONDS: Final = 600


class OpenSearch(Protocol):
    """What a campaign does to an OpenSearch."""

    @property
    def url(self) -> str:
        """Its address."""

    def start(self) -> None:
        """Start what was stopped."""

    def stop(self, *, kill: bool = False) -> None:
        """End it, or a part of it; with ``kill``, without a chance to write anything down."""


class Cluster:
    """Three nodes, of which one at a time is stopped and started again.

    :param running: the nodes
    :param url: of the load balancer before them
    """

    def __init__(self, running: Nodes, url: str) -> None:
        self._nodes = running
        self._turns = cycle(NAMES)
        self._down = ""
        self.url = url

    def start(self) -> None:
        """Start the node that was stopped, and wait until every document is on two nodes again."""
        self._nodes.start(self._down)
        self._nodes.wait(self._down)
        self._nodes.wait_for_green(_GREEN_SECONDS)

    def stop(self, *, kill: bool = False) -> None:
        """End the next node."""
        self._down = next(self._turns)
        (self._nodes.kill if kill else self._nodes.stop)(self._down)


@contextmanager
def cluster(version: str, heap: str, logs: Path) -> Iterator[Cluster]:
    """Run three nodes, with data that is removed at the end.

    :param heap: Java's heap, of each
    :param logs: a folder for what the nodes say
    """
    with nodes(logs, version=version, heap=heap) as running, balancer(list(running.ports.values())) as url:
        running.wait(*NAMES)
        yield Cluster(running, url)


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
