"""Reads what the archive has of a time range: manifests, and the objects that they list."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from oktalogger.pipeline.archive.errors import ArchiveDamagedError, ArchiveMissingError
from oktalogger.pipeline.archive.object_names import (
    ObjectName,
    day_of,
    events_prefix,
    manifest_prefixes,
    read_name,
)
from oktalogger.pipeline.archive.records import ArchivedObject, Manifest, read_manifest, read_part
from oktalogger.window import Window, gaps, hours, whole_hours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from oktalogger.pipeline.archive.place import ArchiveStore

_READERS: Final = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """A manifest with everything that it lists.

    :param manifest: the manifest
    :param objects: the objects, those of its parts included, in the order in which they were read
    """

    manifest: Manifest
    objects: tuple[ArchivedObject, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the archive has of a time range, by its manifests. Nothing here says that the objects are there.

    :param org: the Okta org's host name
    :param within: the range
    :param readings: the manifests, in the order in which they were complete
    :param damaged: sentences about manifests that cannot be read, by their windows
    """

    org: str
    within: Window
    readings: tuple[Reading, ...]
    damaged: tuple[tuple[Window, str], ...] = ()

    def covered(self, filter: str | None, q: str | None, *, without: Iterable[str] = ()) -> list[Window]:
        """Return the parts of the range of which the archive has everything.

        :param filter: Okta's filter expression that this deployment reads through
        :param q: Okta's keyword search, likewise
        :param without: names of objects that cannot be read
        """
        lost = frozenset(without)
        return self._inside(
            one.manifest.window
            for one in self.readings
            if one.manifest.covers_for(filter, q) and lost.isdisjoint(listed.name for listed in one.objects)
        )

    def read(self, filter: str | None, q: str | None) -> list[Window]:
        """Return the parts of the range of which the archive has all that Okta still had."""
        return self._inside(one.manifest.window for one in self.readings if one.manifest.reads_for(filter, q))

    def objects_of(self, hour: datetime) -> dict[str, ArchivedObject]:
        """Return the objects of an hour by name, the first reading's first."""
        found: dict[str, ArchivedObject] = {}
        for reading in self.readings:
            for one in reading.objects:
                name = read_name(one.name)
                if name is not None and name.hour == hour:
                    found.setdefault(one.name, one)
        return found

    def _inside(self, windows: Iterable[Window]) -> list[Window]:
        outside = gaps(self.within, windows)
        return gaps(self.within, outside) if outside else [self.within]


def read_catalog(store: ArchiveStore, org: str, within: Window) -> Catalog:
    """Read all manifests that may list events of a range.

    That is those of windows that share a moment with it, and those of windows whose loads found events there
    although they lie elsewhere: in their overlap, or because Okta sent them.

    :param store: the archive
    :param org: the Okta org's host name
    :param within: the range; it is widened to full hours to look for events
    :raises ArchiveError: if the archive cannot be read
    """
    whole = whole_hours(within)
    windows = {name.window for hour in hours(whole) for name in named(store, events_prefix(org, hour.start))}
    strays = [window for window in windows if window is not None and not _touch(window, whole)]
    prefixes = dict.fromkeys(manifest_prefixes(org, whole))
    for window in strays:
        prefixes |= dict.fromkeys(manifest_prefixes(org, Window(day_of(window.start), window.end)))
    wanted = [
        name.name
        for prefix in prefixes
        for name in named(store, prefix)
        if name.kind == "manifest" and name.window and (_touch(name.window, whole) or name.window in windows)
    ]
    readings, damaged = read_manifests(store, wanted)
    return Catalog(org, within, tuple(readings), tuple(damaged))


def read_manifests(store: ArchiveStore, names: Iterable[str]) -> tuple[list[Reading], list[tuple[Window, str]]]:
    """Read manifests and their parts.

    :param store: the archive
    :param names: of the manifests
    :return: what they list, in the order in which they were complete, and what is wrong with the others, with the
        window that the name says
    :raises ArchiveError: if the archive cannot be read
    """
    readings: list[Reading] = []
    damaged: list[tuple[Window, str]] = []

    def one(name: str) -> Reading | tuple[Window, str]:
        try:
            manifest = read_manifest(store.get(name), name)
            parts = [listed for part in manifest.parts for listed in read_part(store.get(part), part).objects]
            return Reading(manifest, (*parts, *manifest.objects))
        except (ArchiveDamagedError, ArchiveMissingError) as error:
            found = read_name(name)
            if found is None or found.window is None:
                raise
            return found.window, str(error)

    with ThreadPoolExecutor(_READERS, thread_name_prefix="archive") as readers:
        for found in readers.map(one, names):
            if isinstance(found, Reading):
                readings.append(found)
            else:
                damaged.append(found)
    readings.sort(key=lambda reading: (str(reading.manifest.completed), reading.manifest.name))
    return readings, damaged


def named(store: ArchiveStore, prefix: str) -> Iterator[ObjectName]:
    """Yield the objects whose names oktalogger has given."""
    for name in store.names(prefix):
        found = read_name(name)
        if found is not None:
            yield found


def _touch(one: Window, other: Window) -> bool:
    return one.start < other.end and other.start < one.end
