"""Settings, log-in and TLS of the client."""

from __future__ import annotations

import base64
import datetime
import http.server
import ipaddress
import socket
import ssl
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import requests.auth
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from opensearchpy import RequestsAWSV4SignerAuth, Urllib3AWSV4SignerAuth

from oktalogger.opensearch.client import OpenSearchSettings, make_client
from oktalogger.opensearch.errors import (
    OpenSearchRequestError,
    OpenSearchResponseError,
    OpenSearchSettingsError,
    OpenSearchTlsError,
    OpenSearchUnavailableError,
)
from oktalogger.opensearch.request import call, repeated, send

from .conftest import Answer, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "correct horse battery"


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"url": "http://search.example.com:9200"}, "is not https"),
            ({"url": "search.example.com:9200"}, "not of the form"),
            ({"url": "https://"}, "not of the form"),
            ({"url": "https://search.example.com?x=1"}, "must not have a query"),
            ({"url": "https://search.example.com:port"}, "cannot be read"),
            ({"username": "u"}, "go together"),
            ({"password": SECRET}, "go together"),
            ({"username": "u", "password": SECRET, "http_auth": object()}, "not both"),
            ({"client_key": "key.pem"}, "needs client_cert"),
            ({"ca_certs": "ca.pem", "verify_certs": False}, "choose one"),
            ({"timeout": 0}, "more than 0 seconds"),
        ],
    )
    def test_what_cannot_work_is_refused(self, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(OpenSearchSettingsError, match=message):
            OpenSearchSettings(**{"url": "https://search.example.com", **settings})

    def test_a_password_in_the_url_is_refused_without_being_shown(self) -> None:
        with pytest.raises(OpenSearchSettingsError) as caught:
            OpenSearchSettings(url="https://user:hunter2@search.example.com")
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize(
        "url", ["http://localhost:9200", "http://127.0.0.1:9200", "http://[::1]:9200", "https://search.example.com"]
    )
    def test_loopback_may_be_http(self, url: str) -> None:
        OpenSearchSettings(url=url)

    def test_http_may_be_asked_for(self) -> None:
        OpenSearchSettings(url="http://opensearch:9200", allow_http=True)

    def test_no_secret_is_shown(self) -> None:
        settings = OpenSearchSettings(url="https://search.example.com", username="u", password=SECRET)
        client = make_client(settings)
        assert SECRET not in repr(settings) + repr(client) + repr(client.transport.get_connection())

    def test_a_certificate_that_is_not_there(self) -> None:
        settings = OpenSearchSettings(url="https://search.example.com", ca_certs="/nowhere/ca.pem")
        with pytest.raises(OpenSearchSettingsError, match=r"ca_certs names '/nowhere/ca.pem'"):
            make_client(settings)


class TestRequests:
    def test_basic_authentication_takes_any_character(self, server: Server) -> None:
        server.script = [Answer(body={})]
        client = make_client(OpenSearchSettings(url=server.url, username="lo:ader", password="pä😀:x"))
        call(client, "GET", "/", doing="to test")
        scheme, _, value = server.received[0].headers["authorization"].partition(" ")
        assert (scheme, base64.b64decode(value).decode()) == ("Basic", "lo:ader:pä😀:x")

    @pytest.mark.parametrize("signer", [RequestsAWSV4SignerAuth, Urllib3AWSV4SignerAuth])
    def test_requests_are_signed_for_aws(self, server: Server, signer: Any) -> None:
        botocore = pytest.importorskip("botocore.credentials")
        auth = signer(botocore.Credentials("AKIDEXAMPLE", SECRET, "session"), "eu-central-1", "es")
        client = make_client(OpenSearchSettings(url=server.url, http_auth=auth))
        server.script = [Answer(body={"a": 1})]
        assert call(client, "POST", "/x/_bulk", doing="to test", params={"a": "b,c"}, body={}) == {"a": 1}
        headers = server.received[0].headers
        assert "Credential=AKIDEXAMPLE/" in headers["authorization"]
        assert "/eu-central-1/es/aws4_request" in headers["authorization"]
        assert headers["x-amz-security-token"] == "session"

    def test_any_other_requests_auth_is_used(self, server: Server) -> None:
        server.script = [Answer(body={})]
        auth = requests.auth.HTTPBasicAuth("a", "b")
        client = make_client(OpenSearchSettings(url=server.url, http_auth=auth))
        call(client, "GET", "/", doing="to test")
        assert server.received[0].headers["authorization"].startswith("Basic ")

    @pytest.mark.parametrize("auth", [None, requests.auth.HTTPBasicAuth("a", "b")])
    def test_no_redirect_is_followed(self, server: Server, auth: Any) -> None:
        server.script = [Answer(302, b"moved", "text/plain")]
        client = make_client(OpenSearchSettings(url=server.url, http_auth=auth))
        with pytest.raises(OpenSearchRequestError, match="HTTP 302"):
            send(client, "GET", "/", doing="to test")
        assert len(server.received) == 1

    def test_a_path_before_opensearch_and_compression(self, server: Server) -> None:
        server.script = [Answer(body={})]
        client = make_client(OpenSearchSettings(url=f"{server.url}/search/", http_compress=True))
        call(client, "PUT", "/x", doing="to test", body={"a": 1})
        assert server.received[0].path == "/search/x"
        assert server.received[0].headers["content-encoding"] == "gzip"

    def test_a_failure_leaves_no_line_in_the_log(
        self, server: Server, client: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.script = [Answer(400, {"error": {"type": "x", "reason": "y"}})]
        with pytest.raises(OpenSearchRequestError), caplog.at_level("INFO"):
            send(client, "GET", "/", doing="to test")
        assert caplog.records == []

    def test_small_requests_are_repeated_a_little(self, server: Server, client: Any) -> None:
        waits: list[float] = []
        server.script = [Answer(503, b"", "text/plain"), Answer(0), Answer(body={"a": 1})]
        assert call(client, "GET", "/", doing="to test", sleep=waits.append) == {"a": 1}
        server.script = [Answer(503, b"", "text/plain")] * 4
        with pytest.raises(OpenSearchUnavailableError, match="refused to test"):
            call(client, "GET", "/", doing="to test", sleep=waits.append)
        assert len(waits) == 4

    @pytest.mark.parametrize("auth", [None, requests.auth.HTTPBasicAuth("a", "b")])
    @pytest.mark.parametrize("answer", [Answer(503, b"", "text/plain"), Answer(0)], ids=["busy", "cut"])
    def test_opensearch_py_repeats_nothing_by_itself(self, server: Server, auth: Any, answer: Answer) -> None:
        server.script = [answer] * 4
        client = make_client(OpenSearchSettings(url=server.url, http_auth=auth))
        with pytest.raises(OpenSearchUnavailableError):
            send(client, "POST", "/x", doing="to test", body=b"{}")
        assert len(server.received) == 1

    def test_the_servers_timeout_is_not_taken_for_the_clients(self, server: Server, client: Any) -> None:
        server.script = [Answer(body={})]
        params = {"timeout": "20s", "request_timeout": "1"}
        send(client, "POST", "/x", doing="to test", params=params, only="a.*,b", body=b"{}")
        path, _, query = server.received[0].path.partition("?")
        assert (path, query) == ("/x", "timeout=20s&request_timeout=1&filter_path=error%2Cstatus%2Ca.%2A%2Cb")

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (Answer(200, b"<html>Please log in</html>", "text/html"), "Please log in"),
            (Answer(200, b"Please log in", "text/plain"), "Please log in"),
            (Answer(200, b'{"a":', "application/json"), '{"a":'),
            (Answer(200, b"<log-in/>", "application/xml"), "application/xml"),
        ],
    )
    def test_an_answer_that_is_none_is_shown(self, server: Server, client: Any, answer: Answer, said: str) -> None:
        server.script = [answer]
        with pytest.raises(OpenSearchResponseError, match="is not OpenSearch") as caught:
            call(client, "GET", "/", doing="to test")
        assert said in str(caught.value)

    def test_json_is_read_whatever_a_proxy_calls_it(self, server: Server, client: Any) -> None:
        server.script = [Answer(200, b'{"a":1}', "text/plain"), Answer(200, b"")]
        assert send(client, "GET", "/", doing="to test") == {"a": 1}
        assert send(client, "GET", "/", doing="to test") == {}

    def test_half_a_surrogate_pair_in_an_event_is_read(self, server: Server, client: Any) -> None:
        server.script = [Answer(200, b'{"a":"\\ud83d"}')]
        assert send(client, "GET", "/", doing="to test") == {"a": "\ud83d"}

    def test_what_may_have_been_done_is_not_repeated_where_that_would_do_it_twice(
        self, server: Server, client: Any
    ) -> None:
        def once() -> Any:
            return send(client, "POST", "/monitors", doing="to test", body=b"{}")

        server.script = [Answer(429, b"", "text/plain"), Answer(0), Answer(body={})]
        with pytest.raises(OpenSearchUnavailableError) as caught:
            repeated(once, only_if_not_done=True, sleep=lambda _: None)
        assert caught.value.outcome_unknown
        assert len(server.received) == 2, "429 says that nothing was done"


