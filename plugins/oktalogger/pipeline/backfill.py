"""Loading history in wide windows: what was asked for, whether it makes sense, and which chunks are still to load."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.pipeline.reconcile import RETENTION
from oktalogger.window import Window, WindowError, format_instant, gaps, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CHUNKS: Final[dict[str, timedelta]] = {
    "1 hour": timedelta(hours=1),
    "3 hours": timedelta(hours=3),
    "6 hours": timedelta(hours=6),
    "12 hours": timedelta(hours=12),
    "1 day": timedelta(days=1),
}
DEFAULT_CHUNK: Final = "6 hours"
ORDERS: Final = ("newest first", "oldest first")
# Okta refuses a `since` beyond this with an error.
OLDEST: Final = timedelta(days=180)
# Events of the last minutes belong to the scheduled loads, and some of them Okta has yet to publish.
SETTLED: Final = timedelta(minutes=10)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class BackfillError(ValueError):
    """What was asked for makes no sense; the message says why, and what to give instead."""


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """What was asked for.

    :param window: the range to load
    :param chunk: width of the parts
    :param newest_first: whether the newest part is loaded first, because Okta deletes the oldest events
    """

    window: Window
    chunk: timedelta
    newest_first: bool = True


def read_request(params: Mapping[str, Any], *, now: datetime) -> BackfillRequest:
    """Read the params of a run.

    :param params: ``from``, ``to``, ``chunk`` and ``order``; without ``to`` all up to ten minutes ago
    :param now: the time, in UTC
    :raises BackfillError: if they make no sense
    """
    chunk, order = params.get("chunk") or DEFAULT_CHUNK, params.get("order") or ORDERS[0]
    if chunk not in CHUNKS:
        raise BackfillError(f"chunk={chunk!r} is none of {', '.join(CHUNKS)}.")
    if order not in ORDERS:
        raise BackfillError(f"order={order!r} is none of {', '.join(ORDERS)}.")
    if not params.get("from"):
        raise BackfillError("The param `from` is missing: give the day and time from which on to load.")
    try:
        start = parse_instant(params["from"], name="from", zoned=True)
        until = params.get("to")
        end = parse_instant(until, name="to", zoned=True) if until else _floor(now - SETTLED, SETTLED / 2)
    except WindowError as error:
        raise BackfillError(str(error)) from error
    if start > now or end > now:
        name, value = ("from", start) if start > now else ("to", end)
        raise BackfillError(
            f"`{name}` ({format_instant(value)}) lies in the future: it is {format_instant(now)}. Nothing has happened "
            "there yet."
        )
    if start >= end:
        raise BackfillError(
            f"`from` ({format_instant(start)}) is not before `to` ({format_instant(end)}). Give the earlier one first."
        )
    if start < now - OLDEST:
        raise BackfillError(
            f"`from` ({format_instant(start)}) is over 180 days ago. Okta would answer: The since parameter is over "
            f"180 days prior to the current day. It deletes events after 90 days, so nothing before "
            f"{format_instant(_floor(now - RETENTION, timedelta(minutes=1)))} is left to load."
        )
    return BackfillRequest(Window(start, end), CHUNKS[chunk], order == ORDERS[0])


def warnings(request: BackfillRequest, *, now: datetime) -> list[str]:
    """Return what is odd about a request, though it can be done."""
    kept = _floor(now - RETENTION, timedelta(minutes=1))
    if request.window.start >= kept:
        return []
    return [
        f"`from` ({format_instant(request.window.start)}) is over 90 days ago. Okta deletes events after 90 days: "
        f"expect few or none before {format_instant(kept)}."
    ]


def chunks(window: Window, width: timedelta) -> list[Window]:
    """Cut a range at multiples of a width, as they lie in UTC, so that each asking finds the same parts.

    :param window: the range; its first and last part may be shorter
    :param width: a divisor or multiple of a day
    """
    parts = []
    start = window.start
    while start < window.end:
        end = min(_floor(start, width) + width, window.end)
        parts.append(Window(start, end))
        start = end
    return parts


def to_load(request: BackfillRequest, complete: Iterable[Window], damaged: Iterable[Window] = ()) -> list[Window]:
    """Return the parts that no complete windows cover or that are damaged, in the order to load them.

    :param request: what was asked for
    :param complete: windows that the ledger calls complete, of any kind of load
    :param damaged: hours of which OpenSearch holds fewer events than these stored
    """
    missing = [*gaps(request.window, complete), *damaged]
    parts = [part for part in chunks(request.window, request.chunk) if _touches(part, missing)]
    return parts[::-1] if request.newest_first else parts


def check_count(parts: list[Window], request: BackfillRequest, most: int) -> None:
    """Refuse more parts than Airflow maps tasks over.

    :param parts: what is to load
    :param request: what was asked for
    :param most: Airflow's ``core.max_map_length``
    :raises BackfillError: if there are more
    """
    if len(parts) <= most:
        return
    wide_enough = next((name for name, width in CHUNKS.items() if len(chunks(request.window, width)) <= most), None)
    advice = f"Take chunks of {wide_enough} or more" if wide_enough else "Take a shorter range"
    raise BackfillError(
        f"That makes {len(parts):,} chunks, and this Airflow maps at most {most:,} tasks (core.max_map_length). "
        f"{advice}."
    )


def name_of(window: Window) -> str:
    """Return what a person calls a window: ``2026-11-22 06:00 to 12:00 UTC``."""
    if window.end.date() == window.start.date():
        end = f"{window.end:%H:%M}"
    elif window.end == _floor(window.start, timedelta(days=1)) + timedelta(days=1):
        end = "24:00"
    else:
        end = f"{window.end:%Y-%m-%d %H:%M}"
    return f"{window.start:%Y-%m-%d %H:%M} to {end} UTC"


def _touches(part: Window, missing: Iterable[Window]) -> bool:
    return any(gap.start < part.end and part.start < gap.end for gap in missing)


def _floor(instant: datetime, width: timedelta) -> datetime:
    return instant - (instant - _EPOCH) % width
