"""Servers that take metrics as a deployment's would: StatsD and OpenTelemetry."""

from __future__ import annotations

import http.server
import re
import socket
import threading
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def statsd() -> Iterator[tuple[int, dict[str, list[float]]]]:
    """Yield a UDP port, and the values that come to it, by name."""
    heard: defaultdict[str, list[float]] = defaultdict(list)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        over = threading.Event()

        def listen() -> None:
            while True:
                try:
                    packet = server.recv(65_536).decode()
                except TimeoutError:
                    if over.is_set():
                        return
                    continue
                for line in packet.splitlines():
                    name, value = re.match(r"([^:]+):([-+\d.]+)\|", line).groups()  # type: ignore[union-attr]
                    heard[name].append(float(value))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            over.set()
            thread.join()


@contextmanager
def opentelemetry() -> Iterator[tuple[int, list[bytes]]]:
    """Yield an HTTP port, and the bodies that are posted to it: protobuf, in which names stand as they are."""
    heard: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], heard
        finally:
            server.shutdown()
            thread.join()
