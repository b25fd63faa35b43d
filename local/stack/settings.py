"""Holds the settings that a demo starts with. Needs only Python.

``python3 -m local.stack.settings demo`` reports wrong settings before the demo's environments are made.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from local import paths

LINES = ("3.3", "2.11")
RECORD = "running.json"
"""Names the file, in the folder of a demo that is running, which says what it holds."""
PORTS = {"airflow": 8080, "opensearch": 9200, "okta": 8090}


class StackError(Exception):
    """The demo cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """A demo's settings.

    :param line: the Airflow line
    :param home: keeps what the demo makes, but for OpenSearch's data
    :param opensearch_home: keeps OpenSearch's data
    :param ports: of ``airflow``, ``opensearch`` and ``okta``
    :param rate: events per minute that the simulated org makes, on average over a week
    :param history: minutes of windows to load at the start
    """

    line: str
    home: Path
    opensearch_home: Path
    ports: dict[str, int]
    rate: int = 300
    history: int = 15

    @property
    def logs(self) -> Path:
        """One log for each part."""
        return self.home / "logs"


def settings_for(purpose: str) -> StackSettings:
    """Settings from the environment: ``AIRFLOW_LINE``, ``AIRFLOW_PORT``, ``OPENSEARCH_PORT``, ``OKTA_PORT``.

    :param purpose: ``demo``, with ports that stay the same, or ``check``, with any that are free
    :raises StackError: for a value that makes no sense
    """
    line = os.environ.get("AIRFLOW_LINE") or LINES[0]
    if line not in LINES:
        raise StackError(f"AIRFLOW_LINE={line} is not one of {', '.join(LINES)}.")
    name = f"{purpose}-{line}"
    return StackSettings(
        line=line,
        home=paths.state() / name,
        opensearch_home=paths.server_state() / name / "opensearch",
        ports={part: _port(part, default if purpose == "demo" else 0) for part, default in PORTS.items()},
    )


def _port(part: str, default: int) -> int:
    variable = f"{part.upper()}_PORT"
    text = os.environ.get(variable) or str(default)
    if not text.isdigit() or int(text) > 65_535:
        raise StackError(f"{variable}={text} is not a port.")
    if int(text):
        _check_free(int(text), variable)
        return int(text)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
    return free


def _check_free(port: int, variable: str) -> None:
    try:
        _bind(socket.AF_INET, "127.0.0.1", port)
        if socket.has_ipv6:
            # Our parts listen on the line above, but `localhost` leads here first.
            _bind(socket.AF_INET6, "::1", port)
    except PermissionError:
        raise StackError(f"Port {port} needs more rights. Choose another: make demo {variable}=...") from None
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return  # this machine has no such address
        if demo := _demo_on(port):
            raise StackError(demo) from None
        raise StackError(
            f"Port {port} is taken by another program. End that program, or choose another port: "
            f"make demo {variable}={port + 1 if port < 65_535 else port - 1}"
        ) from None


def _demo_on(port: int) -> str | None:
    """Say that a demo of this checkout holds a port, and what to do; None if none does."""
    for path in paths.state().glob(f"*/{RECORD}"):
        try:
            record = json.loads(path.read_text())
            held = port in record["ports"].values()
            running = Path(f"/proc/{record['pid']}").exists() if sys.platform == "linux" else True
        except (OSError, ValueError, KeyError, AttributeError):
            continue  # it ends just now, or is of an earlier release
        if held and running:
            return (
                f"The demo {path.parent.name} of this checkout is running and has port {port}: look at it at "
                f"http://localhost:{record['ports'].get('airflow', port)}, or end it with: make down"
            )
        if held:
            return f"A demo {path.parent.name} that was killed left a program on port {port}. End it with: make down"
    return None


def _bind(family: socket.AddressFamily, host: str, port: int) -> None:
    with socket.socket(family) as probe:
        # As servers do: a port that a program just left is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def main() -> int:
    """Look at the settings of the purpose on the command line."""
    try:
        settings_for(sys.argv[1])
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
