from __future__ import annotations

import base64
import json
import logging
from typing import Any

import pytest

from oktalogger.hooks.extras import ConnectionSettingsError
from oktalogger.hooks.opensearch import OpenSearchHook
from oktalogger.opensearch.errors import OpenSearchSettingsError
from oktalogger.opensearch.names import IndexNames
from tests.unit.okta.server import Answer, ScriptedServer

PASSWORD = "the-secret-password-ä"
HELLO = {"version": {"distribution": "opensearch", "number": "2.19.4"}}


def connect(monkeypatch: pytest.MonkeyPatch, *, extra: Any = None, **fields: Any) -> OpenSearchHook:
    connection = {"conn_type": "opensearch", "host": "search.example.com", "extra": extra or {}}
    monkeypatch.setenv("AIRFLOW_CONN_OPENSEARCH_DEFAULT", json.dumps(connection | fields))
    return OpenSearchHook()


def here(server: ScriptedServer) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": int(server.url.rpartition(":")[2]), "extra": {"use_ssl": False}}


def test_making_a_hook_does_nothing() -> None:
    OpenSearchHook("there_is_no_such_connection")


@pytest.mark.parametrize(
    ("fields", "extra", "url"),
    [
        ({}, {}, "https://search.example.com"),
        ({"port": 9200}, {}, "https://search.example.com:9200"),
        ({"port": 9200}, {"use_ssl": True, "verify_certs": True}, "https://search.example.com:9200"),
        ({"port": 9200}, {"use_ssl": "true"}, "https://search.example.com:9200"),
        ({"port": 9200}, {"use_ssl": False}, "http://search.example.com:9200"),
        ({"port": 9200}, {"scheme": "http"}, "http://search.example.com:9200"),
        ({"host": "https://search.example.com:9243/"}, {}, "https://search.example.com:9243"),
        ({"host": "http://127.0.0.1:9200"}, {}, "http://127.0.0.1:9200"),
        ({"host": "127.0.0.1", "schema": "http", "port": 9200}, {}, "http://127.0.0.1:9200"),
        ({"port": 443}, {"url_prefix": "/opensearch/"}, "https://search.example.com:443/opensearch"),
    ],
)
def test_the_address(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], extra: dict[str, Any], url: str) -> None:
    assert connect(monkeypatch, extra=extra, **fields).settings.url == url


def test_plain_http_to_another_machine_has_to_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OpenSearchSettingsError, match="not https"):
        _ = connect(monkeypatch, host="http://search.example.com").settings
    assert connect(monkeypatch, host="http://search.example.com", extra={"use_ssl": False}).settings.allow_http


def test_certificates_are_verified_unless_the_connection_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect(monkeypatch).settings.verify_certs is True
    assert connect(monkeypatch, extra={"verify_certs": "false"}).settings.verify_certs is False


def test_other_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"timeout": 20, "http_compress": True, "ca_certs": "/ca.pem", "dashboards_url": "https://dash.example.com"}
    hook = connect(monkeypatch, extra=extra)
    assert (hook.settings.timeout, hook.settings.http_compress, hook.settings.ca_certs) == (20.0, True, "/ca.pem")
    assert hook.dashboards_url == "https://dash.example.com"
    assert hook.dashboards_index_pattern is None


def test_an_unknown_extra_is_logged_and_not_passed_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook = connect(monkeypatch, extra={"connection_class": "Urllib3HttpConnection", "headers": {"x": "y"}})
    with caplog.at_level(logging.WARNING):
        _ = hook.settings
    assert "connection_class" in caplog.text
    assert "headers" not in caplog.text.partition("It knows")[0]


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        ({"use_ssl": "perhaps"}, "use_ssl"),
        ({"auth": "ntlm"}, "basic, sigv4, certificate, none"),
        ({"auth": "basic"}, "login and password"),
        ({"auth": "certificate"}, "client_cert"),
        ({"auth": "sigv4"}, "region"),
        ({"service": "s3"}, "es, aoss"),
    ],
)
def test_a_bad_connection_is_an_error_that_says_what_is_taken(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], word: str
) -> None:
    with pytest.raises(ConnectionSettingsError, match=word):
        _ = connect(monkeypatch, extra=extra).settings


def test_user_and_password(monkeypatch: pytest.MonkeyPatch, okta_server: ScriptedServer) -> None:
    okta_server.answers(Answer(body=json.dumps(HELLO).encode()))
    hook = connect(monkeypatch, login="loader", password=PASSWORD, **here(okta_server))
    good, message = hook.test_connection()
    assert (good, message) == (True, f"OpenSearch 2.19.4 answers at {okta_server.url}.")
    scheme, _, token = okta_server.asked[0].headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(token).decode()) == ("Basic", f"loader:{PASSWORD}")
    assert PASSWORD not in repr(hook.settings)


