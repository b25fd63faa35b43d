"""The private keys of an OAuth app: checked, each with its algorithm and the id under which Okta knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from oktalogger.okta.errors import OktaConfigurationError
from oktalogger.okta.key_forms import KeyForm, KeyMaterial, key_forms

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

    def __str__(self) -> str:
        """Name the key in a sentence."""
        return f"key {self.key_id}" if self.key_id else "key without an id"


def load_signing_keys(material: KeyMaterial, *, key_id: str | None = None) -> tuple[SigningKey, ...]:
    """Return the keys that sign, checked, the one to try first in front. No message shows any of them.

    :param material: one key, or a set of JWKs, in any form of :mod:`oktalogger.okta.key_forms`.
    :param key_id: the ``kid``; a JWK's own by default. Of several keys, the one to try first.
    :raises OktaConfigurationError: when there is no usable private key in it.
    """
    keys = tuple(_signing_key(form) for form in key_forms(material))
    key_id = (key_id or "").strip() or None
    if len(keys) == 1:
        return (SigningKey(keys[0].key, keys[0].algorithm, key_id or keys[0].key_id),)
    ids = [key.key_id for key in known_apart(keys)]
    if key_id and key_id not in ids:
        raise OktaConfigurationError(f"The key id {key_id!r} is that of no key in the set: {', '.join(map(str, ids))}.")
    return tuple(sorted(keys, key=lambda key: key_id is not None and key.key_id != key_id))


def known_apart(keys: tuple[SigningKey, ...]) -> tuple[SigningKey, ...]:
    """Return the keys, if each has an id of its own.

    :raises OktaConfigurationError: where one has none, or two have the same.
    """
    ids = [key.key_id for key in keys]
    if None in ids or len(set(ids)) < len(ids):
        raise OktaConfigurationError(
            f"The connection has {len(keys)} private keys, so each needs an id (kid) of its own, as the app's page in "
            "Okta shows it: Okta knows them apart by it."
        )
    return keys


def _signing_key(form: KeyForm) -> SigningKey:
    key, algorithms = _checked(_from_jwk(form) if isinstance(form, Mapping) else _from_text(form))
    named = form if isinstance(form, Mapping) else {}
    algorithm = named.get("alg") or algorithms[0]
    if algorithm not in algorithms:
        raise OktaConfigurationError(f"The private key says 'alg' {algorithm!r}; Okta takes {', '.join(algorithms)}.")
    return SigningKey(key, algorithm, named.get("kid"))


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


def _from_text(form: str | bytes) -> object:
    try:
        if isinstance(form, bytes):
            return load_der_private_key(form, password=None)
        return load_pem_private_key(form.encode(), password=None)
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
