"""Shares OpenSearch servers between test stages: one per release, started for the first stage that needs it."""

from __future__ import annotations

import threading
import urllib.request
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

from local.process import LOCAL_PYTHON, ready_program

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

# The first start on a machine downloads and builds a distribution.
START_TIMEOUT = 600  # seconds
ANSWER_TIMEOUT = 30  # seconds


class SharedServers:
    """Starts each server when the first stage needs it, and ends it after the last. Leaving the block ends all.

    Tests keep apart by the names of their indices.
    """

    def __init__(self, folder: Path, wanted: Iterable[str]) -> None:
        """Start nothing yet.

        :param folder: for the servers' logs
        :param wanted: the release that each stage needs, one entry per stage
        """
        self._folder = folder
        self._wanted = Counter(wanted)
        self._running: dict[str, tuple[str, ExitStack]] = {}
        self._locks = {version: threading.Lock() for version in self._wanted}

    def __enter__(self) -> SharedServers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for version in self._locks:
            with self._locks[version]:
                self._end(version)

    def url(self, version: str) -> str:
        """Return the address of a server. Starts one if none runs.

        :raises NotReadyError: if it does not become ready
        """
        with self._locks[version]:
            url, _ = self._running.get(version, ("", None))
            if url and _answers(url):
                return url
            self._end(version)
            running = ExitStack()
            # It lives for minutes, so optimizing its code would take a third of its CPU time.
            command = [str(LOCAL_PYTHON), "-m", "local.opensearch", "run", "--brief", "--version", version]
            log = self._folder / f"opensearch-{version}.log"
            ready = running.enter_context(ready_program("OpenSearch", command, log=log, timeout=START_TIMEOUT))
            self._running[version] = (str(ready["url"]), running)
            return str(ready["url"])

    def leave(self, version: str) -> None:
        """Note that a stage no longer needs its server."""
        with self._locks[version]:
            self._wanted[version] -= 1
            if not self._wanted[version]:
                self._end(version)

    def _end(self, version: str) -> None:
        _, running = self._running.pop(version, ("", None))
        if running is not None:
            running.close()


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/_cluster/health", timeout=ANSWER_TIMEOUT):
            return True
    except OSError:
        return False
