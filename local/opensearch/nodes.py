"""Three nodes of OpenSearch on one machine, any of which can be killed and comes back with its data."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import requests

from local.opensearch.releases import DEFAULT_VERSION
from local.paths import ROOT
from local.ports import free_port
from local.process import LOCAL_PYTHON, end_group, ready_line

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES: Final = ("one", "two", "three")
_READY_SECONDS: Final = 300


class Nodes:
    """The nodes of one cluster.

    :param folder: keeps their data from start to start; the server may run as another user
    :param logs: gets what they say
    :param version: of OpenSearch
    :param heap: Java's heap, of each
    """

    def __init__(self, folder: Path, logs: Path, version: str, heap: str) -> None:
        self._version = version
        self._heap = heap
        self._folder = folder
        self._logs = logs
        self._between = {name: free_port() for name in NAMES}
        self.ports = {name: free_port() for name in NAMES}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._pids: dict[str, int] = {}

    def start(self, *names: str) -> None:
        """Start some nodes at once, without waiting: none answers before most are there."""
        members = ",".join(f"{name}:{port}" for name, port in self._between.items())
        for name in names:
            command = [
                str(LOCAL_PYTHON), "-m", "local.opensearch", "run", "--version", self._version, "--heap", self._heap,
                "--brief", "--data", str(self._folder / name), "--port", str(self.ports[name]), "--node", name,
                "--members", members,
            ]  # fmt: skip
            with (self._logs / f"node-{name}.log").open("ab") as log:
                self._processes[name] = subprocess.Popen(  # noqa: S603
                    command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                    start_new_session=True,
                )  # fmt: skip

    def wait(self, *names: str) -> None:
        """Wait until some nodes answer."""
        for name in names:
            log = self._logs / f"node-{name}.log"
            ready = ready_line(f"the node {name}", self._processes[name], log, _READY_SECONDS)
            self._pids[name] = int(ready["server_pid"])

    def stop(self, name: str) -> None:
        """End a node as an administrator does."""
        end_group(self._processes[name])

    def kill(self, name: str) -> None:
        """Kill a node, without a chance to write anything down."""
        os.kill(self._pids[name], signal.SIGKILL)
        end_group(self._processes[name])

    def leader(self) -> str:
        """The name of the node that leads the cluster."""
        [found] = self.ask("GET", "/_cat/cluster_manager?format=json")
        return str(found["node"])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask whichever node answers."""
        error: Exception | None = None
        for port in self.ports.values():
            try:
                with requests.Session() as session:
                    session.trust_env = False
                    answer = session.request(method, f"http://127.0.0.1:{port}{path}", json=body, timeout=60)
            except requests.ConnectionError as refused:
                error = refused
                continue
            answer.raise_for_status()
            return answer.json()
        raise AssertionError(f"no node answers {method} {path}: {error}")

    def wait_for_green(self, seconds: float) -> None:
        """Wait until every shard is on two nodes."""
        deadline = time.monotonic() + seconds
        health: dict[str, Any] = {}
        while time.monotonic() < deadline:
            health = self.ask("GET", "/_cluster/health")
            if health["status"] == "green" and health["number_of_nodes"] == len(NAMES):
                return
            time.sleep(0.5)
        raise AssertionError(f"the cluster is not green after {seconds:.0f} s: {health}")

    def end(self) -> None:
        """End all nodes."""
        for process in self._processes.values():
            os.killpg(process.pid, signal.SIGTERM) if process.poll() is None else None
        for process in self._processes.values():
            end_group(process)


@contextmanager
def nodes(logs: Path, *, version: str = DEFAULT_VERSION, heap: str = "320m") -> Iterator[Nodes]:
    """Run a cluster until the block is left; it may not answer yet.

    :param logs: a folder for what the nodes say
    :param version: of OpenSearch
    :param heap: Java's heap, of each node
    """
    folder = Path(tempfile.mkdtemp(prefix="oktalogger-nodes-", dir="/var/tmp"))
    folder.chmod(0o755)
    running = Nodes(folder, logs, version, heap)
    try:
        running.start(*NAMES)
        yield running
    finally:
        running.end()
        shutil.rmtree(folder, ignore_errors=True)
