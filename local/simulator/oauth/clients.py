"""Service apps that are registered with the org, each with its public keys, grants and role."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

import jwt
import msgspec

from local.simulator.auth import SCOPE
from local.simulator.oauth.keys import algorithm, make_key, public

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
SIGNATURE_ONLY: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
"""What PyJWT is to check: times are compared with the simulator's clock, not with the machine's."""


@dataclass(slots=True)
class Client:
    """A service app that proves itself by ``private_key_jwt``.

    :param keys: public JWKs; several while keys are being rotated
    :param scopes: what an administrator has granted
    :param admin: whether the app has a role that reads the System Log
    :param dpop: whether it must bind its tokens to a key
    """

    client_id: str
    keys: list[dict[str, Any]] = field(default_factory=list)
    scopes: frozenset[str] = frozenset({SCOPE})
    admin: bool = True
    dpop: bool = False

    def key(self, kid: str | None) -> jwt.PyJWK | None:
        """The public key of that id; without one, the only key."""
        found = [key for key in self.keys if key.get("kid") == kid] if kid else self.keys
        return jwt.PyJWK(found[0], found[0].get("alg") or algorithm(found[0])) if len(found) == 1 else None


def register(wish: dict[str, Any]) -> tuple[Client, dict[str, Any]]:
    """Make a client from its description; without keys it gets a new one.

    :param wish: ``client_id``, ``jwks`` or ``keys``, ``scopes``, ``admin``, ``dpop``, ``key_type`` (``RSA`` or ``EC``)
    :return: the client, and its description with the private key if one was made
    """
    client_id = wish.get("client_id") or "0oa" + secrets.token_hex(9)[:17]
    given = (wish.get("jwks") or {}).get("keys") or wish.get("keys") or []
    described: dict[str, Any] = {"client_id": client_id}
    if not given:
        pem, jwk = make_key(wish.get("key_type", "RSA"))
        given = [jwk]
        described |= {"private_key": pem, "private_jwk": jwk}
    client = Client(
        client_id,
        [public(key) for key in given],
        frozenset(wish.get("scopes", [SCOPE])),
        bool(wish.get("admin", True)),
        bool(wish.get("dpop", False)),
    )
    for key in client.keys:
        jwt.PyJWK(key, key.get("alg") or algorithm(key))
    described |= {
        "kid": client.keys[0].get("kid"),
        "jwks": {"keys": client.keys},
        "scopes": sorted(client.scopes),
        "admin": client.admin,
        "dpop": client.dpop,
    }
    return client, described


def encode(described: dict[str, Any]) -> bytes:
    """A client's description as a file."""
    return msgspec.json.format(msgspec.json.encode(described), indent=2)
