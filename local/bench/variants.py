"""The ways into OpenSearch that the load is held against. All write the same documents into indices mapped alike."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import urllib3
from opensearchpy import helpers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opensearchpy import OpenSearch

THREADS = 4


class VariantError(Exception):
    """OpenSearch did not take what a variant sent, so its time says nothing."""


def bodies_of(documents: Sequence[tuple[str, bytes]], size: int = 1000) -> list[bytes]:
    """Make ready bulk bodies of documents, ``size`` in each."""
    bodies = []
    for first in range(0, len(documents), size):
        lines = []
        for uuid, source in documents[first : first + size]:
            lines += [b'{"create":{"_id":"%b"}}' % uuid.encode(), source]
        bodies.append(b"\n".join(lines) + b"\n")
    return bodies


def post_ready_bodies(url: str, index: str, bodies: Sequence[bytes]) -> float:
    """Post ready-made bodies from four threads, with as little Python as there can be: the server's ceiling.

    :return: seconds
    """
    parts = urlsplit(url)
    pool = urllib3.HTTPConnectionPool(parts.hostname or "", parts.port, maxsize=THREADS, timeout=120)
    waiting = deque(bodies)
    problems: list[str] = []

    def work() -> None:
        while not problems:
            try:
                body = waiting.popleft()
            except IndexError:
                return
            path = f"/{index}/_bulk?filter_path=errors"
            answer = pool.request("POST", path, body=body, headers={"Content-Type": "application/x-ndjson"})
            if answer.status != 200 or b'"errors":false' not in answer.data:
                problems.append(f"{answer.status} {answer.data[:300]!r}")

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    if problems:
        raise VariantError(problems[0])
    return seconds


def parallel_bulk(client: OpenSearch, index: str, documents: Sequence[tuple[str, bytes]]) -> float:
    """Load parsed events by opensearch-py's own helper, as most Python code does. Parsing is not counted.

    :return: seconds
    """
    parsed: list[tuple[str, dict[str, Any]]] = [(uuid, msgspec.json.decode(source)) for uuid, source in documents]
    actions = ({"_op_type": "create", "_index": index, "_id": uuid, "_source": source} for uuid, source in parsed)
    began = time.monotonic()
    for ok, item in helpers.parallel_bulk(client, actions, thread_count=THREADS, chunk_size=1000):
        if not ok:
            raise VariantError(str(item))
    return time.monotonic() - began


def one_request_each(client: OpenSearch, index: str, documents: Sequence[tuple[str, bytes]]) -> float:
    """Send one request for each event, as simple scripts do.

    :return: seconds
    """
    parsed = [(uuid, msgspec.json.decode(source)) for uuid, source in documents]
    began = time.monotonic()
    for uuid, source in parsed:
        client.create(index=index, id=uuid, body=source)
    return time.monotonic() - began
