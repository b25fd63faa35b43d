"""Reads any list endpoint of one Okta org, page by page: request, login, retries, gate and links."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from oktalogger.okta import rate_limit as rate
from oktalogger.okta.answers import items_of
from oktalogger.okta.auth import LoginAttempts, OktaAuth
from oktalogger.okta.errors import (
    OktaApiError,
    OktaConfigurationError,
    OktaCursorError,
    OktaError,
    OktaPageLimitError,
    OktaPagingStuckError,
    OktaRequestError,
)
from oktalogger.okta.exchange import HttpRequest
from oktalogger.okta.origin import org_origin, same_origin, without_user
from oktalogger.okta.paging import next_link, refuse_foreign_link
from oktalogger.okta.rate_limit import OpenGate, RateLimit, RequestGate
from oktalogger.okta.retry import RetrySettings, is_transient, may_pass, retrying
from oktalogger.okta.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from types import TracebackType

    import msgspec

    from oktalogger.okta.endpoint import Endpoint
    from oktalogger.okta.exchange import Reply

MAX_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list endpoint.

    :param items: each item's JSON, byte for byte as Okta sent it, in Okta's order.
    :param url: what was requested.
    :param next_url: the page's ``next`` link, exactly as given; None: it has none.
    :param request_id: Okta's id of the request.
    :param rate_limit: what the response said about the rate limit.
    :param size_bytes: size of the body, decoded.
    :param requests: requests that the page cost, retries included, those for access tokens not.
    :param waited_seconds: seconds waited before the page came, in retries and at the gate.
    :param answered_at: Okta's own time of the answer, in whole seconds; None if it names none.
    """

    items: list[msgspec.Raw]
    url: str
    next_url: str | None
    request_id: str | None
    rate_limit: RateLimit | None
    size_bytes: int
    requests: int
    waited_seconds: float
    answered_at: datetime | None


@dataclass(slots=True)
class _Cost:
    """What one page has cost so far."""

    requests: int = 0
    login_requests: int = 0
    waited_seconds: float = 0.0
    login: LoginAttempts = field(default_factory=LoginAttempts)


