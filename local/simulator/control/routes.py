"""Routes under ``/_control``, for callers on this machine or with the control token."""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from local.simulator.clock import parse_moment
from local.simulator.world.event import SECOND, timestamp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.requests import Request

    from local.simulator.org import Org

PREFIX = "/_control"


def _allowed(request: Request, org: Org) -> bool:
    wanted = org.settings.control_token
    if wanted is not None:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {wanted}".encode())
    return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback


def describe_clock(org: Org) -> dict[str, Any]:
    """The clock as the control endpoint shows it."""
    now = org.clock.now_us()
    return {"now": timestamp(now), "epoch": now / SECOND, "kind": org.clock.kind, "speed": org.clock.speed}


async def read_state(_: Request, org: Org) -> Response:
    """The clock, the settings, and the counters."""
    settings = org.settings
    return JSONResponse(
        {
            "clock": describe_clock(org),
            "seed": settings.seed,
            "rate": settings.rate,
            "start": timestamp(settings.start_us),
            "counters": dict(org.counters),
        }
    )


async def read_counters(_: Request, org: Org) -> Response:
    """How many requests, pages, events, statuses, violations."""
    return JSONResponse(dict(org.counters))


async def read_requests(_: Request, org: Org) -> Response:
    """The last thousand requests, oldest first."""
    return JSONResponse(list(org.requests))


async def set_clock(request: Request, org: Org) -> Response:
    """Move the clock: ``set`` to an instant, ``advance`` by seconds, ``speed`` of it, or ``real``."""
    wish = msgspec.json.decode(await request.body(), type=dict[str, Any])
    speed = wish.get("speed")
    if wish.get("real"):
        org.clock.follow_machine()
    elif "set" in wish:
        org.clock.set(parse_moment(wish["set"], org.clock.now_us()), speed)
    else:
        org.clock.set(org.clock.now_us() + int(wish.get("advance", 0) * SECOND), speed)
    return JSONResponse(describe_clock(org))


async def list_expected(request: Request, org: Org) -> Response:
    """What must exist of ``[since, until)`` now, one JSON document a line, in order of ``published``."""
    now = org.clock.now_us()
    given = request.query_params
    as_of = parse_moment(given["as_of"], now) if "as_of" in given else now
    as_of = 1 << 62 if given.get("all") else as_of
    since, until = parse_moment(given["since"], now), parse_moment(given["until"], now)
    whole = given.get("fields", "event") == "event"
    duplicates = bool(given.get("duplicates"))
    seen: set[str] = set()

    def lines() -> Iterator[bytes]:
        for some in org.timeline.published(since, until, as_of):
            chosen = some if duplicates else [event for event in some if event.uuid not in seen]
            seen.update(event.uuid for event in chosen)
            if whole:
                yield b"".join(event.body + b"\n" for event in chosen)
            else:
                yield b"".join(
                    msgspec.json.encode(
                        {
                            "uuid": event.uuid,
                            "published": timestamp(event.published_us, 6),
                            "persisted": timestamp(event.persisted_us, 6),
                            "oddity": event.oddity,
                        }
                    )
                    + b"\n"
                    for event in chosen
                )

    return StreamingResponse(lines(), media_type="application/x-ndjson")


_ROUTES: tuple[tuple[str, str, Callable[[Request, Org], Awaitable[Response]]], ...] = (
    ("GET", "/state", read_state),
    ("GET", "/counters", read_counters),
    ("GET", "/requests", read_requests),
    ("POST", "/clock", set_clock),
    ("GET", "/events", list_expected),
)


def routes(org: Org) -> list[Route]:
    """The routes for an org."""

    def guarded(answer: Callable[[Request, Org], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if not _allowed(request, org):
                return JSONResponse({"error": "the control endpoint is not for you"}, 403)
            try:
                return await answer(request, org)
            except (ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
                return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)

        return endpoint

    return [Route(path, guarded(answer), methods=[method]) for method, path, answer in _ROUTES]
