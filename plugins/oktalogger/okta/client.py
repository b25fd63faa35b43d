"""The System Log client: a bounded query in, its pages out, each as the raw bytes of its events."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urlencode, urlsplit

from oktalogger.okta import rate_limit as rate
from oktalogger.okta.answers import LOGIN_ADVICE, events_of
from oktalogger.okta.auth import OktaAuth, Remedy
from oktalogger.okta.errors import OktaCursorError, OktaError, OktaPageLimitError, OktaRequestError
from oktalogger.okta.origin import org_origin, same_origin, without_user
from oktalogger.okta.paging import Pager, PagingSettings, next_link
from oktalogger.okta.rate_limit import OpenGate, RateLimit, RequestGate
from oktalogger.okta.retry import RetrySettings, is_transient, retrying
from oktalogger.okta.transport import Reply, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    import msgspec
    from requests.auth import AuthBase

log = logging.getLogger(__name__)

_PATH = "/api/v1/logs"
MAX_LIMIT = 1000  # Okta, "System Log query", `limit`


@dataclass(frozen=True, slots=True)
class SystemLogQuery:
    """A bounded query in ascending order of ``published``.

    Okta keeps 90 days, and refuses ``since`` more than 180 days back. Whether it includes both ends is not documented,
    so it is asked for from a millisecond before ``since`` on: expect events before ``since`` and at ``until``.

    :param since: the beginning, with a time zone; sent in milliseconds, rounded down.
    :param until: the end, with a time zone; sent in milliseconds, rounded up.
    :param filter: a SCIM filter, as Okta takes it.
    :param q: keywords, as Okta takes them.
    :param limit: events per page, 1 to 1000.
    :raises ValueError: when a bound has no time zone, ``since`` is not before ``until``, or ``limit`` is out of range.
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
        given = {name: value for name, value in parameters.items() if value}
        return f"{origin}{_PATH}?{urlencode(given, quote_via=quote)}"

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
    :param answered_at: Okta's own time of the answer, in whole seconds; None where it names none.
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


@dataclass(slots=True)
class _Cost:
    """What one page has cost so far."""

    requests: int = 0
    waited_seconds: float = 0.0
    login_renewed: bool = field(default=False)