class OktaClient:
    """Reads list endpoints of one org. A context manager; connects with the first request. For one thread at a time.

    :param org_url: the org's address, such as ``https://company.okta.com``.
    :param auth: how to log in; see :mod:`oktalogger.okta.auth`.
    :param timeout: seconds to connect, and seconds without a byte from Okta (which itself gives up after 30).
    :param response_seconds: the longest that one response may take as a whole.
    :param retry: how patient each page's request is.
    :param gate: asked before each request and told of each response's rate limit. Requests for access tokens pass none:
        Okta counts them apart.
    :param verify: verify TLS against the system's CAs (True) or those of a file; False does not verify.
    :param proxies: proxies by scheme, as requests takes them; the environment's by default.
    :param user_agent: added to our own user agent.
    :param allow_http: accept ``http`` for a host that is not this machine.
    :param sleep: waits for a number of seconds.
    :param clock: seconds that only ever grow, for measuring.
    :raises OktaConfigurationError: if the org URL, or an argument that goes with it, cannot work.
    """

    def __init__(
        self,
        org_url: str,
        auth: OktaAuth,
        *,
        timeout: tuple[float, float] = (10.0, 60.0),
        response_seconds: float = 120.0,
        retry: RetrySettings | None = None,
        gate: RequestGate | None = None,
        verify: bool | str = True,
        proxies: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        allow_http: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.origin = org_origin(org_url, allow_http=allow_http)
        if auth.origin is not None and auth.origin != self.origin:
            raise OktaConfigurationError(
                f"The login is for {auth.origin}, the client for {self.origin}: use the same org URL for both."
            )
        self._auth = auth
        self._retry = retry or RetrySettings()
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._transport.close()

    def pages(
        self,
        endpoint: Endpoint,
        parameters: Mapping[str, str] | None = None,
        *,
        resume_from: str | None = None,
        max_pages: int = MAX_PAGES,
    ) -> Iterator[ListPage]:
        """Yield a list's pages in order until one has no ``next``; each is requested when the one before is taken.

        :param endpoint: what to read.
        :param parameters: the query of the first page, unescaped.
        :param resume_from: a page's ``next_url`` from an earlier reading, to go on after that page.
        :param max_pages: more pages raise OktaPageLimitError.
        :raises OktaCursorError: if Okta refuses ``resume_from`` or a ``next`` link, or ``resume_from`` is of another
            origin.
        :raises OktaApiError: the subclass that says what to do.
        :raises OktaConnectionError: if no whole answer came, retries included.
        :raises OktaProtocolError: if something else than Okta's API answers.
        :raises OktaPagingError: if paging cannot go on.
        """
        first_url = endpoint.url(self.origin, parameters or {})
        url: str | None = first_url if resume_from is None else self.cursor(endpoint, resume_from)
        requested: set[str] = set()
        while url is not None:
            if url in requested:
                raise OktaPagingStuckError(
                    f"The next link of {endpoint.path} leads to a page already read. What follows cannot be reached.",
                    advice="Try again later; if it stays so, tell Okta's support.",
                )
            if len(requested) >= max_pages:
                raise OktaPageLimitError(
                    f"The list of {endpoint.items} has more than {max_pages} pages.",
                    advice=f"Ask for fewer {endpoint.items} at once (a filter, or more of them a page).",
                )
            requested.add(url)
            page = self.page(endpoint, url, is_cursor=url != first_url)
            if page.next_url is not None:
                refuse_foreign_link(page.next_url, self.origin)
            yield page
            url = page.next_url

    def page(
        self, endpoint: Endpoint, url: str, *, about: str = "", is_cursor: bool = False, retries: bool = True
    ) -> ListPage:
        """Request one page.

        :param endpoint: what is asked.
        :param url: the first page's URL, or a ``next`` link: sent exactly as it is.
        :param about: what the request is for, for error messages.
        :param is_cursor: the URL is a page link: a refusal of it is an OktaCursorError.
        :param retries: try again after troubles that pass.
        :raises OktaError: as :meth:`pages`.
        """
        request = HttpRequest("GET", url, about=about)
        cost = _Cost()
        try:
            if retries:
                reply, items = self._patiently(request, endpoint, cost)
            else:
                reply, items = self._attempt(request, endpoint, cost)
        except OktaRequestError as error:
            # A refusal of the page itself: Okta may also refuse a new login, half-way.
            if is_cursor and error.status in (400, 404) and error.url == without_user(url):
                raise _cursor_error(error, endpoint) from error
            raise
        return ListPage(
            items=items,
            url=url,
            next_url=next_link(reply.headers.getlist("Link"), origin=self.origin),
            request_id=reply.request_id,
            rate_limit=rate.from_headers(reply.headers),
            size_bytes=len(reply.body),
            requests=cost.requests,
            waited_seconds=cost.waited_seconds,
            answered_at=rate.date_of(reply.headers),
        )

    def cursor(self, endpoint: Endpoint, url: str) -> str:
        """Return a saved page link, if the token may go where it leads.

        :raises OktaCursorError: if the link is of another origin.
        """
        if not same_origin(url, self.origin):
            raise OktaCursorError(
                f"A saved page link leads to {without_user(url).partition('?')[0]}, not to {self.origin}: the "
                "org's URL has changed since.",
                advice=f"Begin again {endpoint.beginning}.",
                status=0,
            )
        return url

    def _patiently(self, request: HttpRequest, endpoint: Endpoint, cost: _Cost) -> tuple[Reply, list[msgspec.Raw]]:
        def sleep(seconds: float) -> None:
            cost.waited_seconds += seconds
            self._sleep(seconds)

        def doubtful(error: BaseException) -> bool:
            # Only of the request itself: one for an access token is a POST, and has an error of its own.
            return isinstance(error, OktaApiError) and error.url == without_user(request.url) and may_pass(error)

        try:
            return retrying(self._retry, sleep=sleep, doubtful=doubtful)(self._attempt, request, endpoint, cost)
        except OktaError as error:
            if is_transient(error) or doubtful(error):
                error.gave_up(cost.requests + cost.login_requests, cost.waited_seconds)
            raise

    def _attempt(self, request: HttpRequest, endpoint: Endpoint, cost: _Cost) -> tuple[Reply, list[msgspec.Raw]]:
        """Send what the login wants sent, until it is content with the answer or can do no more about it."""
        with closing(self._auth.flow(request, cost.login)) as flow:
            step = next(flow)
            while True:
                reply = self._exchange(step, cost)
                try:
                    step = flow.send(reply)
                except StopIteration:
                    return reply, items_of(reply, endpoint, login_advice=self._auth.advice)

    def _exchange(self, request: HttpRequest, cost: _Cost) -> Reply:
        if request.for_login:
            cost.login_requests += 1
            return self._transport.send(request)
        began = self._clock()
        self._gate.before_request()
        cost.waited_seconds += self._clock() - began
        cost.requests += 1
        rate_limit: RateLimit | None = None
        try:
            reply = self._transport.send(request)
            rate_limit = rate.from_headers(reply.headers)
            return reply
        finally:
            self._gate.after_response(rate_limit)


def _cursor_error(error: OktaRequestError, endpoint: Endpoint) -> OktaCursorError:
    return OktaCursorError(
        f"Okta refuses to go on from a page link. {error.message}",
        advice=f"Begin again {endpoint.beginning}.",
        status=error.status,
        code=error.code,
        summary=error.summary,
        causes=error.causes,
        request_id=error.request_id,
        url=error.url,
    )
