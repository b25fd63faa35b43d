"""A company's traffic, minute by minute.

Each minute is made from its own random stream, so any slice of history can be made, in any order, and is always the
same. A scene belongs to the minute in which it begins; what of it falls into the next minute is made with that one.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import math
import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from local.simulator.world import bodies, oddities, scenes
from local.simulator.world.company import Company, found
from local.simulator.world.event import MINUTE, Event, stream, timestamp
from local.simulator.world.lateness import USUAL, Lateness
from local.simulator.world.places import OFFICES

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

_SCENES = tuple(scene for scene, _, _ in scenes.SCENES)
_SCENE_EDGES = tuple(itertools.accumulate(weight for _, weight, _ in scenes.SCENES))
_MEAN_EVENTS = sum(weight * mean for _, weight, mean in scenes.SCENES) / _SCENE_EDGES[-1]
_SEAT_EDGES = (0.62, 0.86, 1.0)
_QUARTERS = 7 * 24 * 4
_ALWAYS_ON = 0.15
_MONDAY = 3 * 24 * 4  # 1970 began on a Thursday
_SESSION_MINUTES = 240
_Draft = tuple[int, bytes]
"""Milliseconds into a minute, and what happened: encoded, but for its end."""
_when = operator.itemgetter(0)
MOST_SEQ = 1 << 20
"""Sequence numbers of a minute's made events stay below this; events added from outside start here."""


def _at_work(local_hours: float, weekday: int) -> float:
    """How busy an office is, 0 to 1, at an hour of its own day; Monday is 0."""
    morning = math.exp(-(((local_hours - 9.6) / 1.7) ** 2))
    afternoon = 0.85 * math.exp(-(((local_hours - 14.3) / 2.2) ** 2))
    evening = 0.12 * math.exp(-(((local_hours - 20.5) / 2.0) ** 2))
    return (morning + afternoon + evening) * (1.0 if weekday < 5 else 0.12)


def _week() -> tuple[tuple[float, tuple[float, ...]], ...]:
    """For each quarter of an hour of a UTC week: how busy, 1 being the mean, and the offices' cumulative shares."""
    rows = []
    for quarter in range(_QUARTERS):
        shares = []
        for office in OFFICES:
            local = quarter / 4 + office.utc_offset
            day, hours = divmod(local % 168, 24)
            shares.append(office.share * (_at_work(hours, int(day)) + _ALWAYS_ON))
        rows.append(shares)
    mean = sum(map(sum, rows)) / _QUARTERS
    return tuple((sum(shares) / mean, tuple(itertools.accumulate(shares))) for shares in rows)


WEEK = _week()


def _count(rng: random.Random, mean: float) -> int:
    """A Poisson number, by the normal approximation if that is close."""
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


@dataclass(frozen=True)
class World:
    """A company's whole history.

    :param seed: any value; the same one gives the same events
    :param rate: mean number of events per minute over a week
    :param people: accounts in the company
    :param rhythm: ``office`` for days, nights and weekends; ``flat`` for the same rate always
    :param odd: what share of events is unusual, and in which ways
    :param lateness: how long events stay unreadable
    :param later: changes of the lateness, each from an instant of ``published`` on, ascending
    """

    seed: int | str = 1
    rate: float = 60.0
    people: int = 400
    rhythm: str = "office"
    odd: oddities.Oddities = oddities.NONE
    lateness: Lateness = USUAL
    later: tuple[tuple[int, Lateness], ...] = ()
    _overhang: dict[int, list[_Draft]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.rate < 0 or self.rhythm not in ("office", "flat"):
            raise ValueError("rate must not be negative, and rhythm is office or flat")

    @property
    def company(self) -> Company:
        """The company of the seed, made once."""
        return _company(self.seed, self.people)

    def delay(self, published_us: int, rng: random.Random) -> int:
        """Draw how long an event stays unreadable, in microseconds."""
        lateness = self.lateness
        for begin, other in self.later:
            if published_us >= begin:
                lateness = other
        return lateness.draw(rng)

    @property
    def horizon_us(self) -> int:
        """The longest delay that any made event can have, in microseconds."""
        return max(lateness.horizon_us for _, lateness in ((0, self.lateness), *self.later))

    def minute(self, number: int) -> list[Event]:
        """The events published in one minute, in order of ``published``.

        :param number: minutes since 1970
        """
        begin = number * MINUTE
        if number - 1 not in self._overhang:
            self._play(number - 1)
        drafts = [*self._overhang[number - 1], *self._play(number)]
        drafts.sort(key=_when)
        rng = stream(self.seed, "finish", number)
        late = stream(self.seed, "late", number)
        prefix = timestamp(begin, 0)[:17]
        made: list[Event] = []
        for at, body in drafts:
            uuid = bodies.uuid(rng)
            rest = f',"uuid":"{uuid}","published":"{prefix}{at // 1000:02d}.{at % 1000:03d}Z"}}'
            published = begin + at * 1000
            persisted = published + self.delay(published, late)
            made.append(Event(published, len(made), uuid, persisted, body + rest.encode()))
        if not self.odd.share:
            return made
        return oddities.distort(made, self.odd, stream(self.seed, "odd", number))

    def _play(self, number: int) -> list[_Draft]:
        """What the scenes that begin in a minute bring to it; what they bring to the next one is kept aside."""
        rng = stream(self.seed, "scenes", number)
        busy, offices = (1.0, WEEK[0][1]) if self.rhythm == "flat" else WEEK[(number // 15 + _MONDAY) % _QUARTERS]
        company = self.company
        encode = msgspec.json.encode
        mine: list[_Draft] = []
        overhang: list[_Draft] = []
        for _ in range(_count(rng, self.rate * busy / _MEAN_EVENTS)):
            begin = int(rng.random() * 60_000)
            for after, body in self._scene(rng, company, offices, number):
                at = begin + after
                draft = encode(body)[:-1]
                if at < 60_000:
                    mine.append((at, draft))
                else:
                    overhang.append((min(at - 60_000, 59_999), draft))
        if len(self._overhang) >= 256:
            self._overhang.clear()
        self._overhang[number] = overhang
        return mine

    def _scene(
        self, rng: random.Random, company: Company, offices: tuple[float, ...], number: int
    ) -> Iterator[scenes.Timed]:
        people = company.people[bisect.bisect(offices, rng.random() * offices[-1])] or company.everybody
        who = people[int(rng.random() * len(people))]
        place = bisect.bisect(_SEAT_EDGES, rng.random())
        scene = _SCENES[bisect.bisect(_SCENE_EDGES, rng.random() * _SCENE_EDGES[-1])]
        session = (
            f"idx{hashlib.blake2b(f'{who.id}{place}{number // _SESSION_MINUTES}'.encode(), digest_size=11).hexdigest()}"
        )
        return scene(scenes.Stage(rng, company, who, who.seats[place], session))


_companies: dict[tuple[int | str, int], Company] = {}


def _company(seed: int | str, people: int) -> Company:
    if (seed, people) not in _companies:
        _companies[seed, people] = found(seed, people)
    return _companies[seed, people]
