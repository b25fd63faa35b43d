"""The simulated company and its traffic. Needs msgspec and nothing else, so that any test can know what must arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.simulator.world.event import Event, microseconds
from local.simulator.world.lateness import Lateness
from local.simulator.world.oddities import NONE, Oddities
from local.simulator.world.stories import Story
from local.simulator.world.timeline import Timeline
from local.simulator.world.traffic import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

__all__ = ["Event", "Lateness", "Oddities", "Story", "Timeline", "World", "events"]


def events(
    seed: int | str,
    rate: float,
    start: datetime,
    end: datetime,
    *,
    people: int = 400,
    rhythm: str = "office",
    oddities: Oddities = NONE,
    lateness: Lateness | None = None,
    stories: Iterable[tuple[str, datetime]] = (),
) -> Iterator[Event]:
    """Every event that a simulator with these settings has in ``[start, end)``, in order of ``published``.

    It does not matter which slice is asked for. An event marked ``duplicate`` repeats the one before it.

    :param rate: mean events per minute over a week
    :param stories: names out of ``stories.STORIES`` with the instant each begins
    :raises ValueError: for naive datetimes and unknown names
    """
    world = World(seed, rate, people, rhythm, oddities, lateness or Lateness())
    timeline = Timeline(world, start_us=0, cache_bytes=1)
    for name, at in stories:
        timeline.tell(name, microseconds(at))
    for some in timeline.everything(microseconds(start), microseconds(end)):
        yield from some
