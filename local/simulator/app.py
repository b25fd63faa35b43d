"""The web application: routes, and what is the same for every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.routing import Mount, Route

from local.simulator import logs
from local.simulator.control import routes as control
from local.simulator.errors import ApiError
from local.simulator.logs import PATH, REMARK
from local.simulator.misbehave import EDGE, Misbehave
from local.simulator.oauth import token

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from local.simulator.org import Org

ANY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Observed:
    """Wraps the application: counts and remembers requests, and stamps every answer."""

    def __init__(self, app: ASGIApp, org: Org) -> None:
        self.app = app
        self.org = org

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(control.PREFIX):
            await self.app(scope, receive, send)
            return
        org, began = self.org, self.org.clock.now_us()
        status = 0

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = list(message["headers"])
                logs.stamp(message["headers"], org.clock.now_us(), identified=EDGE not in scope)
            await send(message)

        counted = scope["path"] == PATH
        org.limits.under_way += counted
        try:
            await self.app(scope, receive, stamped)
        finally:
            org.limits.under_way -= counted
            kind = scope.get(REMARK, "other")
            org.counters["requests"] += 1
            org.counters[f"requests.{kind}"] += 1
            org.counters[f"status.{status}"] += 1
            org.requests.append(
                {
                    "at": began,
                    "method": scope["method"],
                    "path": scope["path"],
                    "query": scope["query_string"].decode("latin-1"),
                    "kind": kind,
                    "status": status,
                    "user_agent": MutableHeaders(scope=scope).get("user-agent"),
                }
            )


async def _not_found(request: Request, _: Exception) -> Response:
    path = request.url.path
    return ApiError(404, "E0000007", f"Not found: Resource not found: {path} (Endpoint)", ()).response()


def make_app(org: Org) -> ASGIApp:
    """The application that serves an org."""

    async def list_events(request: Request) -> Response:
        return await logs.list_events(request, org)

    async def grant(request: Request) -> Response:
        return await token.grant(request, org, logs.origin(request, org) + token.PATH)

    app = Starlette(
        routes=[
            Route(PATH, list_events, methods=ANY_METHOD),
            Route(token.PATH, grant, methods=ANY_METHOD),
            Mount(control.PREFIX, routes=control.routes(org)),
        ],
        exception_handlers={404: _not_found},
    )
    return Observed(Misbehave(app, org), org)
