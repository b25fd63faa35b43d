"""Writes events as compressed lines, and reads them back byte for byte.

A line is an event as Okta sent it. Where that cannot be a line, because it has a line break or does not begin as an
object does, the line is a JSON string: ``"base64:"`` and the event in base64.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import TYPE_CHECKING, Final

from oktalogger.pipeline.archive.errors import ArchiveDamagedError

if TYPE_CHECKING:
    from collections.abc import Iterable

_GZIP: Final = 31  # window bits: the largest window, in a gzip header without name and time
# Of a page of a thousand events, level 6 takes twice the time for a fifth less, and level 1 as long for more.
_LEVEL: Final = 3
_WRAPPED: Final = b'"base64:'
# A page of Okta's has at most 128 MiB. More comes out of something that was made to fill the memory.
_LARGEST: Final = 256 * 1024 * 1024


def compress(events: Iterable[bytes]) -> bytes:
    """Write events as gzip: the same events give the same bytes, whenever and wherever."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(b"".join(_line(event) for event in events)) + packer.flush()


def events_of(body: bytes, name: str) -> list[bytes]:
    """Return the events of an object.

    :param body: the object
    :param name: its name, for the error
    :raises ArchiveDamagedError: if it is cut off, or not gzip, or more than a page can be
    """
    unpacker = zlib.decompressobj(_GZIP)
    try:
        text = unpacker.decompress(body, _LARGEST)
    except zlib.error as error:
        raise ArchiveDamagedError(f"{name} cannot be decompressed: {error}.") from error
    if not unpacker.eof or unpacker.unused_data:
        raise ArchiveDamagedError(f"{name} is cut off, or has something behind its end.")
    if text and not text.endswith(b"\n"):
        raise ArchiveDamagedError(f"{name} ends within a line.")
    return [_event(line, name) for line in text.split(b"\n")[:-1]]


def _line(event: bytes) -> bytes:
    if event.startswith(b"{") and b"\n" not in event:
        return event + b"\n"
    return _WRAPPED + base64.b64encode(event) + b'"\n'


def _event(line: bytes, name: str) -> bytes:
    if line.startswith(b"{"):
        return line
    if line.startswith(_WRAPPED) and line.endswith(b'"'):
        try:
            return base64.b64decode(line[len(_WRAPPED) : -1], validate=True)
        except binascii.Error as error:
            raise ArchiveDamagedError(f"{name} has a line whose base64 cannot be read: {error}.") from error
    raise ArchiveDamagedError(f"{name} has a line that is not an event: {line[:40]!r}.")
