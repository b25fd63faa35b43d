"""Loads one window and keeps its entry in the ledger: resumes where the last try stopped, complete only at the end."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from oktalogger.opensearch.errors import IndexMissingError
from oktalogger.pipeline.archive.writing import WindowArchive, written_sentence
from oktalogger.pipeline.covered import CoveredTime
from oktalogger.pipeline.ledger import LedgerKey
from oktalogger.pipeline.load import load_window
from oktalogger.pipeline.provenance import EarlierTries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from oktalogger.pipeline.archive.place import ArchiveStore
    from oktalogger.pipeline.ledger import LedgerEntry
    from oktalogger.pipeline.load import LoadPlan, PageSource
    from oktalogger.pipeline.load_result import LoadResult, Progress
    from oktalogger.pipeline.page_store import DocumentStore
    from oktalogger.pipeline.stop import StopSignal
    from oktalogger.window import Window

log = logging.getLogger(__name__)


class OpenEntry(Protocol):
    """The entry of a load that is under way."""

    @property
    def resume_from(self) -> str | None:
        """The link of the page to go on with, from an earlier try."""

    @property
    def entry(self) -> LedgerEntry:
        """The entry as this try began it."""

    @property
    def indices(self) -> Mapping[str, str]:
        """UUID of each index that the tries wrote to on which this one builds."""

    def restart(self) -> None:
        """Begin at the window's start after all."""

    def checkpoint(self, progress: Progress) -> None:
        """Write down that everything up to a page is stored."""

    def complete(self, result: LoadResult) -> LedgerEntry:
        """Write down that the whole window is stored."""

    def fail(self, error: BaseException) -> None:
        """Write down what ended this try."""


class Ledger(Protocol):
    """Where entries are kept."""

    def open(self, key: LedgerKey, *, run_id: str, run_url: str | None = None) -> OpenEntry:
        """Begin a try of a load, and write that down."""

    def entries(self, org: str, within: Window) -> Iterable[LedgerEntry]:
        """Return the entries of all windows that share a moment with a range."""


def load_and_record(
    source: PageSource,
    store: DocumentStore,
    ledger: Ledger,
    plan: LoadPlan,
    *,
    archive: ArchiveStore | None = None,
    run_url: str | None = None,
    on_stored: Callable[[Progress], None] | None = None,
    stop: StopSignal | None = None,
    wait: Callable[[float], None] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> LoadResult:
    """Load one window, and keep its entry in the ledger true all the while.

    :param source: where to read
    :param store: where to store, prepared
    :param ledger: where the window's entry is kept
    :param plan: what to load; what it says of windows covered is replaced by what the ledger says
    :param archive: where to keep the events besides; the window is complete once its manifest is there
    :param run_url: where Airflow shows the run
    :param on_stored: told after each page that is safely stored and written down
    :param stop: lets others end the load early
    :param wait: waits that many seconds, by ``stop`` if not given
    :param clock: tells the time, in UTC
    :return: the counts of this try, and since when tries had been storing what it completes
    :raises Exception: as :func:`oktalogger.pipeline.load.load_window`
    """
    stamp = plan.stamp
    before = list(ledger.entries(stamp.org, plan.reads))
    covered = CoveredTime(
        (entry.window, entry.completed_at)
        for entry in before
        # What was lost and is restored was not late.
        if stamp.kind != "restore" and entry.completed_at is not None and entry.covers_for(plan.filter, plan.q)
    )
    key = LedgerKey(stamp.org, stamp.kind, stamp.window, plan.filter, plan.q)
    entry = ledger.open(key, run_id=stamp.run_id, run_url=run_url)
    built_on = dict(entry.indices)

    def note(progress: Progress) -> None:
        entry.checkpoint(progress)
        if on_stored is not None:
            on_stored(progress)

    try:
        if built_on and (lost := _replaced(store, built_on)):
            log.warning(
                "%s was deleted or made anew since an earlier try of %s: the window is read from its start.",
                ", ".join(lost),
                stamp.window,
            )
            entry.restart()
            built_on = {}
        if archive is not None and entry.resume_from is not None and not _is_archived(entry.entry, archive):
            log.warning(
                "What an earlier try of %s read is not in %s: the window is read from its start.",
                stamp.window,
                archive.where,
            )
            entry.restart()
            built_on = {}
        kept = _window_archive(archive, plan, entry.entry)
        result = load_window(
            source,
            store,
            replace(plan, covered=covered, earlier=_earlier_tries(entry.entry)),
            archive=kept,
            resume_from=entry.resume_from,
            on_stored=note,
            stop=stop,
            wait=wait,
            clock=clock,
        )
        _still_there(store, stamp.window, result.indices if result.restarted else built_on | result.indices)
        if kept is not None:
            manifest = kept.finish(outlived=result.older_than_kept, began=entry.entry.began, now=clock())
            log.info("%s", written_sentence(manifest))
    except BaseException as error:
        entry.fail(error)
        raise
    done = entry.complete(result)
    # What loads of other kinds had stored of the same time before they failed for good is announced with this one.
    tries = [done, *(other for other in before if not other.is_done)]
    result.loading_since = min(one.began for one in tries if one.began is not None)
    return result


def _is_archived(entry: LedgerEntry, archive: ArchiveStore) -> bool:
    """Say whether the archive has all that the tries read on which this one builds."""
    return entry.archived is not None and entry.archived.where == archive.where


def _window_archive(archive: ArchiveStore | None, plan: LoadPlan, entry: LedgerEntry) -> WindowArchive | None:
    if archive is None:
        return None
    return WindowArchive(
        archive,
        plan.stamp,
        plan.reads,
        filter=plan.filter,
        q=plan.q,
        redacts=plan.redactor is not None and plan.redact_archive,
        listing=entry.archived,
    )


def _earlier_tries(entry: LedgerEntry) -> EarlierTries | None:
    """Return what is to be known of the tries that came to no end before this one, None if there were none."""
    if entry.began is None or entry.began == entry.started_at:
        return None
    return EarlierTries(entry.began, entry.counted_until)


def _replaced(store: DocumentStore, indices: Mapping[str, str]) -> list[str]:
    """Name the indices that are not those any more that were written to."""
    now = store.identities(indices)
    return sorted(name for name, uuid in indices.items() if now.get(name) != uuid)


def _still_there(store: DocumentStore, window: Window, indices: Mapping[str, str]) -> None:
    """Check that all that was stored went into indices that are still there.

    :raises IndexMissingError: if one of them was deleted, or made anew by another load
    """
    if lost := _replaced(store, indices):
        raise IndexMissingError(
            f"{', '.join(lost)} was deleted or made anew while {window} was being loaded, and what was stored there is "
            "gone. The next try reads the window from its start.",
            index=lost[0],
        )
