"""Control routes that change the org. Each takes a JSON object, and answers what is true afterwards."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import JSONResponse, Response

from local.simulator import world
from local.simulator.auth import ApiToken
from local.simulator.clock import parse_moment
from local.simulator.control.reading import describe_clock, describe_event
from local.simulator.faults import Fault
from local.simulator.oauth import clients
from local.simulator.oauth.dpop import RESOURCE_NONCES
from local.simulator.settings import TRANSFERS, make_token
from local.simulator.world import samples
from local.simulator.world.event import SECOND, stream

if TYPE_CHECKING:
    from starlette.requests import Request

    from local.simulator.org import Org


async def _wish(request: Request) -> dict[str, Any]:
    return msgspec.json.decode(await request.body() or b"{}", type=dict[str, Any])


async def clock(request: Request, org: Org) -> Response:
    """Move the clock: ``set`` to an instant, ``advance`` by seconds, run at ``speed`` (0 stands), or ``real``."""
    wish = await _wish(request)
    speed = wish.get("speed")
    if wish.get("real"):
        org.clock.follow_machine()
    elif "set" in wish:
        org.clock.set(parse_moment(wish["set"], org.clock.now_us()), speed)
    else:
        org.clock.set(org.clock.now_us() + int(wish.get("advance", 0) * SECOND), speed)
    return JSONResponse(describe_clock(org))


async def queue_faults(request: Request, org: Org) -> Response:
    """Queue one fault or a list of them: ``kind``, ``times``, ``on``, ``skip``, ``path``, ``seconds``."""
    wishes = msgspec.json.decode(await request.body(), type=Fault | list[Fault])
    org.faults.queue.extend(wishes if isinstance(wishes, list) else [wishes])
    return JSONResponse(org.faults.describe())


async def chance_faults(request: Request, org: Org) -> Response:
    """Let faults happen by chance: ``rates`` by kind, ``seed``, ``seconds``."""
    wish = await _wish(request)
    org.faults.set_rates(wish["rates"], wish.get("seed", 1), wish.get("seconds"))
    return JSONResponse(org.faults.describe())


async def clear_faults(_: Request, org: Org) -> Response:
    """Queue nothing, and leave nothing to chance."""
    org.faults.clear()
    return JSONResponse(org.faults.describe())


async def lateness(request: Request, org: Org) -> Response:
    """Change the lateness of what is published ``from`` an instant on (now): ``usual``, ``share``, ``longest``."""
    wish = await _wish(request)
    begin = parse_moment(wish.pop("from", "now"), org.clock.now_us())
    before = org.timeline.world
    changed = world.Lateness(**wish)
    kept = tuple(regime for regime in before.later if regime[0] < begin)
    org.timeline.change_lateness(replace(before, later=(*kept, (begin, changed))))
    return JSONResponse(asdict(changed))


async def hold(request: Request, org: Org) -> Response:
    """Hold events back until ``persisted`` (an instant), or ``by`` seconds after they happened.

    Which ones: ``uuids`` or a ``count`` by ``seed``, out of ``[since, until)``, readable by now or not.
    """
    wish = await _wish(request)
    now = org.clock.now_us()
    since, until = parse_moment(wish["since"], now), parse_moment(wish["until"], now)
    found = [event for some in org.timeline.everything(since, until) for event in some if event.oddity != "duplicate"]
    if "uuids" in wish:
        wanted = set(wish["uuids"])
        found = [event for event in found if event.uuid in wanted]
    else:
        count = min(wish.get("count", 1), len(found))
        found = sorted(stream(wish.get("seed", 1), "hold", since, until).sample(found, count))
    held = []
    for event in found:
        persisted = (
            parse_moment(wish["persisted"], now)
            if "persisted" in wish
            else event.published_us + int(wish["by"] * SECOND)
        )
        org.timeline.hold(event, persisted)
        held.append(describe_event(event._replace(persisted_us=persisted)))
    return JSONResponse(held)


async def add_events(request: Request, org: Org) -> Response:
    """Add events: ``event`` completes a sample sign-in (``bare``: stands alone), ``count`` times.

    ``published`` and ``persisted`` are instants: now, and the same as ``published``, if not said. ``step`` is the
    number of seconds between one event and the next.
    """
    wish = await _wish(request)
    now = org.clock.now_us()
    published = parse_moment(wish.get("published") or wish.get("event", {}).get("published") or "now", now)
    added = []
    for number in range(wish.get("count", 1)):
        body = dict(wish.get("event", {}))
        if not wish.get("bare"):
            body = samples.complete(body, org.timeline.world, f"{published} {number} {org.written}")
        at = published + int(number * wish.get("step", 0) * SECOND)
        persisted = parse_moment(wish["persisted"], now) if "persisted" in wish else at
        added.append(describe_event(org.write(body, published_us=at, persisted_us=persisted)))
    return JSONResponse(added)


async def tell_story(request: Request, org: Org) -> Response:
    """Let a story happen: ``name``, ``at`` an instant (now)."""
    wish = await _wish(request)
    told = org.timeline.tell(wish["name"], parse_moment(wish.get("at", "now"), org.clock.now_us()))
    return JSONResponse([describe_event(event) for event in told])


async def limits(request: Request, org: Org) -> Response:
    """Change limits: ``per_minute``, ``token_share``, ``concurrent``, ``others``, ``offset_seconds``."""
    org.limits.settings = replace(org.limits.settings, **await _wish(request))
    org.limits.reset()
    return JSONResponse(asdict(org.limits.settings))


async def transfer(request: Request, org: Org) -> Response:
    """Change how bodies travel: ``kind`` out of plain, gzip, chunked."""
    wish = await _wish(request)
    if wish["kind"] not in TRANSFERS:
        raise ValueError(f"kind is one of {', '.join(TRANSFERS)}")
    org.transfer = wish["kind"]
    return JSONResponse(wish)


async def add_token(request: Request, org: Org) -> Response:
    """Add an API token: ``token`` (made up if absent), ``admin`` whether its owner may read the log, ``id``."""
    wish = await _wish(request)
    secret = wish.get("token") or make_token()
    token = ApiToken(wish.get("id") or f"00Tadded{len(org.tokens.api):012d}", bool(wish.get("admin", True)))
    org.tokens.api[secret] = token
    return JSONResponse({"token": secret, "id": token.id, "admin": token.admin})


async def drop_tokens(request: Request, org: Org) -> Response:
    """Revoke: ``token`` one of either kind, or ``access`` every access token."""
    wish = await _wish(request)
    if wish.get("access"):
        org.tokens.access.clear()
    org.tokens.api.pop(wish.get("token", ""), None)
    org.tokens.access.pop(wish.get("token", ""), None)
    return JSONResponse({"api": len(org.tokens.api), "access": len(org.tokens.access)})


async def add_client(request: Request, org: Org) -> Response:
    """Register an OAuth client, or replace the one of that id; see :func:`clients.register`."""
    client, described = clients.register(await _wish(request))
    org.clients[client.client_id] = client
    return JSONResponse(described)


async def dpop(request: Request, org: Org) -> Response:
    """Change DPoP: ``at_resource`` out of none, kept, each; ``new_nonces`` voids all nonces given so far."""
    wish = await _wish(request)
    if wish.get("at_resource", "none") not in RESOURCE_NONCES:
        raise ValueError(f"at_resource is one of {', '.join(RESOURCE_NONCES)}")
    org.proofs.at_resource = wish.get("at_resource", org.proofs.at_resource)
    org.proofs.round += bool(wish.get("new_nonces"))
    return JSONResponse({"at_resource": org.proofs.at_resource, "round": org.proofs.round})


async def reset(request: Request, org: Org) -> Response:
    """Begin anew: ``only`` a list out of faults, counters, limits, events, tokens, clock; without it, all of them."""
    wish = await _wish(request)
    org.reset(wish.get("only"))
    return JSONResponse(describe_clock(org))
