"""Both logins against a real HTTP server; the token endpoint checks what Okta's checks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from urllib3 import HTTPHeaderDict

from oktalogger.okta import errors
from oktalogger.okta.auth import LoginAttempts, OktaAuth, PrivateKeyJwtAuth, SswsAuth
from oktalogger.okta.exchange import HttpRequest, Reply
from oktalogger.okta.system_log import SystemLogClient, SystemLogQuery
from tests.unit.okta.server import TOKEN, Answer, Asked, ScriptedServer, error, events, page, too_many
from tests.unit.okta.test_keys import pem

Connect = Callable[..., SystemLogClient]
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PAGE = events(("2026-11-23T10:00:00.000Z", "a"))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Org:
    """Answers for the token endpoint and for the System Log, each with what was last set."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.issued = 0
        self.claims: list[dict[str, Any]] = []
        self.headers: list[dict[str, Any]] = []
        self.forms: list[dict[str, list[str]]] = []
        self.token_answers: list[Answer] = []
        self.log_answers: list[Answer] = []
        self.bearers: list[str] = []
        self.lifetime: object = 3600
        self.public_key: Any = KEY.public_key()

    def __call__(self, asked: Asked) -> Answer:
        return self.token(asked) if asked.target == "/oauth2/v1/token" else self.logs(asked)

    def token(self, asked: Asked) -> Answer:
        assert asked.method == "POST"
        assert asked.headers["Authorization"] is None
        form = parse_qs(asked.body.decode())
        self.forms.append(form)
        assertion = form["client_assertion"][0]
        self.headers.append(jwt.get_unverified_header(assertion))
        algorithms = ["RS256", "ES384"]
        audience = f"{self.url}/oauth2/v1/token"
        self.claims.append(jwt.decode(assertion, self.public_key, algorithms=algorithms, audience=audience))
        if self.token_answers:
            return self.token_answers.pop(0)
        self.issued += 1
        grant = {"token_type": "Bearer", "expires_in": self.lifetime, "access_token": f"access-{self.issued}"}
        return Answer(body=json.dumps(grant).encode())

    def logs(self, asked: Asked) -> Answer:
        self.bearers.append(asked.headers["Authorization"])
        return self.log_answers.pop(0) if self.log_answers else page(PAGE)


@pytest.fixture
def org(okta: ScriptedServer) -> Org:
    found = Org(okta.url)
    okta.answers(found)
    return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def auth(okta: ScriptedServer, clock: Clock) -> PrivateKeyJwtAuth:
    return PrivateKeyJwtAuth(okta.url, "0oaClient", pem(KEY), key_id="kid-1", clock=clock)


def read(client: SystemLogClient, query: SystemLogQuery) -> int:
    return sum(len(page_.events) for page_ in client.pages(query))


def test_signs_what_okta_wants(org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery) -> None:
    assert read(connect(auth=auth), query) == 1
    assert org.bearers == ["Bearer access-1"]
    (form,), (claims,), (header,) = org.forms, org.claims, org.headers
    del form["client_assertion"]
    assert form == {
        "grant_type": ["client_credentials"],
        "scope": ["okta.logs.read"],
        "client_assertion_type": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"],
    }
    assert claims["iss"] == claims["sub"] == "0oaClient"
    assert 0 < claims["exp"] - claims["iat"] <= 3600
    assert len(claims["jti"]) == 36
    assert (header["alg"], header["kid"]) == ("RS256", "kid-1")


def test_signs_with_an_ec_key_without_key_id(
    okta: ScriptedServer, org: Org, connect: Connect, query: SystemLogQuery
) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    org.public_key = key.public_key()
    read(connect(auth=PrivateKeyJwtAuth(okta.url, "c", pem(key), scopes=("a", "b"))), query)
    assert org.headers == [{"alg": "ES384", "typ": "JWT"}]
    assert org.forms[0]["scope"] == ["a b"]


