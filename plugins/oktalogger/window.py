"""Window arithmetic: which half-open range of ``published`` one task loads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HOUR: Final = timedelta(hours=1)


class WindowError(ValueError):
    """There is no usable window; the message says which values to give."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A half-open time range ``[start, end)`` of ``published``, in UTC and whole milliseconds.

    :param start: first instant that belongs to the window
    :param end: first instant that no longer does
    :raises WindowError: if an instant has no time zone, or ``start`` is not before ``end``
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            value = getattr(self, name)
            if value.tzinfo is None:
                raise WindowError(f"The window's {name} {value.isoformat()} has no time zone.")
            try:
                in_utc = value.astimezone(UTC)
                # Okta's clock ticks in milliseconds, and so does all that is asked and written down. The same events
                # lie between two instants when both are put off to the next tick, and windows that touch still do.
                in_utc += timedelta(microseconds=-in_utc.microsecond % 1000)
            except OverflowError:
                raise WindowError(f"The window's {name} {value.isoformat()} is at the edge of the calendar.") from None
            # Airflow gives pendulum's instants. One of these with `UTC` of the standard library loses its time zone
            # as soon as a timedelta is added.
            plain = datetime.combine(in_utc.date(), in_utc.time(), UTC)
            object.__setattr__(self, name, plain)
        if self.start >= self.end:
            raise WindowError(
                f"The window starts at {format_instant(self.start)}, which is not before its end "
                f"{format_instant(self.end)}. Give a `since` before `until`."
            )

    def __str__(self) -> str:
        return f"[{format_instant(self.start)}, {format_instant(self.end)})"

    @property
    def duration(self) -> timedelta:
        """How long the window is."""
        return self.end - self.start

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def split(self, width: timedelta) -> Iterator[Self]:
        """Cut the window into windows of ``width``, in order; the last one may be shorter.

        :param width: length of each part, positive
        :raises WindowError: if ``width`` is not positive
        """
        if width <= timedelta(0):
            raise WindowError(f"A window cannot be cut into parts of {width}.")
        start = self.start
        while start < self.end:
            end = min(start + width, self.end)
            yield type(self)(start, end)
            start = end


def hour_of(instant: datetime) -> datetime:
    """Return the beginning of an instant's hour, in UTC."""
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hours(within: Window) -> Iterator[Window]:
    """Cut a window at the full hours of UTC."""
    start = within.start
    while start < within.end:
        end = min(hour_of(start) + HOUR, within.end)
        yield Window(start, end)
        start = end


def whole_hours(within: Window) -> Window:
    """Return the window widened to full hours of UTC."""
    start, end = hour_of(within.start), hour_of(within.end)
    return Window(start, end if end == within.end else end + HOUR)


def merge(windows: Iterable[Window]) -> list[Window]:
    """Join windows that touch or overlap, in order."""
    merged: list[Window] = []
    for window in sorted(windows):
        if merged and window.start <= merged[-1].end:
            merged[-1] = Window(merged[-1].start, max(merged[-1].end, window.end))
        else:
            merged.append(window)
    return merged


def gaps(whole: Window, covered: Iterable[Window]) -> list[Window]:
    """Return the parts of a window that none of some others covers, in order."""
    found: list[Window] = []
    start = whole.start
    for window in merge(covered):
        if window.end <= start or window.start >= whole.end:
            continue
        if window.start > start:
            found.append(Window(start, window.start))
        start = max(start, window.end)
    if start < whole.end:
        found.append(Window(start, whole.end))
    return found


