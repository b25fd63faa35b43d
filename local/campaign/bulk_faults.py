"""Bulk requests of which OpenSearch refuses a part: what is sent on, and what the caller is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import random

_REFUSALS = {
    "opensearch-item-429": (429, "rejected_execution_exception", "rejected execution of coordinating operation"),
    "opensearch-item-503": (503, "unavailable_shards_exception", "primary shard is not active"),
    # The primary has it, and what told so was lost on the way.
    "opensearch-item-stored-503": (503, "unavailable_shards_exception", "timed out waiting for a replica"),
}


@dataclass(frozen=True, slots=True)
class Parted:
    """A bulk request, parted.

    :param kind: the fault
    :param body: what to send on
    :param count: how many documents came
    :param refused: positions of those to be refused
    """

    kind: str
    body: bytes
    count: int
    refused: frozenset[int]


def part(kind: str, body: bytes, rng: random.Random) -> Parted | None:
    """Choose which documents of a bulk are refused; None if there are too few to choose from."""
    lines = body.split(b"\n")
    pairs = [(lines[at], lines[at + 1]) for at in range(0, len(lines) - 1, 2)]
    if len(pairs) < 2:
        return None
    refused = frozenset(rng.sample(range(len(pairs)), max(1, len(pairs) // 3)))
    stored = kind == "opensearch-item-stored-503"
    kept = [pair for number, pair in enumerate(pairs) if stored or number not in refused]
    return Parted(kind, b"".join(b"%b\n%b\n" % pair for pair in kept), len(pairs), refused)


def answer(parted: Parted, upstream: bytes) -> bytes:
    """Return OpenSearch's answer with the refusals put in where they belong."""
    said = msgspec.json.decode(upstream)
    if "items" not in said:
        return upstream
    status, kind, reason = _REFUSALS[parted.kind]
    refusal = {"create": {"status": status, "error": {"type": kind, "reason": reason}}}
    real = iter(said["items"])
    items: list[Any] = []
    for number in range(parted.count):
        if parted.kind == "opensearch-item-stored-503":
            one = next(real)
            items.append(refusal if number in parted.refused else one)
        else:
            items.append(refusal if number in parted.refused else next(real))
    return msgspec.json.encode({**said, "items": items})
