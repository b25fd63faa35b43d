"""Sends one HTTP request to the org as it is, and returns the whole answer or a typed error.

No redirect is followed, no cookie is sent, no password is taken from ``.netrc``, and no request leaves for another
origin than the org's.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import threading
import time
import zlib
from contextlib import suppress
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.exceptions import ProxyError as PoolProxyError

from oktalogger import __version__
from oktalogger.frames import forgetting_locals
from oktalogger.okta.errors import (
    OktaCertificateError,
    OktaConfigurationError,
    OktaConnectionError,
    OktaForeignLinkError,
    OktaProtocolError,
    OktaUnknownHostError,
)
from oktalogger.okta.exchange import Reply
from oktalogger.okta.origin import same_origin, without_user

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import urllib3

    from oktalogger.okta.exchange import HttpRequest

# Compressed bytes taken at once, of which each may become a thousand.
_CHUNK_BYTES = 16 * 1024
# A page has a thousand events at most, of a few kilobytes each. A megabyte of gzip can become a gigabyte.
MAX_BODY_BYTES = 128 * 1024 * 1024
# The resolver's word for "there is no such host", as against "ask me later" (EAI_AGAIN).
_NO_SUCH_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class Transport:
    """Sends requests to one origin. Makes no connection before the first request.

    :param origin: ``scheme://host[:port]``, checked by :func:`oktalogger.okta.origin.org_origin`.
    :param timeout: seconds to connect, and seconds without a byte from the server.
    :param response_seconds: the longest that one response may take as a whole: no longer wait for its first byte, and
        no further read of its head or body after that.
    :param max_body_bytes: the largest body, decompressed.
    :param verify: verify TLS against the system's CAs (True) or those of a file; False does not verify.
    :param proxies: proxies by scheme, as requests takes them; the environment's by default.
    :param user_agent: added to our own.
    """

    def __init__(
        self,
        origin: str,
        *,
        timeout: tuple[float, float] = (10.0, 60.0),
        response_seconds: float = 120.0,
        max_body_bytes: int = MAX_BODY_BYTES,
        verify: bool | str = True,
        proxies: Mapping[str, str] | None = None,
        user_agent: str | None = None,
    ) -> None:
        self.origin = origin
        self._timeout = (timeout[0], min(timeout[1], response_seconds))
        self._response_seconds = response_seconds
        self._max_body_bytes = max_body_bytes
        self._verify = verify
        self._proxies = dict(proxies or {})
        self._headers = {"User-Agent": user_agent_of(user_agent), "Accept": "application/json"}
        # Not br or zstd, which requests adds where a library for them happens to be installed.
        self._headers["Accept-Encoding"] = "gzip"
        self._session = _Session()
        for prefix in ("https://", "http://"):
            self._session.mount(prefix, _ExactAdapter(max_retries=0))

    def send(self, request: HttpRequest) -> Reply:
        """Make one exchange and return the whole answer, whatever its status.

        :raises OktaForeignLinkError: if the URL leads to another origin; nothing is sent.
        :raises OktaConnectionError: if no whole answer came.
        :raises OktaProtocolError: if the body is larger than any that Okta sends.
        :raises OktaConfigurationError: if a proxy's address or a CA file cannot be used.
        """
        if not same_origin(request.url, self.origin):
            raise OktaForeignLinkError(f"Not sent to {without_user(request.url)}: tokens go to {self.origin} only.")
        prepared = requests.PreparedRequest()
        prepared.prepare(request.method, self.origin, headers=self._headers, data=request.form)
        # After prepare(), which would encode the URL again, and quote a header that it refuses, with the secret in it.
        prepared.url = request.url
        prepared.headers.update({**request.headers, **(request.sign() if request.sign else {})})
        started = time.monotonic()
        try:
            with forgetting_locals():
                return self._exchange(request, prepared, started + self._response_seconds)
        except (OSError, HTTPError) as error:  # requests' own errors are OSErrors
            if isinstance(error, ValueError) or not isinstance(
                error, requests.RequestException | HTTPError | TimeoutError
            ):
                raise _unusable_settings(error, str(request)) from error
            raise self._connection_error(error, str(request), time.monotonic() - started) from error

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def _exchange(self, request: HttpRequest, prepared: requests.PreparedRequest, deadline: float) -> Reply:
        settings = self._session.merge_environment_settings(request.url, dict(self._proxies), True, self._verify, None)
        token = _deadline.set(deadline)
        try:
            response = self._session.send(prepared, timeout=self._timeout, allow_redirects=False, **settings)
        finally:
            _deadline.reset(token)
        try:
            body = _read(response.raw, deadline, self._max_body_bytes)
            if body is None:
                raise OktaProtocolError(
                    f"{request} was answered with more than {self._max_body_bytes} bytes: the rest was not read.",
                    advice="Ask for fewer events a page (page_limit); if that changes nothing, find out what answers.",
                )
            return Reply(request, response.status_code, response.raw.headers, body)
        finally:
            response.close()

    def _connection_error(self, error: Exception, what: str, seconds: float) -> OktaConnectionError:
        causes = list(_causes(error))
        reason = _reason(causes)
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return OktaCertificateError(
                    f"The certificate for {what} cannot be verified: {cause.verify_message}.",
                    advice="If a proxy of your company opens TLS, name its CA file in the connection; if not, somebody "
                    "else may be answering.",
                )
            if isinstance(cause, requests.exceptions.ProxyError | PoolProxyError):
                return OktaConnectionError(
                    f"The proxy between here and {what} gave no connection: {reason}.",
                    advice="Check the proxy settings.",
                )
            if _is_unknown_host(cause):
                return OktaUnknownHostError(
                    f"There is no such host: {self.origin} ({reason}).",
                    advice="Check the org URL in the connection; it reads like https://company.okta.com.",
                )
        if seconds >= self._response_seconds:
            return OktaConnectionError(
                f"{what} gave no whole answer within {self._response_seconds:g} s.",
                advice="The network, or a proxy in between, is too slow.",
            )
        return OktaConnectionError(
            f"{what} gave no whole answer: {reason}.",
            advice="Okta or the network in between is in trouble, or a firewall does not let this machine out.",
        )


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Never look at where a redirect leads: requests would read its body and prepare the next request."""
        return None


