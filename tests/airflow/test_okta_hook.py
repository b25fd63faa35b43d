from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from oktalogger.hooks import okta as okta_hook
from oktalogger.hooks.extras import ConnectionSettingsError
from oktalogger.hooks.okta import OktaHook
from tests.unit.okta.server import Answer, ScriptedServer, error, page

TOKEN = "00-the-secret-token-of-the-test"


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    secrets: list[str] = []
    monkeypatch.setattr(okta_hook, "mask_secret", secrets.append)
    return secrets


def connect(monkeypatch: pytest.MonkeyPatch, *, extra: Any = None, **fields: Any) -> OktaHook:
    connection = {"conn_type": "okta", "host": "https://acme.okta.com", "password": TOKEN, "extra": extra or {}}
    monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps(connection | fields))
    return OktaHook()


@pytest.fixture(scope="module")
def pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def test_making_a_hook_does_nothing() -> None:
    OktaHook("there_is_no_such_connection")


def test_a_connection_that_is_not_there_is_named() -> None:
    with pytest.raises(Exception, match="there_is_no_such_connection"):
        _ = OktaHook("there_is_no_such_connection").settings


@pytest.mark.parametrize(
    ("fields", "org_url"),
    [
        ({"host": "https://acme.okta.com"}, "https://acme.okta.com"),
        ({"host": "https://acme.okta.com/"}, "https://acme.okta.com"),
        ({"host": " acme.okta.com "}, "https://acme.okta.com"),
        ({"host": "acme.okta.com", "schema": "https"}, "https://acme.okta.com"),
        ({"host": "http://127.0.0.1:8081"}, "http://127.0.0.1:8081"),
        ({"host": "127.0.0.1", "schema": "http", "port": 8081}, "http://127.0.0.1:8081"),
    ],
)
def test_the_org_url(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], org_url: str) -> None:
    assert connect(monkeypatch, **fields).settings.org_url == org_url


@pytest.mark.parametrize("host", ["acme.okta.com", "https%3A%2F%2Facme.okta.com", "https://acme.okta.com"])
def test_a_connection_uri(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    login = f":{quote(TOKEN, safe='')}@"
    scheme, separator, rest = host.partition("://")
    uri = f"okta://{scheme}://{login}{rest}" if separator else f"okta://{login}{host}"
    monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", f"{uri}/?page_limit=500&verify=false&filter=severity+eq+%22WARN%22")
    settings = OktaHook().settings
    assert (settings.org_url, settings.token) == ("https://acme.okta.com", TOKEN)
    assert (settings.page_limit, settings.verify, settings.filter) == (500, False, 'severity eq "WARN"')


def test_extras_are_read_by_their_table(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {
        "filter": 'severity eq "WARN"',
        "q": "",
        "proxy": None,
        "verify": "/etc/ssl/ours.pem",
        "timeout": "20",
        "page_limit": "200",
        "scopes": "okta.logs.read okta.users.read",
        "admin_url": "https://admin.example.com",
    }
    settings = connect(monkeypatch, extra=extra).settings
    assert settings.filter == 'severity eq "WARN"'
    assert (settings.q, settings.proxy) == (None, None), "what a form sends for an empty field is absent"
    assert (settings.verify, settings.timeout, settings.page_limit) == ("/etc/ssl/ours.pem", 20.0, 200)
    assert settings.scopes == ("okta.logs.read", "okta.users.read")


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"veryfy": False}, ["okta_default", "veryfy", "Known are: auth, client_id"]),
        ({"page_limit": 5000}, ["page_limit", "a whole number from 1 to 1000"]),
        ({"page_limit": True}, ["page_limit"]),
        ({"timeout": "soon"}, ["timeout", "a number from 1 to 600"]),
        ({"allow_http": "perhaps"}, ["allow_http", "true or false"]),
        ({"auth": "basic"}, ["auth", "ssws, private_key_jwt"]),
        ({"scopes": 3}, ["scopes", "a list of words"]),
        ({"filter": 3}, ["filter", "text"]),
        ({"auth": "private_key_jwt"}, ["private_key_jwt", "client_id"]),
        ({"auth": "private_key_jwt", "client_id": "0oa1"}, ["`private_key`"]),
    ],
)
def test_a_bad_extra_is_an_error_that_says_what_is_taken(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ConnectionSettingsError) as caught:
        _ = connect(monkeypatch, extra=extra).settings
    for word in words:
        assert word in str(caught.value)


