"""Runs the demo: ``python -m local.stack demo``, or ``check``, or ``down``."""

from __future__ import annotations

import argparse
import signal
import sys

import requests

from local import paths
from local.console import progress
from local.stack.demo import check, demo
from local.stack.running import down
from local.stack.settings import StackError, settings_for


class _Ended(BaseException):
    """Somebody asked us to end."""


def _end(signum: int, frame: object) -> None:
    # A second signal must not interrupt the ending that the first one began.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise _Ended


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m local.stack", description=__doc__)
    parser.add_argument("command", choices=("demo", "check", "down"))
    command = parser.parse_args().command
    if command == "down":
        if not down(paths.state()):
            progress("No demo is running.")
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        settings = settings_for(command)
        if command == "check":
            return 0 if check(settings) else 1
        demo(settings)
    except _Ended:
        return 0 if command == "demo" else 130
    except (StackError, OSError, requests.RequestException) as error:
        progress(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