# What urllib3 would encode anew: path and query of the request that is under way in this thread.
_exact_target: ContextVar[str | None] = ContextVar("oktalogger_okta_exact_target", default=None)


class _ExactAdapter(HTTPAdapter):
    """Sends path and query of ``PreparedRequest.url`` byte for byte, because Okta's page links are opaque.

    urllib3 encodes every request target once more (``%3a`` becomes ``%3A``, a brace ``%7B``), and requests makes one
    slash of two; neither can be told not to, so the connection writes the target that was meant.
    """

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> urllib3.HTTPConnectionPool:
        """Return a pool, of whatever kind the proxies ask for, whose connections write the exact target."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _exact(pool.ConnectionCls)
        return pool  # type: ignore[no-any-return]

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request."""
        token = _exact_target.set(_target_of(request.url or ""))
        try:
            return super().send(request, *args, **kwargs)
        finally:
            _exact_target.reset(token)


# When the answer to the request that is under way in this thread must be there, by the monotonic clock.
_deadline: ContextVar[float | None] = ContextVar("oktalogger_okta_deadline", default=None)


class _ExactTarget:
    sock: Any

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        """Read status and headers, no longer than until the deadline.

        A read time-out begins anew with every byte, so it ends no slow drip: the connection is shut under the read.
        """
        deadline = _deadline.get()
        if deadline is None:
            return super().getresponse(*args, **kwargs)  # type: ignore[misc]
        watch = threading.Timer(max(0.0, deadline - time.monotonic()), _shut, (self.sock,))
        watch.daemon = True
        watch.start()
        try:
            return super().getresponse(*args, **kwargs)  # type: ignore[misc]
        finally:
            watch.cancel()

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        # A plain-http proxy is sent whole URLs: those stay as urllib3 made them.
        target = _exact_target.get() if url.startswith("/") else None
        super().putrequest(method, target or url, *args, **kwargs)  # type: ignore[misc]


@cache
def _exact(connection: type) -> type:
    if issubclass(connection, _ExactTarget):
        return connection
    return type(connection.__name__, (_ExactTarget, connection), {})


def _shut(sock: Any) -> None:
    # That of the socket below TLS: TLS's own would say goodbye first, which the other side may not read.
    shut = socket.socket.shutdown if isinstance(sock, socket.socket) else type(sock).shutdown
    with suppress(OSError):  # it is closed already
        shut(sock, socket.SHUT_RDWR)


def _target_of(url: str) -> str | None:
    """Return path and query as they stand in a URL, or None when HTTP cannot carry them as they are."""
    rest = url.partition("://")[2].partition("#")[0]
    target = rest[rest.find("/") :] if "/" in rest.partition("?")[0] else ""
    return target if target and all("!" <= character <= "~" for character in target) else None


def _read(raw: urllib3.HTTPResponse, deadline: float, max_bytes: int) -> bytes | None:
    """Read a body in pieces, as they arrive: a read time-out begins anew with every byte, so it ends no slow drip.

    :return: None if it is larger than ``max_bytes``
    :raises TimeoutError: if the deadline passes before the end.
    """
    pieces: list[bytes] = []
    size = 0
    while time.monotonic() < deadline:
        # Compares Content-Length with what came.
        piece = raw.read1(_CHUNK_BYTES, decode_content=True)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
        if size > max_bytes:
            return None
    raise TimeoutError("the whole response took too long")


def user_agent_of(suffix: str | None) -> str:
    """Return the User-Agent header, which Okta logs and asks clients to make telling."""
    ours = f"oktalogger/{__version__} python-requests/{requests.__version__}"
    suffix = (suffix or "").strip()
    if not suffix.isprintable() or not suffix.isascii():
        raise OktaConfigurationError("the addition to the user agent must be printable ASCII on one line")
    return f"{ours} {suffix}" if suffix else ours


def _unusable_settings(error: Exception, what: str) -> OktaConfigurationError:
    # Texts about a malformed URL quote it, and a proxy's may hold a password.
    reason = type(error).__name__ if isinstance(error, ValueError) else str(error)
    return OktaConfigurationError(
        f"{what} could not be sent: {reason}.", advice="Check the proxy's address and the CA file in the settings."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that it wraps, outermost first."""
    queue: list[object] = [error]
    seen: set[int] = set()
    while queue:
        one = queue.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        queue += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]


def _is_unknown_host(cause: BaseException) -> bool:
    return isinstance(cause, socket.gaierror) and cause.errno in _NO_SUCH_HOST


def _reason(causes: list[BaseException]) -> str:
    """Return the innermost cause that says something, in few words."""
    for cause in reversed(causes):
        if isinstance(cause, http.client.IncompleteRead):
            return "the body was cut off"
        if isinstance(cause, zlib.error):
            return "the body cannot be decompressed"
        if isinstance(cause, OSError) and cause.errno:
            return cause.strerror or errno.errorcode.get(cause.errno, str(cause.errno))
    for cause in reversed(causes):
        if isinstance(cause, ConnectionError | TimeoutError) and str(cause):
            return str(cause)
    last = causes[-1]
    return f"{type(last).__name__}: {last}" if str(last) else type(last).__name__
