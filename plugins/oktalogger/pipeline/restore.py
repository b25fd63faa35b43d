"""Loads windows from the archive instead of Okta: the same documents under the same ids, marked historical."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from oktalogger.pipeline.archive.catalog import read_catalog
from oktalogger.pipeline.archive.reading import ArchiveSource
from oktalogger.pipeline.backfill import chunks
from oktalogger.pipeline.document import RESTORED, Stamp
from oktalogger.window import Window, gaps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oktalogger.pipeline.archive.catalog import Catalog
    from oktalogger.pipeline.archive.place import ArchiveStore

# As much as one load restores: one that is ended half-way goes on with the hour in which it stopped.
CHUNK: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Restorable:
    """What the archive has of a range.

    :param complete: parts of which it has everything
    :param outlived: parts of which it has what Okta still had when they were read
    :param absent: parts of which it has nothing
    :param damaged: sentences about manifests that cannot be read
    """

    complete: tuple[Window, ...]
    outlived: tuple[Window, ...]
    absent: tuple[Window, ...]
    damaged: tuple[str, ...]


def restorable(catalog: Catalog, filter: str | None, q: str | None) -> Restorable:
    """Say what can be restored of a catalog's range.

    :param catalog: what the archive has of it
    :param filter: Okta's filter expression that this deployment reads through
    :param q: Okta's keyword search, likewise
    """
    complete, read = catalog.covered(filter, q), catalog.read(filter, q)
    outlived = [part for window in read for part in gaps(window, complete)]
    return Restorable(
        tuple(complete),
        tuple(outlived),
        tuple(gaps(catalog.within, read)),
        tuple(sentence for _, sentence in catalog.damaged),
    )


def parts_of(wanted: Iterable[Window], there: Restorable, width: timedelta = CHUNK) -> list[Window]:
    """Cut what the archive has of some ranges into chunks, the newest first.

    :param wanted: the ranges
    :param there: what the archive has
    :param width: of a chunk
    """
    found = []
    for window in wanted:
        for some in (there.complete, there.outlived):
            outside = gaps(window, some)
            inside = gaps(window, outside) if outside else [window]
            found += [part for one in inside for part in chunks(one, width)]
    return sorted(found, reverse=True)


@dataclass(frozen=True, slots=True)
class Restoring:
    """One load from the archive.

    :param source: where its events come from
    :param stamp: what its documents say
    :param outlived: whether the archive has only a part of the window, because Okta had deleted the rest
    """

    source: ArchiveSource
    stamp: Stamp
    outlived: bool


def restoring(
    archive: ArchiveStore, org: str, window: Window, run_id: str, *, filter: str | None = None, q: str | None = None
) -> Restoring:
    """Prepare the load of one window.

    :param archive: the archive
    :param org: the Okta org's host name
    :param window: the window, of which the archive has something
    :param run_id: name of the run that loads
    :param filter: Okta's filter expression that this deployment reads through
    :param q: Okta's keyword search, likewise
    :raises ArchiveError: if the archive cannot be read
    """
    catalog = read_catalog(archive, org, window)
    outlived = catalog.covered(filter, q) != [window]
    return Restoring(
        ArchiveSource(archive, catalog, filter=filter, q=q), Stamp(org, window, run_id, RESTORED), outlived
    )
