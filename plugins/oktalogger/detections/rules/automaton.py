"""How much work a regular expression makes for OpenSearch, reckoned without OpenSearch.

Lucene turns an expression into a deterministic automaton, and gives up beyond a limit of work. In a query_string that
is no error: the server says that the query is valid, and it never matches anything (seen on 2.19.4 and 3.4.0). So
it has to be found out here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

# Lucene gives up at ten times max_determinized_states, which is 10,000 by default. Reckoned as here, the last that
# 2.19.4 took cost 91,806 and the first that it did not take 122,877.
MOST_EFFORT: Final = 90_000
MOST_POSITIONS: Final = 4_000
HIGHEST: Final = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]
ANY: Final[Ranges] = ((0, HIGHEST),)


class TooComplexError(ValueError):
    """An expression makes more work than OpenSearch is willing to do."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an expression: which positions can begin and end it. Sets are bit masks.

    :param empty: whether it matches nothing at all, too
    """

    first: int = 0
    last: int = 0
    empty: bool = True


EMPTY: Final = Part()


@dataclass(slots=True)
class Automaton:
    """The positions of an expression, and which may follow which (Glushkov's construction)."""

    accepts: list[Ranges] = field(default_factory=list)
    follows: list[int] = field(default_factory=list)

    def character(self, ranges: Ranges) -> Part:
        """Add a position that takes one of some characters."""
        if len(self.accepts) >= MOST_POSITIONS:
            raise TooComplexError
        self.accepts.append(ranges)
        self.follows.append(0)
        bit = 1 << (len(self.accepts) - 1)
        return Part(bit, bit, empty=False)

    def then(self, left: Part, right: Part) -> Part:
        """Put one part behind another."""
        for position in _bits(left.last):
            self.follows[position] |= right.first
        return Part(
            left.first | (right.first if left.empty else 0),
            right.last | (left.last if right.empty else 0),
            left.empty and right.empty,
        )

    def again(self, part: Part) -> Part:
        """Let a part be repeated for ever, or left out."""
        self.then(part, part)
        return Part(part.first, part.last, empty=True)

    def effort(self, whole: Part) -> int:
        """Return the work of making it deterministic.

        :raises TooComplexError: where it is more than the limit
        """
        symbols = self._symbols()
        start = (0, True)
        seen = {start}
        waiting = [start]
        spent = 0
        while waiting:
            positions, is_start = waiting.pop()
            spent += positions.bit_count() + 1
            if spent > MOST_EFFORT:
                raise TooComplexError
            allowed = whole.first if is_start else 0
            for position in _bits(positions):
                allowed |= self.follows[position]
            for taken in symbols:
                reached = (allowed & taken, False)
                if reached[0] and reached not in seen:
                    seen.add(reached)
                    waiting.append(reached)
        return spent

    def _symbols(self) -> list[int]:
        """Return, for each kind of character that makes a difference, the positions that take it."""
        edges = sorted({edge for ranges in self.accepts for low, high in ranges for edge in (low, high + 1)})
        masks = set()
        for edge in edges:
            mask = 0
            for position, ranges in enumerate(self.accepts):
                if any(low <= edge <= high for low, high in ranges):
                    mask |= 1 << position
            masks.add(mask)
        return [mask for mask in masks if mask]


def either(parts: list[Part]) -> Part:
    """Let one of several parts stand in a place."""
    first = last = 0
    for part in parts:
        first |= part.first
        last |= part.last
    return Part(first, last, any(part.empty for part in parts))


def optional(part: Part) -> Part:
    """Let a part be left out."""
    return Part(part.first, part.last, empty=True)


def others(ranges: list[tuple[int, int]]) -> Ranges:
    """Return all characters but some."""
    result = []
    at = 0
    for low, high in sorted(ranges):
        if low > at:
            result.append((at, low - 1))
        at = max(at, high + 1)
    if at <= HIGHEST:
        result.append((at, HIGHEST))
    return tuple(result)


def _bits(mask: int) -> list[int]:
    found = []
    while mask:
        lowest = mask & -mask
        found.append(lowest.bit_length() - 1)
        mask ^= lowest
    return found