def parse_instant(value: str | datetime, *, name: str, zoned: bool = False) -> datetime:
    """Read an instant as RFC 3339 text or as a datetime; one without a time zone is taken as UTC.

    :param value: for example ``2026-11-23T10:05:00Z``
    :param name: what the value is called where the user gave it, for the error message
    :param zoned: whether one without a time zone is refused: who fills in a form may mean another zone than UTC
    :raises WindowError: if the value is not an instant
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise WindowError(f"{name}={value!r} is not a date and time. Write it like 2026-11-23T10:05:00Z.") from None
    if zoned and value.tzinfo is None:
        text = value.isoformat()
        raise WindowError(
            f"{name}={text!r} has no time zone, and each zone has another instant of that name. Write {text}Z for UTC, "
            f"or an offset, like {text}-05:00."
        )
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def format_instant(instant: datetime) -> str:
    """Write an instant as Okta does: UTC, ``Z``, with milliseconds only if there are some."""
    spec = "milliseconds" if instant.microsecond else "seconds"
    return instant.astimezone(UTC).isoformat(timespec=spec).replace("+00:00", "Z")


def understood(window: Window, *, now: datetime, zone: str) -> str:
    """Say which range was understood: in UTC, in another time zone, and how long ago that is, which no zone changes.

    :param window: the range
    :param now: the time
    :param zone: the other time zone, by its IANA name; one that is UTC is left out
    """
    shown = f"{format_instant(window.start)} to {format_instant(window.end)}"
    try:
        here = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        here = None
    if here is not None and any(one.astimezone(here).utcoffset() for one in (window.start, window.end)):
        start, end = (f"{one.astimezone(here):%Y-%m-%d %H:%M %Z}" for one in (window.start, window.end))
        shown += f" ({start} to {end} in {zone})"
    return f"{shown}, so from {_span(now - window.start)} to {_span(now - window.end)} ago"


def _span(span: timedelta) -> str:
    minutes = max(0, int(span.total_seconds() // 60))
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{number} {word}{'s' * (number != 1)}" for number, word in ((days, "day"), (hours, "hour")) if number]
    return " ".join(parts) or f"{rest} minute{'s' * (rest != 1)}"


def resolve_window(
    since: str | datetime | None,
    until: str | datetime | None,
    data_interval_start: datetime | None,
    data_interval_end: datetime | None,
    *,
    fixed: bool = False,
    zoned: bool = False,
) -> Window:
    """Answer which window a run has: ``since`` and ``until`` if given, otherwise the data interval, otherwise an error.

    On Airflow 3 a run may have no data interval at all, or an empty one (a bare cron schedule).

    :param since: the run's param of that name, empty or absent if not given
    :param until: likewise
    :param data_interval_start: of the run, if it has one
    :param data_interval_end: of the run, if it has one
    :param fixed: whether the run was made for its data interval, as the schedule and backfills make them. It loads that
        and nothing else: params of one backfill would make all its runs load the same window, and none its own
    :param zoned: whether ``since`` and ``until`` must have a time zone, as in :func:`parse_instant`
    :raises WindowError: if only one of the two params is given, nothing gives a window, or the params of a fixed run
        name another window than its own
    """
    if since or until:
        if not (since and until):
            given, missing = ("since", "until") if since else ("until", "since")
            raise WindowError(f"The param `{given}` was given without `{missing}`. Give both, or neither.")
        named = Window(parse_instant(since, name="since", zoned=zoned), parse_instant(until, name="until", zoned=zoned))
        if fixed and data_interval_start is not None and data_interval_end is not None:
            _refuse_another(named, data_interval_start, data_interval_end)
        return named
    if data_interval_start is None or data_interval_end is None:
        raise WindowError(
            "This run has no data interval (a manual run without a logical date has none). "
            'Trigger it with the params `since` and `until`, for example {"since": "2026-11-23T10:00:00Z", '
            '"until": "2026-11-23T10:05:00Z"}.'
        )
    if data_interval_start == data_interval_end:
        raise WindowError(
            f"This run's data interval is empty: it starts and ends at {format_instant(data_interval_start)}. "
            "Schedule the DAG by CronDataIntervalTimetable (on Airflow 3 a bare cron string gives empty intervals), "
            "or give the params `since` and `until`."
        )
    return Window(data_interval_start, data_interval_end)


def _refuse_another(named: Window, start: datetime, end: datetime) -> None:
    if named != Window(start, end):
        raise WindowError(
            f"This run was made for its data interval {Window(start, end)}, but its params `since` and `until` name "
            f"{named}. A scheduled or a backfill run loads its own window and no other: start it without these params, "
            "and trigger a run by hand to load another range."
        )
