"""Makes DPoP proofs: they show that the sender holds the key to which the access token is bound (RFC 9449).

Written by hand, because requests-oauthlib, the usual OAuth client for requests, has no DPoP.
"""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

# Okta accepts RS256 to ES512 (its guide "Configure DPoP"); this one makes keys and signs fastest.
_ALGORITHM = "ES256"


class DpopKey:
    """A key that proves who sends a request. It lives in memory only, as long as the access token bound to it.

    It differs from the key by which the app logs in, as Okta's guide demands.

    :param key: a key on the curve P-256.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        public: dict[str, Any] = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        # Only the public numbers: a proof must not hold the private part.
        self._public = {name: public[name] for name in ("kty", "crv", "x", "y")}

    @classmethod
    def generate(cls) -> Self:
        """Return a new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    def proof(
        self,
        method: str,
        url: str,
        *,
        access_token: str | None = None,
        nonce: str | None = None,
        now: float | None = None,
    ) -> str:
        """Return the value of the header ``DPoP`` for one request. Each call returns a new proof.

        :param method: the request's method.
        :param url: the request's URL; its query and fragment are left out, as RFC 9449 section 4.2 says.
        :param access_token: the token sent with it; None for a request that asks for a token.
        :param nonce: the server's latest nonce.
        :param now: seconds since the epoch.
        """
        claims: dict[str, Any] = {
            "jti": str(uuid.uuid4()),
            "htm": method,
            "htu": url.partition("#")[0].partition("?")[0],
            "iat": int(time.time() if now is None else now),
        }
        if access_token is not None:
            digest = hashlib.sha256(access_token.encode("ascii")).digest()
            claims["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if nonce is not None:
            claims["nonce"] = nonce
        return jwt.encode(claims, self._key, _ALGORITHM, {"typ": "dpop+jwt", "jwk": self._public})
