"""The load of one window: read page by page, made into documents, stored; counts come out.

The next page is fetched while those before it are being stored, and at most a few pages are in memory at any time.
A page counts as done only when all pages before it are done too, so that what ``on_stored`` was told is always safe to
resume from.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from oktalogger.okta.errors import OktaCursorError
from oktalogger.okta.kept import KEEPS
from oktalogger.pipeline.archiving import PageArchiver
from oktalogger.pipeline.covered import NOTHING_COVERED, CoveredTime
from oktalogger.pipeline.document import DocumentBuilder, PreparedPage, Redacts, Stamp, prepare
from oktalogger.pipeline.load_result import LoadResult, Progress
from oktalogger.pipeline.okta_clock import CLOCK_SLACK, ripe_pages
from oktalogger.pipeline.page_store import PageStorer, StoredPage
from oktalogger.pipeline.provenance import Claims, EarlierTries
from oktalogger.pipeline.stop import StopSignal
from oktalogger.pipeline.stored_events import StoredEvents
from oktalogger.text import counted, one_line
from oktalogger.window import Window, WindowError, format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oktalogger.okta.system_log import Page, SystemLogQuery
    from oktalogger.pipeline.archive.records import ArchivedObject
    from oktalogger.pipeline.archive.writing import WindowArchive
    from oktalogger.pipeline.page_store import DocumentStore

# A window that ends later than this from now was asked for by mistake; a smaller difference is two clocks.
CLOCK_TOLERANCE: Final = timedelta(minutes=1)
# Seconds; less than this is the time that asking for leave takes.
_A_WAIT: Final = 0.5
# Fields that a note names at most.
_NAMED: Final = 10


class PageSource(Protocol):
    """Where pages come from: a ``SystemLogClient``, or an archive."""

    def pages(self, query: SystemLogQuery, *, resume_from: str | None = None) -> Iterator[Page]:
        """Yield the query's pages in order."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to load.

    :param stamp: the window, the org, and what else every document says
    :param overlap: how far before the window's start to read again, because Okta publishes some events late
    :param hold_back: how long after the window's end, by Okta's own clock, reading may begin
    :param covered: windows whose load was complete before this one: what is created in them is late
    :param earlier: tries of the same load that came to no end: what they stored without counting it counts as created
    :param filter: Okta's SCIM filter expression, passed through
    :param q: Okta's keyword search, passed through
    :param page_limit: events a page, 1 to 1000
    :param threads: how many pages may be on their way into OpenSearch at once
    :param redactor: takes out of each event what must not be stored; None for nothing
    :param compares: whether events that are there already are compared with what Okta says, value by value
    :param redact_archive: whether the archive is redacted too
    :param keeps: how long the source keeps events; None for ever
    :param outlived: whether the source is known to have only a part of the window
    """

    stamp: Stamp
    overlap: timedelta = timedelta(0)
    hold_back: timedelta = timedelta(0)
    covered: CoveredTime = NOTHING_COVERED
    earlier: EarlierTries | None = None
    filter: str | None = None
    q: str | None = None
    page_limit: int = 1000
    threads: int = 4
    redactor: Redacts | None = None
    redact_archive: bool = True
    keeps: timedelta | None = KEEPS
    outlived: bool = False
    compares: bool = False

    @property
    def reads(self) -> Window:
        """The range of ``published`` that is read: the window and the overlap before it."""
        return Window(self.stamp.window.start - self.overlap, self.stamp.window.end)

    @property
    def ripe(self) -> datetime:
        """The instant, by Okta's clock, from which on the window may be read."""
        return self.stamp.window.end + max(self.hold_back - CLOCK_SLACK, timedelta(0))

    def query(self) -> SystemLogQuery:
        """Return the bounded query that covers ``reads``."""
        from oktalogger.okta.system_log import SystemLogQuery

        return SystemLogQuery(
            since=self.reads.start, until=self.reads.end, filter=self.filter, q=self.q, limit=self.page_limit
        )


class _OnItsWay(NamedTuple):
    """A page that is being stored, and archived unless nothing is."""

    prepared: PreparedPage
    stored: Future[StoredPage]
    archived: Future[tuple[ArchivedObject, ...]] | None

    def done(self) -> bool:
        return self.stored.done() and (self.archived is None or self.archived.done())


_InFlight: TypeAlias = deque[_OnItsWay]


