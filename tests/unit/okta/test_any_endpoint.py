"""The client with an endpoint that is not the System Log: its paging, its refusals, its login."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from oktalogger.okta import errors
from oktalogger.okta.auth import PrivateKeyJwtAuth, SswsAuth
from oktalogger.okta.client import OktaClient
from oktalogger.okta.endpoint import Endpoint
from oktalogger.okta.rate_limit import RateLimit
from oktalogger.okta.retry import RetrySettings
from tests.unit.okta.server import TOKEN, Answer, Asked, ScriptedServer, error, page, scripted_server, too_many
from tests.unit.okta.test_auth import KEY
from tests.unit.okta.test_keys import pem

USERS = Endpoint(
    path="/api/v1/users",
    items="users",
    scope="okta.users.read",
    permission="view users (Read-only Administrator is enough)",
    max_limit=200,
)
EVERYBODY = [{"id": f"00u{number}", "profile": {"login": f"user{number}@example.com"}} for number in range(5)]
Connect = Callable[..., OktaClient]


@pytest.fixture
def connect(okta: ScriptedServer, slept: list[float]) -> Iterator[Connect]:
    made: list[OktaClient] = []

    def make(auth: Any = None, **settings: Any) -> OktaClient:
        made.append(OktaClient(okta.url, auth or SswsAuth(TOKEN), sleep=slept.append, **settings))
        return made[-1]

    yield make
    for client in made:
        client.close()


def users(asked: Asked) -> Answer:
    """Answer as the list of users does: `after` is the last id of the page before."""
    query = parse_qs(urlsplit(asked.target).query)
    limit = int(query["limit"][0])
    ids = [user["id"] for user in EVERYBODY]
    begin = ids.index(query["after"][0]) + 1 if "after" in query else 0
    some = EVERYBODY[begin : begin + limit]
    host = asked.headers["Host"]
    more = begin + limit < len(EVERYBODY)
    following = f"http://{host}/api/v1/users?after={some[-1]['id']}&limit={limit}" if more else None
    return page(json.dumps(some).encode(), next_url=following)


def test_follows_next_to_the_end(okta: ScriptedServer, connect: Connect) -> None:
    okta.answers(users)
    pages = list(connect().pages(USERS, {"limit": "2", "search": 'status eq "ACTIVE"'}))
    assert [len(page.items) for page in pages] == [2, 2, 1]
    assert [json.loads(bytes(item)) for page in pages for item in page.items] == EVERYBODY
    assert [page.next_url for page in pages] == [page.url for page in pages[1:]] + [None]
    first, second, _ = okta.asked
    assert parse_qs(urlsplit(first.target).query) == {"limit": ["2"], "search": ['status eq "ACTIVE"']}
    assert second.target == "/api/v1/users?after=00u1&limit=2"


def test_a_full_last_page_is_believed(okta: ScriptedServer, connect: Connect) -> None:
    okta.answers(users)
    assert [len(page.items) for page in connect().pages(USERS, {"limit": "5"})] == [5]
    assert len(okta.asked) == 1, "verifying an end by time is for the System Log"


def test_goes_on_at_a_saved_link(okta: ScriptedServer, connect: Connect) -> None:
    okta.answers(users)
    first = next(connect().pages(USERS, {"limit": "2"}))
    rest = list(connect().pages(USERS, resume_from=first.next_url))
    assert [json.loads(bytes(item)) for page in rest for item in page.items] == EVERYBODY[2:]


def test_a_link_that_leads_back_is_not_followed_for_ever(okta: ScriptedServer, connect: Connect) -> None:
    okta.answers(lambda _: page(b"[1]", next_url=f"{okta.url}/api/v1/users?after=x"))
    got: list[object] = []
    with pytest.raises(errors.OktaPagingStuckError, match=r"/api/v1/users leads to a page already read"):
        got.extend(connect().pages(USERS))
    assert len(got) == len(okta.asked) == 2


def test_the_page_cap_is_loud(okta: ScriptedServer, connect: Connect) -> None:
    okta.answers(users)
    with pytest.raises(errors.OktaPageLimitError, match="list of users has more than 2 pages"):
        list(connect().pages(USERS, {"limit": "2"}, max_pages=2))
    assert len(okta.asked) == 2
    assert len(list(connect().pages(USERS, {"limit": "2"}, max_pages=3))) == 3


def test_no_token_goes_elsewhere(okta: ScriptedServer, connect: Connect) -> None:
    with scripted_server() as other:
        okta.answers(page(b"[1]", next_url=f"{other.url}/api/v1/users?after=1"))
        with pytest.raises(errors.OktaForeignLinkError, match="the token would go there"):
            list(connect().pages(USERS))
        with pytest.raises(errors.OktaCursorError, match="Begin again at the first page"):
            list(connect().pages(USERS, resume_from=f"{other.url}/api/v1/users?after=1"))
        assert other.asked == []


SCOPE = Answer(403, b"", [("WWW-Authenticate", 'Bearer scope="okta.users.read", error="insufficient_scope"')])


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (
            error(403, "E0000006", "You do not have permission to perform the requested action"),
            errors.OktaPermissionError,
            r"Okta denies access: 403 E0000006.*role that may view users \(Read-only Administrator is enough\)",
        ),
        (SCOPE, errors.OktaScopeError, "Grant the app the scope okta.users.read"),
        (error(400, "E0000031", "Invalid search criteria."), errors.OktaRequestError, r"Change the request \(its"),
        (Answer(204, b""), errors.OktaProtocolError, "answered with no page of users"),
        (Answer(200, b"{}"), errors.OktaProtocolError, "not an array of users"),
        (error(401, "E0000011", "Invalid token provided"), errors.OktaAuthenticationError, "API token"),
    ],
)
def test_the_advice_is_that_of_the_endpoint(
    okta: ScriptedServer, connect: Connect, answer: Answer, kind: type[errors.OktaError], says: str
) -> None:
    okta.answers(answer)
    with pytest.raises(errors.OktaError, match=says) as caught:
        list(connect().pages(USERS))
    assert type(caught.value) is kind
    assert f"GET {okta.url}/api/v1/users" in str(caught.value)
    for other in ("System Log", "okta.logs.read", "window", "event"):
        assert other not in str(caught.value)


def test_a_refused_link_says_where_to_begin_again(okta: ScriptedServer, connect: Connect) -> None:
    okta.answers(error(400, "E0000001", "Api validation failed: after"))
    with pytest.raises(errors.OktaCursorError, match="Begin again at the first page"):
        list(connect().pages(USERS, resume_from=f"{okta.url}/api/v1/users?after=gone"))
    with pytest.raises(errors.OktaRequestError) as caught:
        list(connect().pages(USERS))
    assert not isinstance(caught.value, errors.OktaCursorError)


def test_a_refused_link_of_another_path_is_refused_as_a_link(okta: ScriptedServer, connect: Connect) -> None:
    okta.answers(error(404, "E0000007", "Not found"))
    with pytest.raises(errors.OktaCursorError):
        list(connect().pages(USERS, resume_from=f"{okta.url}/api/v1/elsewhere?after=1"))


class Gate:
    """Takes notes."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def before_request(self) -> None:
        self.seen.append("before")

    def after_response(self, rate_limit: RateLimit | None) -> None:
        self.seen.append("after")


