"""The private key of an OAuth app, in whichever form people have it: PEM or JWK, RSA or EC."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from oktalogger.okta.errors import OktaConfigurationError

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey

# The algorithms that Okta takes for a service app's assertion, by kind of key; the first is used unless a JWK says so.
_RSA_ALGORITHMS = ("RS256", "RS384", "RS512")
_EC_ALGORITHMS = {"secp256r1": ("ES256",), "secp384r1": ("ES384",), "secp521r1": ("ES512",)}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, the algorithm to sign with, and the id under which Okta knows it."""

    key: PrivateKey = field(repr=False)
    algorithm: str
    key_id: str | None


def load_signing_key(private_key: str | Mapping[str, Any], *, key_id: str | None = None) -> SigningKey:
    r"""Return the key that signs, checked. No message shows any of it.

    :param private_key: PEM text (line ends may be written ``\\n``, as in environment variables), a JWK, or a key set
        of one, as mapping or JSON text.
    :param key_id: the ``kid``; a JWK's own by default.
    :raises OktaConfigurationError: when there is no usable private key in it.
    """
    jwk = _jwk_of(private_key)
    key, algorithms = _checked(_from_pem(str(private_key)) if jwk is None else _from_jwk(jwk))
    named = jwk or {}
    algorithm = named.get("alg") or algorithms[0]
    if algorithm not in algorithms:
        raise OktaConfigurationError(f"The private key says 'alg' {algorithm!r}; Okta takes {', '.join(algorithms)}.")
    return SigningKey(key, algorithm, (key_id or "").strip() or named.get("kid"))


def _jwk_of(private_key: str | Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the JWK, or None when this is no JSON and so must be PEM."""
    value: Any = private_key
    if isinstance(value, str):
        if not value.lstrip().startswith("{"):
            return None
        try:
            value = json.loads(value)
        except ValueError:
            # Without the cause: its message quotes the text.
            raise OktaConfigurationError("The private key begins like a JWK but is no valid JSON.") from None
    if isinstance(value.get("keys"), list):
        if len(value["keys"]) != 1:
            raise OktaConfigurationError(f"The private key is a set of {len(value['keys'])} keys: give the one to use.")
        value = value["keys"][0]
    if not isinstance(value, Mapping):
        raise OktaConfigurationError("The private key is no JWK: a JWK is a JSON object.")
    return value


def _from_jwk(jwk: Mapping[str, Any]) -> object:
    if "d" not in jwk:
        raise OktaConfigurationError(
            "The JWK holds no private part ('d'): this is the public key. Give the private key that Okta showed once, "
            "when the key was made."
        )
    try:
        return RSAAlgorithm.from_jwk(dict(jwk)) if jwk.get("kty") == "RSA" else ECAlgorithm.from_jwk(dict(jwk))
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        raise OktaConfigurationError(
            f"The JWK cannot be read as a private key (kty {jwk.get('kty')!r}, crv {jwk.get('crv')!r}): Okta takes RSA "
            "and EC (P-256, P-384, P-521)."
        ) from None


def _from_pem(text: str) -> object:
    text = text.replace("\\n", "\n").strip()
    if "ENCRYPTED" in text.partition("\n\n")[0]:
        raise OktaConfigurationError("The private key is encrypted: give it without a passphrase.")
    try:
        return load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise OktaConfigurationError(
            "The private key cannot be read: give it as PEM ('-----BEGIN PRIVATE KEY-----' ...) or as a JWK."
        ) from None


def _checked(key: object) -> tuple[PrivateKey, tuple[str, ...]]:
    """Return a key and the algorithms it can sign with."""
    if isinstance(key, RSAPrivateKey):
        return key, _RSA_ALGORITHMS
    if isinstance(key, EllipticCurvePrivateKey) and key.curve.name in _EC_ALGORITHMS:
        return key, _EC_ALGORITHMS[key.curve.name]
    raise OktaConfigurationError(
        f"Okta takes RSA and EC (P-256, P-384, P-521) keys, not this one ({type(key).__name__.strip('_')})."
    )