class TestNoAnswer:
    def test_nothing_listens(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(OpenSearchUnavailableError, match="Nothing listens there") as caught:
            send(make_client(OpenSearchSettings(url=url)), "GET", "/", doing="to test")
        assert caught.value.retryable
        assert not caught.value.outcome_unknown

    @pytest.mark.parametrize("auth", [None, requests.auth.HTTPBasicAuth("a", "b")])
    def test_unknown_host(self, auth: Any) -> None:
        settings = OpenSearchSettings(url="https://nowhere.invalid", http_auth=auth)
        with pytest.raises(OpenSearchUnavailableError, match="host name is not known") as caught:
            send(make_client(settings), "GET", "/", doing="to test")
        assert not caught.value.outcome_unknown

    def test_no_answer_in_time(self) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            settings = OpenSearchSettings(url=f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)
            with pytest.raises(OpenSearchUnavailableError, match="time-out") as caught:
                send(make_client(settings), "GET", "/", doing="to test")
        assert caught.value.outcome_unknown


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def tls_port(certificate: Path) -> Iterator[int]:
    """A TLS server that says who the client is, if it says so itself."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            peer = self.connection.getpeercert()
            data = b'{"certificate": true}' if peer else b'{"certificate": false}'
            self.send_response(200)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_OPTIONAL

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A refused handshake is what some tests want."""

    listening = Quiet(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield listening.server_port
    listening.shutdown()
    listening.server_close()
    thread.join()


class TestTls:
    @pytest.mark.parametrize("auth", [None, requests.auth.HTTPBasicAuth("a", "b")])
    def test_an_untrusted_certificate_is_refused_for_good(self, tls_port: int, auth: Any) -> None:
        client = make_client(OpenSearchSettings(url=f"https://127.0.0.1:{tls_port}", http_auth=auth))
        with pytest.raises(OpenSearchTlsError, match="not trusted") as caught:
            send(client, "GET", "/", doing="to test")
        assert not caught.value.retryable

    def test_a_certificate_for_another_name_is_refused(self, tls_port: int, certificate: Path) -> None:
        settings = OpenSearchSettings(url=f"https://localhost:{tls_port}", ca_certs=str(certificate))
        with pytest.raises(OpenSearchTlsError):
            send(make_client(settings), "GET", "/", doing="to test")

    @pytest.mark.parametrize("auth", [None, requests.auth.HTTPBasicAuth("a", "b")])
    def test_a_named_authority_is_trusted_whatever_the_environment_says(
        self, tls_port: int, certificate: Path, auth: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", requests.utils.DEFAULT_CA_BUNDLE_PATH)
        settings = OpenSearchSettings(url=f"https://127.0.0.1:{tls_port}", ca_certs=str(certificate), http_auth=auth)
        assert call(make_client(settings), "GET", "/", doing="to test") == {"certificate": False}

    @pytest.mark.parametrize("verify", [True, False])
    def test_a_client_certificate_is_shown(self, tls_port: int, certificate: Path, verify: bool) -> None:
        settings = OpenSearchSettings(
            url=f"https://127.0.0.1:{tls_port}",
            ca_certs=str(certificate) if verify else None,
            verify_certs=verify,
            client_cert=str(certificate),
            client_key=str(certificate),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert call(make_client(settings), "GET", "/", doing="to test") == {"certificate": True}

    def test_https_to_a_port_that_speaks_http(self, server: Server) -> None:
        client = make_client(OpenSearchSettings(url=server.url.replace("http:", "https:")))
        with pytest.raises(OpenSearchTlsError, match="http against https"):
            send(client, "GET", "/", doing="to test")
