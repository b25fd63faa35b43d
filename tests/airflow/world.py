"""An org, a cluster and connections to both, all full of secrets that a test looks for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.airflow.planted import Planted
from tests.airflow.task import Task

if TYPE_CHECKING:
    from local.simulator.process import Simulator


@dataclass
class World:
    """An org, a cluster and connections to both, all full of secrets."""

    planted: Planted
    okta: Simulator
    opensearch: str
    task: Task
    monkeypatch: pytest.MonkeyPatch
    token: str
    app: dict[str, Any]
    jwk: dict[str, Any]
    old_pem: str
    password: str
    proxy_password: str

    def ssws(self, **more: Any) -> dict[str, Any]:
        return {"conn_type": "okta", "host": self.okta.url, "password": self.token} | more

    def oauth(self, host: str | None = None, **extra: Any) -> dict[str, Any]:
        """A service app with two keys: the new one as a JWK, the old one as PEM."""
        keys = {"private_key": self.jwk, "fallback_private_key": self.old_pem, "fallback_key_id": "old"}
        return {
            "conn_type": "okta",
            "host": host or self.okta.url,
            "extra": {"client_id": self.app["client_id"], **keys} | extra,
        }

    def search(self, url: str | None = None, **more: Any) -> dict[str, Any]:
        where = urlsplit(url or self.opensearch)
        return {
            "conn_type": "opensearch",
            "host": where.hostname,
            "port": where.port,
            "login": "loader",
            "password": self.password,
            "extra": {"use_ssl": False},
        } | more

    def connections(self, okta: dict[str, Any], search: dict[str, Any]) -> dict[str, str]:
        return {
            "AIRFLOW_CONN_OKTA_DEFAULT": json.dumps(okta),
            "AIRFLOW_CONN_OPENSEARCH_DEFAULT": json.dumps(search),
        }

    def allowed(self, *search_addresses: str, okta: str | None = None) -> dict[str, set[str]]:
        """What may be sent where."""
        logins = {"Okta token", "an access token", "a JWT"}
        addresses = {urlsplit(url).netloc: {"OpenSearch password"} for url in (self.opensearch, *search_addresses)}
        return addresses | {urlsplit(url).netloc: logins for url in (self.okta.url, okta or self.okta.url)}
