"""Authenticates requests: by an API token (SSWS), or by an access token of the simulator's own token endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.simulator.errors import ApiError
from local.simulator.world.event import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.simulator.clock import Clock

SCOPE = "okta.logs.read"
_UNUSED_US = 30 * DAY


@dataclass(slots=True)
class ApiToken:
    """An API token. It dies when it is not used for 30 days.

    :param id: as Okta shows it in ``transaction.detail.requestApiTokenId``
    :param admin: whether its owner has a role that reads the System Log
    """

    id: str
    admin: bool = True
    used_us: int | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token from the token endpoint.

    :param thumbprint: of the key that it is bound to, for DPoP
    """

    client_id: str
    scopes: frozenset[str]
    expires_us: int
    admin: bool
    thumbprint: str | None = None


@dataclass
class Tokens:
    """All tokens that are valid."""

    api: dict[str, ApiToken] = field(default_factory=dict)
    access: dict[str, AccessToken] = field(default_factory=dict)


def _refuse(status: int, code: str, summary: str, challenge: str | None = None) -> ApiError:
    return ApiError(status, code, summary, (), {"WWW-Authenticate": challenge} if challenge else {})


def _unauthenticated() -> ApiError:
    return _refuse(401, "E0000011", "Invalid token provided")


def identify(headers: Mapping[str, str], tokens: Tokens, clock: Clock) -> ApiToken | AccessToken:
    """Who asks, without yet asking what they may.

    :raises ApiError: 401 or 403 as Okta words it
    """
    given = headers.get("authorization")
    if given is None:
        raise _refuse(403, "E0000005", "Invalid session")
    scheme, _, secret = given.partition(" ")
    if scheme.upper() == "SSWS":
        known = tokens.api.get(secret)
        now = clock.now_us()
        if known is None or (known.used_us is not None and now - known.used_us > _UNUSED_US):
            raise _unauthenticated()
        known.used_us = now
        return known
    if scheme.lower() in ("bearer", "dpop"):
        granted = tokens.access.get(secret)
        if granted is None or granted.expires_us <= clock.now_us():
            challenge = f'{scheme} authorization_uri="/oauth2/v1/authorize", error="invalid_token"'
            raise _refuse(401, "E0000011", "Invalid token provided", challenge)
        return granted
    raise _refuse(401, "E0000004", "Authentication failed")


def bound(who: ApiToken | AccessToken, scheme: str) -> str | None:
    """The key to which a token is bound, if it is, after a look at the scheme.

    :raises ApiError: for a bound token that is not sent as one, and the other way round
    """
    thumb = who.thumbprint if isinstance(who, AccessToken) else None
    if thumb is not None and scheme.lower() != "dpop":
        raise _refuse(
            400, "invalid_request", "The resource request must use the DPoP authentication scheme when using a DPoP "
            "bound token.",
        )  # fmt: skip
    if thumb is None and scheme.lower() == "dpop":
        raise _refuse(401, "invalid_token", "The presented access_token is not DPoP bound.")
    return thumb


def permit(who: ApiToken | AccessToken, scheme: str) -> None:
    """Let only those pass who may read the System Log.

    :raises ApiError: 403 for a missing scope (with its challenge) or a missing role
    """
    if isinstance(who, AccessToken) and SCOPE not in who.scopes:
        challenge = (
            f'{scheme} authorization_uri="/oauth2/v1/authorize", realm="/oauth2/v1/authorize", scope="{SCOPE}", '
            'error="insufficient_scope", error_description="The access token provided does not contain the required '
            'scopes.", resource="/api/v1/logs"'
        )
        raise _refuse(403, "E0000006", "You do not have permission to perform the requested action", challenge)
    if not who.admin:
        raise _refuse(403, "E0000006", "You do not have permission to perform the requested action")


def bucket_of(who: ApiToken | AccessToken) -> str:
    """The name of the caller's own rate bucket."""
    return who.id if isinstance(who, ApiToken) else who.client_id
