from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.okta.errors import OktaServerError
from oktalogger.okta.system_log import Page, SystemLogQuery
from oktalogger.opensearch.bulk import BulkResult, Document
from oktalogger.pipeline.covered import CoveredTime
from oktalogger.pipeline.document import Stamp
from oktalogger.pipeline.load import LoadPlan, load_window
from oktalogger.pipeline.load_result import Progress
from oktalogger.pipeline.stop import LoadStoppedError, StopSignal
from oktalogger.window import Window, WindowError
from tests.unit.pipeline.loading import NOW, TEN, WINDOW, MemoryStore, ScriptedSource, event, page, pages_of, plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def test_all_pages_of_a_window_are_stored_and_counted() -> None:
    store = MemoryStore()
    result = load_window(ScriptedSource(pages_of(95)), store, plan(), clock=lambda: NOW)
    assert len(store.documents) == 95
    assert (result.pages, result.read, result.created, result.existing) == (10, 95, 95, 0)
    assert (result.requests, result.bytes_read, result.bytes_sent, result.waited_seconds) == (10, 1000, 100, 5.0)
    assert result.first_published == TEN
    assert result.last_published == TEN + timedelta(milliseconds=94)
    assert result.lateness.max_seconds == 360.0
    assert store.months == {(2026, 11)}


def test_a_second_load_creates_nothing() -> None:
    store = MemoryStore()
    load_window(ScriptedSource(pages_of(25)), store, plan(), clock=lambda: NOW)
    result = load_window(ScriptedSource(pages_of(25)), store, plan(), clock=lambda: NOW)
    assert (result.created, result.existing) == (0, 25)


def test_events_outside_the_range_are_stored_counted_and_said() -> None:
    away = timedelta(seconds=1)
    instants = [TEN - away, TEN, WINDOW.end + away, datetime(2026, 10, 31, tzinfo=UTC)]
    source = ScriptedSource([[event(n, at) for n, at in enumerate(instants)]])
    store = MemoryStore()
    result = load_window(source, store, plan(), clock=lambda: NOW)
    assert set(store.documents) == {"u-0", "u-1", "u-2", "u-3"}
    assert store.documents["u-3"].index == "okta-system-log-2026-10"
    assert store.months == {(2026, 10), (2026, 11)}
    assert (result.outside, result.created) == (3, 4)
    assert (result.first_published, result.last_published) == (TEN, TEN)
    assert "3 events from outside [2026-11-23T10:00:00Z, 2026-11-23T10:05:00Z)" in result.notes[0]


def test_what_the_request_itself_asks_for_beyond_the_range_is_not_outside() -> None:
    instants = [TEN - timedelta(milliseconds=1), WINDOW.end]
    source = ScriptedSource([[event(n, at) for n, at in enumerate(instants)]])
    store = MemoryStore()
    result = load_window(source, store, plan(), clock=lambda: NOW)
    assert set(store.documents) == {"u-0", "u-1"}
    assert (result.outside, result.notes) == (0, [])


def test_what_opensearch_refuses_is_kept_as_okta_sent_it() -> None:
    sent = [event(0), msgspec.Raw(b'{"uuid":"u-1",\n"published":"2026-11-23T10:00:01Z"}')]
    store = MemoryStore(refuse=frozenset({"u-0", "u-1"}))
    load_window(ScriptedSource([sent]), store, plan(), clock=lambda: NOW)
    assert [rejection.event for rejection in store.rejected] == [bytes(raw) for raw in sent]


def test_the_overlap_is_read_and_stored_again() -> None:
    source = ScriptedSource([[event(0, TEN - timedelta(seconds=59))]])
    store = MemoryStore()
    load_window(source, store, plan(overlap=timedelta(seconds=60)), clock=lambda: NOW)
    query, _ = source.queries[0]
    assert (query.since, query.until) == (TEN - timedelta(seconds=60), WINDOW.end)
    assert set(store.documents) == {"u-0"}


