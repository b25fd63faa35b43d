from __future__ import annotations

import base64
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
from oktalogger.okta.keys import SigningKey, load_signing_keys, secret_parts

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVES: list[tuple[ec.EllipticCurve, str]] = [
    (ec.SECP256R1(), "ES256"),
    (ec.SECP384R1(), "ES384"),
    (ec.SECP521R1(), "ES512"),
]


def load_signing_key(material: Any, *, key_id: str | None = None) -> SigningKey:
    (key,) = load_signing_keys(material, key_id=key_id)
    return key


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


PEM = pem(RSA)
BODY = "".join(PEM.splitlines()[1:-1])
WRAPPINGS = {
    "one line": PEM.replace("\n", " "),
    "no line ends": PEM.replace("\n", ""),
    "written line ends": PEM.replace("\n", "\\n"),
    "written twice": PEM.replace("\n", "\\\\n"),
    "DOS": PEM.replace("\n", "\r\n"),
    "written DOS": PEM.replace("\n", "\\r\\n"),
    "a byte order mark": "\ufeff" + PEM,
    "a JSON string": json.dumps(PEM),
    "a JSON string with its line ends": f'"{PEM}"',
    "a JSON string twice": json.dumps(json.dumps(PEM)),
    "Base64": base64.b64encode(PEM.encode()).decode(),
    "Base64 in lines": base64.encodebytes(PEM.encode()).decode(),
    "Base64 for URLs": base64.urlsafe_b64encode(PEM.encode()).decode().rstrip("="),
    "Base64 of written line ends": base64.b64encode(PEM.replace("\n", "\\n").encode()).decode(),
    "without its markers": BODY,
    "DER of the older kind": base64.b64encode(
        RSA.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    ).decode(),
    "a JWK": jwk(RSA),
    "a JWK as text": json.dumps(jwk(RSA), indent=2),
    "a JWK as text twice": json.dumps(json.dumps(jwk(RSA))),
    "a JWK in Base64": base64.b64encode(json.dumps(jwk(RSA)).encode()).decode(),
    "a key set in Base64": base64.b64encode(json.dumps({"keys": [jwk(RSA)]}).encode()).decode(),
    "an array of one": [jwk(RSA)],
}


@pytest.mark.parametrize("how", WRAPPINGS)
def test_every_wrapping_is_undone_and_its_secret_parts_are_known(how: str) -> None:
    material: Any = WRAPPINGS[how]
    assert load_signing_key(material, key_id="k").key.private_numbers() == RSA.private_numbers()
    parts = secret_parts(material)
    assert (material if isinstance(material, str) else json.dumps(material)) in parts
    if "JWK" in how or "key set" in how or "array" in how:
        assert jwk(RSA)["d"] in parts
        assert jwk(RSA)["n"] not in parts
    elif how not in ("without its markers", "DER of the older kind"):
        assert set(PEM.splitlines()[1:-2]) <= set(parts)
    assert min(map(len, parts)) >= 16, "masking a few letters would black out innocent words"


def test_what_is_no_key_is_secret_all_the_same() -> None:
    assert secret_parts("the-key-with-a-slip") == ["the-key-with-a-slip"]


EC_KEY = ec.generate_private_key(ec.SECP256R1())


def test_an_ec_key_as_openssl_writes_it() -> None:
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    key = load_signing_key(parameters + pem(EC_KEY, PrivateFormat.TraditionalOpenSSL))
    assert key.key.private_numbers() == EC_KEY.private_numbers()


def test_a_set_of_two_keys() -> None:
    both = {"keys": [jwk(RSA, kid="new"), jwk(EC_KEY, kid="old")]}
    assert [key.key_id for key in load_signing_keys(both)] == ["new", "old"]
    assert [key.key_id for key in load_signing_keys(json.dumps(both["keys"]), key_id="old")] == ["old", "new"]
    assert [str(key) for key in load_signing_keys(both)] == ["key new", "key old"]


BAD: list[tuple[Any, str]] = [
    ("", "cannot be read"),
    ("secret-nonsense", "cannot be read"),
    ("{secret", "not valid JSON"),
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
    ({"keys": []}, "an empty set of keys"),
    ({"keys": ["secret"]}, "not a JWK"),
    ({"keys": [jwk(RSA), jwk(EC_KEY, kid="old")]}, "2 private keys.*own id"),
    ({"keys": [jwk(RSA, kid="k"), jwk(EC_KEY, kid="k")]}, "2 private keys.*own id"),
    ([], "an empty set of keys"),
    (3, "not a JWK"),
    (PEM + pem(EC_KEY), "2 keys in PEM.*fallback_private_key"),
    ("-----BEGIN PRIVATE KEY-----", "cannot be read"),
    (base64.b64encode(b"0secret").decode(), "cannot be read"),
    (base64.b64encode(b"secret").decode(), "cannot be read"),
    (json.dumps(json.dumps(json.dumps(json.dumps(json.dumps("secret"))))), "cannot be read"),
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


def test_a_key_id_that_no_key_of_the_set_has() -> None:
    with pytest.raises(OktaConfigurationError, match=r"'new' belongs to none of the keys in the set: a, b"):
        load_signing_keys([jwk(RSA, kid="a"), jwk(EC_KEY, kid="b")], key_id="new")


def test_the_key_is_not_in_its_repr() -> None:
    assert "key=" not in repr(load_signing_key(pem(RSA))).replace("key_id=", "")