def test_the_token_is_renewed_before_it_expires(
    org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery, clock: Clock
) -> None:
    client = connect(auth=auth)
    for seconds in (0, 3299, 3300, 3301, 3300 + 3299, 3300 + 3300):
        clock.now = 1000.0 + seconds
        read(client, query)
    assert org.bearers == [f"Bearer access-{n}" for n in (1, 1, 2, 2, 2, 3)]
    assert len({claims["jti"] for claims in org.claims}) == 3


def test_a_short_lived_token_is_used_for_half_its_life(
    org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery, clock: Clock
) -> None:
    org.lifetime = 60
    client = connect(auth=auth)
    for seconds in (0, 29, 31):
        clock.now = 1000.0 + seconds
        read(client, query)
    assert org.bearers == [f"Bearer access-{n}" for n in (1, 1, 2)]


@pytest.mark.parametrize(
    "refusal",
    [
        error(401, "E0000011", "Invalid token provided"),
        Answer(401, b"", [("WWW-Authenticate", 'Bearer error="invalid_token", error_description="expired"')]),
    ],
)
def test_an_invalid_token_is_renewed_once(
    org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery, slept: list[float], refusal: Answer
) -> None:
    org.log_answers = [refusal]
    (only,) = connect(auth=auth).pages(query)
    assert (only.requests, len(only.events), slept) == (2, 1, [])
    assert org.bearers == ["Bearer access-1", "Bearer access-2"]

    org.log_answers = [refusal] * 5
    with pytest.raises(errors.OktaAuthenticationError, match="client id, private key and key id"):
        read(connect(auth=auth), query)
    # The first try renews the token that it had; each of three more begins with a new one.
    assert org.bearers[2:] == [f"Bearer access-{number}" for number in range(2, 7)]


def test_renewals_come_to_an_end_also_after_an_outage(
    org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery
) -> None:
    refusal = error(401, "E0000011", "Invalid token provided")
    org.log_answers = [refusal, Answer(503, b""), *[refusal] * 4]
    with pytest.raises(errors.OktaAuthenticationError):
        read(connect(auth=auth), query)
    assert org.issued == 5


def test_a_login_that_is_refused_half_way_says_nothing_of_the_page_link(
    org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery
) -> None:
    org.token_answers = [oauth(400, "invalid_request", "The client_assertion is missing.")]
    with pytest.raises(errors.OktaRequestError, match="client_assertion is missing") as caught:
        list(connect(auth=auth).pages(query, resume_from=f"{org.url}/api/v1/logs?after=7"))
    assert not isinstance(caught.value, errors.OktaCursorError)


def test_other_refusals_renew_nothing(
    org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery
) -> None:
    org.log_answers = [error(403, "E0000006", "You do not have permission")] * 4
    with pytest.raises(errors.OktaPermissionError):
        read(connect(auth=auth), query)
    assert (org.issued, len(org.bearers)) == (1, 4)


def test_an_api_token_is_tried_a_few_times(
    okta: ScriptedServer, connect: Connect, query: SystemLogQuery, slept: list[float]
) -> None:
    okta.answers(error(401, "E0000011", "Invalid token provided"))
    with pytest.raises(errors.OktaAuthenticationError, match=r"Gave up after 4 requests and \d+ s of waiting"):
        read(connect(), query)
    assert len(okta.asked) == 4
    assert 0.5 <= slept[0] <= 1 <= slept[1] <= 2 <= slept[2] <= 4


