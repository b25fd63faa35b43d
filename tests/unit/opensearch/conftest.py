"""A server that answers as it is told, for what a healthy OpenSearch never says."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.opensearch.client import OpenSearchSettings, make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opensearchpy import OpenSearch


@dataclass
class Received:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def items(self) -> list[tuple[str, dict[str, Any]]]:
        """The actions of a bulk body, each with what its line says of the document."""
        return [next(iter(json.loads(line).items())) for line in self.body.splitlines()[::2]]

    @property
    def ids(self) -> list[str]:
        """The ids of a bulk body."""
        return [said["_id"] for _, said in self.items]

    @property
    def sources(self) -> list[Any]:
        """The documents of a bulk body."""
        return [json.loads(line) for line in self.body.splitlines()[1::2]]


@dataclass
class Answer:
    """What to say: a status and a body; ``status`` 0 closes the connection without a word."""

    status: int = 200
    body: Any = None
    content_type: str = "application/json"
    claimed_length: int | None = None

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def stored(request: Received, **statuses: int) -> Answer:
    """The answer of a server that does what is asked with each document, but for those named."""
    items = []
    for action, said in request.items:
        identity = said["_id"]
        item: dict[str, Any] = {"status": statuses.get(identity, 200 if action == "update" else 201)}
        if item["status"] == 409:
            item["error"] = {"type": "version_conflict_engine_exception", "reason": "document already exists"}
        elif item["status"] == 404:
            item["error"] = {"type": "document_missing_exception", "reason": "document missing"}
        elif item["status"] == 429:
            item["error"] = {
                "type": "rejected_execution_exception",
                "reason": "rejected execution",
            }
        elif item["status"] == 503:
            item["error"] = {"type": "unavailable_shards_exception", "reason": "primary shard is not active"}
        elif item["status"] >= 400:
            item["error"] = {"type": "some_exception", "reason": f"because of {identity}"}
        items.append({action: item})
    return Answer(body={"items": items})


@dataclass
class Server:
    """The server: ``script`` holds what it answers, in turn; after its end it stores everything."""

    url: str = ""
    script: list[Answer | Callable[[Received], Answer]] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Received) -> Answer:
        with self.lock:
            self.received.append(request)
            step = self.script.pop(0) if self.script else stored
        return step if isinstance(step, Answer) else step(request)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = state.answer(Received(self.command, self.path, headers, self.rfile.read(length)))
            if answer.status == 0:
                self.close_connection = True
                return
            self.send_response(answer.status)
            self.send_header("content-type", answer.content_type)
            self.send_header("location", "/elsewhere")
            self.send_header("content-length", str(answer.claimed_length or len(answer.data)))
            self.end_headers()
            self.wfile.write(answer.data)
            if answer.claimed_length:
                self.close_connection = True

        do_GET = do_POST = do_PUT = handle_any  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    state.url = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield state
    listening.shutdown()
    listening.server_close()
    thread.join()


@pytest.fixture
def client(server: Server) -> Iterator[OpenSearch]:
    client = make_client(OpenSearchSettings(url=server.url, timeout=2))
    yield client
    client.close()
