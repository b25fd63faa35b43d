"""Writes what one load reads into the archive: objects page by page, and at the end the manifest of its window."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from oktalogger.pipeline.archive.lines import compress
from oktalogger.pipeline.archive.noted import noted
from oktalogger.pipeline.archive.object_names import events_name, manifest_name
from oktalogger.pipeline.archive.records import (
    ArchivedObject,
    Listing,
    Manifest,
    ManifestPart,
    encode,
    manifest_body,
    sha256_of,
)
from oktalogger.window import format_instant, hour_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oktalogger.pipeline.archive.place import ArchiveStore
    from oktalogger.pipeline.document import PreparedPage, Stamp
    from oktalogger.window import Window

# The ledger's entry holds the objects since the last part, and is written once a page.
_MOST_LISTED: Final = 100


class WindowArchive:
    """Writes the objects of one load. Several threads may call :meth:`write` at once, and one calls the rest.

    :param store: where to
    :param stamp: what the load says of itself
    :param reads: the range that it reads
    :param filter: Okta's filter expression that it reads through
    :param q: Okta's keyword search, likewise
    :param redacts: whether something is taken out of events before they are archived
    :param listing: what tries before this one have written, on whose pages it builds
    """

    def __init__(
        self,
        store: ArchiveStore,
        stamp: Stamp,
        reads: Window,
        *,
        filter: str | None = None,
        q: str | None = None,
        redacts: bool = False,
        listing: Listing | None = None,
    ) -> None:
        self._store = store
        self._stamp = stamp
        self._reads = reads
        self._filter = filter
        self._q = q
        self._redacts = redacts
        self.listing = listing or Listing(store.where)

    def write(self, prepared: PreparedPage) -> tuple[ArchivedObject, ...]:
        """Write the events of a page, one object for each hour in which they were published.

        The same page gives the same objects, so that writing it again changes nothing.

        :raises ArchiveError: if that is not possible
        """
        written = []
        for hour, events in sorted(self._by_hour(prepared).items()):
            body = compress(events)
            name = events_name(self._stamp.org, self._stamp.window, hour, sha256_of(body))
            self._store.put(name, body)
            written.append(ArchivedObject(name, len(events), len(body)))
        return tuple(written)

    def add(self, objects: tuple[ArchivedObject, ...], span: tuple[datetime, datetime] | None) -> None:
        """List the objects of a page, in the order of the pages. From time to time, write a part of the manifest.

        :param objects: what :meth:`write` returned
        :param span: the earliest and the latest ``published`` of the page
        :raises ArchiveError: if the part cannot be written
        """
        listing = self.listing
        first, last = listing.first_published, listing.last_published
        if span is not None:
            first, last = min(first or span[0], span[0]), max(last or span[1], span[1])
        self.listing = Listing(
            listing.where,
            listing.parts,
            listing.objects + objects,
            listing.events + sum(one.events for one in objects),
            listing.bytes + sum(one.bytes for one in objects),
            first,
            last,
        )
        if len(self.listing.objects) >= _MOST_LISTED:
            self.listing = self._with_part(self.listing)

    def forget(self) -> None:
        """Begin the list anew, because the window is read from its start."""
        self.listing = Listing(self._store.where)

    def finish(self, *, outlived: bool, began: datetime | None, now: datetime) -> Manifest:
        """Write the manifest: the window is in the archive from then on.

        :param outlived: whether Okta had deleted a part of the window before
        :param began: when the first try of the load began
        :param now: the time, in UTC
        :raises ArchiveError: if it cannot be written
        """
        listing = self.listing
        manifest = Manifest(
            org=self._stamp.org,
            kind=self._stamp.kind,
            window_start=self._stamp.window.start,
            window_end=self._stamp.window.end,
            reads_from=self._reads.start,
            filter=self._filter or None,
            q=self._q or None,
            state="older_than_kept" if outlived else "complete",
            events=listing.events,
            bytes=listing.bytes,
            first_published=listing.first_published,
            last_published=listing.last_published,
            parts=listing.parts,
            objects=listing.objects,
            run_id=self._stamp.run_id,
            began=began,
            completed=now.astimezone(UTC),
        )
        # Its name holds the hash of what it lists. Another run that read the same has written it already.
        self._store.put(manifest.name, manifest_body(manifest), by_content=False)
        return manifest

    def _with_part(self, listing: Listing) -> Listing:
        body = encode(ManifestPart(objects=listing.objects))
        name = manifest_name(self._stamp.org, self._stamp.window, self._stamp.kind, sha256_of(body), part=True)
        self._store.put(name, body)
        return msgspec.structs.replace(listing, parts=(*listing.parts, name), objects=())

    def _by_hour(self, prepared: PreparedPage) -> dict[datetime, list[bytes]]:
        found: dict[datetime, list[bytes]] = {}
        # When some were published nobody can tell, or it cannot be: they lie where the window begins.
        start = self._stamp.window.start
        for published, event in prepared.sent if prepared.sent is not None else self._kept(prepared):
            found.setdefault(hour_of(published or start), []).append(event)
        return found

    def _kept(self, prepared: PreparedPage) -> Iterator[tuple[datetime | None, bytes]]:
        """Yield the events as the documents hold them; with a note of what was taken out, if something could be."""
        for built in prepared.documents:
            yield built.published, noted(built.event, built.redacted) if self._redacts else built.event
        for rejection in prepared.rejections:
            yield None, noted(rejection.event, ()) if self._redacts else rejection.event


def written_sentence(manifest: Manifest) -> str:
    """Say in a line what is in the archive now."""
    return (
        f"Archived {manifest.events:,} events of {format_instant(manifest.window_start)} to "
        f"{format_instant(manifest.window_end)}: {manifest.name}."
    )
