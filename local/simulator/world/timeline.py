"""The world as a server sees it: the made traffic, stories, added events, and what is held back, in both orders.

Made minutes are kept in a cache that is bounded in bytes and forgets the longest unused first.
"""

from __future__ import annotations

import bisect
import operator
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from local.simulator.world.event import DAY, MINUTE, Event
from local.simulator.world.oddities import FURTHEST_US
from local.simulator.world.stories import Story
from local.simulator.world.traffic import MOST_SEQ

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from local.simulator.world.traffic import World

RETENTION_US = 90 * DAY
_EVENT_OVERHEAD = 400
_PERSISTED_MINUTES = 16
_position = operator.attrgetter("published_us", "seq")
_place = operator.attrgetter("place")
_persisted = operator.attrgetter("persisted_us")
Position = tuple[int, int]
"""``(published_us, seq)``: a place in the order of ``published``."""


@dataclass(slots=True)
class Minute:
    """One minute's events in order of ``published``."""

    events: list[Event]
    size: int
    latest_persisted: int
    displaced: list[Event] = field(default_factory=list)
    """Those that bounded queries list out of order."""
    matching: dict[object, list[Event]] = field(default_factory=dict)
    """Results of filters over this minute, by filter."""


Select = Callable[[Minute], list[Event]]


