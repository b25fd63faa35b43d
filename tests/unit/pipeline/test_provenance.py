"""Counts say what a load brought, also where a request got no answer, a try was killed, or several load at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from oktalogger.opensearch.bulk import BulkResult, Document
from oktalogger.pipeline.covered import CoveredTime
from oktalogger.pipeline.document import Stamp
from oktalogger.pipeline.load import LoadPlan, load_window
from oktalogger.pipeline.load_result import LoadResult, Progress
from oktalogger.pipeline.provenance import EarlierTries
from oktalogger.window import Window
from tests.unit.pipeline.loading import NOW, TEN, WINDOW, MemoryStore, ScriptedSource, event

BEGAN = NOW - timedelta(seconds=40)
SECOND = timedelta(seconds=1)


def load(
    store: MemoryStore,
    *pages: Sequence[int],
    run_id: str = "run",
    earlier: EarlierTries | None = None,
    now: datetime = NOW,
    covered: CoveredTime | None = None,
    on_stored: Callable[[Progress], None] | None = None,
) -> LoadResult:
    plan = LoadPlan(Stamp("o", WINDOW, run_id, "scheduled"), earlier=earlier, threads=1)
    if covered is not None:
        plan = LoadPlan(plan.stamp, earlier=earlier, threads=1, covered=covered)
    source = ScriptedSource([[event(number) for number in page] for page in pages])
    return load_window(source, store, plan, clock=lambda: now, on_stored=on_stored)


class Unclear(MemoryStore):
    """Every bulk request is carried out, gets no answer, and is sent again."""

    def create(self, documents: Sequence[Document]) -> BulkResult:
        super().create(documents)
        second = super().create(documents)
        return BulkResult(existing=second.existing, existing_ids=second.existing_ids, unclear=second.existing)


def test_what_an_unclear_request_stored_was_created() -> None:
    store = Unclear()
    result = load(store, [0, 1], [2, 2, 3])
    assert (result.created, result.existing) == (4, 1)
    assert result.lateness.count == 4
    assert load(Unclear(), [0, 1], covered=CoveredTime([(WINDOW, TEN)])).late == 2


def test_what_was_there_before_an_unclear_request_was_not() -> None:
    store = MemoryStore()
    load(store, [0, 1], run_id="another", now=BEGAN)
    unclear = Unclear()
    unclear.documents = store.documents
    result = load(unclear, [0, 1, 2])
    assert (result.created, result.existing) == (1, 2)


def killed_after(store: MemoryStore, counted: int, *pages: Sequence[int]) -> tuple[LoadResult, datetime | None]:
    """Load, and return what the ledger had heard of when the process died: the counts of so many pages."""
    seen: list[tuple[int, datetime | None]] = [(0, None)]
    load(store, *pages, now=BEGAN, on_stored=lambda p: seen.append((p.result.created, p.result.counted_until)))
    created, until = seen[counted]
    return LoadResult(created=created), until


def test_what_a_killed_try_stored_after_its_last_checkpoint_counts_once() -> None:
    store = MemoryStore()
    first, until = killed_after(store, 1, [0, 1], [2, 3])
    result = load(store, [2, 3], [4, 3], earlier=EarlierTries(BEGAN, until))
    assert first.created + result.created == 5
    assert result.existing == 1, "an event that Okta sends twice is counted once"


def test_one_that_begins_at_the_start_counts_all_of_it() -> None:
    store = MemoryStore()
    killed_after(store, 1, [0, 1], [2, 3])
    result = load(store, [0, 1], [2, 3], [4, 0], earlier=EarlierTries(BEGAN))
    assert (result.created, result.existing) == (5, 1)
    assert result.lateness.percentile(80) < 330, "by when they were stored, and not by when they were found"


def test_what_a_counted_page_had_is_not_counted_again_nor_expected_twice() -> None:
    store = MemoryStore()
    _, until = killed_after(store, 1, [0, 1], [2, 3])
    result = load(store, [1, 2, 3], earlier=EarlierTries(BEGAN, until))
    assert (result.created, result.existing) == (2, 1)
    assert result.stored == {"2026-11-23T10:00:00Z": 2}


def test_a_late_event_that_a_killed_try_stored_is_late_and_one_stored_before_the_window_was_complete_is_not() -> None:
    for complete_at, late in ((BEGAN - SECOND, 2), (BEGAN + SECOND, 0)):
        store = MemoryStore()
        killed_after(store, 0, [0, 1])
        covered = CoveredTime([(WINDOW, complete_at)])
        result = load(store, [0, 1], earlier=EarlierTries(BEGAN), covered=covered)
        assert (result.created, result.late) == (2, late)


def test_one_that_another_load_stored_keeps_none_of_the_others_from_being_claimed() -> None:
    store = MemoryStore()
    wider = LoadPlan(Stamp("o", Window(TEN, TEN + timedelta(hours=1)), "run", "scheduled"))
    load_window(ScriptedSource([[event(0)]]), store, wider, clock=lambda: TEN + timedelta(hours=1))
    killed_after(store, 0, [0, 1, 2])
    result = load(store, [0, 1, 2], earlier=EarlierTries(BEGAN))
    assert (result.created, result.existing) == (2, 1)


def test_what_is_stored_at_the_moment_in_which_its_window_was_complete_is_late() -> None:
    assert load(MemoryStore(), [0], covered=CoveredTime([(WINDOW, NOW)])).late == 1
    assert load(MemoryStore(), [0], covered=CoveredTime([(WINDOW, NOW + SECOND)])).late == 0


def test_what_another_window_or_kind_stored_is_not_claimed() -> None:
    store = MemoryStore()
    wider = LoadPlan(Stamp("o", Window(TEN, TEN + timedelta(hours=1)), "run", "scheduled"))
    load_window(ScriptedSource([[event(0)]]), store, wider, clock=lambda: TEN + timedelta(hours=1))
    backfill = LoadPlan(Stamp("o", WINDOW, "run", "backfill"))
    load_window(ScriptedSource([[event(1)]]), store, backfill, clock=lambda: NOW)
    assert load(store, [0, 1], earlier=EarlierTries(BEGAN)).created == 0


def test_what_was_loaded_before_these_tries_is_not_either() -> None:
    store = MemoryStore()
    load(store, [0, 1], now=BEGAN - SECOND)
    assert load(store, [0, 1], earlier=EarlierTries(BEGAN)).created == 0


def test_nobody_is_asked_where_nothing_can_be_ours() -> None:
    store = MemoryStore()
    load(store, [0, 1])
    load(store, [0, 1])
    assert store.asked == 0


class Shared(MemoryStore):
    """A store that lets several loads take turns, page by page."""

    def __init__(self, parties: int) -> None:
        super().__init__()
        self._barrier = threading.Barrier(parties)

    def create(self, documents: Sequence[Document]) -> BulkResult:
        self._barrier.wait(10)
        return super().create(documents)


def test_of_three_loads_of_one_window_at_once_the_one_that_the_ledger_keeps_counts_everything() -> None:
    store = Shared(3)
    pages = [[number * 10 + one for one in range(10)] for number in range(6)]
    results: dict[str, LoadResult] = {}

    def one(name: str, earlier: EarlierTries | None, milliseconds: int) -> None:
        now = NOW + timedelta(seconds=milliseconds)
        results[name] = load(store, *pages, run_id=name, earlier=earlier, now=now)

    threads = [
        threading.Thread(target=one, args=("first", None, 0)),
        threading.Thread(target=one, args=("second", EarlierTries(NOW), 1)),
        threading.Thread(target=one, args=("third", EarlierTries(NOW), 2)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.documents) == 60
    assert (results["third"].created, results["third"].existing) == (60, 0)


def test_no_two_pages_share_a_time() -> None:
    store = MemoryStore()
    load(store, [0], [1], [2], now=NOW + timedelta(microseconds=1))
    times = {msgspec.json.decode(document.source)["oktalogger"]["ingested_at"] for document in store.documents.values()}
    assert len(times) == 3
