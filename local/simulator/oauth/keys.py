"""Keys of service apps. For tests in any environment: needs no web server."""

from __future__ import annotations

import secrets
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

_PRIVATE = ("d", "p", "q", "dp", "dq", "qi")


def algorithm(key: dict[str, Any]) -> str:
    """The algorithm that goes with a key."""
    return {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}.get(key.get("crv", ""), "RS256")


def make_key(kind: str = "RSA") -> tuple[str, dict[str, Any]]:
    """A new private key.

    :param kind: ``RSA`` or ``EC``
    :return: the key as PEM and as private JWK with a ``kid``
    """
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if kind == "EC":
        key = ec.generate_private_key(ec.SECP256R1())
        jwk = ECAlgorithm.to_jwk(key, as_dict=True)
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        jwk = RSAAlgorithm.to_jwk(key, as_dict=True)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    jwk.pop("key_ops", None)
    return pem, {**jwk, "kid": secrets.token_hex(8), "use": "sig", "alg": algorithm(jwk)}


def public(jwk: dict[str, Any]) -> dict[str, Any]:
    """The public part of a JWK."""
    return {name: value for name, value in jwk.items() if name not in (*_PRIVATE, "key_ops", "oth")}
