"""``POST /oauth2/v1/token``: a client assertion in, an access token out."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import jwt
import msgspec
from starlette.responses import Response

from local.simulator.auth import AccessToken
from local.simulator.oauth.clients import ALGORITHMS, SIGNATURE_ONLY, Client
from local.simulator.oauth.errors import OAuthError, invalid_client
from local.simulator.world.event import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from local.simulator.org import Org

PATH = "/oauth2/v1/token"
LIFE_S = 3600
LONGEST_S = 3600
_SKEW_S = 60
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def grant(request: Request, org: Org, url: str) -> Response:
    """Answer one request for a token.

    :param url: the endpoint's own URL, which assertions and proofs must name
    """
    try:
        if request.method != "POST":
            raise OAuthError(405, "invalid_request", "The HTTP method is not allowed.", {"Allow": "POST"})
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            raise OAuthError(400, "invalid_request", "Accept and/or Content-Type headers must be form encoded.")
        form = dict(parse_qsl((await request.body()).decode("latin-1")))
        return Response(
            msgspec.json.encode(_grant(form, request, org, url)),
            headers={"Cache-Control": "no-cache, no-store"},
            media_type="application/json",
        )
    except OAuthError as error:
        return error.response()


def _grant(form: Mapping[str, str], request: Request, org: Org, url: str) -> dict[str, Any]:
    if form.get("grant_type") != "client_credentials":
        raise OAuthError(
            400, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server. "
            "Configured grant types: [client_credentials].",
        )  # fmt: skip
    now = org.clock.now_us()
    client = authenticate(form, org, url, now)
    thumb = None
    if client.dpop or request.headers.get("dpop"):
        thumb, claims = org.proofs.check(request.headers.getlist("dpop"), "POST", url, now)
        org.proofs.check_nonce(claims, now)
    scopes = _scopes(form.get("scope", ""), client)
    secret = f"eyJraWQiOiJzaW11bGF0b3IifQ.{secrets.token_urlsafe(96)}.{secrets.token_urlsafe(48)}"
    org.tokens.access[secret] = AccessToken(client.client_id, scopes, now + LIFE_S * SECOND, client.admin, thumb)
    org.counters["tokens"] += 1
    return {
        "token_type": "DPoP" if thumb else "Bearer",
        "expires_in": LIFE_S,
        "access_token": secret,
        "scope": " ".join(sorted(scopes)),
    }


def _scopes(text: str, client: Client) -> frozenset[str]:
    wanted = frozenset(text.split())
    if not wanted:
        raise OAuthError(400, "invalid_scope", "No scopes were requested.")
    if any(not scope.startswith("okta.") for scope in wanted):
        raise OAuthError(
            400, "invalid_scope", "One or more scopes are not configured for the authorization server resource."
        )
    if not wanted <= client.scopes:
        raise OAuthError(
            400, "invalid_scope", "The requested scope is invalid, unknown, malformed, or exceeds the scope granted "
            "by the resource owner.",
        )  # fmt: skip
    return wanted


def authenticate(form: Mapping[str, str], org: Org, url: str, now_us: int) -> Client:
    """Find out which client asks, by its assertion, and use the assertion up.

    :raises OAuthError: naming what does not hold
    """
    if "client_assertion" not in form:
        raise invalid_client("No client credentials found.")
    if form.get("client_assertion_type") != _ASSERTION:
        raise OAuthError(400, "invalid_request", "The client_assertion_type is invalid.")
    assertion = form["client_assertion"]
    try:
        header = jwt.get_unverified_header(assertion)
        claimed = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise invalid_client("The parsing of the client_assertion failed.") from None
    client = org.clients.get(str(claimed.get("iss")))
    if client is None:
        raise invalid_client("The issuer claim for client_assertion is not a valid client_id.")
    if claimed.get("sub") != client.client_id:
        raise invalid_client("The subject claim for client_assertion is not a valid client_id.")
    if header.get("alg") not in ALGORITHMS:
        raise invalid_client("The client_assertion JWT signature algorithm is invalid.")
    key = client.key(header.get("kid"))
    if key is None:
        raise invalid_client("The client_assertion JWT kid is invalid.")
    try:
        claims = jwt.decode(assertion, key.key, algorithms=[header["alg"]], options=SIGNATURE_ONLY)
    except (jwt.PyJWTError, TypeError, ValueError):
        raise invalid_client("The client_assertion signature is invalid.") from None
    _check_claims(claims, url, now_us // SECOND)
    jti = claims.get("jti")
    if jti is not None:
        if f"{client.client_id} {jti}" in org.assertions:
            raise invalid_client("The client_assertion token has already been used.")
        org.assertions.add(f"{client.client_id} {jti}")
    return client


def _check_claims(claims: dict[str, Any], url: str, now: int) -> None:
    audience = claims.get("aud")
    if url not in (audience if isinstance(audience, list) else [audience]):
        raise invalid_client("The audience claim for client_assertion must be the endpoint invoked for the request.")
    expires = claims.get("exp")
    if not isinstance(expires, int | float):
        raise invalid_client("The client_assertion must contain the 'exp' claim as seconds since epoch.")
    if expires <= now:
        raise invalid_client("The client_assertion token is expired.")
    if expires > now + LONGEST_S + _SKEW_S:
        raise invalid_client("The client_assertion token has an expiration too far into the future.")
    if claims.get("iat", now) > now + _SKEW_S:
        raise invalid_client("The client_assertion token must be issued before the current time.")
