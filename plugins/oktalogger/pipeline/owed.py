"""Finds the windows that reconcile began to read again and could not, for the next run to read in smaller pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oktalogger.window import Window, gaps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

    from oktalogger.pipeline.ledger import LedgerEntry


def owed_of(entries: Iterable[LedgerEntry]) -> tuple[Window, ...]:
    """Return the windows that reconcile did not read to their end, less what it has read to the end since.

    :param entries: of one org, those that read all that this deployment reads
    """
    again = [entry for entry in entries if entry.kind == "reconcile"]
    done = [entry for entry in again if entry.state == "complete"]
    parts: set[Window] = set()
    for entry in again:
        if entry.state != "complete":
            parts.update(gaps(entry.window, [one.window for one in done if _later(one, entry)]))
    return tuple(sorted(parts))


def _later(one: LedgerEntry, other: LedgerEntry) -> bool:
    return one.updated_at is not None and (other.updated_at is None or one.updated_at > other.updated_at)


def with_owed(planned: Sequence[Window], owed: Iterable[Window], interval: timedelta) -> list[Window]:
    """Add what is owed to what is to be read again.

    What failed in one piece is cut into live windows, and comes last: so a window that cannot be read costs itself its
    place, and neither the rest of its hour nor what else is to be read.

    :param planned: what is to be read again
    :param owed: what could not be read again before
    :param interval: how long a live window is
    """
    owed = tuple(owed)
    whole = [window for window in planned if not meets(window, owed)]
    broken = [window for window in planned if meets(window, owed)]
    broken += [rest for window in owed for rest in gaps(window, planned)]
    pieces = dict.fromkeys(piece for window in broken for piece in window.split(interval))
    return [*whole, *pieces]


def meets(window: Window, others: Iterable[Window]) -> bool:
    """Say whether a window shares a moment with any other."""
    return any(other.start < window.end and window.start < other.end for other in others)
