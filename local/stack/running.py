"""The record of a running demo, by which another terminal finds and ends it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import uuid
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import psutil

from local.console import progress
from local.stack.processes import end, marked
from local.stack.settings import RECORD, StackError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = "lock"
DOWN_TIMEOUT = 90  # seconds


@dataclass(frozen=True, slots=True)
class Record:
    """A running demo.

    :param pid: the process that watches over it
    :param created: when that process began, which tells it from a later one with the same pid
    :param marker: what its processes carry in their environment
    :param ports: of its servers
    """

    pid: int
    created: float
    marker: str
    ports: dict[str, int] = field(default_factory=dict)

    def process(self) -> psutil.Process | None:
        """The process that watches over the demo, if it is alive."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if process.create_time() == self.created:
                return process
        return None


@contextmanager
def only_one(home: Path, ports: dict[str, int] | None = None) -> Iterator[str]:
    """Hold a demo's folder against a second demo, and end what one that was killed left behind.

    :param home: the demo's folder
    :param ports: of its servers, by which another demo that wants one of them finds it

    :return: the marker for the demo's processes
    :raises StackError: if a demo is running
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"It is running already, in {home}. End it with: make down") from None
        old = read(home)
        if old:
            end(marked(old.marker))
        record = Record(os.getpid(), psutil.Process().create_time(), uuid.uuid4().hex, ports or {})
        (home / RECORD).write_text(json.dumps(asdict(record)))
        try:
            yield record.marker
        finally:
            (home / RECORD).unlink(missing_ok=True)


def empty(home: Path) -> None:
    """Remove what earlier demos left in a folder that ``only_one`` holds."""
    for path in home.iterdir():
        if path.name not in (LOCK, RECORD):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def read(home: Path) -> Record | None:
    """The record in a demo's folder."""
    try:
        return Record(**json.loads((home / RECORD).read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None


def down(state: Path) -> int:
    """End every demo of this checkout.

    :param state: where their folders are
    :return: how many there were
    """
    found = [(path.parent, record) for path in state.glob(f"*/{RECORD}") if (record := read(path.parent))]
    for home, record in found:
        process = record.process()
        if process:
            progress(f"Ending {home.name} (process {record.pid})")
            process.terminate()
            with suppress(psutil.TimeoutExpired):
                process.wait(DOWN_TIMEOUT)
        left = marked(record.marker)
        if left:
            progress(f"Ending {len(left)} processes that {home.name} left behind")
            end(left)
        (home / RECORD).unlink(missing_ok=True)
    return len(found)
