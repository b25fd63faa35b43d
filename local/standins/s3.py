"""Speaks as much of S3 as an archive needs: conditional writes, reading, listing, versions; and fails as S3 can.

What it answers, and in which words, is that of S3's API reference; it checks no signatures. Objects are in memory.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import random
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE: Final = 1000
# By name: status and S3's own code; without a status the connection ends without an answer, after the work was done.
FAULTS: Final = {
    "s3-slow-down": (503, "SlowDown"),
    "s3-internal-error": (500, "InternalError"),
    "s3-answer-lost": (0, ""),
    "s3-conflict": (409, "ConditionalRequestConflict"),
    "s3-slow": (200, ""),
}


@dataclass
class Bucket:
    """A bucket, and how often it fails.

    :param share: of the requests that fail, 0 to 1
    :param slow_seconds: the longest wait of a slow request
    :param seed: gives the same faults
    """

    name: str
    share: float = 0.0
    slow_seconds: float = 0.0
    seed: str = ""
    versions: dict[str, list[bytes]] = field(default_factory=dict)
    fired: Counter[str] = field(default_factory=Counter)
    methods: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def __post_init__(self) -> None:
        self._rng = random.Random(f"s3 {self.seed}")  # noqa: S311
        self._kinds = itertools.cycle(sorted(FAULTS))

    def fault(self, method: str) -> str | None:
        """Draw the fault of a request, None if it goes well; one of writing strikes only that."""
        with self.lock:
            self.methods[method] += 1
            if self._rng.random() >= self.share:
                return None
            kind = next(self._kinds)  # in turn, so that a few faults are of every kind
            if kind == "s3-conflict" and method != "PUT":
                return None
            self.fired[kind] += 1
            return kind


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        name, _, key = unquote(parts.path).lstrip("/").partition("/")
        bucket = self.bucket
        if name != bucket.name:
            return self._error(404, "NoSuchBucket", "The specified bucket does not exist")
        kind = bucket.fault(self.command)
        status, code = FAULTS.get(kind or "", (200, ""))
        if kind == "s3-slow":
            time.sleep(bucket.slow_seconds)
        elif status >= 400:
            return self._error(status, code, "Please reduce your request rate.")
        answer = self._put(key, body) if self.command == "PUT" else self._get(key, parse_qs(parts.query))
        if kind == "s3-answer-lost":
            self.close_connection = True
            return None
        return self._answer(*answer)

    def _put(self, key: str, body: bytes) -> tuple[int, bytes]:
        checksum = self.headers.get("x-amz-checksum-sha256")
        if checksum and base64.b64decode(checksum) != hashlib.sha256(body).digest():
            return 400, _error("BadDigest", "The SHA256 you specified did not match the calculated checksum.")
        with self.bucket.lock:
            kept = self.bucket.versions.setdefault(key, [])
            if kept and self.headers.get("If-None-Match") == "*":
                return 412, _error(
                    "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"
                )
            kept.append(body)
        return 200, b""

    def _get(self, key: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        with self.bucket.lock:
            if key:
                kept = self.bucket.versions.get(key)
                return (200, kept[-1]) if kept else (404, _error("NoSuchKey", "The specified key does not exist."))
            after = query.get("continuation-token", query.get("key-marker", [""]))[0]
            prefix = query.get("prefix", [""])[0]
            every = sorted(one for one in self.bucket.versions if one.startswith(prefix) and one > after)
        some, more = every[:_PAGE], len(every) > _PAGE
        if "versions" in self.path.partition("?")[2]:
            return 200, _versions(self.bucket, some, more)
        return 200, _listing(some, more)

    def _error(self, status: int, code: str, message: str) -> None:
        self._answer(status, _error(code, message))

    def _answer(self, status: int, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # the caller was killed meanwhile
            self.close_connection = True

    do_GET = do_PUT = do_HEAD = _serve  # noqa: N815


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of callers that were killed."""


def _error(code: str, message: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>".encode()


def _listing(names: list[str], more: bool) -> bytes:
    rows = "".join(f"<Contents><Key>{quote(name, safe='/')}</Key></Contents>" for name in names)
    token = f"<NextContinuationToken>{escape(names[-1])}</NextContinuationToken>" if more else ""
    return (
        f"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>"
        f"{token}{rows}</ListBucketResult>"
    ).encode()


def _versions(bucket: Bucket, names: list[str], more: bool) -> bytes:
    rows = "".join(
        f"<Version><Key>{quote(name, safe='/')}</Key><VersionId>{number}</VersionId><ETag>x</ETag></Version>"
        for name in names
        for number in range(len(bucket.versions[name]))
    )
    marker = f"<NextKeyMarker>{escape(names[-1])}</NextKeyMarker>" if more else ""
    return (
        f"<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>"
        f"{marker}{rows}</ListVersionsResult>"
    ).encode()


def environment(bucket: Bucket) -> dict[str, str]:
    """Return the variables with which boto3, and so oktalogger, finds the bucket."""
    return {
        "OKTALOGGER_ARCHIVE": f"s3://{bucket.name}/okta",
        "AWS_ENDPOINT_URL_S3": bucket.url,
        "AWS_ACCESS_KEY_ID": "anybody",
        "AWS_SECRET_ACCESS_KEY": "anything",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@contextmanager
def serving(
    name: str = "evidence", *, share: float = 0.0, slow_seconds: float = 0.0, seed: str = ""
) -> Iterator[Bucket]:
    """Serve one bucket as long as the context lives.

    :param name: its name
    :param share: of the requests that fail, 0 to 1
    :param slow_seconds: the longest wait of a slow request
    :param seed: gives the same faults
    """
    bucket = Bucket(name, share, slow_seconds, seed)
    with _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"bucket": bucket})) as server:
        bucket.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield bucket
        finally:
            server.shutdown()
            thread.join()
