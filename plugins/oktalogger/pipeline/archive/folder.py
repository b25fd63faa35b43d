"""Keeps an archive in a folder: for trials, and for a mounted file system."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oktalogger.pipeline.archive.errors import (
    ArchiveDamagedError,
    ArchiveError,
    ArchiveMissingError,
    ArchiveRefusedError,
    ArchiveUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
_FORBIDDEN: Final = frozenset({errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG})


class FolderStore:
    """Writes each object whole, or not at all: into a hidden file first, which gets its name once it is on the disk.

    :param folder: the folder; made with the first object
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)

    @property
    def where(self) -> str:
        """The folder."""
        return str(self._folder)

    def put(self, name: str, body: bytes, *, by_content: bool = True) -> bool:
        """Write an object, unless its name is taken.

        :raises ArchiveDamagedError: if the name is taken by other bytes, and holds the hash of these
        :raises ArchiveUnavailableError: if the disk is full or fails
        :raises ArchiveRefusedError: if the folder is not ours to write
        """
        path = self._folder / name
        try:
            if path.exists():
                self._compare(path, body, by_content)
                return False
            _make(path.parent)
            hidden = path.parent / f".{secrets.token_hex(8)}"
            try:
                _write(hidden, body)
                _publish(hidden, path)
            except FileExistsError:
                self._compare(path, body, by_content)
                return False
            finally:
                hidden.unlink(missing_ok=True)
            _sync(path.parent)
        except OSError as error:
            raise self._error(error, f"writing {name}") from error
        return True

    def get(self, name: str) -> bytes:
        """Read an object."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError as error:
            raise ArchiveMissingError(f"{name} is not in the archive {self._folder}.") from error
        except OSError as error:
            raise self._error(error, f"reading {name}") from error

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin so, in order; hidden files are of writes that came to no end."""
        top = self._folder / prefix
        if not top.is_dir():
            return
        found = []
        for parent, _, files in os.walk(top, onerror=self._raise):
            place = Path(parent).relative_to(self._folder).as_posix()
            found += [f"{place}/{file}" for file in files if not file.startswith(".")]
        yield from sorted(found)

    def overwritten(self, prefix: str) -> Iterator[str]:
        """Yield nothing: a folder does not know what a file held before."""
        yield from ()

    def _compare(self, path: Path, body: bytes, by_content: bool) -> None:
        if by_content and path.read_bytes() != body:
            raise ArchiveDamagedError(
                f"{path} is there, with other bytes than its name says: somebody changed it, or a copy of the archive "
                "was cut off. Keep it elsewhere as evidence and take it from there: the next try writes it anew."
            )

    def _raise(self, error: OSError) -> None:
        raise self._error(error, "listing it") from error

    def _error(self, error: OSError, doing: str) -> ArchiveError:
        said = f"The archive {self._folder} failed while {doing}: {error.strerror or error}."
        if error.errno in _FORBIDDEN:
            return ArchiveRefusedError(f"{said} Give the workers the right to make folders and files there.")
        return ArchiveUnavailableError(f"{said} Look at the disk: is it full, or gone?")


def _make(folder: Path) -> None:
    """Make a folder and those above it, so that they outlast a power failure."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        _sync(one.parent)


def _write(path: Path, body: bytes) -> None:
    with path.open("xb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _publish(hidden: Path, path: Path) -> None:
    """Give a file its name, which must not be taken."""
    try:
        os.link(hidden, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without links. Two loads that write one name at the same moment write the same bytes.
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        hidden.rename(path)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