def test_the_login_is_one_flow_and_passes_no_gate(okta: ScriptedServer, connect: Connect) -> None:
    tokens = iter(range(1, 9))
    refusals = [error(401, "E0000011", "Invalid token provided")]

    def answer(asked: Asked) -> Answer:
        if asked.target == "/oauth2/v1/token":
            assert parse_qs(asked.body.decode())["scope"] == ["okta.users.read"]
            return Answer(body=json.dumps({"access_token": f"access-{next(tokens)}"}).encode())
        return refusals.pop() if refusals else users(asked)

    okta.answers(answer)
    gate = Gate()
    auth = PrivateKeyJwtAuth(okta.url, "0oaClient", pem(KEY), scopes=("okta.users.read",))
    pages = list(connect(auth, gate=gate).pages(USERS, {"limit": "3"}))
    asked = [(asked.method, asked.headers["Authorization"]) for asked in okta.asked]
    assert asked == [
        ("POST", None),
        ("GET", "Bearer access-1"),
        ("POST", None),
        ("GET", "Bearer access-2"),
        ("GET", "Bearer access-2"),
    ]
    assert [page.requests for page in pages] == [2, 1]
    assert gate.seen == ["before", "after"] * 3


def test_an_outage_of_the_token_endpoint_is_counted(okta: ScriptedServer, connect: Connect) -> None:
    okta.answers(Answer(503, b""))
    auth = PrivateKeyJwtAuth(okta.url, "0oaClient", pem(KEY))
    with pytest.raises(errors.OktaServerError, match=r"access token for client.*Gave up after 2 requests"):
        list(connect(auth, retry=RetrySettings(max_attempts=2)).pages(USERS))


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (Answer(400, b'{"error": "invalid_scope"}'), errors.OktaScopeError, r"scopes that it asks for \(okta\.x, y\)"),
        (Answer(403, b'{"error": "access_denied"}'), errors.OktaPermissionError, "app is active.*network zones"),
        (Answer(400, b'{"error": "invalid_request"}'), errors.OktaRequestError, "Check client id and scopes"),
        (Answer(204, b""), errors.OktaProtocolError, "answered with no access token"),
    ],
)
def test_the_token_endpoint_has_advice_of_its_own(
    okta: ScriptedServer, connect: Connect, answer: Answer, kind: type[errors.OktaError], says: str
) -> None:
    okta.answers(answer)
    auth = PrivateKeyJwtAuth(okta.url, "0oaClient", pem(KEY), scopes=("okta.x", "y"))
    with pytest.raises(errors.OktaError, match=says) as caught:
        list(connect(auth).pages(USERS))
    assert type(caught.value) is kind
    assert "System Log" not in str(caught.value)


def test_troubles_that_pass_are_waited_out(okta: ScriptedServer, connect: Connect, slept: list[float]) -> None:
    okta.answers(too_many(reset_in=9), Answer(503, b""), users)
    (only,) = connect().pages(USERS, {"limit": "5"})
    assert only.requests == 3
    assert 10 <= slept[0] <= 13
    okta.answers(too_many(), users)
    with pytest.raises(errors.OktaRateLimitError):
        connect().page(USERS, f"{okta.url}/api/v1/users?limit=1", retries=False)
    assert len(slept) == 2


@pytest.mark.parametrize("limit", ["0", "201"])
def test_a_limit_that_okta_would_refuse(okta: ScriptedServer, connect: Connect, limit: str) -> None:
    with pytest.raises(ValueError, match="Okta takes 1 to 200"):
        list(connect().pages(USERS, {"limit": limit}))
    assert okta.asked == []