def test_threads_share_one_token(org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery) -> None:
    clients = [connect(auth=auth) for _ in range(8)]
    threads = [threading.Thread(target=read, args=(client, query)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert org.issued == 1
    assert org.bearers == ["Bearer access-1"] * 8


class Flow:
    """One request's login, step by step, with the answers given by hand."""

    def __init__(self, auth: OktaAuth, attempts: LoginAttempts | None = None) -> None:
        self.request = HttpRequest("GET", "https://company.okta.com/api/v1/users")
        self._flow = auth.flow(self.request, attempts or LoginAttempts())
        self.step = next(self._flow)
        self.ended = False

    def answer(self, status: int, body: object = (), **headers: str) -> None:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            self.step = self._flow.send(
                Reply(self.step, status, HTTPHeaderDict(given), json.dumps(body).encode() if body else b"")
            )
        except StopIteration:
            self.ended = True

    def answer_with_token(self, value: str, kind: str = "Bearer") -> None:
        assert self.step.for_login
        self.answer(200, {"access_token": value, "token_type": kind})

    @property
    def signed(self) -> dict[str, str]:
        assert not self.step.for_login
        assert (self.step.method, self.step.url) == (self.request.method, self.request.url)
        assert self.step.sign is not None
        return dict(self.step.sign())


def offline(**settings: Any) -> PrivateKeyJwtAuth:
    return PrivateKeyJwtAuth("https://company.okta.com", "0oaClient", pem(KEY), **settings)


def test_the_whole_flow_of_a_login_stands_in_one_generator() -> None:
    flow = Flow(offline())
    assert (flow.step.method, flow.step.url) == ("POST", "https://company.okta.com/oauth2/v1/token")
    flow.answer(400, {"error": "invalid_dpop_proof", "error_description": "The DPoP proof JWT header is missing."})
    assert "DPoP" in flow.step.headers
    flow.answer(400, {"error": "use_dpop_nonce"}, DPoP_Nonce="for tokens")
    flow.answer_with_token("access-1", "DPoP")
    assert flow.signed["Authorization"] == "DPoP access-1"
    flow.answer(401, {"error": "use_dpop_nonce"}, DPoP_Nonce="for the API")
    proof = jwt.decode(flow.signed["DPoP"], options={"verify_signature": False})
    assert proof["nonce"] == "for the API"
    flow.answer(401, {"errorCode": "E0000011"})
    flow.answer_with_token("access-2", "DPoP")
    assert flow.signed["Authorization"] == "DPoP access-2"
    assert not flow.ended
    flow.answer(200)
    assert flow.ended


def test_a_login_that_is_given_up_leaves_no_lock_behind() -> None:
    auth = offline()
    first = Flow(auth)
    assert first.step.for_login
    first._flow.close()  # what a client does when the request for a token fails
    second = Flow(auth)
    second.answer_with_token("access-1")
    assert second.signed == {"Authorization": "Bearer access-1"}


def test_a_late_refusal_does_not_throw_away_a_new_token() -> None:
    auth = offline()
    early = Flow(auth)
    early.answer_with_token("access-1")
    late = Flow(auth)
    early.answer(401)
    early.answer_with_token("access-2")
    late.answer(401)
    assert late.signed == early.signed == {"Authorization": "Bearer access-2"}


def test_a_proof_is_made_when_it_is_sent_because_it_holds_the_time() -> None:
    wall_clock = Clock()
    flow = Flow(offline(dpop=True, wall_clock=wall_clock))
    flow.answer_with_token("access-1", "DPoP")
    wall_clock.now += 60  # at the gate
    assert jwt.decode(flow.signed["DPoP"], options={"verify_signature": False})["iat"] == 1060


def oauth(status: int, code: str, description: str = "", **more: Any) -> Answer:
    return Answer(status, json.dumps({"error": code, "error_description": description}).encode(), **more)


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (
            oauth(401, "invalid_client", "The client_assertion signature is invalid."),
            errors.OktaAuthenticationError,
            "401 invalid_client The client_assertion signature is invalid. This was POST .*key id in the connection",
        ),
        (oauth(400, "unauthorized_client"), errors.OktaAuthenticationError, "400 unauthorized_client"),
        (oauth(400, "invalid_scope", "One or more scopes"), errors.OktaScopeError, "Okta API Scopes"),
        (oauth(403, "access_denied", "outside the permitted zones"), errors.OktaPermissionError, "network zones"),
        (oauth(400, "invalid_request", "no"), errors.OktaRequestError, "400 invalid_request no"),
        (error(404, "E0000007", "Not found"), errors.OktaRequestError, "org URL"),
        (Answer(200, b"<html>", content_type="text/html"), errors.OktaProtocolError, "no access token"),
        (Answer(200, b"{}"), errors.OktaProtocolError, "no access token"),
        (Answer(302, b"", [("Location", "https://x.test")]), errors.OktaProtocolError, "redirect"),
    ],
)
def test_no_token(
    org: Org,
    auth: PrivateKeyJwtAuth,
    connect: Connect,
    query: SystemLogQuery,
    answer: Answer,
    kind: type[errors.OktaError],
    says: str,
) -> None:
    org.token_answers = [answer]
    with pytest.raises(errors.OktaError, match=says) as caught:
        read(connect(auth=auth), query)
    assert type(caught.value) is kind
    assert "access token for client 0oaClient" in str(caught.value)
    assert org.bearers == []
    assert len(org.forms) == 1