def load_window(
    source: PageSource,
    store: DocumentStore,
    plan: LoadPlan,
    *,
    archive: WindowArchive | None = None,
    resume_from: str | None = None,
    on_stored: Callable[[Progress], None] | None = None,
    stop: StopSignal | None = None,
    wait: Callable[[float], None] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> LoadResult:
    """Load one window.

    :param source: where to read
    :param store: where to store
    :param plan: what to load
    :param archive: where to keep the events besides, byte for byte; None keeps them nowhere else
    :param resume_from: link of the page to go on with, from an earlier try's ``Progress.next_url``
    :param on_stored: told after each page that is safely stored, in the order of the pages
    :param stop: lets others end the load early
    :param wait: waits that many seconds, by ``stop`` where not given
    :param clock: tells the time, in UTC
    :return: the counts
    :raises WindowError: if the window ends in the future
    :raises TooEarlyError: if it does so by Okta's clock, for more than a minute
    :raises OktaError: if Okta refused, or stayed out of reach
    :raises OpenSearchLoadError: if OpenSearch refused, or stayed out of reach
    :raises ArchiveError: if the archive failed. A scheduled load has stored everything in OpenSearch even so, so
        that detections go on; what is not archived counts as not loaded
    :raises LoadStoppedError: if ``stop`` was set
    """
    window = plan.stamp.window
    if window.end > clock() + CLOCK_TOLERANCE:
        raise WindowError(
            f"The window {window} ends in the future (it is {format_instant(clock())}): events would be missed. "
            "Give an `until` that has passed."
        )
    stop = stop or StopSignal()
    return _Load(source, store, plan, archive, on_stored, stop, wait or stop.sleep, clock).run(resume_from)


class _Load:
    def __init__(
        self,
        source: PageSource,
        store: DocumentStore,
        plan: LoadPlan,
        archive: WindowArchive | None,
        on_stored: Callable[[Progress], None] | None,
        stop: StopSignal,
        wait: Callable[[float], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._source = source
        self._claims = Claims(plan.stamp, plan.earlier)
        self._storer = PageStorer(
            store,
            plan.stamp,
            plan.covered,
            self._claims,
            compares=plan.compares,
            redactor=plan.redactor,
        )
        self._plan = plan
        self._reads = plan.reads
        self._builder = DocumentBuilder(plan.stamp, store.names, plan.redactor)
        self._archiver = PageArchiver(archive, plan.stamp.kind, plan.threads)
        self._keeps_sent = archive is not None and plan.redactor is not None and not plan.redact_archive
        self._on_stored = on_stored
        self._stop = stop
        self._wait = wait
        self._clock = clock
        self._result = LoadResult()
        self._drifted: Counter[str] = Counter()
        self._altered: list[str] = []
        self._there = StoredEvents(plan.stamp.window)
        self._forgot = False
        self._last_page: datetime | None = None
        self._began = time.monotonic()

    def run(self, resume_from: str | None) -> LoadResult:
        in_flight: _InFlight = deque()
        with (
            ThreadPoolExecutor(1, thread_name_prefix="okta-fetch") as fetcher,
            ThreadPoolExecutor(self._plan.threads, thread_name_prefix="opensearch-store") as storers,
            self._archiver.pool as archivers,
        ):
            try:
                pages = self._pages(resume_from)
                upcoming = fetcher.submit(next, pages, None)
                while (page := self._result_of(upcoming, in_flight)) is not None:
                    self._forget_if_restarted(in_flight)
                    upcoming = fetcher.submit(next, pages, None)
                    prepared = prepare(
                        page, self._builder, self._reads, at=self._page_time(), keep_sent=self._keeps_sent
                    )
                    archived = self._archiver.send(prepared)
                    in_flight.append(_OnItsWay(prepared, storers.submit(self._store, prepared), archived))
                    self._settle(in_flight, until=self._plan.threads)
                self._settle(in_flight, until=0)
                self._archiver.check()
                self._say_what_is_odd()
            except BaseException:
                # The threads end at their next wait or page; what they still store does no harm, it has its id.
                self._stop.set()
                for pool in (storers, archivers):
                    pool.shutdown(wait=False, cancel_futures=True)
                raise
        self._result.seconds = time.monotonic() - self._began
        return self._result

    def _look_at_age(self, page: Page) -> None:
        """See, by Okta's clock where it tells the time, whether Okta still keeps all of the window."""
        self._result.older_than_kept = self._plan.outlived
        if self._plan.keeps is None:
            return
        kept_since = (page.answered_at or self._clock()) - self._plan.keeps
        window = self._plan.stamp.window
        if window.start < kept_since:
            self._result.older_than_kept = True
            self._result.notes.append(
                f"The window {window} is older than Okta keeps, which is {KEEPS.days} days, so since "
                f"{format_instant(kept_since)}. What Okta has deleted is missing, and the ledger does not call the "
                "window complete."
            )

    def _say_what_is_odd(self) -> None:
        if self._result.outside:
            self._result.notes.append(
                f"Okta sent {self._result.outside} events from outside {self._reads}, which was asked for. They are "
                "stored by the time that each says, and belong to other windows."
            )

        if self._altered:
            self._result.notes.append(
                f"{counted(self._result.altered, 'event is', 'events are')} stored otherwise than in Okta: "
                f"{', '.join(self._altered)}{' and more' if self._result.altered > len(self._altered) else ''}. "
                "Somebody stored them first, or changed them, or what is redacted was changed since."
            )
        if self._drifted:
            named = ", ".join(f"{one_line(field)} ({count})" for field, count in self._drifted.most_common(_NAMED))
            self._result.notes.append(
                f"{self._result.drifted} events have parts of another type than the mapping's, and were stored without "
                f"them: {named}. These parts are kept as text in oktalogger.unmapped."
            )

    def _forget_if_restarted(self, in_flight: _InFlight) -> None:
        """Count what is there anew, from the first page of the second reading on; nothing is fetched meanwhile."""
        if self._result.restarted and not self._forgot:
            self._settle(in_flight, until=0)
            self._there = StoredEvents(self._plan.stamp.window)
            self._claims.forget_counted()
            self._archiver.forget()
            self._forgot = True

    def _page_time(self) -> datetime:
        """Return the time, to the millisecond that documents keep, and later than that of the page before."""
        now = self._clock()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        if self._last_page is not None:
            now = max(now, self._last_page + timedelta(milliseconds=1))
        self._last_page = now
        self._claims.note_page(now)
        return now

    def _result_of(self, upcoming: Future[Page | None], in_flight: _InFlight) -> Page | None:
        try:
            return upcoming.result()
        except Exception:
            # What was read before the failure is stored and reported first, so that the next try goes on after it.
            self._settle(in_flight, until=0)
            raise

    def _settle(self, in_flight: _InFlight, *, until: int) -> None:
        while len(in_flight) > until or (in_flight and in_flight[0].done()):
            page = in_flight.popleft()
            stored = page.stored.result()
            if self._archiver.is_done(page.prepared, page.archived):
                self._count(page.prepared, stored)

    def _pages(self, resume_from: str | None) -> Iterator[Page]:
        query = self._plan.query()
        try:
            yield from self._watched(self._ripe(query, resume_from))
        except OktaCursorError as error:
            note = f"The window is read again from its start, because Okta no longer takes the cursor. {error}"
            self._result.notes.append(note)
            self._result.restarted = True
        else:
            return
        yield from self._watched(self._ripe(query, None))

    def _ripe(self, query: SystemLogQuery, resume_from: str | None) -> Iterator[Page]:
        def waiting(page: Page, seconds: float) -> None:
            self._result.requests += page.requests
            self._result.waited_seconds += seconds
            self._result.notes.append(f"Waited {seconds:.0f} s: by Okta's clock it was too early for this window.")
            self._wait(seconds)

        return ripe_pages(
            lambda: self._source.pages(query, resume_from=resume_from),
            self._plan.ripe,
            longest=CLOCK_TOLERANCE + self._plan.hold_back,
            waiting=waiting,
        )

    def _watched(self, pages: Iterator[Page]) -> Iterator[Page]:
        for page in pages:
            self._stop.check()
            yield page

    def _store(self, prepared: PreparedPage) -> StoredPage:
        self._stop.check()
        return self._storer.store(prepared)

    def _count(self, prepared: PreparedPage, stored: StoredPage) -> None:
        result = self._result
        page = prepared.page
        if not result.pages:
            self._look_at_age(page)
        result.pages += 1
        result.requests += page.requests
        result.read += prepared.read
        result.created += stored.outcome.created
        result.existing += stored.outcome.existing
        result.rejected += stored.rejected
        result.drifted += stored.drifted_events
        self._drifted.update(stored.drifted)
        result.altered += len(stored.altered)
        self._altered += stored.altered[: _NAMED - len(self._altered)]
        result.outside += prepared.outside
        result.retried += stored.outcome.retried
        result.bytes_read += page.size_bytes
        result.bytes_sent += stored.outcome.bytes_sent
        result.waits += page.waited_seconds >= _A_WAIT
        result.waited_seconds += page.waited_seconds
        if (said := page.rate_limit) is not None and not said.is_concurrency:
            result.rate_limit = said.limit
            known = said.remaining if result.rate_remaining is None else result.rate_remaining
            result.rate_remaining = min(known, said.remaining)
        result.seconds = time.monotonic() - self._began
        result.late += stored.late.count
        result.late_max_seconds = max(result.late_max_seconds, stored.late.max_seconds)
        result.lateness.merge(stored.lateness)
        result.indices |= stored.indices
        result.missed_seconds = max(result.missed_seconds, stored.missed_seconds)
        result.counted_until = prepared.at
        result.archived = self._archiver.listing
        left_out = stored.counted | {rejection.id for rejection in stored.outcome.rejected}
        for position, built in enumerate(prepared.documents):
            if position not in prepared.repeated and built.document.id not in left_out:
                self._there.add(built.published)
        result.stored = self._there.counts()
        if prepared.span is not None:
            first, last = prepared.span
            result.first_published = min(result.first_published or first, first)
            result.last_published = max(result.last_published or last, last)
        if page.note:
            result.notes.append(page.note)
        if self._on_stored is not None:
            self._on_stored(Progress(result, page.next_url, self._done(page)))

    def _done(self, page: Page) -> float:
        if page.next_url is None:
            return 1.0
        last = self._result.last_published
        if last is None:
            return 0.0
        return (last - self._reads.start) / self._reads.duration
