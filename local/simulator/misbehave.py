"""The layer that makes faults happen, between the web server and the application."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import struct
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, RedirectResponse, Response

from local.simulator.clock import parse_moment
from local.simulator.errors import DENIED, INTERNAL, NOT_FOUND, REFUSED_LOGIN, TIMEOUT, TOO_MANY, ApiError, invalid
from local.simulator.faults import BEFORE
from local.simulator.limits import Standing
from local.simulator.world.event import HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from local.simulator.faults import Fault
    from local.simulator.org import Org

EDGE = "okta_edge"
"""Key of ``scope`` that says that a gateway answers in Okta's place: no request id then."""
FOREIGN = "https://collector.attacker.example"
_TITLES = {"502": "Bad Gateway", "503": "Service Unavailable", "504": "Gateway Timeout"}
_LINK = re.compile(r'<([^>]*)>; rel="(\w+)"')
_SLICES = 20
_STRANGERS = 3
transports: dict[tuple[str, int], asyncio.Transport] = {}
"""Open connections by the caller's address; the server keeps this, see ``server.Protocol``."""


class Misbehave:
    """Wraps the application; lets through what no fault hits."""

    def __init__(self, app: ASGIApp, org: Org) -> None:
        self.app = app
        self.org = org

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, well or badly."""
        query = scope["query_string"].decode("latin-1")
        fault = self.org.faults.draw(scope["path"], cursor=bool(parse_qs(query).get("after")))
        if fault is None:
            await self.app(scope, receive, send)
        elif fault.kind in ("reset", "stall"):
            if fault.kind == "stall":
                await asyncio.sleep(fault.seconds or 5.0)
            await _hang_up(scope, receive, reset=fault.kind == "reset")
        elif fault.kind in BEFORE:
            response = self._instead(fault, scope)
            await response(scope, receive, send)
        else:
            await self._worse(fault, scope, receive, send)

    def _instead(self, fault: Fault, scope: Scope) -> Response:
        """An answer in place of the application's."""
        now = self.org.clock.now_us()
        standing = self.org.limits.standing(now)
        if fault.kind in _TITLES or fault.kind == "html-200":
            scope[EDGE] = True
            status = int(fault.kind[-3:])
            title = _TITLES.get(fault.kind, "Sign in to continue")
            return HTMLResponse(
                f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>", status
            )
        if fault.kind == "redirect":
            scope[EDGE] = True
            return RedirectResponse(f"{FOREIGN}/login", 302)
        if fault.kind == "object-200":
            return Response(b'{"status":"ok"}', media_type="application/json", headers=standing.headers())
        if fault.kind == "429-rate":
            reset = standing.reset_s if fault.seconds is None else -(-now // SECOND) + int(fault.seconds)
            standing = Standing(standing.limit, 0, reset)
        if fault.kind == "429-concurrency":
            standing = Standing(0, 0, now // SECOND + 60)
        error = {
            "429-rate": ApiError(429, "E0000047", TOO_MANY, ()),
            "429-concurrency": ApiError(429, "E0000047", TOO_MANY, ()),
            "500-timeout": ApiError(500, "E0000009", TIMEOUT),
            "500-internal": ApiError(500, "E0000053", INTERNAL),
            "503-read-only": ApiError(503, "E0000010", "Service is in read only mode", ()),
            "401-passing": ApiError(401, "E0000011", REFUSED_LOGIN, ()),
            "403-passing": ApiError(403, "E0000006", DENIED, ()),
            "404-passing": ApiError(404, "E0000007", NOT_FOUND, ()),
            "expired-cursor": invalid("after", "is not a valid cursor."),
        }[fault.kind]
        error.headers.update(standing.headers())
        return error.response()

    async def _worse(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """The application's answer, spoilt."""
        start: Message = {}
        body = b""

        async def hold(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            else:
                body += message.get("body", b"")

        await self.app(scope, receive, hold)
        if start["status"] != 200 or (fault.kind == "vanishing-next" and not _leads_on(start)):
            self.org.faults.spared(fault)
            await _send(send, start, body)
        elif fault.kind in ("cut-body", "reset-body"):
            await send(start)
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            await _hang_up(scope, receive, reset=fault.kind == "reset-body")
        elif fault.kind == "slow-body":
            await send(start)
            step = max(1, -(-len(body) // _SLICES))
            for at in range(0, len(body), step):
                await send({"type": "http.response.body", "body": body[at : at + step], "more_body": True})
                await asyncio.sleep((fault.seconds or 5.0) / _SLICES)
            await send({"type": "http.response.body", "body": b""})
        elif fault.kind == "outside-events":
            strangers = self._outside(scope)
            if not any(strangers):
                self.org.faults.spared(fault)
            await _send(send, *_wrapped(start, body, *strangers))
        else:
            await _send(send, *_relink(fault.kind, start, body, scope))

    def _outside(self, scope: Scope) -> tuple[list[bytes], list[bytes]]:
        """Some events of the hour before the range that was asked for, and some of the hour after it."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        now = self.org.clock.now_us()
        since, until = (parse_moment(query[name][0], now) for name in ("since", "until"))
        before = self.org.timeline.published(since - HOUR, since - MINUTE, now)
        after = self.org.timeline.published(until + MINUTE, until + HOUR, now)
        return tuple([event.body for some in slices for event in some][-_STRANGERS:] for slices in (before, after))  # type: ignore[return-value]


def _wrapped(start: Message, body: bytes, before: list[bytes], after: list[bytes]) -> tuple[Message, bytes]:
    """Put events around those of a page."""
    inside = [body.strip()[1:-1]] if body.strip() != b"[]" else []
    body = b"[" + b",".join([*before, *inside, *after]) + b"]"
    length = str(len(body)).encode()
    headers = [(name, length if name == b"content-length" else value) for name, value in start["headers"]]
    return {**start, "headers": headers}, body


def _leads_on(start: Message) -> bool:
    """Whether an answer has a next page."""
    return any(name == b"link" and b'rel="next"' in value for name, value in start["headers"])


def _relink(kind: str, start: Message, body: bytes, scope: Scope) -> tuple[Message, bytes]:
    """Change the links of an answer (and its body, for an empty page)."""
    headers: list[tuple[bytes, bytes]] = [pair for pair in start["headers"] if pair[0] != b"link"]
    joined = ", ".join(value.decode("latin-1") for name, value in start["headers"] if name == b"link")
    links = {rel: url for url, rel in _LINK.findall(joined)}
    here = links["self"]
    if kind == "looping-next":
        links["next"] = here
    elif kind == "returning-next":
        links["next"] = re.sub(r"&?after=[^&]*", "", here).replace("?&", "?")
    elif kind == "vanishing-next":
        links.pop("next", None)
    elif kind == "foreign-next":
        links["next"] = FOREIGN + scope["path"] + "?" + links.get("next", here).partition("?")[2]
    elif kind == "empty-page":
        number = here.count("&page=") + 1
        links["next"] = f"{here}&page={number}"
        body = b"[]"
        headers = [(name, b"2" if name == b"content-length" else value) for name, value in headers]
    lines = [f'<{url}>; rel="{rel}"' for rel, url in links.items()]
    if kind == "comma-links":
        lines = [", ".join(lines)]
    changed: dict[str, Any] = {**start, "headers": headers + [(b"link", line.encode("latin-1")) for line in lines]}
    return changed, body


async def _send(send: Send, start: Message, body: bytes) -> None:
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def _hang_up(scope: Scope, receive: Receive, *, reset: bool) -> None:
    """Close the caller's connection; with ``reset``, so that it sees a reset rather than an end."""
    transport = transports.get(tuple(scope["client"])) if scope.get("client") else None
    if transport is None:
        raise ConnectionError("the fault needs the simulator's own server")
    if reset:
        # With no time to linger, closing sends a reset (socket(7), SO_LINGER).
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as twin:
            twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass
