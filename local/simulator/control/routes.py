"""Routes under ``/_control``, for callers on this machine or with the control token."""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.simulator.control import changing, reading

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from local.simulator.org import Org

    Answer = Callable[[Request, Org], Awaitable[Response]]

PREFIX = "/_control"
_ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("GET", "/state", reading.state),
    ("GET", "/counters", reading.counters),
    ("GET", "/requests", reading.requests),
    ("GET", "/events", reading.events),
    ("GET", "/faults", reading.faults),
    ("GET", "/clock", reading.clock),
    ("POST", "/clock", changing.clock),
    ("POST", "/faults", changing.queue_faults),
    ("PUT", "/faults", changing.chance_faults),
    ("DELETE", "/faults", changing.clear_faults),
    ("POST", "/lateness", changing.lateness),
    ("POST", "/hold", changing.hold),
    ("POST", "/events", changing.add_events),
    ("POST", "/stories", changing.tell_story),
    ("POST", "/limits", changing.limits),
    ("POST", "/transfer", changing.transfer),
    ("POST", "/tokens", changing.add_token),
    ("DELETE", "/tokens", changing.drop_tokens),
    ("POST", "/oauth-clients", changing.add_client),
    ("POST", "/dpop", changing.dpop),
    ("POST", "/reset", changing.reset),
)


def _allowed(request: Request, org: Org) -> bool:
    wanted = org.settings.control_token
    if wanted is not None:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {wanted}".encode())
    return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback


def routes(org: Org) -> list[Route]:
    """The routes for an org."""

    def guarded(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if not _allowed(request, org):
                return JSONResponse({"error": "the control endpoint is not for you"}, 403)
            try:
                return await answer(request, org)
            except (ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
                return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)

        return endpoint

    return [Route(path, guarded(answer), methods=[method]) for method, path, answer in _ROUTES]
