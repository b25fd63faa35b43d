"""DPoP proofs by RFC 9449, and what the login makes of the answers to them."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from oktalogger.okta import errors
from oktalogger.okta.auth import PrivateKeyJwtAuth
from oktalogger.okta.dpop import DpopKey
from oktalogger.okta.system_log import SystemLogClient, SystemLogQuery
from tests.unit.okta.server import Answer, Asked, ScriptedServer, events, page
from tests.unit.okta.test_keys import pem

Connect = Callable[..., SystemLogClient]
APP_KEY = ec.generate_private_key(ec.SECP256R1())
PAGE = events(("2026-11-23T10:00:00.000Z", "a"))


def opened(proof: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Verify a proof by the key that it brings; return its header and its claims."""
    assert proof is not None
    header = jwt.get_unverified_header(proof)
    key = jwt.PyJWK(header["jwk"], header["alg"])
    return header, jwt.decode(proof, key, algorithms=[header["alg"]], options={"verify_iat": False})


def test_a_proof_holds_what_the_rfc_wants() -> None:
    key = DpopKey.generate()
    header, claims = opened(key.proof("GET", "https://a.test/api/v1/logs?since=x%3A&limit=1#f", now=1700000000.9))
    assert (header["typ"], header["alg"]) == ("dpop+jwt", "ES256")
    assert set(header["jwk"]) == {"kty", "crv", "x", "y"}, "no private part"
    assert len(claims.pop("jti")) == 36
    assert claims == {"htm": "GET", "htu": "https://a.test/api/v1/logs", "iat": 1700000000}


def test_a_proof_for_a_token_names_it() -> None:
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    _, claims = opened(DpopKey.generate().proof("GET", "https://a.test/", access_token=token, nonce="n"))
    # RFC 9449, section 7.1, has this token and this hash.
    assert claims["ath"] == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    assert claims["nonce"] == "n"


def test_no_two_proofs_are_the_same() -> None:
    key = DpopKey.generate()
    claims = [opened(key.proof("GET", "https://a.test/", now=1.0))[1] for _ in range(50)]
    assert len({one["jti"] for one in claims}) == 50


def oauth(status: int, code: str, description: str = "", **more: Any) -> Answer:
    return Answer(status, json.dumps({"error": code, "error_description": description}).encode(), **more)


NO_PROOF = ("invalid_dpop_proof", "The DPoP proof JWT header is missing.")


class Org:
    """An org that demands DPoP, with what it was asked."""

    def __init__(self) -> None:
        self.token_answers: list[Answer] = []
        self.log_answers: list[Answer] = []
        self.proofs: dict[str, list[str | None]] = {"token": [], "logs": []}
        self.authorizations: list[str] = []
        self.kind = "DPoP"
        self.issued = 0

    def __call__(self, asked: Asked) -> Answer:
        if asked.target != "/oauth2/v1/token":
            self.proofs["logs"].append(asked.headers["DPoP"])
            self.authorizations.append(asked.headers["Authorization"])
            return self.log_answers.pop(0) if self.log_answers else page(PAGE)
        self.proofs["token"].append(asked.headers["DPoP"])
        if self.token_answers:
            return self.token_answers.pop(0)
        if asked.headers["DPoP"] is None:
            return oauth(400, *NO_PROOF)
        self.issued += 1
        grant = {"token_type": self.kind, "expires_in": 3600, "access_token": f"access-{self.issued}"}
        return Answer(body=json.dumps(grant).encode())


@pytest.fixture
def org(okta: ScriptedServer) -> Org:
    found = Org()
    okta.answers(found)
    return found


@pytest.fixture
def auth(okta: ScriptedServer) -> PrivateKeyJwtAuth:
    return PrivateKeyJwtAuth(okta.url, "0oaClient", pem(APP_KEY))


def read(client: SystemLogClient, query: SystemLogQuery) -> int:
    return sum(len(page_.events) for page_ in client.pages(query))


def test_each_request_has_its_own_proof_of_the_tokens_key(
    org: Org, auth: PrivateKeyJwtAuth, okta: ScriptedServer, connect: Connect, query: SystemLogQuery
) -> None:
    client = connect(auth=auth)
    read(client, query)
    read(client, query)
    assert org.authorizations == ["DPoP access-1"] * 2
    token_key, claims = opened(org.proofs["token"][1])
    assert (claims["htm"], claims["htu"]) == ("POST", f"{okta.url}/oauth2/v1/token")
    assert "ath" not in claims
    opened_logs = [opened(proof) for proof in org.proofs["logs"]]
    assert [header["jwk"] for header, _ in opened_logs] == [token_key["jwk"]] * 2
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"access-1").digest()).rstrip(b"=").decode()
    for _, claims in opened_logs:
        assert (claims["htm"], claims["htu"], claims["ath"]) == ("GET", f"{okta.url}/api/v1/logs", digest)
    assert len({claims["jti"] for _, claims in opened_logs}) == 2


