"""A source and a store that a load can be tried with, without servers."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from oktalogger.okta.errors import OktaCursorError, OktaServerError
from oktalogger.okta.system_log import Page, SystemLogQuery
from oktalogger.opensearch.bulk import BulkResult, Document, Rejection
from oktalogger.opensearch.names import IndexNames
from oktalogger.pipeline.document import Stamp
from oktalogger.pipeline.load import LoadPlan
from oktalogger.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
WINDOW = Window(TEN, TEN + timedelta(minutes=5))
NOW = TEN + timedelta(minutes=6)


def event(number: int, published: datetime | None = None) -> msgspec.Raw:
    at = published or TEN + timedelta(milliseconds=number)
    return msgspec.Raw(json.dumps({"uuid": f"u-{number}", "published": at.isoformat()}).encode())


def page(
    number: int,
    events: list[msgspec.Raw],
    *,
    last: bool,
    note: str | None = None,
    repeated: frozenset[int] = frozenset(),
) -> Page:
    return Page(
        number=number,
        events=events,
        url=f"https://example.okta.com/api/v1/logs?after={number}",
        next_url=None if last else f"https://example.okta.com/api/v1/logs?after={number + 1}",
        request_id=f"r{number}",
        rate_limit=None,
        size_bytes=100,
        requests=1,
        waited_seconds=0.5,
        note=note,
        repeated=repeated,
    )


class ScriptedSource:
    """Pages as given, from the one that a cursor names."""

    def __init__(self, pages: list[list[msgspec.Raw]], *, fail_at: int | None = None, bad_cursor: bool = False) -> None:
        self._pages = pages
        self._fail_at = fail_at
        self._bad_cursor = bad_cursor
        self.queries: list[tuple[SystemLogQuery, str | None]] = []
        self.fetched: list[int] = []

    def pages(self, query: SystemLogQuery, *, resume_from: str | None = None) -> Iterator[Page]:
        self.queries.append((query, resume_from))
        if resume_from is not None and self._bad_cursor:
            raise OktaCursorError(
                "no such cursor",
                status=400,
                code="E0000001",
                summary="bad cursor",
                causes=(),
                request_id="r",
                url=resume_from,
            )
        first = int(resume_from.rpartition("=")[2]) if resume_from else 0
        for number in range(first, len(self._pages)):
            if number == self._fail_at:
                raise OktaServerError("down", status=503, code=None, summary="down", causes=(), request_id="r", url="u")
            self.fetched.append(number)
            yield page(number, self._pages[number], last=number == len(self._pages) - 1)


class MemoryStore:
    """Documents by id, as OpenSearch would hold them; refuses the ids that it is told to."""

    def __init__(
        self,
        *,
        refuse: frozenset[str] = frozenset(),
        refuse_drifted: frozenset[str] = frozenset(),
        delay: float = 0.0,
        fail_on: str | None = None,
    ) -> None:
        self.names = IndexNames()
        self.documents: dict[str, Document] = {}
        self.rejected: list[Rejection] = []
        self.contexts: list[Mapping[str, str]] = []
        self.months: set[tuple[int, int]] = set()
        self.uuids: dict[str, str] = {}
        self.gone: frozenset[str] = frozenset()
        self.gone_for = 1_000
        self.asked = 0
        self.compared = 0
        self._refuse = refuse
        self._refuse_drifted = refuse_drifted
        self._delay = delay
        self._fail_on = fail_on
        self._lock = threading.Lock()
        self.at_once = 0
        self.most_at_once = 0

    def ensure_month(self, published: datetime) -> None:
        self.months.add((published.year, published.month))

    def identity(self, index: str) -> str:
        return self.uuids.get(index, "")

    def identities(self, indices: Iterable[str]) -> dict[str, str]:
        self.gone_for -= 1
        gone = self.gone if self.gone_for >= 0 else frozenset()
        return {index: self.identity(index) for index in indices if index not in gone}

    def create(self, documents: Sequence[Document]) -> BulkResult:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self._delay)
        created = 0
        existing: list[str] = []
        rejections = []
        with self._lock:
            self.at_once -= 1
            for document in documents:
                if document.id == self._fail_on:
                    raise RuntimeError("the store broke")
                if document.id in self._refuse or (
                    document.id in self._refuse_drifted and b'"unmapped"' not in document.source
                ):
                    reason = Rejection(document.id, "mapper_parsing_exception", "odd", document.source, None, None)
                    rejections.append(reason)
                elif document.id in self.documents:
                    existing.append(document.id)
                else:
                    self.documents[document.id] = document
                    created += 1
        return BulkResult(
            created=created,
            existing=len(existing),
            existing_ids=tuple(existing),
            rejected=tuple(rejections),
            bytes_sent=10,
            requests=1,
        )

    def added_fields(self, documents: Sequence[Document]) -> dict[str, dict[str, Any]]:
        self.asked += len(documents)
        ids = [document.id for document in documents]
        return {id: json.loads(self.documents[id].source)["oktalogger"] for id in ids if id in self.documents}

    def sources(self, documents: Sequence[Document]) -> dict[str, dict[str, Any]]:
        self.compared += len(documents)
        return {one.id: json.loads(self.documents[one.id].source) for one in documents if one.id in self.documents}

    def reject(self, rejections: Sequence[Rejection], *, context: Mapping[str, str]) -> int:
        self.rejected.extend(rejections)
        self.contexts.append(context)
        return len(rejections)


def plan(**options: object) -> LoadPlan:
    stamp = Stamp(org="example.okta.com", window=WINDOW, run_id="run-1", kind="scheduled")
    return LoadPlan(stamp, **options)  # type: ignore[arg-type]


def pages_of(total: int, size: int = 10) -> list[list[msgspec.Raw]]:
    return [[event(n) for n in range(first, min(first + size, total))] for first in range(0, total, size)] or [[]]
