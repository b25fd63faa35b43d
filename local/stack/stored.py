"""Compares what OpenSearch holds with what it must hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

ALIAS = "okta-system-log"
PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """One window of the org against OpenSearch.

    :param expected: events that had to be there
    :param missing: uuids that are not
    :param twice: uuids that are there more than once
    :param foreign: uuids that are there but not the org's
    :param late: events that could not be read yet when the window was loaded
    """

    expected: int
    missing: tuple[str, ...]
    twice: tuple[str, ...]
    foreign: tuple[str, ...]
    late: int

    @property
    def holds(self) -> bool:
        """Whether every expected event is there exactly once, and nothing else."""
        return not (self.missing or self.twice or self.foreign)


def compare(stored: Counter[str], persisted: Mapping[str, datetime], loaded_after: datetime) -> Comparison:
    """Compare one window.

    :param stored: how often each uuid is in OpenSearch
    :param persisted: for each event of the org, since when it can be read
    :param loaded_after: instant at which the load had not begun yet; what could not be read by then may be missing
    """
    expected = {uuid for uuid, since in persisted.items() if since <= loaded_after}
    return Comparison(
        expected=len(expected),
        missing=tuple(sorted(expected - stored.keys())),
        twice=tuple(sorted(uuid for uuid, times in stored.items() if times > 1)),
        foreign=tuple(sorted(stored.keys() - persisted.keys())),
        late=len(persisted) - len(expected),
    )


def stored_uuids(url: str, start: datetime, end: datetime) -> Counter[str]:
    """How often each event of ``[start, end)`` is in OpenSearch, over all months.

    :param url: of OpenSearch
    :raises requests.RequestException: if it does not answer
    """
    with requests.Session() as session:
        session.trust_env = False
        session.post(f"{url}/{ALIAS}/_refresh", timeout=60).raise_for_status()
        return Counter(hit["_source"]["uuid"] for hit in _hits(session, url, start, end))


def count(url: str) -> dict[str, int]:
    """Documents in each index of ours.

    :param url: of OpenSearch
    :raises requests.RequestException: if it does not answer
    """
    with requests.Session() as session:
        session.trust_env = False
        session.post(f"{url}/{ALIAS}*/_refresh", timeout=60).raise_for_status()
        answer = session.get(f"{url}/_cat/indices/{ALIAS}*", params={"format": "json"}, timeout=30)
        answer.raise_for_status()
        return {
            row["index"]: int(row["docs.count"]) for row in sorted(answer.json(), key=lambda row: str(row["index"]))
        }


def _hits(session: requests.Session, url: str, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    window = {"range": {"published": {"gte": start.isoformat(), "lt": end.isoformat()}}}
    query = {"size": PAGE, "_source": ["uuid"], "query": window}
    # A scroll and not search_after: a sort that cannot tell two documents with one uuid apart would hide the second.
    answer = session.post(f"{url}/{ALIAS}/_search", params={"scroll": "1m"}, json=query, timeout=60)
    while True:
        answer.raise_for_status()
        body = answer.json()
        if not body["hits"]["hits"]:
            session.delete(f"{url}/_search/scroll", json={"scroll_id": body["_scroll_id"]}, timeout=60)
            return
        yield from body["hits"]["hits"]
        scroll = {"scroll": "1m", "scroll_id": body["_scroll_id"]}
        answer = session.post(f"{url}/_search/scroll", json=scroll, timeout=60)