class SystemLogClient:
    """Reads one org's System Log. A context manager; connects with the first request. For one thread at a time.

    :param org_url: the org's address, such as ``https://company.okta.com``.
    :param auth: how to log in; see :mod:`oktalogger.okta.auth`.
    :param timeout: seconds to connect, and seconds without a byte from Okta (which itself gives up after 30).
    :param response_seconds: the longest that one response may take as a whole.
    :param retry: how patient each page's request is.
    :param paging: bounds of paging.
    :param gate: asked before each request and told of each response's rate limit.
    :param verify: verify TLS against the system's CAs (True) or those of a file; False does not verify.
    :param proxies: proxies by scheme, as requests takes them; the environment's by default.
    :param user_agent: added to our own user agent.
    :param allow_http: accept ``http`` for a host that is not this machine.
    :param sleep: waits for a number of seconds.
    :param clock: seconds that only ever grow, for measuring.
    :raises OktaConfigurationError: when the org URL, or an argument that goes with it, cannot work.
    """

    def __init__(
        self,
        org_url: str,
        auth: AuthBase,
        *,
        timeout: tuple[float, float] = (10.0, 60.0),
        response_seconds: float = 120.0,
        retry: RetrySettings | None = None,
        paging: PagingSettings | None = None,
        gate: RequestGate | None = None,
        verify: bool | str = True,
        proxies: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        allow_http: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.origin = org_origin(org_url, allow_http=allow_http)
        self._auth = auth
        self._retry = retry or RetrySettings()
        self._paging = paging or PagingSettings()
        self._gate: RequestGate = gate or OpenGate()
        self._sleep = sleep
        self._clock = clock
        self._transport = Transport(
            self.origin,
            timeout=timeout,
            response_seconds=response_seconds,
            verify=verify,
            proxies=proxies,
            user_agent=user_agent,
        )
        if isinstance(auth, OktaAuth):
            auth.connect(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._transport.close()

    def pages(self, query: SystemLogQuery, *, resume_from: str | None = None) -> Iterator[Page]:
        """Yield a query's pages in order; each is requested when the one before it has been taken.

        :param query: what to read.
        :param resume_from: a page's ``next_url`` from an earlier reading of the same query, to go on after that page.
        :raises OktaCursorError: when Okta refuses ``resume_from`` or a ``next`` link, or ``resume_from`` is of another
            origin: begin at the window's start.
        :raises OktaApiError: the subclass that says what to do.
        :raises OktaConnectionError: when no whole answer came, retries included.
        :raises OktaProtocolError: when something else than Okta's API answers.
        :raises OktaPagingError: when paging cannot go on.
        """
        if resume_from is not None and not same_origin(resume_from, self.origin):
            raise OktaCursorError(
                f"A saved page link leads to {without_user(resume_from).partition('?')[0]}, not to {self.origin}: the "
                "org's URL has changed since.",
                advice="Begin again at the window's start.",
                status=0,
            )
        first_url = query.url(self.origin)
        pager = Pager(
            origin=self.origin,
            since=query.since,
            until=query.until,
            limit=query.limit,
            query_url=lambda since: query.url(self.origin, since=since),
            settings=self._paging,
        )
        url: str | None = resume_from or first_url
        number = 0
        while url is not None:
            number += 1
            if number > self._paging.max_pages:
                raise OktaPageLimitError(
                    f"The {query} has more than {self._paging.max_pages} pages of {query.limit} events.",
                    advice="Read narrower windows, one after the other.",
                )
            page = self._page(number, url, pager, about=str(query), is_cursor=url != first_url)
            yield page
            url = page.next_url

    def check(self) -> None:
        """Make one cheap request, without retries, to see whether everything is in place to read the System Log.

        :raises OktaError: the subclass that says what to do.
        """
        now = datetime.now(UTC)
        query = SystemLogQuery(since=now - timedelta(hours=1), until=now - timedelta(minutes=1), limit=1)
        self._answer(query.url(self.origin), _Cost(), about="connection check")

    def _page(self, number: int, url: str, pager: Pager, *, about: str, is_cursor: bool) -> Page:
        cost = _Cost()
        try:
            reply, events = self._patient_answer(url, cost, about=about)
        except OktaRequestError as error:
            # Of the page itself: logging in again, half-way, may be refused as well.
            if is_cursor and error.status in (400, 404) and urlsplit(error.url).path == _PATH:
                raise _cursor_error(error) from error
            raise
        step = pager.feed(url, events, next_link(reply.headers.getlist("Link"), origin=self.origin))
        return Page(
            number=number,
            events=list(step.events),
            url=url,
            next_url=step.next_url,
            request_id=reply.request_id,
            rate_limit=rate.from_headers(reply.headers),
            size_bytes=len(reply.body),
            requests=cost.requests,
            waited_seconds=cost.waited_seconds,
            note=step.note,
            answered_at=rate.date_of(reply.headers),
        )

    def _patient_answer(self, url: str, cost: _Cost, *, about: str) -> tuple[Reply, list[msgspec.Raw]]:
        def sleep(seconds: float) -> None:
            cost.waited_seconds += seconds
            self._sleep(seconds)

        try:
            return retrying(self._retry, sleep=sleep)(self._answer, url, cost, about=about)
        except OktaError as error:
            if is_transient(error):
                error.gave_up(cost.requests, cost.waited_seconds)
            raise

    def _answer(self, url: str, cost: _Cost, *, about: str) -> tuple[Reply, list[msgspec.Raw]]:
        """Make one attempt, and at once another where a new token, or a new proof of its key, can help."""
        reply = self._exchange(url, cost, about=about)
        if not isinstance(self._auth, OktaAuth):
            return reply, events_of(reply, about=about, login_advice=LOGIN_ADVICE)
        proof_renewed = False
        while remedy := self._auth.heed(reply):
            if remedy is Remedy.NEW_TOKEN and not cost.login_renewed:
                cost.login_renewed = True
                log.info("Okta refused the access token (%s %s): getting a new one.", reply.status, reply.request_id)
            elif remedy is Remedy.NEW_PROOF and not proof_renewed:
                proof_renewed = True
            else:
                break
            reply = self._exchange(url, cost, about=about)
        return reply, events_of(reply, about=about, login_advice=self._auth.advice)

    def _exchange(self, url: str, cost: _Cost, *, about: str) -> Reply:
        began = self._clock()
        self._gate.before_request()
        cost.waited_seconds += self._clock() - began
        cost.requests += 1
        rate_limit: RateLimit | None = None
        try:
            reply = self._transport.send("GET", url, auth=self._auth, about=about)
            rate_limit = rate.from_headers(reply.headers)
            return reply
        finally:
            self._gate.after_response(rate_limit)


def _cursor_error(error: OktaRequestError) -> OktaCursorError:
    return OktaCursorError(
        f"Okta refuses to go on from a page link. {error.message}",
        advice="Begin again at the window's start.",
        status=error.status,
        code=error.code,
        summary=error.summary,
        causes=error.causes,
        request_id=error.request_id,
        url=error.url,
    )


def _timestamp(moment: datetime) -> str:
    """Return a time the way Okta writes it: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
