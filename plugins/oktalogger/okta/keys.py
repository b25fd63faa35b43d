"""Reads and checks the private keys of an OAuth app, each with its algorithm and its id in Okta."""

from __future__ import annotations

import base64
import binascii
import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from oktalogger.okta.errors import OktaConfigurationError

KeyMaterial = str | Mapping[str, Any] | Sequence[Any]
KeyForm = str | bytes | Mapping[str, Any]
"""One key: PEM text with its line ends, DER, or a JWK."""

SECRET_NUMBERS = ("d", "p", "q", "dp", "dq", "qi")

_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----(.*?)-----END \1-----", re.DOTALL)
# JSON inside JSON escapes a line end more than once.
_WRITTEN_LINE_END = re.compile(r"(?:\\+[rn])+")
_MAX_WRAPPINGS = 4
_SHORTEST_SECRET_LINE = 16


def key_forms(material: KeyMaterial) -> tuple[KeyForm, ...]:
    """Return each key in a form that a library reads. Does not check whether the key is usable.

    :raises OktaConfigurationError: if it has none of the forms; the message does not show it.
    """
    return tuple(_unwrapped(material, _MAX_WRAPPINGS))


def secret_parts(material: KeyMaterial) -> list[str]:
    """Return every text of a key to mask in logs: the whole, each line, and each private number of a JWK.

    :param material: the key as the connection holds it, usable or not.
    """
    parts = [material] if isinstance(material, str) else [json.dumps(material)]
    try:
        forms = key_forms(material)
    except OktaConfigurationError:
        return parts
    for form in forms:
        if isinstance(form, Mapping):
            parts += [str(form[name]) for name in SECRET_NUMBERS if form.get(name)]
        elif isinstance(form, str):
            lines = [line for line in form.splitlines() if not line.startswith("-----")]
            # A short last line is not a secret by itself, and masking it would mask innocent words.
            parts += [form, "".join(lines), *(line for line in lines if len(line) >= _SHORTEST_SECRET_LINE)]
    return parts


def _unwrapped(material: object, wrappings: int) -> Iterator[KeyForm]:
    if isinstance(material, Mapping):
        if isinstance(material.get("keys"), list):
            yield from _each(material["keys"], wrappings)
        else:
            yield material
        return
    if isinstance(material, Sequence) and not isinstance(material, str | bytes):
        yield from _each(material, wrappings)
        return
    if not isinstance(material, str):
        raise OktaConfigurationError("The private key is not a JWK: a JWK is a JSON object.")
    text = material.strip().removeprefix("\ufeff")
    if text[:1] in ("{", "[", '"') and wrappings:
        yield from _unwrapped(_from_json(text), wrappings - 1)
    elif "-----BEGIN" in text:
        yield from _pem(text)
    else:
        yield from _from_base64(text, wrappings)


def _each(keys: Sequence[Any], wrappings: int) -> Iterator[KeyForm]:
    if not keys:
        raise OktaConfigurationError("The private key is an empty set of keys: put the key in.")
    for key in keys:
        if not isinstance(key, Mapping):
            raise OktaConfigurationError("The private key is a set that holds something that is not a JWK.")
        yield from _unwrapped(key, wrappings)


def _from_json(text: str) -> Any:
    with suppress(ValueError):
        return json.loads(text, strict=False)  # PEM inside JSON may contain line ends
    # Not raised in the handler: the new error would carry the first one, which holds the whole text.
    raise OktaConfigurationError("The private key begins like a JWK but is not valid JSON.")


