"""Starts a simulator as a process, asks it over HTTP, and ends it with everything it started.

Needs nothing but Python, so that tests in any environment can use it; the simulator itself runs in ``.venvs/local``.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
# A proxy of the machine's environment must not stand between a test and its own server.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ControlError(Exception):
    """The control endpoint refused; the message is its own."""


@dataclass(frozen=True, slots=True)
class Control:
    """The control endpoint of a simulator.

    :param url: ending in ``/_control``
    :param token: its bearer, if the simulator was started with one
    """

    url: str
    token: str | None = field(default=None, repr=False)

    def call(self, method: str, path: str, body: Any = None, /, **query: str) -> bytes:
        """One request.

        :param query: parameters, such as ``since="2026-11-23T10:00:00Z"``
        :raises ControlError: for an answer other than 200
        """
        url = f"{self.url}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self.token}"} if self.token else {}
        )
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310
        try:
            with _OPENER.open(request, timeout=120) as response:
                answer: bytes = response.read()
                return answer
        except urllib.error.HTTPError as error:
            raise ControlError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from None

    def get(self, path: str, /, **query: str) -> Any:
        """What a route tells."""
        return json.loads(self.call("GET", path, **query))

    def post(self, path: str, /, **body: Any) -> Any:
        """Change something; the keywords are the JSON object."""
        return json.loads(self.call("POST", path, body))

    def events(self, since: str, until: str, **query: str) -> list[dict[str, Any]]:
        """The events that must exist of ``[since, until)``, each uuid once, in order of ``published``."""
        lines = self.call("GET", "/events", since=since, until=until, **query).splitlines()
        return [json.loads(line) for line in lines]

    def hidden(self, since: str, until: str, **query: str) -> list[dict[str, Any]]:
        """The same events as ``uuid``, ``published``, ``persisted``, ``oddity``."""
        return self.events(since, until, fields="hidden", **query)

    def fault(self, kind: str, **more: Any) -> Any:
        """Queue a fault; see :class:`local.simulator.faults.Fault` for the keywords."""
        return self.post("/faults", kind=kind, **more)

    def chance(self, rates: dict[str, float], **more: Any) -> Any:
        """Let faults happen by chance."""
        return json.loads(self.call("PUT", "/faults", {"rates": rates, **more}))

    def advance(self, seconds: float) -> Any:
        """Move the clock on."""
        return self.post("/clock", advance=seconds)

    def counters(self) -> dict[str, int]:
        """All counters."""
        found: dict[str, int] = self.get("/counters")
        return found


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator.

    :param ready: its line on standard output
    """

    ready: dict[str, Any] = field(repr=False)
    control: Control

    @property
    def url(self) -> str:
        """The org's URL."""
        return str(self.ready["url"])

    @property
    def token(self) -> str:
        """An API token with full rights."""
        return str(self.ready["token"])


def python() -> str:
    """The interpreter that has what the simulator needs."""
    own = ROOT / ".venvs" / "local" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


@contextmanager
def running(*arguments: str, timeout: float = 60.0) -> Iterator[Simulator]:
    """Run a simulator for the length of a ``with`` block.

    :param arguments: of the command line, such as ``"--seed", "7"``
    :param timeout: seconds that it may take to be ready
    :raises RuntimeError: if it ends, or says nothing
    """
    process = subprocess.Popen(  # noqa: S603
        [python(), "-m", "local.simulator", "--parent", str(os.getpid()), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        ready = json.loads(_first_line(process, timeout))
        bearer = arguments[arguments.index("--control-token") + 1] if "--control-token" in arguments else None
        yield Simulator(ready, Control(f"http://{ready['host']}:{ready['port']}/_control", bearer))
    finally:
        _end(process)


def _first_line(process: subprocess.Popen[bytes], timeout: float) -> bytes:
    assert process.stdout is not None  # noqa: S101
    readable, _, _ = select.select([process.stdout], [], [], timeout)
    if not readable:
        raise RuntimeError(f"the simulator was not ready after {timeout:g} s")
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the simulator ended with exit code {process.wait(timeout)} before it was ready")
    return line


def _end(process: subprocess.Popen[bytes]) -> None:
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        if process.poll() is not None:
            break
        os.killpg(process.pid, number)
        until = time.monotonic() + patience
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
    if process.stdout is not None:
        process.stdout.close()
