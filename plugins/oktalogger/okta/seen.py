"""Remembers which events a reading has seen, in little memory."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

_DIGEST_BYTES: Final = 10
_BUCKET_BITS: Final = 12
_REST_BYTES: Final = 8


class SeenIdentities:
    """A set of identities that can only grow, for as many events as one window may hold.

    It keeps eight bytes of a hash of each. Twelve more bits choose one of 4,096 buckets, so the memory is little more
    than those eight bytes: 12 MB, measured, for the million events of a busy day, and ten times as much for the ten
    million of the longest reading that paging allows. Two identities share a hash once in about 10^22 pairs.
    """

    def __init__(self) -> None:
        self._buckets: dict[int, bytearray] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, identity: bytes) -> bool:
        """Remember an identity, and return whether it is new."""
        digest = blake2b(identity, digest_size=_DIGEST_BYTES).digest()
        rest = digest[:_REST_BYTES]
        number = int.from_bytes(digest[_REST_BYTES:]) >> (16 - _BUCKET_BITS)
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = bytearray()
        at = bucket.find(rest)
        while at > 0 and at % _REST_BYTES:  # found across the border of two
            at = bucket.find(rest, at + 1)
        if at >= 0:
            return False
        bucket += rest
        self._count += 1
        return True