def test_what_is_created_in_a_window_that_was_complete_is_late() -> None:
    store = MemoryStore()
    before = TEN - timedelta(seconds=30)
    overlap = timedelta(seconds=60)
    first = load_window(ScriptedSource([[event(0, before)]]), store, plan(overlap=overlap), clock=lambda: NOW)
    assert (first.created, first.late) == (1, 0)
    again = ScriptedSource([[event(0, before), event(1, before), event(1, before), event(2)]])
    covered = CoveredTime([(Window(TEN - timedelta(minutes=5), TEN), TEN + timedelta(minutes=1))])
    result = load_window(again, store, plan(overlap=overlap, covered=covered), clock=lambda: NOW)
    assert (result.created, result.existing, result.late) == (2, 2, 1)
    assert result.lateness.as_dict()["max"] == 390.0
    assert (first.late_max_seconds, result.late_max_seconds) == (0.0, 390.0)
    assert (first.missed_seconds, result.missed_seconds) == (0.0, 300.0), "complete at 10:01, and there at 10:06"


def test_filter_and_keywords_pass_through() -> None:
    source = ScriptedSource([[]])
    load_window(source, MemoryStore(), plan(filter='severity eq "WARN"', q="admin", page_limit=7), clock=lambda: NOW)
    query, _ = source.queries[0]
    assert (query.filter, query.q, query.limit) == ('severity eq "WARN"', "admin", 7)


def test_one_bad_event_does_not_stop_the_others() -> None:
    source = ScriptedSource([[event(0), msgspec.Raw(b'{"uuid": "broken"}'), event(1), event(2)]])
    store = MemoryStore(refuse=frozenset({"u-1"}))
    result = load_window(source, store, plan(), clock=lambda: NOW)
    assert set(store.documents) == {"u-0", "u-2"}
    assert [rejection.id for rejection in store.rejected] == ["broken", "u-1"]
    assert (result.rejected, result.created, result.read) == (2, 2, 4)
    assert store.contexts[0]["run_id"] == "run-1"
    assert store.contexts[0]["window_start"] == "2026-11-23T10:00:00Z"


def drifted(number: int, **more: object) -> msgspec.Raw:
    change = {"securityContext": {"isProxy": "null"}, **more}
    return msgspec.Raw(json.dumps({**json.loads(bytes(event(number))), **change}).encode())


def test_an_event_with_a_part_of_another_type_is_stored_without_that_part() -> None:
    page = [event(0), drifted(1), drifted(2, outcome="FAILURE"), drifted(2, outcome="FAILURE"), event(3)]
    store = MemoryStore(refuse_drifted=frozenset({"u-1", "u-2"}))
    result = load_window(ScriptedSource([page]), store, plan(), clock=lambda: NOW)
    assert (result.created, result.existing, result.rejected, result.drifted) == (4, 1, 0, 3)
    assert store.rejected == []
    source = json.loads(store.documents["u-2"].source)
    assert source["securityContext"] == {}
    assert "outcome" not in source
    assert source["oktalogger"]["drifted"] == ["outcome", "securityContext.isProxy"]
    unmapped = sorted(source["oktalogger"]["unmapped"], key=lambda part: part["path"])
    assert unmapped == [
        {"path": "/outcome", "text": '"FAILURE"'},
        {"path": "/securityContext/isProxy", "text": '"null"'},
    ]
    assert source["oktalogger"]["run_id"] == "run-1"
    assert result.lateness.count == 4
    (note,) = result.notes
    assert note.startswith("3 events have parts of another type")
    assert "securityContext.isProxy (3), outcome (2)" in note


def test_what_does_not_even_fit_without_these_parts_is_rejected_as_okta_sent_it() -> None:
    page = [drifted(1), drifted(1), event(2)]
    store = MemoryStore(refuse=frozenset({"u-1"}))
    result = load_window(ScriptedSource([page]), store, plan(), clock=lambda: NOW)
    assert (result.created, result.rejected, result.drifted, result.notes) == (1, 2, 0, [])
    assert [rejection.event for rejection in store.rejected] == [bytes(drifted(1))] * 2


