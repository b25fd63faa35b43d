"""Connections from AWS Secrets Manager, through Airflow's own backend: a stand-in for the AWS API, all else real."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from local.simulator.oauth.keys import make_key, public
from oktalogger.hooks.okta import OktaHook
from oktalogger.hooks.opensearch import OpenSearchHook

if TYPE_CHECKING:
    from local.simulator.process import Simulator

pytestmark = pytest.mark.airflow  # and the stand-in for AWS, which only the lines that run all tests have
BACKEND = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
OLD_PEM, OLD = make_key("RSA")
NEW_PEM, NEW = make_key("EC")


@pytest.fixture
def secrets_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Airflow told, as on MWAA, to look there for connections."""
    import boto3
    from moto import mock_aws

    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AIRFLOW__SECRETS__BACKEND": BACKEND,
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_prefix": "airflow/connections"}),
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield boto3.client("secretsmanager")


def keep(client: Any, conn_id: str, secret: str | dict[str, Any]) -> None:
    client.create_secret(
        Name=f"airflow/connections/{conn_id}",
        SecretString=secret if isinstance(secret, str) else json.dumps(secret),
    )


def in_extra(extra: dict[str, Any], host: str) -> dict[str, Any]:
    return {"conn_type": "okta", "host": host, "extra": extra}


FORMS: dict[str, dict[str, Any]] = {
    "PEM": {"private_key": NEW_PEM, "key_id": NEW["kid"]},
    "PEM with written line ends": {"private_key": NEW_PEM.replace("\n", "\\n"), "key_id": NEW["kid"]},
    "PEM in a JSON string": {"private_key": json.dumps(NEW_PEM), "key_id": NEW["kid"]},
    "PEM in Base64": {"private_key": base64.b64encode(NEW_PEM.encode()).decode(), "key_id": NEW["kid"]},
    "a JWK": {"private_key": NEW},
    "a JWK as text": {"private_key": json.dumps(NEW)},
    "a JWK in Base64": {"private_key": base64.b64encode(json.dumps(NEW).encode()).decode()},
    "a key set": {"private_key": {"keys": [NEW, OLD]}},
    "an array": {"private_key": [NEW, OLD]},
    "two fields": {
        "private_key": NEW,
        "fallback_private_key": OLD_PEM,
        "fallback_key_id": OLD["kid"],
    },
}


@pytest.mark.parametrize("how", FORMS)
@pytest.mark.parametrize("nested", [True, False], ids=["extra as an object", "extra as text"])
def test_a_service_app_logs_in(secrets_manager: Any, okta: Simulator, how: str, nested: bool) -> None:
    app = okta.control.post("/oauth-clients", dpop=True, jwks={"keys": [public(NEW), public(OLD)]})
    extra = FORMS[how] | {"client_id": app["client_id"]}
    connection = in_extra(extra, okta.url) | ({} if nested else {"extra": json.dumps(extra)})
    keep(secrets_manager, "okta_planted", connection)
    hook = OktaHook("okta_planted")
    name = urlsplit(hook.settings.org_url).netloc
    assert hook.test_connection() == (True, f"The System Log of {name} can be read.")
    statuses = [one["status"] for one in okta.control.get("/requests")]
    assert statuses == [400, 400, 200, 200], "no key was refused"


@pytest.mark.parametrize("how", ["a key set", "an array", "two fields"])
def test_keys_change_without_a_gap(secrets_manager: Any, okta: Simulator, how: str) -> None:
    app = okta.control.post("/oauth-clients", jwks={"keys": [public(OLD)]})
    keep(secrets_manager, "okta_old", in_extra({"client_id": app["client_id"], "private_key": OLD}, okta.url))
    keep(secrets_manager, "okta_both", in_extra(FORMS[how] | {"client_id": app["client_id"]}, okta.url))
    keep(secrets_manager, "okta_new", in_extra({"client_id": app["client_id"], "private_key": NEW}, okta.url))

    def works(conn_id: str) -> bool:
        return OktaHook(conn_id).test_connection()[0]

    # Whatever comes first, and while some tasks still have the connection of before, nobody is locked out.
    assert (works("okta_old"), works("okta_both")) == (True, True)
    okta.control.post("/oauth-clients", client_id=app["client_id"], jwks={"keys": [public(OLD), public(NEW)]})
    assert (works("okta_old"), works("okta_both"), works("okta_new")) == (True, True, True)
    okta.control.post("/oauth-clients", client_id=app["client_id"], jwks={"keys": [public(NEW)]})
    assert (works("okta_old"), works("okta_both"), works("okta_new")) == (False, True, True)


def test_an_opensearch_connection(secrets_manager: Any) -> None:
    secret = {"conn_type": "opensearch", "host": "search.example.com", "login": "loader", "password": "pä/ß@"}
    keep(secrets_manager, "opensearch_planted", secret)
    settings = OpenSearchHook("opensearch_planted").settings
    assert (settings.url, settings.username, settings.password) == ("https://search.example.com", "loader", "pä/ß@")


def test_a_key_that_secrets_manager_mangled_is_not_shown(secrets_manager: Any, okta: Simulator) -> None:
    keep(secrets_manager, "okta_damaged", in_extra({"client_id": "0oa1", "private_key": NEW_PEM[:-80]}, okta.url))
    good, said = OktaHook("okta_damaged").test_connection()
    assert (good, NEW_PEM.splitlines()[1] in said) == (False, False)
    assert "private key cannot be read" in said