def test_a_connection_without_token_says_where_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionSettingsError, match="put it into the password"):
        _ = connect(monkeypatch, password="").settings


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch, masked: list[str], pem: str) -> None:
    extra = {"client_id": "0oa1", "private_key": pem, "proxy": "http://me:proxy-password@proxy:3128"}
    settings = connect(monkeypatch, extra=extra).settings
    assert TOKEN not in repr(settings)
    assert "PRIVATE" not in repr(settings)
    assert "proxy-password" not in repr(settings)
    assert {TOKEN, "proxy-password", pem.strip()} <= set(masked)
    lines = [line for line in pem.splitlines() if not line.startswith("-----")]
    assert set(lines[:-1]) <= set(masked), "a log may show a key line by line"
    assert min(map(len, masked)) >= 10, "masking a few letters would black out innocent words"


@pytest.mark.parametrize("how", ["as it is", "on one line", "with \\n", "without line ends"])
def test_a_pem_key_survives_forms_and_environment_variables(
    monkeypatch: pytest.MonkeyPatch, okta_server: ScriptedServer, pem: str, how: str
) -> None:
    key = {
        "as it is": pem,
        "on one line": pem.replace("\n", " "),
        "with \\n": pem.replace("\n", "\\n"),
        "without line ends": pem.replace("\n", ""),
    }[how]
    okta_server.answers(Answer(401, b'{"error": "invalid_client", "error_description": "No such app."}'))
    hook = connect(monkeypatch, host=okta_server.url, extra={"client_id": "0oa1", "private_key": key, "key_id": "k"})
    assert hook.test_connection()[0] is False
    [asked] = okta_server.asked
    assert asked.target == "/oauth2/v1/token", "the key could be used: the app asks for a token"
    assert parse_qs(asked.body.decode())["scope"] == ["okta.logs.read"]


def test_a_jwk_may_be_an_object_and_its_secret_number_is_masked(
    monkeypatch: pytest.MonkeyPatch, masked: list[str]
) -> None:
    jwk = {"kty": "RSA", "kid": "k", "n": "modulus-of-the-key", "e": "AQAB", "d": "secret-number-of-the-key"}
    settings = connect(monkeypatch, extra={"client_id": "0oa1", "private_key": jwk}).settings
    assert json.loads(settings.private_key or "") == jwk
    assert settings.auth == "private_key_jwt"
    assert "secret-number-of-the-key" in masked
    assert "modulus-of-the-key" not in masked


def test_a_good_connection(monkeypatch: pytest.MonkeyPatch, okta_server: ScriptedServer) -> None:
    okta_server.answers(page(b"[]"))
    hook = connect(monkeypatch, host=okta_server.url)
    name = urlsplit(hook.settings.org_url).netloc
    assert hook.test_connection() == (True, f"The System Log of {name} can be read.")
    [asked] = okta_server.asked
    assert asked.headers["Authorization"] == f"SSWS {TOKEN}"
    assert "apache-airflow" in asked.headers["User-Agent"]
    assert parse_qs(urlsplit(asked.target).query)["limit"] == ["1"]


HTML = Answer(200, b"<!DOCTYPE html><html><body>Please log in to the proxy</body></html>", content_type="text/html")
SCOPE = Answer(
    403,
    b"",
    headers=[("WWW-Authenticate", 'Bearer error="insufficient_scope", error_description="No scopes."')],
)

