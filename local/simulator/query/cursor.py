"""The opaque ``after``. Polling cursors look like ``1627500044869_1``, bounded ones like a UUID, as Okta's do.

A bounded cursor carries a position and a signature, so it needs no memory, and one made by hand is refused.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass

from local.simulator.errors import invalid

_POLLING = re.compile(r"(\d{10,15})_(\d{1,9})")
_SEQ_BITS = 24
_SIGN_BITS = 48


@dataclass(frozen=True, slots=True)
class Polling:
    """Millisecond of persistence, and how many events of it have been read."""

    milliseconds: int
    skip: int

    def text(self) -> str:
        """The value of ``after``."""
        return f"{self.milliseconds}_{self.skip}"


@dataclass(frozen=True, slots=True)
class Bounded:
    """The last event that has been read."""

    published_us: int
    seq: int

    def text(self, key: bytes) -> str:
        """The value of ``after``."""
        packed = self.published_us << _SEQ_BITS | self.seq
        return str(uuid.UUID(int=packed << _SIGN_BITS | _sign(packed, key)))


def _sign(packed: int, key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(packed.to_bytes(10, "big"), digest_size=6, key=key).digest(), "big")


def read(text: str, key: bytes) -> Polling | Bounded:
    """Read a cursor.

    :raises ApiError: for one that the server did not make
    """
    polling = _POLLING.fullmatch(text)
    if polling:
        return Polling(int(polling[1]), int(polling[2]))
    try:
        value = uuid.UUID(text).int
    except ValueError:
        raise invalid("after", "is not a valid cursor.") from None
    packed, sign = divmod(value, 1 << _SIGN_BITS)
    if _sign(packed, key) != sign:
        raise invalid("after", "is not a valid cursor.")
    return Bounded(packed >> _SEQ_BITS, packed & (1 << _SEQ_BITS) - 1)
