"""Reads what OpenSearch holds, past the proxy and without the product's code."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec
import requests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from local.campaign.oracle import Happened

_BATCH: Final = 5000
_SCROLL: Final = 2000
# Where the alias was taken from the only month, there is none.
_MAY_BE_ABSENT: Final = "ignore_unavailable=true&allow_no_indices=true"


class NotReadyError(requests.RequestException):
    """OpenSearch cannot say: it is starting, and a shard is not back yet."""


class _Cause(msgspec.Struct):
    type: str


class _Got(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    found: bool = False
    error: _Cause | None = None


class _Many(msgspec.Struct):
    docs: list[_Got]


class Hit(msgspec.Struct):
    """A document.

    :param index: where it is
    :param id: its id
    :param source: what it holds
    """

    index: str = msgspec.field(name="_index")
    id: str = msgspec.field(name="_id")
    source: dict[str, Any] = msgspec.field(name="_source")


class _Hits(msgspec.Struct):
    hits: list[Hit]


class _Scrolled(msgspec.Struct):
    hits: _Hits
    scroll_id: str = msgspec.field(name="_scroll_id", default="")


class _Count(msgspec.Struct):
    key: str
    doc_count: int


class _Counts(msgspec.Struct):
    buckets: list[_Count]


class _Hour(msgspec.Struct):
    key: int
    indices: _Counts


class _Hours(msgspec.Struct):
    buckets: list[_Hour]


class _Histogram(msgspec.Struct):
    hours: _Hours


class _Counted(msgspec.Struct):
    aggregations: _Histogram | None = None


class _Total(msgspec.Struct):
    count: int


class Holdings:
    """Reads an OpenSearch.

    :param url: its address
    :param prefix: how the names of the campaign's indices begin
    """

    def __init__(self, url: str, prefix: str) -> None:
        self._url = url
        self.prefix = prefix

    def missing(self, events: Iterable[Happened]) -> list[str]:
        """Return the uuids of those events that are neither documents nor rejected, as of this very moment.

        :raises NotReadyError: if OpenSearch cannot say
        """
        found: list[str] = []
        iterator = iter(events)
        while some := list(islice(iterator, _BATCH)):
            absent = self._absent((f"{self.prefix}-{event.published:%Y-%m}", event.uuid) for event in some)
            found += self._not_rejected(absent)
        return found

    def _not_rejected(self, uuids: list[str]) -> list[str]:
        if not uuids:
            return []
        # Rejected events are kept by content, so that they are found by a search, which sees what is refreshed.
        index = f"{self.prefix}-rejected"
        self._ask("POST", f"/{index}/_refresh?ignore_unavailable=true", None)
        body = {"size": 2 * _BATCH, "query": {"terms": {"uuid": uuids}}, "_source": ["uuid"]}
        answer = self._ask("POST", f"/{index}/_search?ignore_unavailable=true", body)
        kept = {str(hit.source.get("uuid")) for hit in msgspec.json.decode(answer, type=_Scrolled).hits.hits}
        return [uuid for uuid in uuids if uuid not in kept]

    def _absent(self, wanted: Iterable[tuple[str, str]]) -> list[str]:
        # By id, which sees what was written this instant; a search would not.
        docs = [{"_index": index, "_id": uuid, "_source": False} for index, uuid in wanted]
        if not docs:
            return []
        answer = msgspec.json.decode(self._ask("POST", "/_mget", {"docs": docs}), type=_Many)
        for got in answer.docs:
            # A month that is not there yet holds nothing; a shard that is not there yet may hold everything.
            if got.error is not None and got.error.type != "index_not_found_exception":
                raise NotReadyError(f"{got.id}: {got.error.type}")
        return [got.id for got in answer.docs if not got.found]

    def documents(self, indices: str) -> Iterator[Hit]:
        """Yield every document of some indices.

        :param indices: what follows the prefix, such as ``-20*``
        """
        name = self.prefix + indices
        self._ask("POST", f"/{name}/_refresh", None)
        body: dict[str, Any] = {"size": _SCROLL, "sort": ["_doc"], "query": {"match_all": {}}}
        page = msgspec.json.decode(self._ask("POST", f"/{name}/_search?scroll=5m", body), type=_Scrolled)
        while page.hits.hits:
            yield from page.hits.hits
            follow = {"scroll": "5m", "scroll_id": page.scroll_id}
            page = msgspec.json.decode(self._ask("POST", "/_search/scroll", follow), type=_Scrolled)
        self._ask("DELETE", "/_search/scroll", {"scroll_id": page.scroll_id})

    def visible(self) -> dict[datetime, dict[str, int]]:
        """Count what a search on the alias finds, by the hour of ``published`` and by the index."""
        self._ask("POST", f"/{self.prefix}/_refresh?{_MAY_BE_ABSENT}", None)
        by_index = {"indices": {"terms": {"field": "_index", "size": 100}}}
        hours = {"date_histogram": {"field": "published", "fixed_interval": "1h", "min_doc_count": 1}}
        body = {"size": 0, "aggs": {"hours": {**hours, "aggs": by_index}}}
        path = f"/{self.prefix}/_search?allow_partial_search_results=false&{_MAY_BE_ABSENT}"
        answer = msgspec.json.decode(self._ask("POST", path, body), type=_Counted)
        if answer.aggregations is None:
            return {}
        return {
            datetime.fromtimestamp(hour.key / 1000, UTC): {one.key: one.doc_count for one in hour.indices.buckets}
            for hour in answer.aggregations.hours.buckets
        }

    def found(self, uuids: list[str]) -> int:
        """Count the documents with these ids that a search on the alias finds."""
        total = 0
        iterator = iter(uuids)
        while some := list(islice(iterator, _BATCH)):
            body = {"query": {"ids": {"values": some}}}
            answer = self._ask("POST", f"/{self.prefix}/_count?{_MAY_BE_ABSENT}", body)
            total += msgspec.json.decode(answer, type=_Total).count
        return total

    def month_of(self, hour: datetime) -> str:
        """Name the index that an hour's documents belong in."""
        return f"{self.prefix}-{hour:%Y-%m}"

    def block(self, *, full: bool) -> None:
        """Let the indices take no writes, as OpenSearch does when a disk is full; or let them again."""
        body = {"index.blocks.read_only_allow_delete": True if full else None}
        self._ask("PUT", f"/{self.prefix}*/_settings?expand_wildcards=all", body)

    def ask(self, method: str, path: str, body: object | None = None) -> dict[str, Any]:
        """Ask anything else of OpenSearch."""
        found: dict[str, Any] = msgspec.json.decode(self._ask(method, path, body))
        return found

    def _ask(self, method: str, path: str, body: object | None) -> bytes:
        with requests.Session() as session:
            session.trust_env = False
            data = None if body is None else msgspec.json.encode(body)
            headers = {"Content-Type": "application/json"}
            answer = session.request(method, self._url + path, data=data, headers=headers, timeout=120)
        answer.raise_for_status()
        return answer.content
