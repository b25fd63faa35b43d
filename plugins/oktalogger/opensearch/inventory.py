"""Counts the events that OpenSearch holds of a time range, and lists their ids."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from oktalogger.opensearch.request import refresh, search

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames
    from oktalogger.window import Window

log = logging.getLogger(__name__)

_PAGE = 10_000
# Of whole documents: some megabytes.
_WHOLE_PAGE = 1_000
# An hour has one index, and one more for each that somebody put behind the alias.
_INDICES = 100


@dataclass(frozen=True, slots=True)
class HourCount:
    """Documents of one hour behind the alias.

    :param events: those in the month that they belong to
    :param strays: by the name of the index, those in any other: whoever searches the alias finds them twice
    :param drifted: documents that were stored without parts that do not fit the mapping
    """

    events: int
    strays: Mapping[str, int] = field(default_factory=dict)
    drifted: int = 0

    @property
    def documents(self) -> int:
        """What a search on the alias finds."""
        return self.events + sum(self.strays.values())


class OpenSearchCensus:
    """Counts documents and rejected events. What was stored a moment ago may be missing until ``refresh``.

    :param client: the client
    :param names: the names of the deployment
    """

    def __init__(self, client: OpenSearch, names: IndexNames) -> None:
        self._client = client
        self._names = names

    def refresh(self) -> bool:
        """Make everything that was stored visible to the counts.

        :return: whether it is: Amazon OpenSearch Serverless refreshes by itself only
        :raises OpenSearchLoadError: if that is refused
        """
        indices = f"{self._names.alias},{self._names.rejected},{self._names.ledger}"
        visible = refresh(self._client, indices, doing="to refresh its indices")
        if not visible:
            log.warning("This OpenSearch takes no request to refresh: what was stored within a minute may be missing.")
        return visible

    def events_by_hour(self, org: str, within: Window) -> dict[datetime, HourCount]:
        """Count the documents of each hour that has some, by the index that holds them. One search."""
        aggregations = {
            "indices": {"terms": {"field": "_index", "size": _INDICES}},
            "drifted": {"filter": {"exists": {"field": "oktalogger.drifted"}}},
        }
        found = {}
        for hour, bucket in self._by_hour(self._names.alias, "oktalogger.org", org, within, aggregations):
            strays = {one["key"]: one["doc_count"] for one in bucket["indices"]["buckets"]}
            events = strays.pop(self._names.month_index(hour), 0)
            found[hour] = HourCount(events, strays, bucket["drifted"]["doc_count"])
        return found

    def rejected_by_hour(self, org: str, within: Window) -> dict[datetime, int]:
        """Return the number of rejected events of each hour that has some."""
        return {hour: bucket["doc_count"] for hour, bucket in self._by_hour(self._names.rejected, "org", org, within)}

    def ids(self, org: str, within: Window) -> set[str]:
        """Return the ids of all documents."""
        return {hit["_id"] for hit in self._hits(self._names.alias, _query("oktalogger.org", org, within), "published")}

    def documents(self, org: str, within: Window) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield id and ``_source`` of every document behind the alias, one that stands there twice twice."""
        query = _query("oktalogger.org", org, within)
        for hit in self._hits(self._names.alias, query, "published", size=_WHOLE_PAGE, source=True):
            yield hit["_id"], hit["_source"]

    def rejected_ids(self, ids: set[str]) -> set[str]:
        """Return those ids that are documents of the index of rejected events."""
        found: set[str] = set()
        for some in batched(sorted(ids), _PAGE):
            found |= {hit["_id"] for hit in self._hits(self._names.rejected, {"ids": {"values": list(some)}}, "at")}
        return found

    def rejected_among(self, uuids: set[str]) -> set[str]:
        """Return those uuids whose events are among the rejected; an event without ``published`` is there as well."""
        found: set[str] = set()
        for some in batched(sorted(uuids), _PAGE):
            query = {"terms": {"uuid": list(some)}}
            found |= {hit["_source"]["uuid"] for hit in self._hits(self._names.rejected, query, "at")}
        return found

    def _by_hour(
        self, index: str, org_field: str, org: str, within: Window, aggregations: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[datetime, dict[str, Any]]]:
        hours = {"date_histogram": {"field": "published", "fixed_interval": "1h", "min_doc_count": 1}}
        body = {
            "size": 0,
            "query": _query(org_field, org, within),
            "aggs": {"hours": {**hours, "aggs": aggregations or {}}},
        }
        answer = search(self._client, index, body, doing=f"to count what {index} holds of {within}")
        for bucket in answer.get("aggregations", {}).get("hours", {}).get("buckets", ()):
            yield datetime.fromtimestamp(bucket["key"] / 1000, UTC), bucket

    def _hits(
        self,
        index: str,
        query: dict[str, Any],
        order: str,
        *,
        size: int = _PAGE,
        source: object = ("uuid",),
    ) -> Iterator[dict[str, Any]]:
        body: dict[str, Any] = {
            "size": size,
            "_source": source,
            "query": query,
            # By index as well: two documents of one id would else be one at the border of two pages.
            "sort": [{order: "asc"}, {"uuid": "asc"}, {"_index": "asc"}],
        }
        while True:
            answer = search(self._client, index, body, doing=f"to list what {index} holds")
            hits = answer["hits"]["hits"]
            yield from hits
            if len(hits) < size:
                return
            body["search_after"] = hits[-1]["sort"]


def _query(org_field: str, org: str, within: Window) -> dict[str, Any]:
    return {
        "bool": {
            "filter": [
                {"term": {org_field: org}},
                {"range": {"published": {"gte": within.start.isoformat(), "lt": within.end.isoformat()}}},
            ]
        }
    }


def batched(values: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    """Cut values into tuples of at most ``size``; itertools has this from Python 3.12 on."""
    iterator = iter(values)
    while some := tuple(islice(iterator, size)):
        yield some
