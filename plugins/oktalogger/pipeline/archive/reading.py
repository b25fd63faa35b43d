"""Reads events back from the archive, as pages like those of Okta: for the restore, and for comparing."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from oktalogger.okta.seen import SeenIdentities
from oktalogger.okta.system_log import Page
from oktalogger.pipeline.archive.errors import ArchiveDamagedError, ArchiveMissingError
from oktalogger.pipeline.archive.lines import events_of
from oktalogger.pipeline.archive.records import check_content
from oktalogger.pipeline.document import identity
from oktalogger.window import HOUR, Window, format_instant, gaps, hours, whole_hours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oktalogger.okta.system_log import SystemLogQuery
    from oktalogger.pipeline.archive.catalog import Catalog
    from oktalogger.pipeline.archive.place import ArchiveStore

_Fetched: TypeAlias = bytes | ArchiveMissingError

_CURSOR: Final = "archive:"
# Objects that are fetched before they are wanted. Most are smaller than a page.
_AHEAD: Final = 8


class ArchiveSource:
    """Yields the archived events of a range: each once, though several loads have read it. A source for the load.

    What cannot be read costs itself and nothing else: all the rest is yielded first. It is an error only if no other
    reading has the same time.

    :param store: the archive
    :param catalog: what it has of the range
    :param filter: Okta's filter expression that this deployment reads through
    :param q: Okta's keyword search, likewise
    """

    def __init__(
        self, store: ArchiveStore, catalog: Catalog, *, filter: str | None = None, q: str | None = None
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._filter = filter
        self._q = q
        self.unreadable: dict[str, str] = {}

    def pages(self, query: SystemLogQuery, *, resume_from: str | None = None) -> Iterator[Page]:
        """Yield the events of a query's range, hour by hour.

        :param query: the range; its filter plays no part: what was read through another one is in other manifests
        :param resume_from: a page's ``next_url`` from an earlier reading, to go on with the hour that it names
        :raises ArchiveDamagedError: at the end, if events of the range may be missing
        """
        window = Window(query.since, query.until)
        begin = window.start if resume_from is None else _resumed(resume_from) or window.start
        wanted = [hour.start for hour in hours(whole_hours(window)) if hour.end > begin]
        lost: list[Window] = []
        # An hour that lacks something is where a later reading begins.
        stuck: datetime | None = None
        number = 0
        with ThreadPoolExecutor(_AHEAD // 2, thread_name_prefix="archive-fetch") as fetchers:
            for hour, following in zip(wanted, [*wanted[1:], None], strict=True):
                known = len(self.unreadable)
                batch: list[tuple[bytes, bool]] = []
                for event in self._events(hour, window, fetchers):
                    if len(batch) == query.limit:
                        number += 1
                        yield _page(number, batch, stuck or hour)
                        batch = []
                    batch.append(event)
                if len(self.unreadable) > known and (lost := self._lost(window)):
                    stuck = stuck or hour
                number += 1
                last = following is None
                yield _page(number, batch, None if last else stuck or following, note=self._note() if last else None)
        if lost:
            raise self._error(window, lost)

    def _events(self, hour: datetime, window: Window, fetchers: ThreadPoolExecutor) -> Iterator[tuple[bytes, bool]]:
        """Yield the different events of one hour within a window, each with whether another of its id came before."""
        cut = hour < window.start or window.end < hour + HOUR
        seen, ids = SeenIdentities(), SeenIdentities()
        for name, body in self._fetched(self._catalog.objects_of(hour), fetchers):
            try:
                if isinstance(body, Exception):
                    raise body
                check_content(body, name)
                events = events_of(body, name)
            except (ArchiveDamagedError, ArchiveMissingError) as error:
                self.unreadable[name] = str(error)
                continue
            for event in events:
                if seen.add(event) and (not cut or _within(event, window)):
                    yield event, not ids.add(_id_of(event))

    def _fetched(self, names: Iterable[str], fetchers: ThreadPoolExecutor) -> Iterator[tuple[str, _Fetched]]:
        def fetch(name: str) -> _Fetched:
            try:
                return self._store.get(name)
            except ArchiveMissingError as error:
                return error

        under_way: deque[tuple[str, Future[_Fetched]]] = deque()
        for name in names:
            under_way.append((name, fetchers.submit(fetch, name)))
            if len(under_way) >= _AHEAD:
                first, future = under_way.popleft()
                yield first, future.result()
        for first, future in under_way:
            yield first, future.result()

    def _lost(self, window: Window) -> list[Window]:
        """Return the parts of a window that no reading has of which all objects can be read."""
        return gaps(window, self._catalog.covered(self._filter, self._q, without=self.unreadable))

    def _error(self, window: Window, lost: list[Window]) -> ArchiveDamagedError:
        said = " ".join([*self.unreadable.values()][:5])
        return ArchiveDamagedError(
            f"Events of {window} may be missing from the archive {self._store.where}: {len(self.unreadable)} objects "
            f"cannot be read, and no other reading has {', '.join(map(str, lost[:5]))}. {said} All else was read. "
            "`python -m oktalogger archive check` names all that is wrong."
        )

    def _note(self) -> str | None:
        if not self.unreadable:
            return None
        return (
            f"{len(self.unreadable)} objects of the archive cannot be read: {', '.join([*self.unreadable][:5])}. "
            "`python -m oktalogger archive check` says what is wrong."
        )


def _page(
    number: int, events: list[tuple[bytes, bool]], following: datetime | None, *, note: str | None = None
) -> Page:
    return Page(
        number=number,
        events=[msgspec.Raw(event) for event, _ in events],
        url="",
        next_url=None if following is None else f"{_CURSOR}{format_instant(following)}",
        request_id=None,
        rate_limit=None,
        size_bytes=sum(len(event) for event, _ in events),
        requests=0,
        waited_seconds=0.0,
        note=note,
        repeated=frozenset(position for position, (_, repeated) in enumerate(events) if repeated),
    )


def _resumed(link: str) -> datetime | None:
    """Read a link of :func:`_page`; None for one of anything else."""
    try:
        return datetime.fromisoformat(link.removeprefix(_CURSOR)) if link.startswith(_CURSOR) else None
    except ValueError:
        return None


class _Identified(msgspec.Struct):
    uuid: str


_identified = msgspec.json.Decoder(_Identified)


def _id_of(event: bytes) -> bytes:
    """Return what two events share only if OpenSearch takes them for one."""
    try:
        return _identified.decode(event).uuid.encode(errors="surrogatepass")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return event


def _within(event: bytes, window: Window) -> bool:
    """Say whether an event lies in a window; one that does not say when it happened belongs to its hour's windows."""
    _, published = identity(event)
    return published is None or published in window
