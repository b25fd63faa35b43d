"""Reads Okta's System Log, ``/api/v1/logs``: a bounded query in, its pages out, each as the raw bytes of its events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import parse_qs, urlsplit

from oktalogger.okta.endpoint import Endpoint
from oktalogger.okta.errors import OktaPageLimitError, OktaServerError
from oktalogger.okta.paging import Pager, PagingSettings
from oktalogger.okta.retry import is_too_much
from oktalogger.okta.seen import SeenIdentities

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    import msgspec

    from oktalogger.okta.client import ListPage, OktaClient
    from oktalogger.okta.paging import PageResult
    from oktalogger.okta.rate_limit import RateLimit

# A window for which Okta needs too long is not asked for in narrower parts than this.
_NARROWEST: Final = timedelta(minutes=1)
MAX_LIMIT: Final = 1000  # Okta, "System Log query", `limit`
SYSTEM_LOG: Final = Endpoint(
    path="/api/v1/logs",
    items="events",
    scope="okta.logs.read",
    permission="read the System Log (Read-only Administrator is enough)",
    max_limit=MAX_LIMIT,
    parameters="window, filter, q",
    beginning="at the window's start",
)


@dataclass(frozen=True, slots=True)
class SystemLogQuery:
    """A bounded query in ascending order of ``published``.

    Okta keeps 90 days, and refuses ``since`` more than 180 days back. Okta does not document whether it includes both
    ends, so the request asks from a millisecond before ``since`` on: expect events before ``since`` and at ``until``.

    :param since: the beginning, with a time zone; sent in milliseconds, rounded down.
    :param until: the end, with a time zone; sent in milliseconds, rounded up.
    :param filter: a SCIM filter, as Okta takes it.
    :param q: keywords, as Okta takes them.
    :param limit: events per page, 1 to 1000.
    :raises ValueError: if a bound has no time zone, ``since`` is not before ``until``, or ``limit`` is out of range.
    """

    since: datetime
    until: datetime
    filter: str | None = None
    q: str | None = None
    limit: int = MAX_LIMIT

    def __post_init__(self) -> None:
        for name, moment in (("since", self.since), ("until", self.until)):
            if moment.utcoffset() is None:
                raise ValueError(f"{name} ({moment.isoformat()}) has no time zone")
        if self.since >= self.until:
            raise ValueError(f"since ({self.since.isoformat()}) is not before until ({self.until.isoformat()})")
        if not 1 <= self.limit <= MAX_LIMIT:
            raise ValueError(f"limit is {self.limit}; Okta takes 1 to {MAX_LIMIT}")

    def url(self, origin: str, *, since: datetime | None = None) -> str:
        """Return the URL of the query's first page, or of a query that begins later.

        :param origin: the org's ``scheme://host``.
        :param since: another beginning.
        """
        parameters = {
            "since": _timestamp(since or self.since - timedelta(milliseconds=1)),
            "until": _timestamp(self.until + timedelta(microseconds=999)),
            "sortOrder": "ASCENDING",
            "limit": str(self.limit),
            "filter": self.filter,
            "q": self.q,
        }
        return SYSTEM_LOG.url(origin, {name: value for name, value in parameters.items() if value})

    def __str__(self) -> str:
        """Return the window that the query asks for."""
        return f"window {_timestamp(self.since)} to {_timestamp(self.until)}"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of events.

    :param number: from 1, counted anew after a resume.
    :param events: each event's JSON, byte for byte as Okta sent it, in Okta's order.
    :param url: what was requested.
    :param next_url: where the next page is: save it once this page is stored, and hand it to ``resume_from`` to go on
        from there. None: this was the last page.
    :param request_id: Okta's id of the request.
    :param rate_limit: what the response said about the rate limit.
    :param size_bytes: size of the body, decoded.
    :param requests: requests that the page cost, retries included.
    :param waited_seconds: seconds waited before the page came, in retries and at the gate.
    :param note: what was unusual about the way that paging went on or ended here.
    :param answered_at: Okta's own time of the answer, in whole seconds; None if it names none.
    :param repeated: positions of those events that came before, in this page or in one before it.
    """

    number: int
    events: list[msgspec.Raw]
    url: str
    next_url: str | None
    request_id: str | None
    rate_limit: RateLimit | None
    size_bytes: int
    requests: int
    waited_seconds: float
    note: str | None = None
    answered_at: datetime | None = None
    repeated: frozenset[int] = frozenset()


