from __future__ import annotations

import json
import traceback
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from oktalogger.okta.errors import OktaConfigurationError
from oktalogger.okta.keys import load_signing_key

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVES: list[tuple[ec.EllipticCurve, str]] = [
    (ec.SECP256R1(), "ES256"),
    (ec.SECP384R1(), "ES384"),
    (ec.SECP521R1(), "ES512"),
]


def pem(
    key: Any,
    format_: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption = NoEncryption(),  # noqa: B008
) -> str:
    return str(key.private_bytes(Encoding.PEM, format_, encryption).decode())


def jwk(key: Any, **more: str) -> dict[str, Any]:
    algorithm: Any = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**algorithm.to_jwk(key, as_dict=True), **more}


@pytest.mark.parametrize("format_", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_rsa_pem(format_: PrivateFormat) -> None:
    key = load_signing_key(pem(RSA, format_), key_id="k1")
    assert (key.key.private_numbers(), key.algorithm, key.key_id) == (RSA.private_numbers(), "RS256", "k1")


def test_pem_with_written_line_ends() -> None:
    key = load_signing_key("  " + pem(RSA).replace("\n", "\\n"))
    assert (key.key.private_numbers(), key.key_id) == (RSA.private_numbers(), None)


@pytest.mark.parametrize(("curve", "algorithm"), CURVES)
def test_ec(curve: ec.EllipticCurve, algorithm: str) -> None:
    private = ec.generate_private_key(curve)
    for form in (pem(private), jwk(private), json.dumps(jwk(private))):
        key = load_signing_key(form)
        assert (key.key.private_numbers(), key.algorithm) == (private.private_numbers(), algorithm)


def test_jwk_brings_its_key_id_and_algorithm() -> None:
    key = load_signing_key(jwk(RSA, kid="own", alg="RS512"))
    assert (key.algorithm, key.key_id) == ("RS512", "own")
    assert load_signing_key(jwk(RSA, kid="own"), key_id="other").key_id == "other"


def test_a_key_set_of_one() -> None:
    assert load_signing_key({"keys": [jwk(RSA, kid="own")]}).key_id == "own"


BAD: list[tuple[Any, str]] = [
    ("", "cannot be read"),
    ("secret-nonsense", "cannot be read"),
    ("{secret", "no valid JSON"),
    (pem(RSA)[:-200], "cannot be read"),
    (pem(RSA, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")), "is encrypted"),
    (pem(RSA, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"x")), "is encrypted"),
    (RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(), "cannot be read"),
    ({name: value for name, value in jwk(RSA).items() if name in ("kty", "n", "e")}, "this is the public key"),
    (pem(ed25519.Ed25519PrivateKey.generate()), "Okta takes RSA and EC"),
    (pem(ec.generate_private_key(ec.SECP256K1())), "Okta takes RSA and EC"),
    ({"kty": "oct", "k": "c2VjcmV0", "d": "x"}, "kty 'oct'.*Okta takes RSA"),
    ({"kty": "RSA", "n": 1, "e": [], "d": "secret"}, "cannot be read"),
    ({"d": "secret"}, "cannot be read"),
    ({}, "this is the public key"),
    ({"keys": []}, "a set of 0 keys"),
    ({"keys": ["secret"]}, "no JWK"),
    (jwk(RSA, alg="ES256"), "says 'alg' 'ES256'"),
    (jwk(RSA, alg="none"), "says 'alg' 'none'"),
    (jwk(RSA, alg="PS256"), "says 'alg' 'PS256'"),
]


@pytest.mark.parametrize(("given", "says"), BAD)
def test_what_is_no_key_is_told_without_showing_it(given: Any, says: str) -> None:
    with pytest.raises(OktaConfigurationError, match=says) as caught:
        load_signing_key(given)
    shown = "".join(traceback.format_exception_only(caught.value))
    assert "secret" not in shown
    assert "MII" not in shown
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_key_is_not_in_its_repr() -> None:
    assert "key=" not in repr(load_signing_key(pem(RSA))).replace("key_id=", "")