def _pem(text: str) -> Iterator[str]:
    if "ENCRYPTED" in text:
        raise OktaConfigurationError("The private key is encrypted: give it without a passphrase.")
    blocks = list(_PEM.finditer(_WRITTEN_LINE_END.sub("\n", text)))
    # OpenSSL writes the curve before a key in the older format.
    blocks = [block for block in blocks if block[1] != "EC PARAMETERS"]
    if len(blocks) != 1:
        raise (
            _unreadable()
            if not blocks
            else OktaConfigurationError(
                f"The private key is {len(blocks)} keys in PEM, which have no place for their ids: give one as "
                "private_key with key_id, the other as fallback_private_key with fallback_key_id."
            )
        )
    kind, body = blocks[0].groups()
    lines = "\n".join(textwrap.wrap("".join(body.split()), 64))
    yield f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n"


def _from_base64(text: str, wrappings: int) -> Iterator[KeyForm]:
    plain = "".join(_WRITTEN_LINE_END.sub("", text).split()).translate(str.maketrans("-_", "+/"))
    try:
        inner = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _unreadable() from None
    if inner[:1] == b"\x30":
        yield inner
        return
    if not wrappings or not inner.isascii() or not (b"-----BEGIN" in inner or inner.lstrip()[:1] in (b"{", b"[", b'"')):
        raise _unreadable()
    yield from _unwrapped(inner.decode("ascii"), wrappings - 1)


def _unreadable() -> OktaConfigurationError:
    return OktaConfigurationError(
        "The private key cannot be read: give it as PEM ('-----BEGIN PRIVATE KEY-----' ...) or as a JWK."
    )


PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey

# The algorithms that Okta accepts for a service app's assertion, by kind of key; the first is the default.
_RSA_ALGORITHMS = ("RS256", "RS384", "RS512")
_EC_ALGORITHMS = {"secp256r1": ("ES256",), "secp384r1": ("ES384",), "secp521r1": ("ES512",)}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, the algorithm to sign with, and the key's id in Okta."""

    key: PrivateKey = field(repr=False)
    algorithm: str
    key_id: str | None

    def __str__(self) -> str:
        """Name the key in a sentence."""
        return f"key {self.key_id}" if self.key_id else "key without an id"


def load_signing_keys(material: KeyMaterial, *, key_id: str | None = None) -> tuple[SigningKey, ...]:
    """Return the checked signing keys, the one to try first in front. No message shows a key.

    :param material: one key, or a set of JWKs, in any form of :mod:`oktalogger.okta.keys`.
    :param key_id: the ``kid``; a JWK's own by default. Of several keys, the one to try first.
    :raises OktaConfigurationError: if there is no usable private key in it.
    """
    keys = tuple(_signing_key(form) for form in key_forms(material))
    key_id = (key_id or "").strip() or None
    if len(keys) == 1:
        return (SigningKey(keys[0].key, keys[0].algorithm, key_id or keys[0].key_id),)
    ids = [key.key_id for key in known_apart(keys)]
    if key_id and key_id not in ids:
        raise OktaConfigurationError(
            f"The key id {key_id!r} belongs to none of the keys in the set: {', '.join(map(str, ids))}."
        )
    return tuple(sorted(keys, key=lambda key: key_id is not None and key.key_id != key_id))


def known_apart(keys: tuple[SigningKey, ...]) -> tuple[SigningKey, ...]:
    """Return the keys, after checking that each has its own id.

    :raises OktaConfigurationError: if one has none, or two have the same.
    """
    ids = [key.key_id for key in keys]
    if None in ids or len(set(ids)) < len(ids):
        raise OktaConfigurationError(
            f"The connection has {len(keys)} private keys, so each needs its own id (kid), which the app's page in "
            "Okta shows: Okta tells them apart by it."
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
    """Return a key and the algorithms that it can sign with."""
    if isinstance(key, RSAPrivateKey):
        return key, _RSA_ALGORITHMS
    if isinstance(key, EllipticCurvePrivateKey) and key.curve.name in _EC_ALGORITHMS:
        return key, _EC_ALGORITHMS[key.curve.name]
    raise OktaConfigurationError(
        f"Okta takes RSA and EC (P-256, P-384, P-521) keys, not this one ({type(key).__name__.strip('_')})."
    )
