"""One HTTP exchange with the org: out with the request as it is, in with the whole answer, or a typed error.

No redirect is followed, no cookie is sent, no password is taken from ``.netrc``, and no request leaves for another
origin than the org's.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import HTTPError
from urllib3.exceptions import ProxyError as PoolProxyError

from oktalogger import __version__
from oktalogger.okta.adapter import ExactAdapter
from oktalogger.okta.errors import (
    OktaCertificateError,
    OktaConfigurationError,
    OktaConnectionError,
    OktaForeignLinkError,
    OktaUnknownHostError,
)
from oktalogger.okta.origin import same_origin, without_user

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import urllib3
    from requests.auth import AuthBase

# The resolver's word for "there is no such host", as against "ask me later" (EAI_AGAIN).
_NO_SUCH_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole answer, and the request as it was sent. ``headers`` keeps repeated lines apart (``getlist``)."""

    request: requests.PreparedRequest
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def method(self) -> str:
        """The request's method."""
        return self.request.method or ""

    @property
    def url(self) -> str:
        """What was asked for, exactly as it was sent."""
        return self.request.url or ""

    @property
    def request_id(self) -> str | None:
        """Okta's id of the request, which its support asks for."""
        return self.headers.get("X-Okta-Request-Id")


class Transport:
    """Sends requests to one origin. Makes no connection before the first request.

    :param origin: ``scheme://host[:port]``, checked by :func:`oktalogger.okta.origin.org_origin`.
    :param timeout: seconds to connect, and seconds without a byte from the server.
    :param response_seconds: the longest that one response may take as a whole.
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
        verify: bool | str = True,
        proxies: Mapping[str, str] | None = None,
        user_agent: str | None = None,
    ) -> None:
        self.origin = origin
        self._timeout = timeout
        self._response_seconds = response_seconds
        self._verify = verify
        self._proxies = dict(proxies or {})
        self._headers = {"User-Agent": user_agent_of(user_agent), "Accept": "application/json"}
        # Not br or zstd, which requests adds where a library for them happens to be installed.
        self._headers["Accept-Encoding"] = "gzip"
        self._session = _Session()
        for prefix in ("https://", "http://"):
            self._session.mount(prefix, ExactAdapter(response_seconds=response_seconds))

    def send(
        self,
        method: str,
        url: str,
        *,
        auth: AuthBase | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        about: str = "",
    ) -> Reply:
        """Make one exchange and return the whole answer, whatever its status.

        :param url: sent exactly as it is.
        :param auth: called with the prepared request, which bears the final URL.
        :param data: a form to post.
        :param headers: further headers.
        :param about: what the request is for, for the error message.
        :raises OktaForeignLinkError: when the URL leads to another origin; nothing is sent.
        :raises OktaConnectionError: when no whole answer came.
        :raises OktaConfigurationError: when a proxy's address or a CA file cannot be used.
        """
        if not same_origin(url, self.origin):
            raise OktaForeignLinkError(f"Not sent to {without_user(url)}: tokens go to {self.origin} only.")
        request = requests.PreparedRequest()
        request.prepare(method, self.origin, headers={**self._headers, **(headers or {})}, data=data)
        request.url = url  # after prepare(), which would encode it again
        if auth is not None:
            request.prepare_auth(auth, url)
        started = time.monotonic()
        try:
            return self._exchange(request, url)
        except (OSError, HTTPError) as error:  # requests' own errors are OSErrors
            what = describe(method, url, about)
            if isinstance(error, ValueError) or not isinstance(error, requests.RequestException | HTTPError):
                raise _unusable_settings(error, what) from error
            raise self._connection_error(error, what, time.monotonic() - started) from error

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def _exchange(self, request: requests.PreparedRequest, url: str) -> Reply:
        settings = self._session.merge_environment_settings(url, dict(self._proxies), True, self._verify, None)
        response = self._session.send(request, timeout=self._timeout, allow_redirects=False, **settings)
        try:
            # Compares Content-Length with what came, since urllib3 2.
            body = response.raw.read(decode_content=True)
            headers: urllib3.HTTPHeaderDict = response.raw.headers
            return Reply(request, response.status_code, headers, body)
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


def describe(method: str, url: str, about: str = "") -> str:
    """Return what was asked of whom, for a message: method, URL without query and user, and what it was about."""
    shown = f"{method} {without_user(url).partition('?')[0]}"
    return f"{shown} ({about})" if about else shown


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
