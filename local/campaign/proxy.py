"""Stands between the workers and the real OpenSearch: makes faults, and watches the ledger.

``python -m local.campaign.proxy``; prints one line of JSON when it is ready. Under ``/_campaign`` the conductor queues
faults and asks what has happened.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import msgspec
import requests

from local.campaign.audit import Audit, Run
from local.campaign.bulk_faults import Parted, answer, part
from local.campaign.oracle import Oracle
from local.campaign.stored import Holdings
from local.campaign.watch import Claim, Watch

PREFIX = "/_campaign"
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
_INSTEAD = {
    "opensearch-429": (429, "circuit_breaking_exception", "[parent] Data too large"),
    "opensearch-503": (503, "cluster_manager_not_discovered_exception", None),
}


class Wish(msgspec.Struct):
    """What the conductor asks for.

    :param kind: a fault to make
    :param disturbed: whether what is stored is being damaged
    :param well: beginnings of hours that were called well
    :param by_id: of how many of them to ask for each event by its id
    :param green: loads that ended well
    """

    kind: str | None = None
    disturbed: bool = False
    well: list[datetime] = []
    by_id: int = 0
    green: list[Run] = []


@dataclass
class State:
    """What the handlers share.

    :param upstream: host and port of the real OpenSearch
    :param ledger: the alias through which the ledger is written
    :param watch: told of each write to the ledger
    :param audit: asked whether what was called well is
    :param rng: chooses which documents of a bulk are refused
    """

    upstream: str
    ledger: str
    watch: Watch
    audit: Audit
    rng: random.Random
    queue: list[str] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    blocked: int = 0
    unreachable: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def draw(self, *, bulk: bool) -> str | None:
        """Take the first fault that fits a request."""
        with self.lock:
            self.requests += 1
            for number, kind in enumerate(self.queue):
                if bulk or "item" not in kind:
                    return self.queue.pop(number)
        return None

    def happened(self, kind: str) -> None:
        """Count a fault that was really delivered."""
        with self.lock:
            self.fired[kind] += 1

    def describe(self) -> dict[str, object]:
        """What has happened so far."""
        with self.lock:
            return {
                "fired": dict(self.fired),
                "queued": len(self.queue),
                "requests": self.requests,
                "blocked": self.blocked,
                "unreachable": self.unreachable,
                "complete": len(self.watch.complete),
                "early": dict(self.watch.early),
                "excused": self.watch.excused,
                "resumes": self.watch.resumes,
            }


class Handler(BaseHTTPRequestHandler):
    """One connection of a worker, with a connection of its own to OpenSearch."""

    protocol_version = "HTTP/1.1"
    state: State
    _upstream: http.client.HTTPConnection | None = None

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the workers' logs have what matters."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith(PREFIX):
            self._control(body)
            return
        bulk = "/_bulk" in self.path
        fault = self.state.draw(bulk=bulk)
        if fault in _INSTEAD:
            self.state.happened(fault)
            status, kind, reason = _INSTEAD[fault]
            error: dict[str, object] = {"type": kind, "reason": reason, "root_cause": []}
            self._answer(status, json.dumps({"error": error, "status": status}).encode())
            return
        parted = part(fault, body, self.state.rng) if fault is not None and "item" in fault else None
        claim = self._claim(body)
        try:
            ignored = self.state.watch.before(claim) if claim is not None else 0
            status, said = self._forward(parted.body if parted else body)
        except (OSError, http.client.HTTPException, requests.RequestException):
            # Down, or going down: the caller sees what it would see without us, an end without an answer.
            with self.state.lock:
                self.state.unreachable += 1
            self.close_connection = True
            return
        if claim is not None and 200 <= status < 300:
            self.state.watch.after(claim, ignored)
        if b"cluster_block_exception" in said:
            with self.state.lock:
                self.state.blocked += 1
        self._deliver(fault, parted, status, said)

    def _deliver(self, fault: str | None, parted: Parted | None, status: int, said: bytes) -> None:
        if fault == "opensearch-answer-lost":
            self.state.happened(fault)
            self.close_connection = True
        elif fault == "opensearch-answer-cut" and len(said) > 1:
            self.state.happened(fault)
            self._answer(status, said[: len(said) // 2], length=len(said))
            self.close_connection = True
        elif parted is not None and status == 200:
            self.state.happened(parted.kind)
            self._answer(status, answer(parted, said))
        else:
            if fault is not None:  # nothing to spoil here: the next one gets it
                with self.state.lock:
                    self.state.queue.append(fault)
            self._answer(status, said)

    def _claim(self, body: bytes) -> Claim | None:
        if self.command != "PUT" or not self.path.startswith(f"/{self.state.ledger}/_doc/"):
            return None
        return msgspec.json.decode(body, type=Claim)

    def _forward(self, body: bytes) -> tuple[int, bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        if self._upstream is None:
            self._upstream = http.client.HTTPConnection(self.state.upstream, timeout=120)
        try:
            self._upstream.request(self.command, self.path, body or None, headers)
            response = self._upstream.getresponse()
            return response.status, response.read()
        except BaseException:
            self._upstream.close()
            self._upstream = None
            raise

    def _answer(self, status: int, body: bytes, *, length: int | None = None) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        except OSError:  # the worker was killed meanwhile
            self.close_connection = True

    def _control(self, body: bytes) -> None:
        wish = msgspec.json.decode(body, type=Wish) if self.command == "POST" else Wish()
        if wish.disturbed:
            self.state.watch.disturb()
        if wish.kind is not None:
            with self.state.lock:
                self.state.queue.append(wish.kind)
        try:
            false = self.state.audit.hours(wish.well, by_id=wish.by_id) if wish.well else []
        except requests.RequestException as error:
            self._answer(503, str(error).encode())
            return
        false += self.state.audit.runs(wish.green)
        self._answer(200, json.dumps({**self.state.describe(), "false": false}).encode())

    def finish(self) -> None:
        """Let go of OpenSearch together with the worker."""
        if self._upstream is not None:
            self._upstream.close()
        super().finish()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815


class Server(ThreadingHTTPServer):
    """Ends with its threads wherever they are, and is not surprised by connections that die."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A killed worker's connection is not an error; any other failure is, and is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m local.campaign.proxy")
    parser.add_argument("--opensearch", required=True)
    parser.add_argument("--control", required=True, help="the simulator's control endpoint")
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--hold-back", type=float, required=True, help="seconds")
    parser.add_argument("--seed", required=True)
    given = parser.parse_args()
    holdings = Holdings(given.opensearch, given.prefix)
    watch = Watch(Oracle(given.control), holdings, timedelta(seconds=given.hold_back))
    rng = random.Random(f"proxy {given.seed}")  # noqa: S311
    audit = Audit(watch, holdings)
    Handler.state = State(urlsplit(given.opensearch).netloc, f"{given.prefix}-ledger-write", watch, audit, rng)
    with Server(("127.0.0.1", 0), Handler) as server:
        print(json.dumps({"url": f"http://127.0.0.1:{server.server_address[1]}"}), flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
