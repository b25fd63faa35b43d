"""The ``q`` parameter: every keyword must stand in some value of the event, whatever its case."""

from __future__ import annotations

import re
from typing import Any

from local.simulator.errors import invalid

MOST = 10
LONGEST = 40
_WORD = re.compile(r"[^\s,;:(){}\[\]\"'=/?&|]+")


def read(text: str) -> tuple[str, ...]:
    """The keywords of a query.

    :raises ApiError: for too many, or one over 40 characters
    """
    words = tuple(text.lower().split())
    if len(words) > MOST:
        raise invalid(
            "q", f"Freeform search cannot contain more than {MOST} items. Please reduce the items in your search."
        )
    if any(len(word) > LONGEST for word in words):
        raise invalid(
            "q",
            "Freeform search cannot contain items longer than 40 characters. Please shorten the items in your search "
            "or use an advanced filter to query by specific fields.",
        )
    return words


def _values(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _values(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _values(inner)]
    return [value] if isinstance(value, str) else []


def matches(words: tuple[str, ...], event: dict[str, Any]) -> bool:
    """Whether an event holds every keyword. A value with hyphens counts whole and in its parts."""
    held: set[str] = set()
    for value in _values(event):
        lower = value.lower()
        held.add(lower)
        for word in _WORD.findall(lower):
            held.add(word)
            if "-" in word:
                held.update(word.split("-"))
    return all(word in held for word in words)