def test_a_connection_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    uri = "opensearch://loader:p%40ss@search.example.com:9200/?use_ssl=true&verify_certs=false&timeout=5"
    monkeypatch.setenv("AIRFLOW_CONN_OPENSEARCH_DEFAULT", uri)
    settings = OpenSearchHook().settings
    assert (settings.url, settings.username, settings.password) == (
        "https://search.example.com:9200",
        "loader",
        "p@ss",
    )
    assert (settings.verify_certs, settings.timeout) == (False, 5.0)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(401, b"Unauthorized", content_type="text/plain"), ["401", "password"]),
        (Answer(403, b'{"error": {"reason": "no permissions for [x]"}, "status": 403}'), ["403"]),
        (Answer(body=b"<html>a proxy</html>", content_type="text/html"), ["not OpenSearch"]),
        (Answer(body=b'{"hello": "world"}'), ["not OpenSearch"]),
        (Answer(body=b'{"version": {"number": "8.1.0", "build_flavor": "default"}}'), ["Elasticsearch"]),
    ],
)
def test_test_connection_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, okta_server: ScriptedServer, answer: Answer, words: list[str]
) -> None:
    okta_server.answers(answer)
    good, message = connect(monkeypatch, login="loader", password=PASSWORD, **here(okta_server)).test_connection()
    assert good is False
    for word in words:
        assert word in message
    assert PASSWORD not in message


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, host="127.0.0.1", port=1, extra={"use_ssl": False})
    good, message = OpenSearchHook(sleep=lambda seconds: None).test_connection()
    assert good is False
    assert "Nothing listens" in message


class TestSigV4:
    @pytest.fixture(autouse=True)
    def _credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-key")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    @pytest.mark.parametrize(
        ("host", "extra", "scope"),
        [
            ("search-logs-abc.eu-central-1.es.amazonaws.com", {}, "eu-central-1/es"),
            ("https://abc.us-east-1.aoss.amazonaws.com", {}, "us-east-1/aoss"),
            ("search-logs-abc.us-gov-west-1.es.amazonaws.com", {}, "us-gov-west-1/es"),
            ("search-logs-abc.cn-north-1.es.amazonaws.com.cn", {}, "cn-north-1/es"),
            ("search-logs-abc.aos.eu-west-2.on.aws", {"auth": "sigv4", "region": "eu-west-2"}, "eu-west-2/es"),
            ("search.example.com", {"auth": "sigv4", "region": "eu-west-1"}, "eu-west-1/es"),
            ("search.example.com", {"auth": "sigv4", "region": "eu-west-1", "service": "aoss"}, "eu-west-1/aoss"),
        ],
    )
    def test_requests_are_signed(
        self, monkeypatch: pytest.MonkeyPatch, host: str, extra: dict[str, Any], scope: str
    ) -> None:
        signer = connect(monkeypatch, host=host, extra=extra).settings.http_auth
        headers = signer("GET", "https://search.example.com/", None)
        assert "Credential=AKIAEXAMPLE/" in headers["Authorization"]
        assert f"/{scope}/aws4_request" in headers["Authorization"]

    def test_a_signed_request_arrives(self, monkeypatch: pytest.MonkeyPatch, okta_server: ScriptedServer) -> None:
        okta_server.answers(Answer(body=json.dumps(HELLO).encode()))
        fields = here(okta_server)
        fields["extra"] |= {"auth": "sigv4", "region": "eu-west-1"}
        assert connect(monkeypatch, **fields).test_connection()[0] is True
        assert okta_server.asked[0].headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/")

    def test_credentials_are_asked_for_at_each_request(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from botocore.credentials import Credentials

        signer = connect(monkeypatch, extra={"auth": "sigv4", "region": "eu-west-1"}).settings.http_auth
        assert isinstance(signer.signer.credentials, Credentials), "frozen ones would end with the worker's session"

    def test_an_aws_connection_may_be_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        named = {"conn_type": "aws", "login": "AKIAOTHER", "password": "another-secret"}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_SEARCH", json.dumps(named))
        hook = connect(monkeypatch, extra={"aws_conn_id": "aws_search", "region": "eu-west-1"})
        headers = hook.settings.http_auth("GET", "https://search.example.com/", None)
        assert "Credential=AKIAOTHER/" in headers["Authorization"]

    def test_a_login_comes_before_the_workers_role(self, monkeypatch: pytest.MonkeyPatch) -> None:
        host = "search-logs-abc.eu-central-1.es.amazonaws.com"
        settings = connect(monkeypatch, host=host, login="loader", password=PASSWORD).settings
        assert (settings.username, settings.http_auth) == ("loader", None)

    def test_no_credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        good, message = connect(monkeypatch, extra={"auth": "sigv4", "region": "eu-west-1"}).test_connection()
        assert good is False
        assert "no AWS credentials" in message


def test_the_store_is_of_the_names_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = connect(monkeypatch)
    store = hook.store(IndexNames("other"))
    assert (store.names.alias, store.client) == ("other", hook.client)


def test_a_connection_without_verification_warns(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for extra, warned in (({"verify_certs": False}, 1), ({}, 0)):
        caplog.clear()
        _ = connect(monkeypatch, extra=extra).client
        assert len([record for record in caplog.records if "verification of TLS off" in record.message]) == warned
