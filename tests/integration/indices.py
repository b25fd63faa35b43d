"""What tests of the indices send, look at, and put between two requests."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.opensearch.bulk import Document
from oktalogger.opensearch.names import IndexNames

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opensearchpy import OpenSearch


def event(identity: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"uuid": identity or str(uuid.uuid4()), "published": "2026-11-23T10:00:00.000Z", **fields}


def document(index: str, source: Mapping[str, Any]) -> Document:
    return Document(source["uuid"], index, json.dumps(source).encode())


def found(client: OpenSearch, index: str, query: str) -> set[str]:
    client.indices.refresh(index=index)
    answer = client.search(index=index, body={"size": 1000, "query": {"query_string": {"query": query}}})
    return {hit["_id"] for hit in answer["hits"]["hits"]}


def count(client: OpenSearch, index: str) -> int:
    client.indices.refresh(index=index)
    return int(client.count(index=index)["count"])


def months_behind(client: OpenSearch, names: IndexNames) -> dict[str, Any]:
    """Return how each index behind the alias is behind it, in order."""
    found = client.indices.get_alias(name=names.alias)
    return {index: found[index]["aliases"][names.alias] for index in sorted(found)}


class Requests:
    """Counts what goes over the wire, and lets others act just before a request."""

    def __init__(self, client: OpenSearch, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        self.before: dict[str, Callable[[], object]] = {}
        connection = client.transport.get_connection()
        original = connection.perform_request

        def counting(method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            request = f"{method} {url.partition('?')[0]}"
            self.sent.append(request)
            if request in self.before:
                self.before.pop(request)()
            return original(method, url, *args, **kwargs)

        monkeypatch.setattr(connection, "perform_request", counting)
