"""API tokens, client assertions, access tokens, DPoP."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
from jwt import PyJWK

from local.simulator.oauth.dpop import thumbprint
from local.simulator.oauth.keys import make_key, public
from local.simulator.process import running

if TYPE_CHECKING:
    from pathlib import Path

    from local.simulator.process import Simulator

LOGS, TOKEN = "/api/v1/logs", "/oauth2/v1/token"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "okta.logs.read"


class App:
    """A service app that can do each thing wrong."""

    def __init__(self, okta: Simulator, **wish: Any) -> None:
        self.okta = okta
        self.client: dict[str, Any] = okta.control.post("/oauth-clients", key_type="EC", **wish)
        self.jwk: dict[str, Any] = self.client.get("private_jwk") or wish.get("private_jwk", {})
        self.http = httpx.Client(base_url=okta.url, trust_env=False)

    def now(self) -> int:
        return int(self.okta.control.get("/clock")["epoch"])

    def assertion(self, jwk: dict[str, Any] | None = None, kid: str | None = "own", **claims: Any) -> str:
        key = jwk or self.jwk
        base: dict[str, Any] = {"iss": self.client["client_id"], "sub": self.client["client_id"]}
        base |= {"aud": self.okta.url + TOKEN, "iat": self.now(), "exp": self.now() + 300, "jti": str(uuid.uuid4())}
        whole = {name: value for name, value in (base | claims).items() if value is not None}
        headers = {} if kid is None else {"kid": key["kid"] if kid == "own" else kid}
        return jwt.encode(whole, PyJWK(key).key, key["alg"], headers)

    def login(self) -> dict[str, str]:
        return {"scope": SCOPE, "client_assertion_type": TYPE, "client_assertion": self.assertion()}

    def ask(self, assertion: str | None = None, dpop: str | None = None, **form: str | None) -> httpx.Response:
        base = {"grant_type": "client_credentials", "scope": SCOPE, "client_assertion_type": TYPE}
        whole = base | {"client_assertion": assertion or self.assertion()} | form
        data = {name: value for name, value in whole.items() if value is not None}
        return self.http.post(TOKEN, data=data, headers={"DPoP": dpop} if dpop else {})

    def token(self) -> str:
        answer = self.ask()
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def read(self, token: str, scheme: str = "Bearer", **headers: str) -> httpx.Response:
        return self.http.get(LOGS, params={"limit": "1"}, headers={"Authorization": f"{scheme} {token}", **headers})

    def proof(
        self, jwk: dict[str, Any], method: str, path: str, typ: str = "dpop+jwt", header: Any = None, **claims: Any
    ) -> str:
        base: dict[str, Any] = {"htm": method, "htu": self.okta.url + path, "iat": self.now(), "jti": str(uuid.uuid4())}
        whole = {name: value for name, value in (base | claims).items() if value is not None}
        return jwt.encode(whole, PyJWK(jwk).key, jwk["alg"], {"typ": typ, "jwk": public(jwk), **(header or {})})


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 403, "E0000005"),
        ("SSWS wrong", 401, "E0000011"),
        ("Bearer wrong", 401, "E0000011"),
        ("Basic dTpw", 401, "E0000004"),
    ],
)
def test_bad_credentials(okta: Simulator, header: str | None, status: int, code: str) -> None:
    headers = {"Authorization": header} if header else {}
    answer = httpx.get(okta.url + LOGS, headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()["errorCode"]) == (status, code)
    assert ("www-authenticate" in answer.headers) == (header == "Bearer wrong")


def test_a_token_without_a_role(okta: Simulator) -> None:
    added = okta.control.post("/tokens", admin=False)
    answer = httpx.get(okta.url + LOGS, headers={"Authorization": f"SSWS {added['token']}"}, trust_env=False)
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "E0000006")
    okta.control.post("/tokens", token=added["token"], admin=True)
    assert httpx.get(okta.url + LOGS, headers={"Authorization": f"SSWS {added['token']}"}, trust_env=False).is_success


def test_an_api_token_dies_after_thirty_idle_days(okta: Simulator, api: httpx.Client) -> None:
    for days, status in ((0, 200), (29, 200), (29, 200), (31, 401)):
        okta.control.advance(days * 86400)
        assert api.get(LOGS, params={"limit": "1"}).status_code == status


def test_a_token_is_granted_and_lives_an_hour(okta: Simulator) -> None:
    app = App(okta)
    answer = app.ask()
    grant = answer.json()
    assert (grant["token_type"], grant["expires_in"], grant["scope"]) == ("Bearer", 3600, SCOPE)
    assert app.read(grant["access_token"]).status_code == 200
    okta.control.advance(3599)
    assert app.read(grant["access_token"]).status_code == 200
    okta.control.advance(1)
    late = app.read(grant["access_token"])
    assert (late.status_code, late.json()["errorCode"]) == (401, "E0000011")
    assert 'error="invalid_token"' in late.headers["www-authenticate"]


@pytest.mark.parametrize("algorithm", ["RSA", "EC"])
def test_both_kinds_of_key(okta: Simulator, algorithm: str) -> None:
    pem, jwk = make_key(algorithm)
    app = App(okta, jwks={"keys": [public(jwk)]}, private_jwk=jwk)
    assert app.ask().status_code == 200
    signed = jwt.encode(jwt.decode(app.assertion(), options={"verify_signature": False}), pem, jwk["alg"])
    assert app.ask(signed).status_code == 200


def test_two_keys_while_they_are_rotated(okta: Simulator) -> None:
    old, new = make_key("EC")[1], make_key("RSA")[1]
    app = App(okta, jwks={"keys": [public(old), public(new)]}, private_jwk=old)
    assert app.ask().status_code == 200
    assert app.ask(app.assertion(new)).status_code == 200
    assert app.ask(app.assertion(old, kid=None)).json()["error_description"].endswith("kid is invalid.")
    okta.control.post("/oauth-clients", client_id=app.client["client_id"], jwks={"keys": [public(new)]})
    assert app.ask().json()["error_description"].endswith("kid is invalid.")
    assert app.ask(app.assertion(new)).status_code == 200


def test_what_an_assertion_can_lack(okta: Simulator) -> None:
    app, now = App(okta), int(okta.control.get("/clock")["epoch"])
    stranger = {**make_key("EC")[1], "kid": app.jwk["kid"]}
    for assertion, text in (
        (app.assertion(aud="https://elsewhere.example"), "The audience claim for client_assertion must be"),
        (app.assertion(exp=now - 1), "The client_assertion token is expired."),
        (app.assertion(exp=now + 3700), "The client_assertion token has an expiration too far into the future."),
        (app.assertion(exp=None), "The client_assertion must contain the 'exp' claim"),
        (app.assertion(iat=now + 120, exp=now + 300), "The client_assertion token must be issued before"),
        (app.assertion(iss="0oaNobody"), "The issuer claim for client_assertion is not a valid client_id."),
        (app.assertion(sub="0oaNobody"), "The subject claim for client_assertion is not a valid client_id."),
        (app.assertion(kid="other"), "The client_assertion JWT kid is invalid."),
        (app.assertion(stranger), "The client_assertion signature is invalid."),
        ("nonsense", "The parsing of the client_assertion failed."),
        (jwt.encode({"iss": app.client["client_id"], "sub": app.client["client_id"]}, "x" * 32, "HS256"), "The client_"
         "assertion JWT signature algorithm is invalid."),
    ):  # fmt: skip
        answer = app.ask(assertion)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), text
        assert answer.json()["error_description"].startswith(text)


def test_an_assertion_is_used_once(okta: Simulator) -> None:
    app = App(okta)
    assertion = app.assertion()
    assert app.ask(assertion).status_code == 200
    again = app.ask(assertion)
    assert again.json()["error_description"] == "The client_assertion token has already been used."
    without = app.assertion(jti=None)
    assert [app.ask(without).status_code for _ in range(2)] == [200, 200]


def test_what_a_request_can_lack(okta: Simulator) -> None:
    app = App(okta)
    for form, status, error in (
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_assertion": None}, 401, "invalid_client"),
        ({"client_assertion_type": "jwt"}, 400, "invalid_request"),
        ({"scope": None}, 400, "invalid_scope"),
        ({"scope": "openid"}, 400, "invalid_scope"),
        ({"scope": "okta.users.manage"}, 400, "invalid_scope"),
    ):
        data: dict[str, Any] = {"client_assertion": app.assertion()} | form
        answer = app.ask(data.pop("client_assertion") or None, **data) if form.get("client_assertion", "") is not None \
            else app.http.post(TOKEN, data={"grant_type": "client_credentials"})  # fmt: skip
        assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert app.http.get(TOKEN).status_code == 405
    assert app.http.post(TOKEN, json={}).json()["error"] == "invalid_request"


def test_a_missing_scope_and_a_missing_role(okta: Simulator) -> None:
    scopeless = App(okta, scopes=["okta.users.read"])
    token = scopeless.ask(scope="okta.users.read").json()["access_token"]
    answer = scopeless.read(token)
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert f'scope="{SCOPE}"' in answer.headers["www-authenticate"]
    powerless = App(okta, admin=False)
    answer = powerless.read(powerless.token())
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "E0000006")
    assert "www-authenticate" not in answer.headers


def test_dpop_from_nonce_to_resource(okta: Simulator) -> None:
    app, key = App(okta, dpop=True), make_key("EC")[1]
    bare = app.ask()
    assert bare.json() == {"error": "invalid_dpop_proof", "error_description": "The DPoP proof JWT header is missing."}
    first = app.ask(dpop=app.proof(key, "POST", TOKEN))
    assert (first.status_code, first.json()["error"]) == (400, "use_dpop_nonce")
    nonce = first.headers["dpop-nonce"]
    granted = app.ask(dpop=app.proof(key, "POST", TOKEN, nonce=nonce)).json()
    assert granted["token_type"] == "DPoP"
    token = granted["access_token"]
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    proof = app.proof(key, "GET", LOGS, ath=ath)
    assert app.read(token, "DPoP", DPoP=proof).status_code == 200
    other = make_key("EC")[1]
    for scheme, headers, text in (
        ("DPoP", {"DPoP": proof}, "already been used"),
        ("DPoP", {}, "The resource request requires a DPoP proof."),
        ("DPoP", {"DPoP": app.proof(key, "GET", LOGS)}, "'ath' claim"),
        ("DPoP", {"DPoP": app.proof(key, "POST", LOGS, ath=ath)}, "'htm' claim"),
        ("DPoP", {"DPoP": app.proof(key, "GET", TOKEN, ath=ath)}, "'htu' claim"),
        ("DPoP", {"DPoP": app.proof(key, "GET", LOGS, ath=ath, iat=app.now() - 301)}, "more than five minutes"),
        ("DPoP", {"DPoP": app.proof(key, "GET", LOGS, ath=ath, iat=app.now() + 90)}, "in the future"),
        ("DPoP", {"DPoP": app.proof(key, "GET", LOGS, ath=ath, jti=None)}, "'jti' claim"),
        ("DPoP", {"DPoP": app.proof(key, "GET", LOGS, typ="JWT", ath=ath)}, "'typ' must be"),
        ("DPoP", {"DPoP": app.proof(other, "GET", LOGS, ath=ath)}, "not bound to the provided DPoP proof"),
        ("DPoP", {"DPoP": app.proof(key, "GET", LOGS + "?limit=1", ath=ath)}, "'htu' claim"),
        ("DPoP", {"DPoP": app.proof(key, "GET", LOGS, ath=ath, iat=None)}, "'iat' claim"),
        ("DPoP", {"DPoP": app.proof(key, "GET", LOGS, ath=ath, iat=True)}, "'iat' claim"),
        ("DPoP", {"DPoP": app.proof(key, "GET", LOGS, ath=ath, header={"crit": ["x"]})}, "cannot be parsed"),
        ("DPoP", {"DPoP": app.proof(key, "GET", LOGS, ath=ath, header={"jwk": key})}, "JWT is invalid"),
        ("DPoP", {"DPoP": app.proof(key, "GET", LOGS, ath=ath, header={"jwk": public(other)})}, "signature is invalid"),
        ("DPoP", {"DPoP": jwt.encode({}, "x" * 32, "HS256", {"typ": "dpop+jwt"})}, "algorithm is invalid"),
        ("DPoP", {"DPoP": "nonsense"}, "cannot be parsed"),
        ("DPoP", {"DPoP": proof[:-8] + "AAAAAAAA"}, "signature is invalid"),
    ):
        answer = app.read(token, scheme, **headers)
        assert answer.status_code == 400, text
        assert text in answer.json()["error_description"]
        assert answer.headers["www-authenticate"].startswith("DPoP error=")
    wrong_scheme = app.read(token, "Bearer")
    assert "must use the DPoP authentication scheme" in wrong_scheme.json()["errorSummary"]


def test_two_proofs_are_not_one(okta: Simulator) -> None:
    app, key = App(okta, dpop=True), make_key("EC")[1]
    proofs = [("DPoP", app.proof(key, "POST", TOKEN)) for _ in range(2)]
    answer = app.http.post(TOKEN, data={"grant_type": "client_credentials"} | app.login(), headers=proofs)
    assert "Multiple DPoP proof" in answer.json()["error_description"]


def test_a_nonce_at_the_resource(okta: Simulator) -> None:
    app, key = App(okta, dpop=True), make_key("EC")[1]
    nonce = app.ask(dpop=app.proof(key, "POST", TOKEN)).headers["dpop-nonce"]
    token = app.ask(dpop=app.proof(key, "POST", TOKEN, nonce=nonce)).json()["access_token"]
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()

    def read(**claims: Any) -> httpx.Response:
        return app.read(token, "DPoP", DPoP=app.proof(key, "GET", LOGS, ath=ath, **claims))

    okta.control.post("/dpop", at_resource="each")
    refused = read(nonce=nonce)
    assert (refused.status_code, refused.json()["error"]) == (401, "use_dpop_nonce")
    assert 'error="use_dpop_nonce"' in refused.headers["www-authenticate"]
    first = read(nonce=refused.headers["dpop-nonce"])
    assert first.status_code == 200
    assert read(nonce=refused.headers["dpop-nonce"]).status_code == 401, "a nonce is good for one request"
    assert read(nonce=first.headers["dpop-nonce"]).status_code == 200
    okta.control.post("/dpop", at_resource="kept", new_nonces=True)
    assert app.ask(dpop=app.proof(key, "POST", TOKEN, nonce=nonce)).json()["error"] == "use_dpop_nonce"
    kept = read().headers["dpop-nonce"]
    assert [read(nonce=kept).status_code for _ in range(2)] == [200, 200]
    okta.control.post("/reset")


def test_a_nonce_lives_three_days(okta: Simulator) -> None:
    app, key = App(okta, dpop=True), make_key("EC")[1]
    nonce = app.ask(dpop=app.proof(key, "POST", TOKEN)).headers["dpop-nonce"]
    for days, status in ((1, 200), (2, 200), (1, 400)):
        okta.control.advance(days * 86400)
        answer = app.ask(dpop=app.proof(key, "POST", TOKEN, nonce=nonce))
        assert answer.status_code == status
    assert answer.headers["dpop-nonce"] != nonce


def test_a_plain_token_cannot_be_sent_as_dpop(okta: Simulator) -> None:
    app = App(okta)
    assert app.read(app.token(), "DPoP").status_code == 401


def test_the_thumbprint_of_the_rfc() -> None:
    # RFC 7638, section 3.1
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5h"
        "ajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    key = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_client_file_is_written_once_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "client.json"
    for _ in range(2):
        with running("--oauth-client", str(file), "--rate", "1") as okta:
            client = json.loads(file.read_text())
            assert okta.ready["client_id"] == client["client_id"]
            app = App.__new__(App)
            app.okta, app.client, app.jwk = okta, client, client["private_jwk"]
            app.http = httpx.Client(base_url=okta.url, trust_env=False)
            assert app.read(app.token()).status_code == 200
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
