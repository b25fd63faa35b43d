"""Bodies read in pieces against a clock, over connections that stay open, with the target as it was given."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from urllib3.connection import HTTPSConnection

from oktalogger.okta.errors import OktaConnectionError
from oktalogger.okta.exchange import HttpRequest
from oktalogger.okta.transport import Transport, _exact
from tests.unit.okta.server import Answer, ScriptedServer, gzipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BODY = b"[" + b"1," * 200_000 + b"1]"


@pytest.fixture
def transport(okta: ScriptedServer) -> Iterator[Callable[..., Transport]]:
    made: list[Transport] = []

    def make(**settings: float) -> Transport:
        made.append(Transport(okta.url, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("answer", [Answer(body=BODY), Answer(body=BODY, chunked=True), gzipped(Answer(body=BODY))])
def test_a_long_body_is_whole_and_its_connection_is_used_again(
    okta: ScriptedServer,
    transport: Callable[..., Transport],
    answer: Answer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connected: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", _counting(socket.socket.connect, connected))
    okta.answers(answer)
    sender = transport()
    for _ in range(3):
        assert sender.send(HttpRequest("GET", f"{okta.url}/api/v1/users")).body == BODY
    assert len(connected) == 1


def _counting(connect: Callable[..., None], seen: list[object]) -> Callable[..., None]:
    def counted(self: socket.socket, address: object) -> None:
        seen.append(address)
        connect(self, address)

    return counted


def test_a_body_that_comes_whole_but_past_the_deadline_is_no_answer(
    okta: ScriptedServer, transport: Callable[..., Transport]
) -> None:
    okta.answers(Answer(body=b"[]" * 20, drip_seconds=0.02))
    with pytest.raises(OktaConnectionError, match=r"gave no whole answer within 0\.2 s"):
        transport(response_seconds=0.2, timeout=(5.0, 5.0)).send(HttpRequest("GET", f"{okta.url}/"))


def test_the_target_is_written_by_whatever_connection_the_proxy_asks_for() -> None:
    through_socks: Any = type("ThroughSocks", (HTTPSConnection,), {})
    exact = _exact(through_socks)
    assert issubclass(exact, through_socks)
    assert _exact(exact) is exact
