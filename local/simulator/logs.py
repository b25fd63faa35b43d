"""``GET /api/v1/logs``: from a request to a page, its links and its rate headers."""

from __future__ import annotations

import asyncio
import gzip
import uuid
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.responses import Response

from local.simulator import auth
from local.simulator.errors import ApiError
from local.simulator.oauth.errors import OAuthError, invalid_proof
from local.simulator.query import paging, parameters
from local.simulator.world.event import SECOND

if TYPE_CHECKING:
    from starlette.requests import Request

    from local.simulator.org import Org

PATH = "/api/v1/logs"
JSON = "application/json"
REMARK = "okta_remark"
"""Key of ``scope`` under which the endpoint says what kind of request it was, for the request log."""


def origin(request: Request, org: Org) -> str:
    """Scheme, host and port under which the caller reached us, or those that the settings name."""
    return org.settings.public_url or f"{request.url.scheme}://{request.headers.get('host', '')}"


async def list_events(request: Request, org: Org) -> Response:
    """Answer one query."""
    try:
        if org.settings.latency:
            await asyncio.sleep(org.settings.latency)
        return _answer(request, org)
    except ApiError as error:
        for name, value in org.limits.standing(org.clock.now_us()).headers().items():
            error.headers.setdefault(name, value)
        return error.response()
    except OAuthError as error:
        challenge = f'DPoP error="{error.error}", error_description="{error.description}"'
        error.headers["WWW-Authenticate"] = challenge
        return error.response()
    finally:
        if org.limits.violations:
            org.report(org.limits.violations)


def _answer(request: Request, org: Org) -> Response:
    scheme = request.headers.get("authorization", "").partition(" ")[0]
    who = auth.identify(request.headers, org.tokens, org.clock)
    now = org.clock.now_us()
    thumb = auth.bound(who, scheme)
    if thumb is not None:
        _check_proof(request, org, thumb, now)
    standing = org.limits.take(auth.bucket_of(who), now)
    try:
        auth.permit(who, scheme)
        if request.method != "GET":
            raise ApiError(405, "E0000022", "The endpoint does not support the provided HTTP method", ())
        given = dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))
        query = parameters.read(given, now, org.cursor_key)
        kind = "polling" if query.polling else "bounded"
        request.scope[REMARK] = kind
        make = paging.polling if query.polling else paging.bounded
        page = make(org.timeline, query, given, now, org.cursor_key)
    except ApiError as error:
        error.headers.update(standing.headers())
        raise
    org.counters[f"pages.{kind}"] += 1
    org.counters["events"] += len(page.events)
    response = _pack(page.body(), request, org)
    response.headers.update(standing.headers())
    if thumb is not None and org.proofs.at_resource != "none":
        response.headers["DPoP-Nonce"] = org.proofs.resource_nonce()
    home = origin(request, org) + request.url.path
    here = request.scope["query_string"].decode("latin-1")
    links = [f'<{home}{"?" if here else ""}{here}>; rel="self"']
    if page.next is not None:
        links.append(f'<{home}?{paging.query_string(page.next)}>; rel="next"')
    response.raw_headers.extend((b"link", link.encode("latin-1")) for link in links)
    return response


def _pack(body: bytes, request: Request, org: Org) -> Response:
    if org.transfer == "gzip" and "gzip" in request.headers.get("accept-encoding", ""):
        packed = gzip.compress(body, 1)
        return Response(packed, headers={"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}, media_type=JSON)
    response = Response(body, media_type=JSON)
    if org.transfer == "chunked":
        del response.headers["content-length"]
    return response


def _check_proof(request: Request, org: Org, thumb: str, now_us: int) -> None:
    given = request.headers.getlist("dpop")
    if not given:
        raise OAuthError(400, "invalid_request", "The resource request requires a DPoP proof.")
    token = request.headers["authorization"].partition(" ")[2]
    url = origin(request, org) + request.url.path
    proven, claims = org.proofs.check(given, request.method, url, now_us, access_token=token)
    if proven != thumb:
        raise invalid_proof("The access_token is not bound to the provided DPoP proof.")
    org.proofs.check_resource_nonce(claims)


def stamp(response_headers: list[tuple[bytes, bytes]], now_us: int, *, identified: bool = True) -> None:
    """Add what every answer of Okta carries: its date by the org's clock, and an id to ask support about.

    :param identified: false for an answer that a gateway gives in Okta's place
    """
    response_headers.append((b"date", formatdate(now_us // SECOND, usegmt=True).encode()))
    if identified:
        response_headers.append((b"x-okta-request-id", uuid.uuid4().hex.encode()))
