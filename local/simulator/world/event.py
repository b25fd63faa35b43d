"""One event of the simulated org, and the arithmetic of its instants (whole microseconds since 1970, UTC)."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Event(NamedTuple):
    """An event with what Okta shows of it and what it hides.

    ``seq`` orders events that share an instant, and is unique among the events of a minute. ``listed_us`` is where a
    bounded query lists an event that comes out of order.
    """

    published_us: int
    seq: int
    uuid: str
    persisted_us: int
    body: bytes
    oddity: str | None = None
    listed_us: int | None = None

    @property
    def place(self) -> tuple[int, int]:
        """Its place in the order of bounded queries."""
        return (self.published_us if self.listed_us is None else self.listed_us, self.seq)

    @property
    def published(self) -> datetime:
        """When it happened: what ``since`` and ``until`` of a bounded query compare."""
        return instant(self.published_us)

    @property
    def persisted(self) -> datetime:
        """When it can first be read: hidden by Okta, and the clock of polling queries."""
        return instant(self.persisted_us)

    def json(self) -> dict[str, Any]:
        """The event as Okta sends it, parsed."""
        value: dict[str, Any] = msgspec.json.decode(self.body)
        return value


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 of an aware instant.

    :raises ValueError: for a naive datetime
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def instant(us: int) -> datetime:
    """The UTC instant of a count of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=us)


def timestamp(us: int, digits: int = 3) -> str:
    """Okta's text form of an instant, such as ``2026-11-23T10:00:00.000Z``.

    :param digits: digits of the fraction; Okta writes three
    """
    whole, fraction = divmod(us, SECOND)
    text = instant(whole * SECOND).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:06d}"[: 20 + digits] + "Z" if digits else text + "Z"


def stream(*parts: object) -> random.Random:
    """A random stream that depends on nothing but its parts, in every process and on every Python."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).digest()
    return random.Random(int.from_bytes(digest, "big"))  # noqa: S311