@pytest.mark.parametrize(
    "answer", [too_many(), error(503, "E0000010", "read only"), Answer(200, b"[]", announced_length=9)]
)
def test_outages_of_the_token_endpoint_are_waited_out(
    org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery, slept: list[float], answer: Answer
) -> None:
    org.token_answers = [answer]
    assert read(connect(auth=auth), query) == 1
    assert len(slept) == 1
    assert len({claims["jti"] for claims in org.claims}) == 2


@pytest.mark.parametrize(("minutes", "says"), [(10, r"is (599|600) s behind"), (-10, r"is 60\d s ahead of")])
def test_a_wrong_clock_is_named(
    org: Org, auth: PrivateKeyJwtAuth, connect: Connect, query: SystemLogQuery, minutes: int, says: str
) -> None:
    date = (datetime.now(UTC) + timedelta(minutes=minutes)).timestamp()
    org.token_answers = [oauth(401, "invalid_client", "The client_assertion token is expired.", date=date)]
    with pytest.raises(errors.OktaAuthenticationError, match=f"This machine's clock {says} Okta's"):
        read(connect(auth=auth), query)


def test_belongs_to_one_org(auth: PrivateKeyJwtAuth, connect: Connect) -> None:
    with pytest.raises(errors.OktaConfigurationError, match="use the same org URL"):
        connect(auth=auth, org_url="https://company.okta.com")


def test_what_cannot_be_a_client(okta: ScriptedServer) -> None:
    with pytest.raises(errors.OktaConfigurationError, match="client id is empty"):
        PrivateKeyJwtAuth(okta.url, " ", pem(KEY))
    with pytest.raises(errors.OktaConfigurationError, match="not https"):
        PrivateKeyJwtAuth("http://okta.test", "c", pem(KEY))


@pytest.mark.parametrize("given", [TOKEN, f" {TOKEN}\n", f"SSWS {TOKEN}"])
def test_api_tokens_as_people_paste_them(given: str) -> None:
    flow = Flow(SswsAuth(given))
    assert flow.signed == {"Authorization": f"SSWS {TOKEN}"}
    flow.answer(401)
    assert flow.ended, "a token is not tried twice"


@pytest.mark.parametrize("given", ['"secret"', "'secret'", 'SSWS "secret"', "secret'", ' "secret" '])
def test_quotes_around_an_api_token_are_named(given: str) -> None:
    with pytest.raises(errors.OktaConfigurationError, match="stands in quotes") as caught:
        SswsAuth(given)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("given", ["", " ", "SSWS ", "secret token", "secret\r\nX: y", "secretł"])
def test_what_is_no_api_token_is_not_shown(given: str) -> None:
    with pytest.raises(errors.OktaConfigurationError) as caught:
        SswsAuth(given)
    assert "secret" not in str(caught.value)


def test_secrets_are_in_no_repr(auth: PrivateKeyJwtAuth) -> None:
    assert TOKEN not in repr(SswsAuth(TOKEN))
    assert "PRIVATE" not in repr(auth)