class SystemLogClient:
    """Reads one org's System Log. A context manager. For one thread at a time.

    :param client: sends the requests; closed with this one.
    :param paging: bounds of paging.
    """

    def __init__(self, client: OktaClient, *, paging: PagingSettings | None = None) -> None:
        self._client = client
        self._paging = paging or PagingSettings()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def origin(self) -> str:
        """The org's ``scheme://host[:port]``."""
        return self._client.origin

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._client.close()

    def pages(self, query: SystemLogQuery, *, resume_from: str | None = None) -> Iterator[Page]:
        """Yield a query's pages in order; each is requested when the one before it has been taken.

        Where Okta says that it needs too long for the window (500 E0000009), the rest is read in halves, down to a
        minute.

        :param query: what to read.
        :param resume_from: a page's ``next_url`` from an earlier reading of the same query, to go on after that page.
        :raises OktaCursorError: if Okta refuses ``resume_from`` or a ``next`` link, or ``resume_from`` is of another
            origin: begin at the window's start.
        :raises OktaApiError: the subclass that says what to do.
        :raises OktaConnectionError: if no whole answer came, retries included.
        :raises OktaProtocolError: if something else than Okta's API answers.
        :raises OktaPagingError: if paging cannot go on.
        """
        first_url = query.url(self.origin)
        url = first_url if resume_from is None else self._client.cursor(SYSTEM_LOG, resume_from)
        parts = [_Part(query, url, is_cursor=resume_from is not None)]
        number = 0
        narrowed: str | None = None
        seen = SeenIdentities()
        while parts:
            part = parts.pop()
            pager = self._pager(part.query, seen)
            following: str | None = part.url
            try:
                while following is not None:
                    number += 1
                    if number > self._paging.max_pages:
                        raise OktaPageLimitError(
                            f"The {query} has more than {self._paging.max_pages} pages of {query.limit} events.",
                            advice="Read narrower windows, one after the other.",
                        )
                    listed = self._client.page(
                        SYSTEM_LOG, following, about=str(part.query), is_cursor=part.is_cursor or following != part.url
                    )
                    step = pager.feed(following, listed.items, listed.next_url)
                    following = step.next_url
                    yield _page(number, listed, step, self._to_resume(query, part, pager, following, parts), narrowed)
                    narrowed = None
            except OktaServerError as error:
                if not is_too_much(error):
                    raise
                halves = _halves(part, pager, self.origin)
                if not halves:
                    raise
                parts += reversed(halves)
                narrowed = f"Okta took too long to answer for the {part.query}: asking for two halves of what is left"

    def _pager(self, query: SystemLogQuery, seen: SeenIdentities) -> Pager:
        return Pager(
            origin=self.origin,
            since=query.since,
            until=query.until,
            limit=query.limit,
            query_url=lambda since: query.url(self.origin, since=since),
            settings=self._paging,
            seen=seen,
        )

    def _to_resume(
        self, query: SystemLogQuery, part: _Part, pager: Pager, following: str | None, parts: list[_Part]
    ) -> str | None:
        """Return where a later reading of the whole query can go on, which knows nothing of its parts."""
        if part.query is query:
            return following
        if following is not None:
            return replace(query, since=pager.reached).url(self.origin)
        return replace(query, since=parts[-1].query.since).url(self.origin) if parts else None

    def check(self, *, filter: str | None = None, q: str | None = None) -> ListPage:
        """Make one cheap request, without retries, to see whether everything is in place to read the System Log.

        :param filter: a SCIM filter to ask with
        :param q: keywords to ask with
        :return: the answer, with at most one event
        :raises OktaError: the subclass that says what to do.
        """
        now = datetime.now(UTC)
        since, until = now - timedelta(hours=1), now - timedelta(minutes=1)
        query = SystemLogQuery(since=since, until=until, filter=filter, q=q, limit=1)
        return self._client.page(SYSTEM_LOG, query.url(self.origin), about="connection check", retries=False)


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a query's window, read by itself.

    :param query: the query for it.
    :param url: where to begin.
    :param is_cursor: whether that is a link from an earlier reading.
    """

    query: SystemLogQuery
    url: str
    is_cursor: bool


def _halves(part: _Part, pager: Pager, origin: str) -> list[_Part]:
    """Return two parts for what a part still lacks; none if they would be narrower than a minute."""
    begin = max(pager.reached, _since_of(part.url) or pager.reached)
    until = part.query.until
    if until - begin < 2 * _NARROWEST:
        return []
    middle = begin + (until - begin) / 2
    queries = [replace(part.query, since=begin, until=middle), replace(part.query, since=middle, until=until)]
    return [_Part(query, query.url(origin), is_cursor=False) for query in queries]


def _since_of(url: str) -> datetime | None:
    """Return where a query of ours begins, also one left by an earlier reading; None for a page link."""
    query = parse_qs(urlsplit(url).query)
    if "after" in query:
        return None
    try:
        since = datetime.fromisoformat(query["since"][0])
    except (KeyError, ValueError):
        return None
    return since if since.tzinfo else None


def _page(number: int, listed: ListPage, step: PageResult, next_url: str | None, narrowed: str | None) -> Page:
    return Page(
        number=number,
        events=list(step.events),
        url=listed.url,
        next_url=next_url,
        request_id=listed.request_id,
        rate_limit=listed.rate_limit,
        size_bytes=listed.size_bytes,
        requests=listed.requests,
        waited_seconds=listed.waited_seconds,
        note="; ".join(note for note in (narrowed, step.note) if note) or None,
        answered_at=listed.answered_at,
        repeated=step.repeated,
    )


def _timestamp(moment: datetime) -> str:
    """Return a time the way Okta writes it: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
