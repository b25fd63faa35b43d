"""Archives the pages of a load beside storing them, and decides what becomes of a load whose archive fails."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

from oktalogger.pipeline.archive.errors import ArchiveError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from oktalogger.pipeline.archive.records import ArchivedObject, Listing
    from oktalogger.pipeline.archive.writing import WindowArchive
    from oktalogger.pipeline.document import LoadKind, PreparedPage

    Objects: TypeAlias = tuple[ArchivedObject, ...]

log = logging.getLogger(__name__)


class PageArchiver:
    """Writes pages of one load into the archive, several at once. Without an archive it does nothing.

    If the archive fails, a scheduled load goes on without it, so that detections see what happens. It neither counts
    nor writes down what it stores then: the next try begins at the first page that is not archived. Other loads stop.

    :param archive: where to; None for nowhere
    :param kind: what kind of load it is
    :param threads: how many pages may be on their way into the archive at once
    """

    def __init__(self, archive: WindowArchive | None, kind: LoadKind, threads: int) -> None:
        self._archive = archive
        self._goes_on = kind == "scheduled"
        self._failed: ArchiveError | None = None
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="archive")

    @property
    def listing(self) -> Listing | None:
        """What is in the archive of the pages that are done; None without an archive."""
        return None if self._archive is None else self._archive.listing

    def send(self, prepared: PreparedPage) -> Future[Objects] | None:
        """Begin to write a page; None if there is nothing to write to."""
        if self._archive is None or self._failed is not None:
            return None
        return self.pool.submit(self._archive.write, prepared)

    def is_done(self, prepared: PreparedPage, written: Future[Objects] | None) -> bool:
        """Wait for a page, in the order of the pages; say whether it, and all before it, need nothing more.

        :raises ArchiveError: if the archive failed, and the load is to stop
        """
        if self._archive is None:
            return True
        try:
            if written is not None and self._failed is None:
                self._archive.add(written.result(), prepared.span)
        except ArchiveError as error:
            if not self._goes_on:
                raise
            log.warning("The load goes on without the archive, and is not complete: %s", error)
            self._failed = error
        return self._failed is None

    def forget(self) -> None:
        """Begin the list anew, because the window is read from its start."""
        if self._archive is not None:
            self._archive.forget()

    def check(self) -> None:
        """Raise what made the load go on without the archive.

        :raises ArchiveError: if something did
        """
        if self._failed is not None:
            raise self._failed
