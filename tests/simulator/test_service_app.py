"""Our own login as a service app against the simulated org: DPoP over many pages, renewal, and changing keys."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local.simulator.oauth.keys import make_key, public
from oktalogger.okta.auth import PrivateKeyJwtAuth
from oktalogger.okta.client import OktaClient
from oktalogger.okta.errors import OktaAuthenticationError
from oktalogger.okta.system_log import Page, SystemLogClient, SystemLogQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.simulator.process import Simulator

pytestmark = pytest.mark.usefixtures("_no_proxy")
KEYS = [make_key("EC")[1], make_key("RSA")[1]]


@pytest.fixture
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


class Loader:
    """A client of the simulated org, whose time is the org's."""

    def __init__(self, okta: Simulator, *, registered: Any = None, demands: bool = True, **settings: Any) -> None:
        self.okta = okta
        self.app = okta.control.post(
            "/oauth-clients", jwks={"keys": [public(key) for key in registered or KEYS[:1]]}, dpop=demands
        )
        self.slept: list[float] = []
        settings = {"private_key": KEYS[0], **settings}
        self.auth = PrivateKeyJwtAuth(okta.url, self.app["client_id"], clock=self.now, wall_clock=self.now, **settings)
        self.client = SystemLogClient(OktaClient(okta.url, self.auth, sleep=self.slept.append))

    def now(self) -> float:
        return float(self.okta.control.get("/clock")["epoch"])

    def pages(self) -> Iterator[Page]:
        until = datetime.fromisoformat(self.okta.control.get("/clock")["now"]) - timedelta(minutes=1)
        return self.client.pages(SystemLogQuery(since=until - timedelta(minutes=5), until=until, limit=50))

    def requests(self) -> list[tuple[str, int]]:
        asked = self.okta.control.get("/requests")
        return [("token" if one["path"].endswith("/token") else "logs", one["status"]) for one in asked]


@pytest.fixture
def load(okta: Simulator) -> Iterator[Callable[..., Loader]]:
    loaders: list[Loader] = []

    def make(**settings: Any) -> Loader:
        loaders.append(Loader(okta, **settings))
        return loaders[-1]

    yield make
    for loader in loaders:
        loader.client.close()
    okta.control.post("/reset")


def test_dpop_is_noticed_and_used_over_many_pages(load: Callable[..., Loader]) -> None:
    loader = load()
    pages = list(loader.pages())
    assert len(pages) > 3
    assert loader.requests() == [("token", 400), ("token", 400), ("token", 200), *[("logs", 200)] * len(pages)]
    assert loader.slept == []


def test_dpop_from_the_first_request_on(load: Callable[..., Loader]) -> None:
    loader = load(demands=False, dpop=True)
    next(loader.pages())
    assert loader.requests() == [("token", 400), ("token", 200), ("logs", 200)]


def test_an_app_without_dpop_is_asked_once(load: Callable[..., Loader]) -> None:
    loader = load(demands=False)
    assert sum(len(page.events) for page in loader.pages()) > 0
    assert loader.requests()[0] == ("token", 200)


def test_a_token_is_renewed_amid_a_window(load: Callable[..., Loader], okta: Simulator) -> None:
    loader = load()
    pages = loader.pages()
    first = next(pages)
    okta.control.advance(3300)
    second = next(pages)
    okta.control.call("DELETE", "/tokens", {"access": True})
    rest = list(pages)
    seen = [event for page in (first, second, *rest) for event in page.events]
    assert len(seen) == len(set(map(bytes, seen)))
    tokens = [status for path, status in loader.requests() if path == "token"]
    assert tokens == [400, 400, 200, 200, 200], "the nonce is remembered"
    assert [status for path, status in loader.requests() if path == "logs"].count(401) == 1


@pytest.mark.parametrize(("mode", "refused"), [("kept", 1), ("each", 1)])
def test_a_nonce_at_the_resource(load: Callable[..., Loader], okta: Simulator, mode: str, refused: int) -> None:
    loader = load()
    okta.control.post("/dpop", at_resource=mode)
    pages = list(loader.pages())
    statuses = [status for path, status in loader.requests() if path == "logs"]
    assert (statuses.count(401), statuses.count(200)) == (refused, len(pages)), "a good answer brings the next nonce"
    assert sum(page.requests for page in pages) == len(statuses)


def test_nonces_that_change_under_way(load: Callable[..., Loader], okta: Simulator) -> None:
    loader = load()
    okta.control.post("/dpop", at_resource="kept")
    pages = loader.pages()
    next(pages)
    okta.control.post("/dpop", new_nonces=True)
    next(pages)
    okta.control.call("DELETE", "/tokens", {"access": True})
    okta.control.post("/dpop", new_nonces=True)
    assert list(pages)
    assert loader.slept == []


def test_a_request_that_is_tried_again_has_a_proof_of_its_own(load: Callable[..., Loader], okta: Simulator) -> None:
    loader = load()
    pages = loader.pages()
    next(pages)
    okta.control.fault("503", times=2)
    okta.control.fault("cut-body")
    assert list(pages)
    assert len(loader.slept) == 3, "a proof that had been used would have been refused for good"


def test_the_old_key_is_used_until_okta_knows_the_new_one(
    load: Callable[..., Loader], okta: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = KEYS
    both = {"keys": [new, old]}
    with caplog.at_level(logging.WARNING):
        loader = load(registered=[old], private_key=both)
        assert list(loader.pages())
        assert f"refuses the key {new['kid']}" in caplog.text
        assert f"accepts the key {old['kid']}" in caplog.text
        assert old["d"] not in caplog.text

        caplog.clear()
        okta.control.post("/oauth-clients", client_id=loader.app["client_id"], dpop=True, jwks={"keys": [public(new)]})
        okta.control.call("DELETE", "/tokens", {"access": True})
        assert list(loader.pages()), "the old key is gone amid the run"
        assert f"refuses the key {old['kid']}" in caplog.text

        caplog.clear()
        registered = load(registered=[old, new], private_key=both)
        assert list(registered.pages())
        assert caplog.text == "", "with both keys known nobody is told anything"


def test_a_second_key_in_a_field_of_its_own(load: Callable[..., Loader]) -> None:
    pem, old = make_key("RSA")
    loader = load(registered=[old], fallback_key=pem, fallback_key_id=old["kid"], demands=False)
    assert list(loader.pages())
    assert [status for path, status in loader.requests() if path == "token"] == [401, 200]


def test_two_keys_that_are_both_refused(load: Callable[..., Loader]) -> None:
    stranger = make_key("EC")[1]
    loader = load(registered=[stranger], private_key=KEYS, demands=False)
    with pytest.raises(OktaAuthenticationError) as caught:
        list(loader.pages())
    message = str(caught.value)
    assert "kid is invalid" in message
    assert f"refuses the connection's other keys as well (the key {KEYS[1]['kid']}: " in message
    assert all(key["d"] not in message for key in KEYS)
    assert [status for path, status in loader.requests() if path == "token"] == [401, 401]
