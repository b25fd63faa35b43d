"""The two things that requests does not do by itself: send a URL exactly as given, and end a slow drip.

urllib3 rewrites the target of a request (it changes the case of ``%3a`` and encodes what it finds odd), and its read
time-out starts anew with every byte that arrives. Both are mended in the connection, below requests' public adapter.
"""

from __future__ import annotations

import http.client
import io
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    import requests
    from _typeshed import WriteableBuffer


@dataclass(frozen=True, slots=True)
class _Exchange:
    """What the connection must know of the request that is under way in this thread."""

    target: str | None
    deadline: float


_exchange: ContextVar[_Exchange | None] = ContextVar("oktalogger_okta_exchange", default=None)


class ExactAdapter(HTTPAdapter):
    """Sends ``PreparedRequest.url`` byte for byte and bounds the time of a whole response.

    :param response_seconds: the longest that one response may take, from sending the request to its last byte.
    """

    def __init__(self, *, response_seconds: float) -> None:
        self._response_seconds = response_seconds
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools out of our connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> urllib3.ProxyManager:
        """Make the pools behind a proxy out of our connections, too."""
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request; its body, read from ``raw``, is under the same deadline as its headers."""
        deadline = time.monotonic() + self._response_seconds
        token = _exchange.set(_Exchange(_exact_target(request.url or ""), deadline))
        try:
            return super().send(request, *args, **kwargs)
        finally:
            _exchange.reset(token)


def _exact_target(url: str) -> str | None:
    """Return path and query as they stand in a URL, or None when HTTP cannot carry them as they are."""
    rest = url.partition("://")[2].partition("#")[0]
    target = rest[rest.find("/") :] if "/" in rest.partition("?")[0] else ""
    return target if target and all("!" <= character <= "~" for character in target) else None


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket, each time for no longer than is left until the deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float, clock: Callable[[], float]) -> None:
        super().__init__()
        self._raw, self._sock, self._deadline, self._clock = raw, sock, deadline, clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        left = self._deadline - self._clock()
        if left <= 0:
            raise TimeoutError("the whole response took too long")
        usual = self._sock.gettimeout()
        if usual is not None and usual <= left:
            return self._raw.readinto(buffer)
        self._sock.settimeout(left)
        try:
            return self._raw.readinto(buffer)
        finally:
            self._sock.settimeout(usual)  # the next request on this connection starts with the usual time-out

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    """http.client's response, read through the deadline."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        exchange = _exchange.get()
        if exchange is not None:
            reader = _DeadlineReader(self.fp.detach(), sock, exchange.deadline, time.monotonic)
            self.fp = io.BufferedReader(reader)


class _ExactTargetMixin:
    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        exchange = _exchange.get()
        # A plain-http proxy is sent whole URLs: those stay as urllib3 made them.
        if exchange is not None and exchange.target is not None and url.startswith("/"):
            url = exchange.target
        super().putrequest(method, url, *args, **kwargs)  # type: ignore[misc]


class _Connection(_ExactTargetMixin, HTTPConnection):
    response_class = _DeadlineResponse


class _TlsConnection(_ExactTargetMixin, HTTPSConnection):
    response_class = _DeadlineResponse


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}
