"""Pages of a query, and the links that lead from one to the next."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from local.simulator.errors import TIMEOUT, ApiError
from local.simulator.query import cursor, keywords
from local.simulator.world.event import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.simulator.query.parameters import Query
    from local.simulator.world import Event, Timeline
    from local.simulator.world.timeline import Minute, Select

SECONDS = 30.0
"""Okta's time-out of one query."""
_KEPT_MATCHES = 8
_ORDER = ("q", "filter", "sortOrder", "limit", "until", "after", "since")


@dataclass(frozen=True, slots=True)
class Page:
    """What one request brings.

    :param next: parameters of the next request, or ``None`` on the last page
    """

    events: list[Event]
    next: dict[str, str] | None

    def body(self) -> bytes:
        """The JSON array, joined from what was encoded when the events were made."""
        return b"[" + b",".join([event.body for event in self.events]) + b"]"


def _select(query: Query) -> Select | None:
    key = query.selection
    if key is None:
        return None

    def pick(minute: Minute) -> list[Event]:
        known = minute.matching.get(key)
        if known is None:
            while len(minute.matching) >= _KEPT_MATCHES:
                minute.matching.pop(next(iter(minute.matching)))
            known = minute.matching[key] = [event for event in minute.events if _matches(query, event)]
        return known

    return pick


def _position(event: Event) -> tuple[int, int]:
    return event.published_us, event.seq


def _matches(query: Query, event: Event) -> bool:
    value = event.json()
    return (query.filter is None or query.filter.matches(value)) and keywords.matches(query.keywords, value)


def _gather(slices: Iterator[list[Event]], count: int) -> list[Event]:
    """The first so many events.

    :raises ApiError: once Okta's time-out is over
    """
    until = time.monotonic() + SECONDS
    found: list[Event] = []
    for some in slices:
        found.extend(some)
        if len(found) >= count:
            return found[:count]
        if time.monotonic() > until:
            raise ApiError(500, "E0000009", TIMEOUT)
    return found


def bounded(timeline: Timeline, query: Query, given: Mapping[str, str], now_us: int, key: bytes) -> Page:
    """A page by ``published``; the last one has no next."""
    after = (query.after.published_us, query.after.seq) if isinstance(query.after, cursor.Bounded) else None
    slices = timeline.published(
        query.since_us,
        query.until_us + 1,
        now_us,
        after=after,
        select=_select(query),
        descending=query.descending,
    )
    found = _gather(slices, query.limit + 1) if query.limit else []
    events = found[: query.limit]
    if len(found) <= query.limit:
        return Page(events, None)
    last = events[-1]
    follow = {**given, "after": cursor.Bounded(*(_position(last) if query.descending else last.place)).text(key)}
    if query.descending:
        follow["until"] = timestamp(last.published_us)
    return Page(events, follow)


def polling(timeline: Timeline, query: Query, given: Mapping[str, str], now_us: int, key: bytes) -> Page:
    """A page by persistence; there is always a next, and a page may be short while more waits."""
    if isinstance(query.after, cursor.Polling):
        start, skip = query.after.milliseconds * 1000, query.after.skip
    else:
        start, skip = query.since_us // 1000 * 1000, 0
    found = _gather(timeline.persisted(start, now_us, skip=skip, select=_select(query)), query.limit + 1)
    events = found[: query.limit]
    if len(found) > query.limit > 10:
        events = events[: _cut(events, key)]
    position = cursor.Polling(start // 1000, skip)
    if events:
        millisecond = events[-1].persisted_us // 1000
        same = sum(1 for event in events if event.persisted_us // 1000 == millisecond)
        position = cursor.Polling(millisecond, same + (skip if millisecond == start // 1000 else 0))
    follow = {name: value for name, value in given.items() if name not in ("since", "until")}
    return Page(events, {**follow, "after": position.text()})


def _cut(events: list[Event], key: bytes) -> int:
    """How long a full polling page really is: one in eight is cut short, as users report of Okta."""
    draw = hashlib.blake2b(events[0].uuid.encode(), digest_size=4, key=key).digest()
    return len(events) if draw[0] >= 32 else 1 + draw[1] * (len(events) - 1) // 256


def query_string(given: Mapping[str, str]) -> str:
    """Parameters in the order and encoding of Okta's own links."""
    known = [(name, given[name]) for name in _ORDER if name in given]
    return urlencode([*known, *((name, value) for name, value in given.items() if name not in _ORDER)])