def test_a_second_load_of_what_drifted_changes_nothing() -> None:
    store = MemoryStore(refuse_drifted=frozenset({"u-1"}))
    load_window(ScriptedSource([[drifted(1)]]), store, plan(), clock=lambda: NOW)
    result = load_window(ScriptedSource([[drifted(1)]]), store, plan(), clock=lambda: NOW)
    assert (result.created, result.existing, result.drifted) == (0, 1, 1)


def test_pages_over_a_month_border_make_both_months_ready() -> None:
    border = datetime(2026, 11, 1, tzinfo=UTC)
    window = Window(border - timedelta(minutes=1), border + timedelta(minutes=1))
    stamp = Stamp(org="o", window=window, run_id="r", kind="scheduled")
    store = MemoryStore()
    source = ScriptedSource([[event(0, border - timedelta(seconds=1)), event(1, border)]])
    load_window(source, store, LoadPlan(stamp), clock=lambda: NOW)
    assert store.months == {(2026, 10), (2026, 11)}


def test_a_page_over_many_months_makes_each_of_them_ready() -> None:
    days = [datetime(2026, month, 15, tzinfo=UTC) for month in (8, 9, 10, 11)]
    stamp = Stamp(org="o", window=Window(days[0], TEN), run_id="r", kind="manual")
    store = MemoryStore()
    source = ScriptedSource([[event(number, at) for number, at in enumerate(days)]])
    load_window(source, store, LoadPlan(stamp), clock=lambda: NOW)
    assert store.months == {(2026, 8), (2026, 9), (2026, 10), (2026, 11)}


def test_pages_are_stored_side_by_side_and_reported_in_order() -> None:
    store = MemoryStore(delay=0.02)
    seen: list[tuple[int, str | None]] = []

    def note(progress: Progress) -> None:
        seen.append((progress.result.pages, progress.next_url))

    load_window(ScriptedSource(pages_of(80)), store, plan(threads=4), on_stored=note, clock=lambda: NOW)
    assert store.most_at_once > 1
    assert store.most_at_once <= 4
    assert [pages for pages, _ in seen] == list(range(1, 9))
    assert [url.rpartition("=")[2] if url else None for _, url in seen] == ["1", "2", "3", "4", "5", "6", "7", None]


def test_only_a_few_pages_are_held_at_once() -> None:
    source = ScriptedSource(pages_of(1000))
    store = MemoryStore(delay=0.002)
    ahead: list[int] = []

    def note(progress: Progress) -> None:
        ahead.append(len(source.fetched) - progress.result.pages)

    load_window(source, store, plan(threads=2), on_stored=note, clock=lambda: NOW)
    assert max(ahead) <= 3


def link(number: int) -> str:
    return f"https://example.okta.com/api/v1/logs?after={number}"


def test_a_failure_in_the_middle_leaves_a_link_to_resume_from() -> None:
    # Still being stored when the next page fails: that is waited for, and reported.
    store = MemoryStore(delay=0.05)
    links: list[str | None] = []
    with pytest.raises(OktaServerError):
        load_window(
            ScriptedSource(pages_of(50), fail_at=3),
            store,
            plan(threads=4),
            on_stored=lambda progress: links.append(progress.next_url),
            clock=lambda: NOW,
        )
    assert links == [link(1), link(2), link(3)]
    assert len(store.documents) == 30
    again = ScriptedSource(pages_of(50))
    load_window(again, store, plan(), resume_from=links[-1], clock=lambda: NOW)
    assert len(store.documents) == 50
    assert again.queries[0][1] == link(3)
    assert again.fetched == [3, 4]