DIAGNOSES = {
    "bad token": (error(401, "E0000011", "Invalid token provided"), ["E0000011", "API token", "Security > API"]),
    "missing scope": (SCOPE, ["okta.logs.read"]),
    "missing admin role": (error(403, "E0000006", "You do not have permission"), ["E0000006", "admin role"]),
    "a proxy's page": (HTML, ["HTML", "proxy"]),
    "a redirect": (Answer(302, b"", headers=[("Location", "https://elsewhere.example.com/")]), ["redirect"]),
    "not Okta": (Answer(404, b"nothing here", content_type="text/plain"), ["404", "org URL", "not seem to be Okta"]),
    "OpenSearch": (Answer(401, b"Unauthorized", content_type="text/plain"), ["401", "org URL", "not seem to be Okta"]),
    "not Okta, but JSON": (Answer(200, b'{"hello": "world"}'), ["JSON", "org URL"]),
    "Okta in trouble": (error(503, "E0000010", "Service is in read only mode"), ["503", "status.okta.com"]),
    "rate limit": (error(429, "E0000047", "API call exceeded rate limit"), ["limit"]),
}


@pytest.mark.parametrize("case", DIAGNOSES)
def test_test_connection_tells_apart_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, okta_server: ScriptedServer, case: str
) -> None:
    answer, words = DIAGNOSES[case]
    okta_server.answers(answer)
    good, message = connect(monkeypatch, host=okta_server.url).test_connection()
    assert good is False
    for word in words:
        assert word in message
    assert TOKEN not in message
    assert len(okta_server.asked) == 1, "somebody waits for the answer: no retries"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"host": "http://127.0.0.1:1"}, ["127.0.0.1:1", "refused"]),
        ({"host": "https://acme.invalid"}, ["no such host", "https://acme.invalid"]),
        ({"host": "http://acme.okta.com"}, ["https"]),
        ({"host": "https://acme-admin.okta.com"}, ["Admin Console", "https://acme.okta.com"]),
        ({"host": "https://acme.okta.com/api/v1/logs"}, ["'https://acme.okta.com/api/v1/logs' has a path"]),
        ({"host": ""}, ["no host"]),
        ({"host": "https://[acme.okta.com]"}, ["of this connection is not an address"]),
        ({"password": "two words"}, ["API token"]),
    ],
)
def test_test_connection_names_what_is_wrong_with_the_address(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], words: list[str]
) -> None:
    good, message = connect(monkeypatch, **fields).test_connection()
    assert good is False
    for word in words:
        assert word in message


def test_a_server_that_speaks_no_tls(monkeypatch: pytest.MonkeyPatch, okta_server: ScriptedServer) -> None:
    okta_server.answers(page(b"[]"))
    good, message = connect(monkeypatch, host=okta_server.url.replace("http:", "https:")).test_connection()
    assert good is False
    assert "TLS" in message or "SSL" in message or "ssl" in message


@pytest.mark.parametrize(
    "proxy", ["http://me:proxy-password@", "me:proxy-password@[oops", "http://me:proxy-password@h:x"]
)
def test_a_proxy_that_is_no_address_is_an_error_that_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, masked: list[str], proxy: str
) -> None:
    with pytest.raises(
        ConnectionSettingsError, match="`proxy` of the connection `okta_default` is not an address"
    ) as caught:
        _ = connect(monkeypatch, extra={"proxy": proxy}).settings
    assert "proxy-password" not in str(caught.value)
    assert any("proxy-password" in secret for secret in masked)
    assert caught.value.__cause__ is None


def test_the_password_of_a_proxy_without_scheme_is_masked(monkeypatch: pytest.MonkeyPatch, masked: list[str]) -> None:
    assert connect(monkeypatch, extra={"proxy": "me:proxy%2Dpassword@proxy:3128"}).settings.proxy
    assert {"proxy-password", "proxy%2Dpassword"} <= set(masked)


def test_a_connection_without_verification_warns(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(OktaHook, "log", logging.getLogger("test"), raising=False)
    for extra, warned in (({"verify": False}, 1), ({}, 0)):
        caplog.clear()
        _ = connect(monkeypatch, extra=extra).client
        assert len([record for record in caplog.records if "verification of TLS off" in record.message]) == warned
