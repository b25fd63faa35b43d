"""Makes what stands for a redacted value: a keyed hash, the network of an address, or a word."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from oktalogger.privacy.places import DataClass
    from oktalogger.privacy.policy import Action

REMOVED: Final = "[redacted]"
"""Stands in a text for a value that is dropped."""
SHORTEST_KEY: Final = 16
_PREFIX: Final = "redacted-"
_HASH_BYTES: Final = 16
# What is left of an address: the usual size of one site's network.
_NETWORK_BITS: Final = {4: 24, 6: 48}


class RedactionKeyError(ValueError):
    """The key of the hashes is missing or too short; the message says where it goes."""


class Replacements:
    """Makes the values that stand for redacted ones. The same value always gets the same one.

    Hashes are HMAC-SHA256, cut to 128 bits: without the key, nobody can find out a value by hashing guesses. Upper and
    lower case give one hash, because Okta's logins have none. The hash of an address is an address again, of the range
    for private use fd00::/8 (RFC 4193), so that a field for addresses still takes it.

    :param key: the key; needed if something is to be hashed
    """

    def __init__(self, key: str | None) -> None:
        self._key = (key or "").encode()
        self.address = lru_cache(maxsize=65_536)(self._address)
        self.hashed = lru_cache(maxsize=65_536)(self._hashed)

    def of(self, value: str, data: DataClass | None, action: Action) -> str | None:
        """Return what stands for a value; None where nothing does.

        :param value: the value
        :param data: its class
        :param action: what is to happen to it
        """
        if action == "keep":
            return value
        if action == "drop":
            return None
        if data == "addresses" or action == "network":
            return self.address(value, action) or (None if action == "network" else self.hashed(value))
        return self.hashed(value)

    def _hashed(self, value: str) -> str:
        return _PREFIX + self._digest(value.lower()).hex()

    def _address(self, value: str, action: Action) -> str | None:
        address = parse_address(value)
        if address is None:
            return None
        if action == "network":
            return str(ipaddress.ip_network((address, _NETWORK_BITS[address.version]), strict=False).network_address)
        return str(ipaddress.IPv6Address(b"\xfd" + self._digest(str(address))[:15]))

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(errors="surrogatepass"), "sha256")[:_HASH_BYTES]

    def unreadable(self, raw: bytes) -> bytes:
        """Return what is kept of an event that cannot be read, and so cannot be redacted: its length and a hash."""
        digest = hmac.digest(self._key, raw, "sha256") if self._key else hashlib.sha256(raw).digest()
        return b'"redacted: an event that cannot be read, of %d bytes, %b"' % (len(raw), digest.hex().encode())


@lru_cache(maxsize=65_536)
def parse_address(value: str) -> Any:
    """Read an IPv4 or IPv6 address; None where a text is something else."""
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None
