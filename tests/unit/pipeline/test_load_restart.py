"""What a load counts where it reads events twice: within a reading, in a second one, and after an earlier try."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from oktalogger.okta.errors import OktaCursorError
from oktalogger.pipeline.load import load_window
from oktalogger.pipeline.provenance import EarlierTries
from tests.unit.pipeline.loading import NOW, TEN, MemoryStore, ScriptedSource, event, page, pages_of, plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oktalogger.okta.system_log import Page, SystemLogQuery
    from oktalogger.opensearch.documents import BulkResult, Document
    from oktalogger.pipeline.load_result import LoadResult

EARLIER = EarlierTries(since=TEN)


class LosesItsCursor(ScriptedSource):
    """A source whose links Okta refuses once, after some pages."""

    def __init__(self, pages: list[list[msgspec.Raw]], *, after: int) -> None:
        super().__init__(pages)
        self._after: int | None = after

    def pages(self, query: SystemLogQuery, *, resume_from: str | None = None) -> Iterator[Page]:
        after, self._after = self._after, None
        for one in super().pages(query, resume_from=resume_from):
            if one.number == after:
                raise OktaCursorError("gone", status=400, code=None, summary="", causes=(), request_id="r", url="u")
            yield one


class Forgetful(MemoryStore):
    """A store that cannot say which documents it has just created."""

    def create(self, documents: Sequence[Document]) -> BulkResult:
        outcome = super().create(documents)
        there = tuple(document.id for document in documents)
        return replace(outcome, created=0, existing=len(there), existing_ids=there, unclear=len(there))


def load(source: ScriptedSource, store: MemoryStore | None = None, **options: Any) -> LoadResult:
    return load_window(
        source, store or MemoryStore(), plan(**options), clock=lambda: NOW + timedelta(microseconds=1999)
    )


def stored(result: LoadResult) -> int:
    return sum(result.stored.values())


def test_a_second_reading_counts_what_is_there_anew() -> None:
    result = load(LosesItsCursor(pages_of(60), after=4), MemoryStore(delay=0.02))
    assert (result.restarted, result.created, stored(result)) == (True, 60, 60)


def test_a_second_reading_counts_also_what_tries_before_have_counted() -> None:
    store = MemoryStore()
    load(ScriptedSource(pages_of(30)), store)
    tries = replace(EARLIER, counted_until=NOW + timedelta(minutes=1))
    assert stored(load(ScriptedSource(pages_of(30)), store, earlier=tries)) == 0
    assert stored(load(LosesItsCursor(pages_of(30), after=0), store, earlier=tries)) == 30


def test_each_page_has_a_millisecond_of_its_own() -> None:
    store = MemoryStore()
    load(ScriptedSource(pages_of(30)), store)
    times = {msgspec.json.decode(document.source)["oktalogger"]["ingested_at"] for document in store.documents.values()}
    assert sorted(times) == [f"2026-11-23T10:06:00.00{number}Z" for number in (1, 2, 3)]


def test_what_this_try_stored_without_an_answer_is_its_own() -> None:
    assert load(ScriptedSource(pages_of(30)), Forgetful()).created == 30


def test_what_this_try_stored_before_is_no_earlier_try_s() -> None:
    result = load(ScriptedSource([[event(1)], [event(2), event(1)]]), earlier=EARLIER)
    assert (result.created, result.existing) == (2, 1)


def test_an_event_that_came_before_is_counted_once() -> None:
    class Repeating(ScriptedSource):
        def pages(self, query: SystemLogQuery, *, resume_from: str | None = None) -> Iterator[Page]:
            yield page(0, [event(1), event(1)], last=False, repeated=frozenset({1}))
            yield page(1, [event(2), msgspec.Raw(b"{}"), event(1)], last=True, repeated=frozenset({2}))

    result = load(Repeating([]))
    assert (result.read, result.created, stored(result)) == (5, 2, 2)
    assert (result.rejected, result.drifted) == (1, 0)


def test_that_okta_keeps_no_such_events_is_said_once() -> None:
    later = TEN + timedelta(days=100)
    result = load_window(ScriptedSource(pages_of(30)), MemoryStore(), plan(), clock=lambda: later)
    assert result.pages == 3
    assert len([note for note in result.notes if "older than Okta keeps" in note]) == 1
