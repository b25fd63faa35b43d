"""TLS verified against a real certificate authority, and a real CONNECT proxy in between."""

from __future__ import annotations

import base64
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from oktalogger.okta.errors import OktaCertificateError, OktaConfigurationError, OktaConnectionError
from oktalogger.okta.retry import RetrySettings
from oktalogger.okta.system_log import SystemLogClient, SystemLogQuery
from tests.unit.okta.server import TOKEN, Answer, ScriptedServer, events, page, scripted_server
from tests.unit.okta.test_keys import pem

if TYPE_CHECKING:
    from pathlib import Path

Connect = Callable[..., SystemLogClient]
PAGE = events(("2026-11-23T10:00:00.000Z", "a"))


def read(client: SystemLogClient, query: SystemLogQuery) -> int:
    return sum(len(page_.events) for page_ in client.pages(query))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_text(made.public_bytes(Encoding.PEM).decode() + pem(key))
    return file


@pytest.fixture
def secure(certificate: Path) -> Iterator[ScriptedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with scripted_server(context) as server:
        server.answers(page(PAGE, next_url=f"{server.url}/api/v1/logs?after=%3a%3A"), page(b"[]"))
        yield server


def test_tls_with_a_named_ca(
    secure: ScriptedServer, certificate: Path, connect: Connect, query: SystemLogQuery
) -> None:
    assert read(connect(org_url=secure.url, verify=str(certificate)), query) == 1
    assert secure.asked[1].target == "/api/v1/logs?after=%3a%3A"


def test_tls_with_a_ca_from_the_environment(
    secure: ScriptedServer,
    certificate: Path,
    connect: Connect,
    query: SystemLogQuery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert read(connect(org_url=secure.url), query) == 1


def test_an_unknown_ca_is_refused(
    secure: ScriptedServer, connect: Connect, query: SystemLogQuery, slept: list[float]
) -> None:
    with pytest.raises(OktaCertificateError, match=r"cannot be verified: self.signed certificate") as caught:
        read(connect(org_url=secure.url), query)
    assert (len(secure.asked), len(slept)) == (0, 0)
    assert not caught.value.retryable


def test_not_verifying_is_a_choice(
    secure: ScriptedServer, connect: Connect, query: SystemLogQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    with pytest.warns(match="Unverified HTTPS request"):
        assert read(connect(org_url=secure.url, verify=False), query) == 1


def test_a_slow_drip_over_tls_is_ended(
    secure: ScriptedServer, certificate: Path, connect: Connect, query: SystemLogQuery
) -> None:
    secure.answers(Answer(200, PAGE, drip_seconds=0.05))
    client = connect(
        org_url=secure.url, verify=str(certificate), response_seconds=0.3, retry=RetrySettings(max_attempts=1)
    )
    with pytest.raises(OktaConnectionError, match=r"no whole answer within 0\.3 s"):
        read(client, query)


def test_a_dripped_head_over_tls_is_ended(
    secure: ScriptedServer, certificate: Path, connect: Connect, query: SystemLogQuery
) -> None:
    secure.answers(Answer(200, PAGE, drip_head_seconds=0.05))
    client = connect(
        org_url=secure.url, verify=str(certificate), response_seconds=0.3, retry=RetrySettings(max_attempts=1)
    )
    with pytest.raises(OktaConnectionError, match=r"no whole answer within 0\.3 s"):
        read(client, query)


def test_https_at_a_port_that_speaks_http(okta: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    client = connect(org_url=okta.url.replace("http:", "https:"), retry=RetrySettings(max_attempts=1))
    with pytest.raises(OktaConnectionError, match=r"gave no whole answer: \[SSL: WRONG_VERSION_NUMBER\]"):
        read(client, query)


def test_a_ca_file_that_is_not_there(
    secure: ScriptedServer, connect: Connect, query: SystemLogQuery, slept: list[float]
) -> None:
    with pytest.raises(OktaConfigurationError, match=r"could not be sent: .*/nowhere.*Check the proxy's .* CA file"):
        read(connect(org_url=secure.url, verify="/nowhere"), query)
    assert slept == []


@pytest.mark.parametrize("proxy", ["http://user:secret@[nowhere", "http://", "gopher://user:secret@127.0.0.1:1"])
def test_a_proxy_address_that_cannot_work(
    secure: ScriptedServer, connect: Connect, query: SystemLogQuery, slept: list[float], proxy: str
) -> None:
    with pytest.raises(OktaConfigurationError, match="could not be sent: Invalid") as caught:
        read(connect(org_url=secure.url, proxies={"https": proxy}), query)
    assert "secret" not in str(caught.value)
    assert slept == []


class Tunnel(BaseHTTPRequestHandler):
    """A CONNECT proxy that wants a password."""

    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        wanted = "Basic " + base64.b64encode(b"user:secret").decode()
        if self.headers["Proxy-Authorization"] != wanted:
            self.send_error(407)
            return
        host, _, port = self.path.rpartition(":")
        with closing(socket.create_connection((host, int(port)))) as upstream:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=pour, args=(upstream, self.connection))
            back.start()
            pour(self.connection, upstream)
            back.join()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def pour(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@contextmanager
def tunnel() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tunnel)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_through_a_proxy(secure: ScriptedServer, certificate: Path, connect: Connect, query: SystemLogQuery) -> None:
    with tunnel() as port:
        proxies = {"https": f"http://user:secret@127.0.0.1:{port}"}
        with connect(org_url=secure.url, verify=str(certificate), proxies=proxies) as client:
            assert read(client, query) == 1
    assert secure.asked[1].target == "/api/v1/logs?after=%3a%3A"
    assert secure.asked[0].headers["Proxy-Authorization"] is None


def test_a_proxy_that_refuses(secure: ScriptedServer, connect: Connect, query: SystemLogQuery) -> None:
    with tunnel() as port:
        proxies = {"https": f"http://user:wrong@127.0.0.1:{port}"}
        client = connect(org_url=secure.url, proxies=proxies, retry=RetrySettings(max_attempts=1))
        with pytest.raises(
            OktaConnectionError, match=r"The proxy between here and GET .* gave no connection: .*407"
        ) as caught:
            read(client, query)
    assert "wrong" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert secure.asked == []
