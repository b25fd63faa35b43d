"""DPoP: proofs that the caller holds the key to which a token is bound (RFC 9449; Okta's guide "Configure DPoP")."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jwt
import msgspec

from local.simulator.oauth.clients import ALGORITHMS, SIGNATURE_ONLY
from local.simulator.oauth.errors import OAuthError, invalid_proof
from local.simulator.oauth.keys import public
from local.simulator.world.event import DAY, SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

OLDEST_S = 300
_NONCE_DAYS = 3
_REQUIRED = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}


RESOURCE_NONCES = ("none", "kept", "each")
"""At the resource: no nonce is asked for, as Okta does today; one that holds until changed; a new one each request."""


@dataclass
class Proofs:
    """Which proofs have been used, and which nonces hold.

    :param at_resource: one of ``RESOURCE_NONCES``
    :param round: changed, all nonces before are void
    """

    secret: bytes
    used: set[str] = field(default_factory=set)
    at_resource: str = "none"
    round: int = 0
    served: int = 0

    def nonce(self, now_us: int, days_ago: int = 0) -> str:
        """The token endpoint's nonce of a day; a new one each day, the old ones for three."""
        return self._nonce(f"{now_us // DAY - days_ago} {self.round}")

    def resource_nonce(self) -> str:
        """The resource's nonce."""
        return self._nonce(f"resource {self.round} {self.served if self.at_resource == 'each' else ''}")

    def _nonce(self, text: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self.secret, text.encode(), "sha256")[:18]).decode()

    def check_nonce(self, claims: dict[str, Any], now_us: int) -> None:
        """Refuse a proof without a present nonce, at the token endpoint.

        :raises OAuthError: ``use_dpop_nonce``, with the nonce to use in a header
        """
        given = str(claims.get("nonce", ""))
        if not any(hmac.compare_digest(given, self.nonce(now_us, days)) for days in range(_NONCE_DAYS + 1)):
            raise OAuthError(
                400, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof.",
                {"dpop-nonce": self.nonce(now_us)},
            )  # fmt: skip

    def check_resource_nonce(self, claims: dict[str, Any]) -> None:
        """The same at the resource, where it is asked for; RFC 9449, section 9, whose wording is used.

        :raises OAuthError: ``use_dpop_nonce``, with the nonce to use in a header
        """
        if self.at_resource == "none":
            return
        if not hmac.compare_digest(str(claims.get("nonce", "")), self.resource_nonce()):
            raise OAuthError(
                401, "use_dpop_nonce", "Resource server requires nonce in DPoP proof",
                {"dpop-nonce": self.resource_nonce()},
            )  # fmt: skip
        self.served += 1

    def check(
        self, headers: Sequence[str], method: str, url: str, now_us: int, *, access_token: str | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Check one proof and use it up.

        :param headers: every ``DPoP`` header of the request
        :param url: the request's URL without its query
        :param access_token: the token that the proof must name, at a resource
        :return: thumbprint of the proof's key, and the claims
        :raises OAuthError: naming what does not hold
        """
        if not headers:
            raise invalid_proof("The DPoP proof JWT header is missing.")
        if len(headers) > 1:
            raise invalid_proof("Multiple DPoP proof JWT headers are not allowed.")
        key, claims = _open(headers[0])
        if claims.get("htm") != method:
            raise invalid_proof("'htm' claim in the DPoP proof JWT is invalid.")
        if claims.get("htu") != url:
            raise invalid_proof("'htu' claim in the DPoP proof JWT is invalid.")
        _check_age(claims, now_us)
        jti = claims.get("jti")
        if not isinstance(jti, str) or not jti:
            raise invalid_proof("'jti' claim in the DPoP proof JWT is invalid.")
        thumb = thumbprint(key)
        if f"{thumb}.{jti}" in self.used:
            raise invalid_proof("The DPoP proof JWT has already been used.")
        if access_token is not None:
            wanted = base64.urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()).rstrip(b"=").decode()
            if claims.get("ath") != wanted:
                raise invalid_proof("'ath' claim in the DPoP proof does not match the presented access_token.")
        self.used.add(f"{thumb}.{jti}")
        return thumb, claims


def _open(proof: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        header = jwt.get_unverified_header(proof)
    except jwt.PyJWTError:
        raise invalid_proof("The DPoP proof JWT cannot be parsed.") from None
    if header.get("typ") != "dpop+jwt":
        raise invalid_proof("'typ' must be 'dpop+jwt' in the DPoP proof JWT.")
    if header.get("alg") not in ALGORITHMS:
        raise invalid_proof("The DPoP proof JWT signature algorithm is invalid.")
    key = header.get("jwk")
    if not isinstance(key, dict) or public(key) != key:
        raise invalid_proof("The DPoP proof JWT is invalid.")
    try:
        claims: dict[str, Any] = jwt.decode(
            proof, jwt.PyJWK(key, header["alg"]), algorithms=[header["alg"]], options=SIGNATURE_ONLY
        )
    except (jwt.PyJWTError, TypeError, ValueError):
        raise invalid_proof("The DPoP proof JWT signature is invalid.") from None
    return key, claims


def _check_age(claims: dict[str, Any], now_us: int) -> None:
    now, issued = now_us // SECOND, claims.get("iat")
    if not isinstance(issued, int) or isinstance(issued, bool):
        raise invalid_proof("'iat' claim in the DPoP proof JWT is invalid.")
    if issued > now + 60:
        raise invalid_proof("The DPoP proof JWT is issued in the future.")
    if issued < now - OLDEST_S:
        raise invalid_proof("The DPoP proof JWT is issued more than five minutes in the past.")


def thumbprint(key: dict[str, Any]) -> str:
    """The key's SHA-256 thumbprint (RFC 7638)."""
    names = _REQUIRED.get(key.get("kty", ""), ())
    text = msgspec.json.encode({name: key.get(name) for name in names})
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
