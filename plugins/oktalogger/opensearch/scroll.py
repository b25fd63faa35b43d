"""Reads all documents of an index, page by page, whatever its mapping is."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from oktalogger.opensearch.errors import IndexMissingError, OpenSearchLoadError
from oktalogger.opensearch.request import send

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opensearchpy import OpenSearch

log = logging.getLogger(__name__)

# How long the server keeps its place between two pages.
_KEPT: Final = "5m"
# A missing shard fails the search. OpenSearch would else leave out what it holds, and call no shard failed.
_WHOLE: Final = {"allow_partial_search_results": "false"}
_ONLY: Final = (
    "_scroll_id,_shards.failed,timed_out,hits.total.value,"
    "hits.hits._source,hits.hits._id,hits.hits._index,hits.hits._seq_no,hits.hits._primary_term"
)


class ScrollIncompleteError(OpenSearchLoadError):
    """The server returned fewer documents than it said that there are, or could not read all shards."""


def scroll(client: OpenSearch, index: str, *, size: int = 1000) -> Iterator[list[dict[str, Any]]]:
    """Yield the documents of an index in pages, in no particular order.

    :param client: the client
    :param index: an index, an alias or a pattern
    :param size: documents a page
    :raises OpenSearchLoadError: as :func:`scroll_hits`
    """
    for hits in scroll_hits(client, index, size=size):
        yield [hit["_source"] for hit in hits if "_source" in hit]


def scroll_hits(
    client: OpenSearch, index: str, *, size: int = 1000, query: Mapping[str, Any] | None = None
) -> Iterator[list[dict[str, Any]]]:
    """Yield the documents of an index in pages, each with ``_id``, ``_index``, ``_seq_no`` and ``_primary_term``.

    No request is repeated: the server goes on with each one, so that a repetition could leave a page out.

    :param client: the client
    :param index: an index, an alias or a pattern
    :param size: documents a page
    :param query: which documents; by default all
    :raises IndexMissingError: if there is no such index
    :raises ScrollIncompleteError: if the server did not return all of them
    :raises OpenSearchLoadError: if the server refuses, or a request fails
    """
    doing = f"to read all documents of {index}"
    place: str | None = None
    returned = 0
    try:
        answer = _first(client, index, doing, size, query or {"match_all": {}})
        while True:
            place = answer.get("_scroll_id", place)
            hits = answer.get("hits", {})
            documents = list(hits.get("hits", ()))
            if answer.get("timed_out") or answer.get("_shards", {}).get("failed"):
                raise ScrollIncompleteError(f"Some shards did not answer {doing}. Run it again.", index=index)
            if not documents:
                break
            returned += len(documents)
            yield documents
            answer = _page(client, "/_search/scroll", doing, {}, {"scroll": _KEPT, "scroll_id": place})
        total = answer.get("hits", {}).get("total", {}).get("value", 0)
        if returned != total:
            raise ScrollIncompleteError(
                f"The server returned {returned} of the {total} documents of {index}. Run it again; if it stays so, "
                "find out whether the index keeps `_source`.",
                index=index,
            )
    finally:
        if place is not None:
            _leave(client, place)


def _first(client: OpenSearch, index: str, doing: str, size: int, query: Mapping[str, Any]) -> Any:
    body = {"size": size, "sort": ["_doc"], "track_total_hits": True, "seq_no_primary_term": True, "query": query}
    path = f"/{quote(index, safe=',*')}/_search"
    try:
        return _page(client, path, doing, {"scroll": _KEPT, "allow_no_indices": "false", **_WHOLE}, body)
    except IndexMissingError as error:
        raise IndexMissingError(f"There is no index {index}. Give the name of one that holds events.") from error


def _page(client: OpenSearch, path: str, doing: str, params: Mapping[str, str], body: Mapping[str, Any]) -> Any:
    return send(client, "POST", path, doing=doing, params=params, only=_ONLY, body=msgspec.json.encode(body))


def _leave(client: OpenSearch, place: str) -> None:
    """Tell the server that its place is no longer needed; it forgets it by itself a few minutes later."""
    body = msgspec.json.encode({"scroll_id": [place]})
    try:
        send(client, "DELETE", "/_search/scroll", doing="to end reading", body=body, ignore=(404,))
    except OpenSearchLoadError as error:
        log.warning("%s The server ends it by itself after %s.", error, _KEPT)