def test_a_new_token_has_a_new_key(org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery) -> None:
    org.log_answers = [Answer(401, b"", [("WWW-Authenticate", 'DPoP error="invalid_token"')])]
    read(connect(auth=auth), query)
    assert org.authorizations == ["DPoP access-1", "DPoP access-2"]
    keys = [opened(proof)[0]["jwk"]["x"] for proof in org.proofs["logs"]]
    assert len(set(keys)) == 2


def test_nonces_of_the_two_endpoints_are_kept_apart(
    org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery
) -> None:
    org.token_answers = [
        oauth(400, *NO_PROOF),
        oauth(400, "use_dpop_nonce", headers=[("dpop-nonce", "for-tokens")]),
    ]
    org.log_answers = [
        Answer(401, b"", [("WWW-Authenticate", 'DPoP error="use_dpop_nonce"'), ("DPoP-Nonce", "for-logs")])
    ]
    read(connect(auth=auth), query)
    nonces = {at: [proof and opened(proof)[1].get("nonce") for proof in proofs] for at, proofs in org.proofs.items()}
    assert nonces == {"token": [None, None, "for-tokens"], "logs": [None, "for-logs"]}


@pytest.mark.parametrize("where", ["token", "logs"])
def test_a_server_that_never_likes_a_nonce_is_not_asked_for_ever(
    org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery, where: str, slept: list[float]
) -> None:
    again = oauth(400, "use_dpop_nonce", "Once more.", headers=[("DPoP-Nonce", "n")])
    if where == "token":
        org.token_answers = [again] * 20
    else:
        org.log_answers = [again] * 20
    with pytest.raises(errors.OktaAuthenticationError, match="refuses the DPoP proof: 400 use_dpop_nonce Once more"):
        read(connect(auth=auth), query)
    assert len(org.proofs[where]) <= 4
    assert slept == []


def test_a_nonce_that_is_asked_for_but_not_given(
    org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery
) -> None:
    org.log_answers = [oauth(401, "use_dpop_nonce")]
    with pytest.raises(errors.OktaAuthenticationError, match="refuses the DPoP proof: 401 use_dpop_nonce"):
        read(connect(auth=auth), query)
    assert len(org.proofs["logs"]) == 1


def test_a_refused_proof_says_what_to_check(
    org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery
) -> None:
    org.log_answers = [
        Answer(401, b"", [("WWW-Authenticate", 'DPoP error="invalid_dpop_proof", error_description="htu"')], date=0.0)
    ]
    with pytest.raises(errors.OktaAuthenticationError, match=r"invalid_dpop_proof htu.*proxy.*clock is \d+ s ahead"):
        read(connect(auth=auth), query)


def test_a_token_bound_to_no_key_is_used_unless_the_connection_says_otherwise(
    okta: ScriptedServer, org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery
) -> None:
    org.kind = "Bearer"
    assert read(connect(auth=auth), query) == 1
    assert (org.authorizations, org.proofs["logs"]) == (["Bearer access-1"], [None])
    strict = PrivateKeyJwtAuth(okta.url, "0oaClient", pem(APP_KEY), dpop=True)
    with pytest.raises(errors.OktaAuthenticationError, match="not bound to a key"):
        read(connect(auth=strict), query)
    assert len(org.authorizations) == 1


@pytest.mark.parametrize("kind", ["DPoP", "mac"])
def test_a_token_of_another_kind_than_asked_for(
    org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery, kind: str
) -> None:
    org.token_answers = [Answer(body=json.dumps({"token_type": kind, "access_token": "secret"}).encode())]
    with pytest.raises(errors.OktaProtocolError, match=f"not asked for \\({kind.lower()}\\)") as caught:
        read(connect(auth=auth), query)
    assert "secret" not in str(caught.value)


def test_a_redirect_is_not_followed(
    org: Org, auth: PrivateKeyJwtAuth, okta: ScriptedServer, connect: Connect, query: SystemLogQuery
) -> None:
    org.log_answers = [Answer(302, b"", [("Location", f"{okta.url}/api/v1/logs?elsewhere")])]
    with pytest.raises(errors.OktaProtocolError, match="redirect"):
        read(connect(auth=auth), query)
    assert len(org.proofs["logs"]) == 1


def test_nothing_secret_is_logged_or_raised(
    org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery, caplog: pytest.LogCaptureFixture
) -> None:
    org.log_answers = [oauth(400, "invalid_dpop_proof", "no")]
    with caplog.at_level(logging.DEBUG), pytest.raises(errors.OktaAuthenticationError) as caught:
        read(connect(auth=auth), query)
    for secret in ("access-1", *filter(None, (*org.proofs["token"], *org.proofs["logs"]))):
        assert secret not in caplog.text
        assert secret not in str(caught.value)


def test_who_keeps_the_log_clean_is_told_of_each_token(
    okta: ScriptedServer, org: Org, connect: Connect, query: SystemLogQuery
) -> None:
    told: list[str] = []
    auth = PrivateKeyJwtAuth(okta.url, "0oaClient", pem(APP_KEY), on_token=told.append)
    read(connect(auth=auth), query)
    assert told == ["access-1"]
