"""Remembers which events a reading has seen, in little memory."""

from __future__ import annotations

from hashlib import blake2b

_BUCKET_BYTES = 2
_REST_BYTES = 8


class SeenIdentities:
    """A set of identities that can only grow, for as many events as one window may hold.

    It keeps ten bytes of a hash of each, two of which choose one of 65,536 buckets: 23 MB, measured, for the million
    events of a busy day, and by that ten times as much for the ten million of the longest reading that paging allows.
    Two identities share a hash once in about 10^24 pairs.
    """

    def __init__(self) -> None:
        self._buckets: dict[bytes, bytearray] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, identity: bytes) -> bool:
        """Remember an identity, and return whether it is new."""
        digest = blake2b(identity, digest_size=_BUCKET_BYTES + _REST_BYTES).digest()
        rest = digest[_BUCKET_BYTES:]
        bucket = self._buckets.setdefault(digest[:_BUCKET_BYTES], bytearray())
        at = bucket.find(rest)
        while at > 0 and at % _REST_BYTES:  # found across the border of two
            at = bucket.find(rest, at + 1)
        if at >= 0:
            return False
        bucket += rest
        self._count += 1
        return True
