"""Errors of the token endpoint, in OAuth's form. Texts: developer.okta.com, "OpenID Connect & OAuth 2.0 errors"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping


class OAuthError(Exception):
    """An OAuth error; ``description`` is Okta's sentence."""

    def __init__(self, status: int, error: str, description: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description
        self.headers = {"Cache-Control": "no-cache, no-store", **(headers or {})}

    def response(self) -> Response:
        """The answer as Okta words it."""
        body = msgspec.json.encode({"error": self.error, "error_description": self.description})
        return Response(body, self.status, self.headers, "application/json")


def invalid_client(description: str) -> OAuthError:
    """The client could not prove who it is."""
    return OAuthError(401, "invalid_client", description)


def invalid_proof(description: str) -> OAuthError:
    """A DPoP proof does not hold."""
    return OAuthError(400, "invalid_dpop_proof", description)
