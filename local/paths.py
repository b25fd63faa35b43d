"""Names the folders in which the local stack keeps what it downloads, builds and stores."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVER_ID = 61_100
"""User and group id of the OpenSearch server when started by root, which the server refuses to run as.

It needs no entry in ``/etc/passwd``, and lies in the 65,536 ids that a rootless container has.
"""


def state() -> Path:
    """The folder for everything fetched and made: ``.local``, or what ``OKTALOGGER_LOCAL`` names."""
    return Path(os.environ.get("OKTALOGGER_LOCAL") or ROOT / ".local").absolute()


def server_state() -> Path:
    """Like :func:`state`, for what the OpenSearch server itself reads and writes.

    As root the server runs under :data:`SERVER_ID`, which cannot get into a checkout under, say, ``/root``.
    Such a checkout has its server's files in ``/var/tmp``.
    """
    home = state()
    if not needs_other_user() or reachable(home):
        return home
    return relocated(home)


def relocated(home: Path) -> Path:
    """Where a state folder's server files go when others cannot get into it."""
    name = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return Path("/var/tmp") / f"oktalogger-{name}"  # noqa: S108 - only root comes here, and keeps others from writing


def needs_other_user() -> bool:
    """Whether the server must run as another user than this process."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def reachable(path: Path) -> bool:
    """Whether a user who owns nothing can get to ``path``, or to the nearest folder above it that exists."""
    path = path.absolute()
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (path, *path.parents) if parent.exists())


def need_free(path: Path, wanted: int, purpose: str) -> None:
    """Refuse a disk too full for what comes next.

    :param path: a folder, which need not exist yet
    :param wanted: bytes
    :param purpose: what needs them, as the subject of a sentence
    :raises OSError: if fewer are free
    """
    existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < wanted:
        raise OSError(
            f"The disk is too full: {free / 1024**3:.1f} GiB are free at {existing}; {purpose} needs "
            f"{wanted / 1024**3:.1f} GiB. Free some, or set OKTALOGGER_LOCAL to a folder on another disk."
        )
