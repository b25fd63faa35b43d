"""Seals closed days: each seal lists manifests with their hashes, and holds the hash of the seal before.

Whoever changes, removes or adds a manifest of a sealed day has to make all seals since then anew, and a hash that was
kept elsewhere, as in Airflow's log, tells that.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from oktalogger.pipeline.archive.catalog import named, read_manifests
from oktalogger.pipeline.archive.errors import ArchiveDamagedError
from oktalogger.pipeline.archive.object_names import (
    day_of,
    events_prefix,
    manifest_prefixes,
    read_name,
    seal_name,
    seals_prefix,
)
from oktalogger.pipeline.archive.records import Seal, Sealed, decode, encode, sha256_of
from oktalogger.window import HOUR, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oktalogger.pipeline.archive.object_names import ObjectName
    from oktalogger.pipeline.archive.place import ArchiveStore

log = logging.getLogger(__name__)

_DAY: Final = timedelta(days=1)
# The last windows of a day are loaded by then, and its last hour was read again.
_CLOSED_AFTER: Final = timedelta(hours=2)
# Objects without a manifest are looked for on so many days. Longer ago, no load is still under way.
_LOOKED_BACK: Final = 3
# Okta refuses to read what is longer ago than 180 days: nobody writes manifests of that.
_REMEMBERED: Final = timedelta(days=200)
# A day that was never sealed, because nothing ran, is sealed later, and a run does not do more than this.
_MOST_DAYS: Final = 31


@dataclass(frozen=True, slots=True)
class MadeSeal:
    """A seal that was made.

    :param seal: what it says
    :param name: its name in the archive
    :param sha256: of its bytes: what to keep elsewhere
    """

    seal: Seal
    name: str
    sha256: str

    def __str__(self) -> str:
        return (
            f"Sealed {self.seal.day:%Y-%m-%d} of {self.seal.org}: {len(self.seal.manifests):,} manifests, "
            f"{len(self.seal.unclaimed):,} objects without one. SHA-256 of the seal: {self.sha256}"
        )


def seal_closed_days(store: ArchiveStore, org: str, *, now: datetime, run_id: str) -> list[MadeSeal]:
    """Seal each day that is closed and has no seal yet, up to a month of them.

    :param store: the archive
    :param org: the Okta org's host name
    :param now: the time, in UTC
    :param run_id: the run that does it
    :return: the seals that were made; none if somebody else was faster
    :raises ArchiveError: if the archive cannot be read or written
    """
    seals = list(named(store, seals_prefix(org)))
    last_closed = day_of(now - _CLOSED_AFTER) - _DAY
    if seals and seals[-1].hour is not None and seals[-1].hour >= last_closed:
        return []
    since = now - _REMEMBERED
    manifests = [name for name in _manifests(store, org, Window(since, now)) if name.window and name.window.end > since]
    sealed: set[str] = set()
    noted: set[str] = set()
    previous = None
    for name in seals:
        if name.hour is None or (name.hour < since and name is not seals[-1]):
            continue
        body = store.get(name.name)
        previous = Sealed(name.name, sha256_of(body))
        try:
            seal = decode(body, Seal, name.name)
        except ArchiveDamagedError as error:
            # The chain goes on behind it, with what it holds now, and what it had sealed is sealed again.
            log.error("%s", error)
            continue
        sealed |= {one.name for one in seal.manifests}
        noted |= set(seal.unclaimed)
    waiting = [name for name in manifests if name.name not in sealed]
    day = _next_day(seals, waiting)
    made: list[MadeSeal] = []
    while day is not None and day <= last_closed and len(made) < _MOST_DAYS:
        own = [name for name in waiting if name.window is not None and name.window.start < day + _DAY]
        seal = Seal(
            org=org,
            day=day,
            previous=previous,
            manifests=tuple(Sealed(name.name, sha256_of(store.get(name.name))) for name in own),
            unclaimed=tuple(sorted(_unclaimed(store, org, day, manifests) - noted)),
            sealed=now,
            run_id=run_id,
        )
        body = encode(seal)
        name_of_seal = seal_name(org, day)
        if not store.put(name_of_seal, body, by_content=False):
            return made
        made.append(MadeSeal(seal, name_of_seal, sha256_of(body)))
        previous = Sealed(name_of_seal, made[-1].sha256)
        noted |= set(seal.unclaimed)
        waiting = [name for name in waiting if name not in own]
        day += _DAY
    return made


def _next_day(seals: list[ObjectName], waiting: Iterable[ObjectName]) -> datetime | None:
    """Return the day after the last seal; without one, the first day that has a manifest."""
    if seals and seals[-1].hour is not None:
        return seals[-1].hour + _DAY
    return min((day_of(name.window.start) for name in waiting if name.window is not None), default=None)


def _unclaimed(store: ArchiveStore, org: str, day: datetime, manifests: list[ObjectName]) -> set[str]:
    """Name the objects of a day and the days before it that no manifest lists."""
    hours = [day + _DAY - HOUR * number for number in range(1, 24 * _LOOKED_BACK + 1)]
    found = {name.name for hour in hours for name in named(store, events_prefix(org, hour))}
    windows = {name.window for one in found if (name := read_name(one)) is not None}
    readings, damaged = read_manifests(store, [name.name for name in manifests if name.window in windows])
    unreadable = {window for window, _ in damaged}
    claimed = {listed.name for reading in readings for listed in reading.objects}
    # What a manifest listed that cannot be read, nobody can tell.
    return {one for one in found - claimed if (name := read_name(one)) is not None and name.window not in unreadable}


def _manifests(store: ArchiveStore, org: str, within: Window) -> Iterator[ObjectName]:
    for prefix in manifest_prefixes(org, within):
        yield from (name for name in named(store, prefix) if name.kind == "manifest")