def test_a_page_that_could_not_be_stored_is_never_reported_as_done() -> None:
    links: list[str | None] = []
    with pytest.raises(RuntimeError, match="the store broke"):
        load_window(
            ScriptedSource(pages_of(50)),
            MemoryStore(fail_on="u-15", delay=0.01),
            plan(),
            on_stored=lambda progress: links.append(progress.next_url),
            clock=lambda: NOW,
        )
    assert links == [link(1)], "the page before it is"


def test_a_cursor_that_okta_no_longer_takes_falls_back_to_the_start_and_says_so() -> None:
    source = ScriptedSource(pages_of(30), bad_cursor=True)
    store = MemoryStore()
    result = load_window(source, store, plan(), resume_from="https://example.okta.com/x?after=2", clock=lambda: NOW)
    assert len(store.documents) == 30
    assert source.queries[1][1] is None
    assert "again from its start" in result.notes[0]
    assert result.restarted


def test_a_window_in_the_future_is_refused_before_anything_is_asked() -> None:
    source = ScriptedSource([[]])
    with pytest.raises(WindowError, match="ends in the future"):
        load_window(source, MemoryStore(), plan(), clock=lambda: WINDOW.end - timedelta(minutes=2))
    assert source.queries == []


@pytest.mark.parametrize(("age", "older"), [(timedelta(days=90), False), (timedelta(days=90, seconds=1), True)])
def test_a_window_that_okta_no_longer_keeps_is_not_called_whole(age: timedelta, older: bool) -> None:
    result = load_window(ScriptedSource([[]]), MemoryStore(), plan(), clock=lambda: TEN + age)
    assert result.older_than_kept is older
    assert [note[:80] for note in result.notes] == [
        "The window [2026-11-23T10:00:00Z, 2026-11-23T10:05:00Z) is older than Okta keeps"
    ][: int(older)]


def test_a_stop_ends_a_load_also_while_it_waits() -> None:
    stop = StopSignal()

    class Waiting(ScriptedSource):
        def pages(self, query: SystemLogQuery, *, resume_from: str | None = None) -> Iterator[Page]:
            yield page(0, [event(0)], last=False)
            # Far longer than a test may take.
            stop.sleep(3600)
            yield page(1, [event(1)], last=True)

    class Stopping(MemoryStore):
        def create(self, documents: Sequence[Document]) -> BulkResult:
            result = super().create(documents)
            stop.set()
            return result

    store = Stopping()
    links: list[str | None] = []
    with pytest.raises(LoadStoppedError):
        load_window(
            Waiting([]),
            store,
            plan(),
            stop=stop,
            on_stored=lambda progress: links.append(progress.next_url),
            clock=lambda: NOW,
        )
    assert set(store.documents) == {"u-0"}
    assert links == [link(1)], "what was stored before is kept"


@given(
    total=st.integers(0, 60), size=st.integers(1, 20), crashes=st.lists(st.integers(0, 12), max_size=4), data=st.data()
)
def test_any_crashes_and_resumes_end_with_the_same_documents(
    total: int, size: int, crashes: list[int], data: st.DataObject
) -> None:
    store = MemoryStore()
    pages = pages_of(total, size)
    saved: str | None = None
    for crash in [*crashes, None]:
        links: list[str | None] = []
        resume_from = saved if data.draw(st.booleans(), label="resume") else None
        source = ScriptedSource(pages, fail_at=crash)
        first = int(resume_from.rpartition("=")[2]) if resume_from else 0
        try:
            load_window(
                source,
                store,
                plan(threads=data.draw(st.integers(1, 4), label="threads")),
                resume_from=resume_from,
                on_stored=lambda progress, links=links: links.append(progress.next_url),  # type: ignore[misc]
                clock=lambda: NOW,
            )
        except OktaServerError:
            assert links == [link(number + 1) for number in source.fetched], "each page before the failure is kept"
            saved = links[-1] if links else resume_from
        else:
            assert links == [*(link(number) for number in range(first + 1, len(pages))), None]
            saved = None
        assert source.fetched[:1] in ([first], []), "it goes on where it was told to"
    assert set(store.documents) == {f"u-{n}" for n in range(total)}
