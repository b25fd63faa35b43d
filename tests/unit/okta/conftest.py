from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.okta.auth import SswsAuth
from oktalogger.okta.client import OktaClient
from oktalogger.okta.system_log import SystemLogClient, SystemLogQuery
from tests.unit.okta.server import TOKEN, ScriptedServer, scripted_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def okta() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def slept() -> list[float]:
    """What the client slept, without sleeping."""
    return []


@pytest.fixture
def connect(okta: ScriptedServer, slept: list[float]) -> Iterator[Callable[..., SystemLogClient]]:
    """Make clients of the scripted server that do not really sleep."""
    clients: list[SystemLogClient] = []

    def make(**settings: Any) -> SystemLogClient:
        given: dict[str, Any] = {"auth": SswsAuth(TOKEN), "timeout": (5.0, 5.0), "sleep": slept.append} | settings
        paging = given.pop("paging", None)
        client = OktaClient(given.pop("org_url", okta.url), given.pop("auth"), **given)
        clients.append(SystemLogClient(client, paging=paging))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def query() -> SystemLogQuery:
    return SystemLogQuery(
        since=datetime(2026, 11, 23, 10, 0, tzinfo=UTC), until=datetime(2026, 11, 23, 10, 5, tzinfo=UTC), limit=2
    )
