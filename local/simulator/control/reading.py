"""Control routes that tell what is true."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import JSONResponse, Response, StreamingResponse

from local.simulator.clock import parse_moment
from local.simulator.world.event import SECOND, timestamp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from starlette.requests import Request

    from local.simulator.org import Org
    from local.simulator.world import Event

FOREVER = 1 << 62


def describe_clock(org: Org) -> dict[str, Any]:
    """The clock as the control endpoint shows it."""
    now = org.clock.now_us()
    return {"now": timestamp(now, 6), "epoch": now / SECOND, "kind": org.clock.kind, "speed": org.clock.speed}


def describe_event(event: Event) -> dict[str, Any]:
    """An event's hidden side."""
    return {
        "uuid": event.uuid,
        "published": timestamp(event.published_us, 6),
        "persisted": timestamp(event.persisted_us, 6),
        "oddity": event.oddity,
    }


async def clock(_: Request, org: Org) -> Response:
    """The simulated time."""
    return JSONResponse(describe_clock(org))


async def state(_: Request, org: Org) -> Response:
    """The clock, the settings, faults, and counters."""
    settings, limits = org.settings, org.limits.settings
    return JSONResponse(
        {
            "clock": describe_clock(org),
            "seed": settings.seed,
            "rate": settings.rate,
            "people": settings.people,
            "rhythm": settings.rhythm,
            "start": timestamp(settings.start_us),
            "limits": {
                "per_minute": limits.per_minute,
                "token_share": limits.token_share,
                "concurrent": limits.concurrent,
                "others": limits.others,
                "offset_seconds": limits.offset_seconds,
            },
            "faults": org.faults.describe(),
            "counters": dict(org.counters),
        }
    )


async def counters(_: Request, org: Org) -> Response:
    """How many requests, pages, events, answers by status, tokens, violations, and faults by kind."""
    fired = {f"faults.{kind}": count for kind, count in org.faults.fired.items()}
    return JSONResponse({**org.counters, **fired})


async def requests(_: Request, org: Org) -> Response:
    """The last thousand requests, oldest first; ``at`` is the simulated instant."""
    return JSONResponse([{**request, "at": timestamp(request["at"], 6)} for request in org.requests])


async def faults(_: Request, org: Org) -> Response:
    """What is queued, the chances, and what has happened."""
    return JSONResponse(org.faults.describe())


async def events(request: Request, org: Org) -> Response:
    """What must exist of ``[since, until)``: one JSON document a line, in order of ``published``, each uuid once.

    Query: ``since`` and ``until``; ``as_of`` an instant other than now; ``all=1`` what cannot be read yet, too;
    ``fields=hidden`` for uuid, published, persisted and oddity in place of the event; ``duplicates=1`` for each copy.
    """
    now = org.clock.now_us()
    given = request.query_params
    since, until = parse_moment(given["since"], now), parse_moment(given["until"], now)
    as_of = FOREVER if given.get("all") else parse_moment(given.get("as_of", "now"), now)
    retained_since = since if given.get("all") else max(since, as_of - org.timeline.retention_us)
    hidden, duplicates = given.get("fields") == "hidden", bool(given.get("duplicates"))

    async def lines() -> AsyncIterator[bytes]:
        # On the event loop, because the timeline is not made for threads; queries get their turn after each minute.
        seen: set[str] = set()
        for number in range(retained_since, until, 60 * SECOND):
            end = min(until, number + 60 * SECOND)
            chosen = [
                event
                for some in org.timeline.everything(number, end)
                for event in some
                if event.persisted_us <= as_of and (duplicates or event.uuid not in seen)
            ]
            if not duplicates:
                chosen = list({event.uuid: event for event in reversed(chosen)}.values())[::-1]
                seen.update(event.uuid for event in chosen)
            yield _lines(chosen, hidden=hidden)
            await asyncio.sleep(0)

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def _lines(chosen: Iterable[Event], *, hidden: bool) -> bytes:
    rows = (msgspec.json.encode(describe_event(event)) if hidden else event.body for event in chosen)
    return b"".join(row + b"\n" for row in rows)
