"""Cuts a replay into days, puts its parts together again, and shows what it found as a table."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# Airflow maps a task over 1,024 values at most (`core.max_map_length`).
MOST_PARTS: Final = 1000
_DAY: Final = timedelta(days=1)
_COLUMNS: Final = ("rule", "severity", "matches", "new", "first", "last", "example")


def replay_windows(window: Window, *, rules: int) -> Iterator[Window]:
    """Cut a window at midnight, UTC; where that makes too many parts, at every second midnight, and so on.

    :param window: what to cut
    :param rules: how many rules run over each part
    """
    midnight = window.start.replace(hour=0, minute=0, second=0, microsecond=0)
    days = -(-(window.end - midnight) // _DAY)
    stride = max(1, -(-days // max(1, MOST_PARTS // max(1, rules))))
    start = window.start
    end = midnight + stride * _DAY
    while end < window.end:
        yield Window(start, end)
        start, end = end, end + stride * _DAY
    yield Window(start, window.end)


def merge_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the rows of one rule together, those with the most matches first.

    A burst across midnight is found on both days, and counted twice here; it is stored once.

    :param rows: as ``Found.as_dict`` gives them
    """
    merged: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = merged.setdefault(
            row["id"], {**row, "matches": 0, "new": 0, "more": False, "first": None, "last": None}
        )
        known["matches"] += row["matches"]
        known["new"] += row["new"]
        known["more"] = known["more"] or row["more"]
        known["example"] = known["example"] or row["example"]
        known["first"] = min(filter(None, (known["first"], row["first"])), default=None)
        known["last"] = max(filter(None, (known["last"], row["last"])), default=None)
    return sorted(merged.values(), key=lambda row: (-row["matches"], row["rule"]))


def rows_text(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as a table to read.

    :param rows: as ``Found.as_dict`` gives them
    """
    lines: list[tuple[str, ...]] = [_COLUMNS]
    for row in rows:
        cells = {**row, "matches": f"{row['matches']}{'+' if row['more'] else ''}"}
        lines.append(tuple("-" if cells[name] is None else str(cells[name]) for name in _COLUMNS))
    widths = [max(len(line[at]) for line in lines) for at in range(len(_COLUMNS) - 1)]
    padded = (
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]) for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)
