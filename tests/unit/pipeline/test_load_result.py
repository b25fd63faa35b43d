"""What a load says of itself: its counts, how far it is, and what it leaves behind when it fails."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from oktalogger.okta.errors import OktaServerError
from oktalogger.okta.rate_limit import RateLimit
from oktalogger.okta.system_log import Page
from oktalogger.pipeline.covered import NOTHING_COVERED
from oktalogger.pipeline.load import LoadPlan, load_window
from oktalogger.pipeline.load_result import LoadResult, Progress
from oktalogger.pipeline.stop import LoadStoppedError, StopSignal
from tests.unit.pipeline.loading import NOW, TEN, WINDOW, MemoryStore, ScriptedSource, event, page, pages_of, plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oktalogger.okta.system_log import SystemLogQuery
    from oktalogger.opensearch.bulk import BulkResult, Document


class Pages(ScriptedSource):
    """Pages that say more than the scripted ones."""

    def __init__(self, *pages: Page) -> None:
        super().__init__([])
        self._as_given = pages

    def pages(self, query: SystemLogQuery, *, resume_from: str | None = None) -> Iterator[Page]:
        yield from self._as_given


def load(*pages: Page, store: MemoryStore | None = None) -> LoadResult:
    return load_window(Pages(*pages), store or MemoryStore(), plan(), clock=lambda: NOW)


def test_a_load_that_has_not_begun_says_nothing_but_zeros() -> None:
    assert LoadResult().as_dict() == {
        **dict.fromkeys(("pages", "requests", "read", "created", "existing", "rejected", "outside", "late"), 0),
        **dict.fromkeys(("drifted", "altered", "retried", "bytes_read", "bytes_sent", "waits", "archived"), 0),
        **dict.fromkeys(("waited_seconds", "seconds", "late_max_seconds", "missed_seconds"), 0.0),
        **dict.fromkeys(("loading_since", "rate_limit", "rate_remaining", "first_published", "last_published")),
        "lateness": {"max": 0.0, "p50": 0.0, "p95": 0.0, "p99": 0.0},
        "restarted": False,
        "older_than_kept": False,
        "notes": [],
    }


def test_its_counts_are_plain_json() -> None:
    result = LoadResult(
        loading_since=NOW, first_published=TEN, waited_seconds=1.23456, seconds=2.34567, late_max_seconds=3.45678
    )
    result.lateness.add(7.0)
    said = result.as_dict()
    assert (said["loading_since"], said["first_published"]) == ("2026-11-23T10:06:00Z", "2026-11-23T10:00:00Z")
    assert said["last_published"] is None
    assert (said["waited_seconds"], said["seconds"], said["late_max_seconds"]) == (1.235, 2.346, 3.457)
    assert said["lateness"]["max"] == 7.0
    assert msgspec.json.decode(msgspec.json.encode(said)) == said


def test_a_plan_without_more_reads_the_window_alone() -> None:
    assert plan() == LoadPlan(
        plan().stamp, overlap=timedelta(0), hold_back=timedelta(0), covered=NOTHING_COVERED, page_limit=1000, threads=4
    )


def test_a_window_that_ends_a_minute_from_now_is_two_clocks() -> None:
    load_window(ScriptedSource([[]]), MemoryStore(), plan(), clock=lambda: WINDOW.end - timedelta(minutes=1))


def test_only_a_wait_that_is_one_is_counted() -> None:
    one, other = page(0, [], last=False), page(1, [], last=True)
    assert load(one, other).waits == 2
    result = load(one, replace(other, waited_seconds=0.49))
    assert (result.waits, result.waited_seconds) == (1, 0.99)


def test_what_okta_s_limit_left_at_its_lowest_is_kept() -> None:
    limits = [RateLimit(60, left, NOW) for left in (30, 12, 55)]
    concurrency = RateLimit(0, 0, NOW)
    pages = [replace(page(n, [], last=False), rate_limit=limit) for n, limit in enumerate([*limits, concurrency, None])]
    result = load(*pages)
    assert (result.rate_limit, result.rate_remaining) == (60, 12)


def test_what_was_unusual_about_a_page_is_told() -> None:
    assert load(page(0, [], last=False, note="odd"), page(1, [], last=True)).notes == ["odd"]


def test_an_event_that_comes_three_times_in_a_page_is_late_once() -> None:
    result = load(page(0, [event(1), event(1), event(1)], last=True))
    assert (result.created, result.existing, result.lateness.count) == (1, 2, 1)


def test_documents_that_were_sent_again_are_counted() -> None:
    class Busy(MemoryStore):
        def create(self, documents: Sequence[Document]) -> BulkResult:
            return replace(super().create(documents), retried=3)

    assert load(page(0, [event(1)], last=False), page(1, [event(2)], last=True), store=Busy()).retried == 6


def test_the_time_is_that_of_the_load_so_far_and_in_the_end_of_all_of_it() -> None:
    began = time.monotonic()
    so_far: list[float] = []
    result = load_window(
        ScriptedSource(pages_of(20)),
        MemoryStore(),
        plan(),
        on_stored=lambda progress: so_far.append(progress.result.seconds),
        clock=lambda: NOW,
    )
    assert 0 < so_far[0] < so_far[1] < result.seconds <= time.monotonic() - began


def test_how_much_lies_behind_is_told_by_published() -> None:
    outside = event(8, TEN - timedelta(seconds=1))
    quarter, half = (event(n, TEN + n * WINDOW.duration / 4) for n in (1, 2))
    seen: list[Progress] = []
    done: list[float] = []

    def note(progress: Progress) -> None:
        seen.append(progress)
        done.append(progress.done)

    source = ScriptedSource([[outside], [quarter], [half], [event(9)]])
    result = load_window(source, MemoryStore(), plan(), on_stored=note, clock=lambda: NOW)
    assert done == [0.0, 0.25, 0.5, 1.0]
    assert all(progress.result is result for progress in seen)


def test_a_load_that_fails_tells_its_threads_to_end() -> None:
    stop = StopSignal()
    with pytest.raises(OktaServerError):
        load_window(ScriptedSource(pages_of(20), fail_at=1), MemoryStore(), plan(), stop=stop, clock=lambda: NOW)
    with pytest.raises(LoadStoppedError):
        stop.check()


def test_one_that_was_stopped_reads_no_further_page() -> None:
    stop = StopSignal()
    stop.set()
    source, store = ScriptedSource(pages_of(50)), MemoryStore()
    with pytest.raises(LoadStoppedError):
        load_window(source, store, plan(), stop=stop, clock=lambda: NOW)
    assert source.fetched == [0]
    assert store.documents == {}
