"""A small real HTTP server that answers from a script and remembers, byte for byte, what it was asked."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from email.message import Message

Header = tuple[str, str]

TOKEN = "00-the-secret-token"  # what clients of the scripted server log in with


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    target: str
    headers: Message
    body: bytes


@dataclass
class Answer:
    """One scripted answer, and how to spoil it."""

    status: int = 200
    body: bytes = b"[]"
    headers: Sequence[Header] = ()
    content_type: str = "application/json"
    announced_length: int | None = None  # a Content-Length that is not the body's
    chunked: bool = False
    cut_chunks: bool = False  # end the connection within a chunk
    reset: str | None = None  # "before" or "during" the body: a TCP reset
    drip_seconds: float = 0.0  # between single bytes of the body
    drip_head_seconds: float = 0.0  # between single bytes of status and headers
    delay_seconds: float = 0.0  # before the status line
    date: float | None = None


def events(*rows: tuple[str, str], padding: str = "") -> bytes:
    """A page's body of (published, uuid)."""
    return json.dumps([{"uuid": uuid, "published": published, "x": padding} for published, uuid in rows]).encode()


def page(body: bytes, *, next_url: str | None = None, **more: Any) -> Answer:
    headers: list[Header] = [("X-Okta-Request-Id", "req-1")]
    if next_url is not None:
        headers += [("Link", '<https://unused.invalid/self>; rel="self"'), ("Link", f'<{next_url}>; rel="next"')]
    return Answer(body=body, headers=headers, **more)


def error(status: int, code: str, summary: str, causes: Sequence[str] = (), **more: Any) -> Answer:
    envelope = {
        "errorCode": code,
        "errorSummary": summary,
        "errorId": "oae1",
        "errorCauses": [{"errorSummary": cause} for cause in causes],
    }
    headers = [("X-Okta-Request-Id", "req-e"), *more.pop("headers", ())]
    return Answer(status=status, body=json.dumps(envelope).encode(), headers=headers, **more)


def too_many(*, limit: int = 60, reset_in: int = 20, date: float = 1_700_000_000.0) -> Answer:
    headers = [
        ("X-Rate-Limit-Limit", str(limit)),
        ("X-Rate-Limit-Remaining", "0"),
        ("X-Rate-Limit-Reset", str(int(date) + reset_in)),
    ]
    return error(429, "E0000047", "API call exceeded rate limit due to too many requests.", headers=headers, date=date)


def gzipped(answer: Answer, *, keep: int | None = None) -> Answer:
    """The same, compressed, and cut to its first bytes (with a length that fits what is sent)."""
    answer.body = gzip.compress(answer.body)[:keep]
    answer.headers = [*answer.headers, ("Content-Encoding", "gzip")]
    return answer


Script = Callable[[Asked], Answer]


@dataclass
class ScriptedServer:
    """Answers in the script's order, the last one for ever; or whatever a function says."""

    url: str
    script: list[Answer | Script] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answers(self, *script: Answer | Script) -> None:
        self.script = list(script)

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return step(asked) if callable(step) else step


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    scripted: ScriptedServer

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_CONNECT(self) -> None:
        """What a proxy is asked first, where the org speaks TLS."""
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        # Not self.path: http.server shortens a leading '//'.
        line: bytes = self.raw_requestline  # type: ignore[attr-defined]
        target = line.decode("latin-1").split(" ")[1]
        answer = self.scripted.answer(Asked(self.command, target, self.headers, body))
        time.sleep(answer.delay_seconds)
        if answer.reset == "before":
            return self._reset()
        head = self._head(answer).encode("latin-1")
        if answer.drip_head_seconds:
            self._drip(head, answer.drip_head_seconds)
        else:
            self.wfile.write(head)
        if not self.close_connection:
            self._send_body(answer)

    def _head(self, answer: Answer) -> str:
        length = len(answer.body) if answer.announced_length is None else answer.announced_length
        lines = [f"HTTP/1.1 {answer.status} Scripted", f"Date: {formatdate(answer.date, usegmt=True)}"]
        lines += ["Transfer-Encoding: chunked" if answer.chunked else f"Content-Length: {length}"]
        lines += [f"Content-Type: {answer.content_type}"] if answer.content_type else []
        lines += [f"{name}: {value}" for name, value in answer.headers]
        return "\r\n".join(lines) + "\r\n\r\n"

    def _send_body(self, answer: Answer) -> None:
        body = answer.body
        if answer.reset == "during":
            self.wfile.write(body[: len(body) // 2])
            return self._reset()
        if answer.chunked:
            half = len(body) // 2
            for chunk in (body[:half], body[half:]) if half else (body,):
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                if answer.cut_chunks:
                    self.wfile.write(f"{len(body):x}\r\n".encode() + body[:1])
                    self.close_connection = True
                    return None
            self.wfile.write(b"0\r\n\r\n")
        elif answer.drip_seconds:
            self._drip(body, answer.drip_seconds)
        else:
            self.wfile.write(body)
        if answer.announced_length is not None:
            self.close_connection = True
        return None

    def _drip(self, body: bytes, seconds: float) -> None:
        try:
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(seconds)
        except OSError:
            self.close_connection = True

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RD)
        self.close_connection = True
        self.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""


@contextmanager
def scripted_server(tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """A running server on a free port of this machine."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "https" if tls else "http"
    scripted = ScriptedServer(f"{scheme}://127.0.0.1:{server.server_address[1]}")
    handler.scripted = scripted  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield scripted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