@dataclass
class Timeline:
    """All events of the org, readable by ``published`` or by ``persisted``.

    :param world: the made traffic
    :param start_us: when the org's history begins
    :param cache_bytes: upper bound of the cache
    :param end_us: from when on nothing happens but what is added; None goes on for ever
    :param retention_us: age at which events cannot be read any more
    """

    world: World
    start_us: int
    cache_bytes: int = 256 * 1024 * 1024
    retention_us: int = RETENTION_US
    end_us: int | None = None
    revision: int = 0
    """Goes up with every change from outside."""
    _minutes: OrderedDict[int, Minute] = field(default_factory=OrderedDict)
    _cached: int = 0
    _persisted: dict[int, list[Event]] = field(default_factory=dict)
    _added: dict[int, list[Event]] = field(default_factory=dict)
    _added_count: int = 0
    _held: dict[str, int] = field(default_factory=dict)
    _visitors: dict[int, list[Event]] = field(default_factory=dict)
    """Events listed in a minute in which they did not happen."""
    _stragglers: dict[int, set[int]] = field(default_factory=dict)
    """Minutes of ``published`` by minute of ``persisted``, for what came from outside."""

    def minute(self, number: int) -> Minute:
        """One minute since 1970, made or from the cache."""
        known = self._minutes.get(number)
        if known is not None:
            self._minutes.move_to_end(number)
            return known
        events = self.world.minute(number) if (number + 1) * MINUTE > self.start_us else []
        if number * MINUTE < self.start_us:
            events = [event for event in events if event.published_us >= self.start_us]
        if self.end_us is not None and (number + 1) * MINUTE > self.end_us:
            events = [event for event in events if event.published_us < self.end_us]
        if number in self._added:
            events = sorted([*events, *self._added[number]], key=_position)
        if self._held:
            events = [self._late(event) for event in events]
        size = sum(len(event.body) for event in events) + _EVENT_OVERHEAD * (len(events) + 1)
        displaced = [event for event in events if event.listed_us is not None]
        made = Minute(events, size, max((event.persisted_us for event in events), default=0), displaced)
        self._minutes[number] = made
        self._cached += size
        while self._cached > self.cache_bytes and len(self._minutes) > 1:
            self._cached -= self._minutes.popitem(last=False)[1].size
        return made

    def _late(self, event: Event) -> Event:
        held = self._held.get(event.uuid)
        return event if held is None else event._replace(persisted_us=held)

    def _forget(self, number: int) -> None:
        self.revision += 1
        self._persisted.clear()
        self._visitors.clear()
        dropped = self._minutes.pop(number, None)
        if dropped is not None:
            self._cached -= dropped.size

    def _note_straggler(self, published_us: int, persisted_us: int) -> None:
        self._stragglers.setdefault(persisted_us // MINUTE, set()).add(published_us // MINUTE)

    def add(self, events: Iterable[Event]) -> list[Event]:
        """Put events in from outside; each gets the next sequence number."""
        placed = []
        for event in events:
            event = event._replace(seq=MOST_SEQ + self._added_count)
            self._added_count += 1
            number = event.published_us // MINUTE
            self._added.setdefault(number, []).append(event)
            self._note_straggler(event.published_us, event.persisted_us)
            self._forget(number)
            placed.append(event)
        return placed

    def tell(self, name: str, at_us: int) -> list[Event]:
        """Put a story in."""
        return self.add(Story(name, at_us).events(self.world))

    def hold(self, event: Event, persisted_us: int) -> None:
        """Let an event be readable only from another instant on."""
        self._held[event.uuid] = persisted_us
        self._note_straggler(event.published_us, persisted_us)
        self._forget(event.published_us // MINUTE)

    def change_lateness(self, world: World) -> None:
        """Go on with a world that differs in nothing but its lateness."""
        self.world = world
        self.revision += 1
        self._minutes.clear()
        self._persisted.clear()
        self._visitors.clear()
        self._cached = 0

    def reset(self) -> None:
        """Take out everything that came from outside."""
        self._added.clear()
        self._held.clear()
        self._stragglers.clear()
        self.change_lateness(replace(self.world, later=()))

    def published(
        self, since_us: int, until_us: int, now_us: int, *, after: Position | None = None,
        select: Select | None = None, descending: bool = False,
    ) -> Iterator[list[Event]]:  # fmt: skip
        """Events with ``since <= published < until`` that can be read now, one list a minute.

        :param after: only those past this position, in the order asked for
        :param select: picks a minute's events, for a filter
        """
        since_us = max(since_us, now_us - self.retention_us, self.start_us)
        until_us = min(until_us, now_us + 1)
        if "out-of-order" in self.world.odd.kinds and not descending:
            yield from self._listed(since_us, until_us, now_us, after, select)
            return
        low, high = (since_us, -1), (until_us, -1)
        if after is not None:
            low, high = (low, min(high, after)) if descending else (max(low, (after[0], after[1] + 1)), high)
        numbers = range(low[0] // MINUTE, -(-(high[0] + 1) // MINUTE))
        for number in reversed(numbers) if descending else numbers:
            minute = self.minute(number)
            events = minute.events if select is None else select(minute)
            first = bisect.bisect_left(events, low, key=_position) if number * MINUTE <= low[0] else 0
            last = bisect.bisect_left(events, high, key=_position) if (number + 1) * MINUTE > high[0] else len(events)
            if first or last < len(events):
                events = events[first:last]
            if minute.latest_persisted > now_us:
                events = [event for event in events if event.persisted_us <= now_us]
            yield events[::-1] if descending else events

    def _listed(
        self, since_us: int, until_us: int, now_us: int, after: Position | None, select: Select | None
    ) -> Iterator[list[Event]]:
        """The same in the order of listing."""
        first = since_us - FURTHEST_US if after is None else after[0]
        for number in range(first // MINUTE, (until_us + FURTHEST_US) // MINUTE + 1):
            found = self._visiting(number)
            if select is not None and found:
                chosen = {event.uuid for other in self._near(number) for event in select(self.minute(other))}
                found = [event for event in found if event.uuid in chosen]
            if since_us // MINUTE <= number <= until_us // MINUTE:
                minute = self.minute(number)
                events = minute.events if select is None else select(minute)
                found = [*found, *(event for event in events if event.listed_us is None)] if found else events
            yield sorted(
                (
                    event
                    for event in found
                    if since_us <= event.published_us < until_us
                    and event.persisted_us <= now_us
                    and (event.listed_us is None or event.listed_us // MINUTE == number)
                    and (after is None or event.place > after)
                ),
                key=_place,
            )

    def _near(self, number: int) -> range:
        return range(number - FURTHEST_US // MINUTE - 1, number + FURTHEST_US // MINUTE + 2)

    def _visiting(self, number: int) -> list[Event]:
        known = self._visitors.get(number)
        if known is None:
            away = (event for other in self._near(number) for event in self.minute(other).displaced)
            known = self._visitors[number] = [
                event for event in away if event.listed_us is not None and event.listed_us // MINUTE == number
            ]
        return known

    def everything(self, since_us: int, until_us: int) -> Iterator[list[Event]]:
        """Events with ``since <= published < until``, whether they can be read or not, one list a minute."""
        low, high = (since_us, -1), (until_us, -1)
        for number in range(since_us // MINUTE, -(-until_us // MINUTE)):
            events = self.minute(number).events
            yield events[
                bisect.bisect_left(events, low, key=_position) : bisect.bisect_left(events, high, key=_position)
            ]

    def persisted(
        self, since_us: int, now_us: int, *, skip: int = 0, select: Select | None = None
    ) -> Iterator[list[Event]]:
        """Events that became readable at or after an instant, in that order, one list a minute.

        :param skip: how many to leave out first
        """
        oldest = now_us - self.retention_us
        for number in range(since_us // MINUTE, now_us // MINUTE + 1):
            events = self._persisted_minute(number)
            if number * MINUTE <= since_us:
                events = events[bisect.bisect_left(events, since_us, key=_persisted) :]
            if select is not None:
                chosen = {_position(event) for other in self._origins(number) for event in select(self.minute(other))}
                events = [event for event in events if _position(event) in chosen]
            events = events[skip:] if number * MINUTE <= since_us else events
            yield [event for event in events if event.persisted_us <= now_us and event.published_us >= oldest]

    def _origins(self, number: int) -> list[int]:
        """The minutes of ``published`` whose events can become readable in this minute."""
        usual = range(number - -(-self.world.horizon_us // MINUTE), number + 1)
        return sorted({*usual, *self._stragglers.get(number, ())})

    def _persisted_minute(self, number: int) -> list[Event]:
        known = self._persisted.get(number)
        if known is not None:
            return known
        found = [
            event
            for other in self._origins(number)
            if self.minute(other).latest_persisted >= number * MINUTE
            for event in self.minute(other).events
            if event.persisted_us // MINUTE == number
        ]
        # What is added from outside comes last within its instant, so that a cursor that counts stays right.
        found.sort(key=lambda event: (event.persisted_us, event.seq >= MOST_SEQ, event.published_us, event.seq))
        while len(self._persisted) >= _PERSISTED_MINUTES:
            self._persisted.pop(next(iter(self._persisted)))
        self._persisted[number] = found
        return found
