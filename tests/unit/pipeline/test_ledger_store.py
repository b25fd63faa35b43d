"""What the ledger asks of OpenSearch, and what it makes of the answers; tests/integration asks a real one."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest
from opensearchpy import OpenSearch

from oktalogger.opensearch.errors import (
    OpenSearchLoadError,
    OpenSearchRequestError,
    OpenSearchUnavailableError,
)
from oktalogger.opensearch.names import IndexNames
from oktalogger.pipeline import ledger_store
from oktalogger.pipeline.ledger import LedgerEntry, LedgerKey, begin
from oktalogger.pipeline.ledger_store import LedgerStore, StoredEntry
from oktalogger.pipeline.load_result import LoadResult, Progress
from oktalogger.window import Window

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = Window(NOON, NOON + timedelta(hours=1))
KEY = LedgerKey("example.okta.com", "backfill", HOUR)
LINK = "https://example.okta.com/api/v1/logs?after="


class Index:
    """The ledger's index: one document by its id, with the numbers that guard it against writes from two sides."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.number = 0
        self.asked: list[dict[str, Any]] = []
        self.missing = False
        # Raised before the next writes, or called: what others do meanwhile.
        self.before_write: list[Exception | Callable[[], None] | None] = []
        self.hits: list[list[dict[str, Any]]] = []
        self.slept: list[float] = []

    def put(self, entry: LedgerEntry) -> None:
        self.stored = msgspec.json.decode(msgspec.json.encode(entry))
        self.number += 1

    def call(
        self,
        client: OpenSearch,
        method: str,
        path: str,
        *,
        doing: str,
        index: str | None = None,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        ignore: tuple[int, ...] = (),
    ) -> Any:
        asked = {"method": method, "path": path, "params": dict(params or {}), "ignore": ignore, "index": index}
        self.asked.append({**asked, "body": msgspec.json.decode(msgspec.json.encode(body)), "doing": doing})
        if path.endswith("/_search"):
            return {"hits": {"hits": self.hits.pop(0)}}
        if method == "GET":
            return self._get()
        return self._put(body, dict(params or {}))

    def _get(self) -> Any:
        if self.missing:
            return {"error": {"type": "index_not_found_exception"}, "status": 404}
        if self.stored is None:
            return {"found": False}
        return {"found": True, "_seq_no": self.number, "_primary_term": 3, "_source": self.stored}

    def _put(self, body: LedgerEntry, params: dict[str, str]) -> Any:
        meanwhile = self.before_write.pop(0) if self.before_write else None
        if isinstance(meanwhile, Exception):
            raise meanwhile
        if meanwhile is not None:
            meanwhile()
        assert params.pop("require_alias") == "true"
        expected = {"op_type": "create"} if self.stored is None else self._version()
        if params != expected:
            return {"error": {"type": "version_conflict_engine_exception"}, "status": 409}
        self.put(body)
        return {"_seq_no": self.number, "_primary_term": 3}

    def _version(self) -> dict[str, str]:
        return {"if_seq_no": str(self.number), "if_primary_term": "3"}

    @property
    def entry(self) -> LedgerEntry:
        assert self.stored is not None
        return msgspec.convert(self.stored, LedgerEntry)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Index:
    index = Index()
    monkeypatch.setattr(ledger_store, "call", index.call)
    monkeypatch.setattr("oktalogger.opensearch.request.call", index.call)  # for searches
    monkeypatch.setattr("tenacity.nap.time.sleep", index.slept.append)
    random.seed(7)
    return index


@pytest.fixture
def ledger(index: Index) -> LedgerStore:
    return LedgerStore(cast("OpenSearch", None), IndexNames(), clock=lambda: NOON)


@pytest.fixture
def opened(ledger: LedgerStore) -> StoredEntry:
    return ledger.open(KEY, run_id="run", run_url="https://airflow.example.com/run")


def down() -> OpenSearchUnavailableError:
    return OpenSearchUnavailableError("down", index="x")


def page(number: int, *, last: bool = False) -> Progress:
    return Progress(LoadResult(pages=number), None if last else f"{LINK}{number + 1}", 0.5)


class TestOpen:
    def test_a_first_try_makes_the_entry(self, index: Index, opened: StoredEntry) -> None:
        assert (index.entry.state, index.entry.tries, index.entry.run_id) == ("running", 1, "run")
        assert index.entry.run_url == "https://airflow.example.com/run"
        assert opened.resume_from is None
        read, written = index.asked
        quoted = "example.okta.com%2Fbackfill%2F2026-11-23T12%3A00%3A00Z%2F2026-11-23T13%3A00%3A00Z"
        assert (read["method"], read["path"], read["ignore"]) == (
            "GET",
            f"/okta-system-log-ledger/_doc/{quoted}",
            (404,),
        )
        assert (written["method"], written["path"], written["ignore"]) == (
            "PUT",
            f"/okta-system-log-ledger-write/_doc/{quoted}",
            (409,),
        )
        assert (read["index"], written["index"]) == ("okta-system-log-ledger",) * 2
        assert written["params"] == {"require_alias": "true", "op_type": "create"}

    def test_another_one_goes_on_where_the_entry_says(self, index: Index, ledger: LedgerStore) -> None:
        first = begin(KEY, None, run_id="first", run_url=None, now=NOON)
        index.put(msgspec.structs.replace(first, next_url=f"{LINK}7"))
        second = ledger.open(KEY, run_id="second")
        assert (second.resume_from, second.entry.tries, index.entry.run_id) == (f"{LINK}7", 2, "second")
        assert second.entry.started_at == ledger.now() == NOON

    def test_one_that_others_overtake_looks_again(self, index: Index, ledger: LedgerStore) -> None:
        other = begin(KEY, None, run_id="other", run_url=None, now=NOON)
        index.before_write = [lambda: index.put(other), lambda: index.put(other)]
        assert ledger.open(KEY, run_id="run").entry.tries == 2
        assert len(index.slept) == 2

    def test_it_looks_again_at_once_for_half_a_minute(self, index: Index, ledger: LedgerStore) -> None:
        other = begin(KEY, None, run_id="other", run_url=None, now=NOON)
        index.before_write = [lambda: index.put(other)] * 30
        ledger.open(KEY, run_id="run")
        assert len(index.slept) == 30
        assert max(index.slept) <= 0.1
        assert timedelta(seconds=30) == ledger_store._OPENING
        assert index.entry.run_id == "run"

    def test_it_gives_up_in_the_end(self, index: Index, ledger: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> None:
        other = begin(KEY, None, run_id="other", run_url=None, now=NOON)
        monkeypatch.setattr(ledger_store, "_OPENING", timedelta(seconds=0.05))
        index.before_write = [lambda: index.put(other)] * 1_000_000
        with pytest.raises(OpenSearchUnavailableError, match="Others kept changing the entry") as raised:
            ledger.open(KEY, run_id="run")
        assert raised.value.index == "okta-system-log-ledger"

    def test_without_its_index_it_says_what_makes_it(self, index: Index, ledger: LedgerStore) -> None:
        index.missing = True
        with pytest.raises(OpenSearchLoadError, match=r"is not there.*call that first"):
            ledger.open(KEY, run_id="run")


class TestCheckpoint:
    def test_each_page_but_the_last_is_written_down(self, index: Index, opened: StoredEntry) -> None:
        opened.checkpoint(page(1))
        assert (index.entry.state, index.entry.next_url, index.entry.counts["pages"]) == ("running", f"{LINK}2", 1)
        opened.checkpoint(page(2))
        opened.checkpoint(page(3, last=True))
        assert (index.entry.next_url, index.entry.counts["pages"]) == (f"{LINK}3", 2), "complete() writes the last one"
        assert [asked["method"] for asked in index.asked] == ["GET", "PUT", "PUT", "PUT"], "and reads none again"

    def test_a_ledger_out_of_reach_stops_no_load(
        self, index: Index, opened: StoredEntry, caplog: pytest.LogCaptureFixture
    ) -> None:
        index.before_write = [down()]
        with caplog.at_level(logging.WARNING):
            opened.checkpoint(page(1))
        assert "was not told of page 1" in caplog.text
        opened.checkpoint(page(2))
        assert index.entry.next_url == f"{LINK}3"

    def test_a_refusal_does(self, index: Index, opened: StoredEntry) -> None:
        index.before_write = [OpenSearchRequestError("no", status=403)]
        with pytest.raises(OpenSearchRequestError):
            opened.checkpoint(page(1))

    def test_a_write_whose_answer_was_lost_is_written_again(self, index: Index, opened: StoredEntry) -> None:
        index.before_write = [lambda: index.put(index.entry)]
        opened.checkpoint(page(1))
        assert index.entry.next_url == f"{LINK}2"

    def test_one_that_another_try_took_over_leaves_the_entry_alone(
        self, index: Index, ledger: LedgerStore, opened: StoredEntry, caplog: pytest.LogCaptureFixture
    ) -> None:
        ledger.open(KEY, run_id="another")
        with caplog.at_level(logging.WARNING):
            opened.checkpoint(page(1))
        assert "Another try of" in caplog.text
        assert "(another)" in caplog.text
        asked = len(index.asked)
        opened.checkpoint(page(2))
        opened.complete(LoadResult(pages=2))
        assert len(index.asked) == asked, "it does not even ask any more"
        assert (index.entry.run_id, index.entry.next_url, index.entry.state) == ("another", None, "running")

    def test_one_that_finds_that_out_at_its_last_look_is_no_error(
        self, index: Index, ledger: LedgerStore, opened: StoredEntry, caplog: pytest.LogCaptureFixture
    ) -> None:
        def taken_over() -> None:
            index.before_write.clear()
            ledger.open(KEY, run_id="another")

        index.before_write = [*[lambda: index.put(index.entry)] * 4, taken_over]
        with caplog.at_level(logging.WARNING):
            opened.checkpoint(page(1))
        assert "kept changing" not in caplog.text
        assert index.entry.run_id == "another"

    @pytest.mark.parametrize(("times", "written"), [(4, True), (5, False)])
    def test_an_entry_that_keeps_changing_is_tried_five_times(
        self, index: Index, opened: StoredEntry, caplog: pytest.LogCaptureFixture, *, times: int, written: bool
    ) -> None:
        index.before_write = [lambda: index.put(index.entry)] * times
        with caplog.at_level(logging.WARNING):
            opened.checkpoint(page(1))
        assert (index.entry.next_url == f"{LINK}2") == written
        assert ("kept changing: try again" in caplog.text) != written


class TestEnd:
    def test_complete_is_written_and_returned(self, index: Index, opened: StoredEntry) -> None:
        done = opened.complete(LoadResult(pages=3))
        assert done == index.entry
        assert (done.state, done.completed_at, done.next_url, done.counts["pages"]) == ("complete", NOON, None, 3)

    def test_it_is_tried_until_opensearch_takes_it(self, index: Index, opened: StoredEntry) -> None:
        index.before_write = [down() for _ in range(200)]
        opened.complete(LoadResult())
        assert index.entry.state == "complete"
        assert len(index.slept) == 200
        assert all(seconds <= min(20, 0.5 * 2**number) for number, seconds in enumerate(index.slept))
        assert max(index.slept) > 19
        assert timedelta(minutes=2) == ledger_store._COMPLETING

    def test_in_the_end_the_error_itself_is_raised(
        self, index: Index, opened: StoredEntry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ledger_store, "_COMPLETING", timedelta(seconds=0.05))
        index.before_write = [down()] * 1_000_000
        with pytest.raises(OpenSearchUnavailableError, match="down"):
            opened.complete(LoadResult())

    def test_a_refusal_is_not_tried_again(self, index: Index, opened: StoredEntry) -> None:
        index.before_write = [OpenSearchRequestError("no", status=403)]
        with pytest.raises(OpenSearchRequestError):
            opened.complete(LoadResult())
        assert index.entry.state == "running"

    def test_a_failure_keeps_the_link_and_the_counts_of_the_last_page(self, index: Index, opened: StoredEntry) -> None:
        opened.checkpoint(page(1))
        opened.fail(ValueError("x" * 3000))
        assert (index.entry.state, index.entry.next_url, index.entry.counts["pages"]) == ("failed", f"{LINK}2", 1)
        assert index.entry.error == f"ValueError: {'x' * 1988}", "2,000 characters of it"

    def test_one_before_the_first_page_keeps_what_the_try_before_left(self, index: Index, ledger: LedgerStore) -> None:
        first = begin(KEY, None, run_id="first", run_url=None, now=NOON)
        index.put(msgspec.structs.replace(first, next_url=f"{LINK}7", counts={"pages": 6}))
        ledger.open(KEY, run_id="second").fail(ValueError("no"))
        assert (index.entry.next_url, index.entry.counts["pages"]) == (f"{LINK}7", 6)

    def test_where_even_that_fails_the_log_says_so(
        self, index: Index, opened: StoredEntry, caplog: pytest.LogCaptureFixture
    ) -> None:
        index.before_write = [OpenSearchRequestError("no", status=403)]
        with caplog.at_level(logging.WARNING):
            opened.fail(ValueError("first"))
        assert "was not told that" in caplog.text


class TestSearches:
    def hit(self, number: int) -> dict[str, Any]:
        window = Window(NOON + timedelta(hours=number), NOON + timedelta(hours=number + 1))
        entry = begin(LedgerKey("o", "scheduled", window), None, run_id="r", run_url=None, now=NOON)
        return {
            "_id": entry.id,
            "_source": msgspec.json.decode(msgspec.json.encode(entry)),
            "sort": [number, f"id-{number}"],
        }

    def test_the_newest_complete_window(self, index: Index, ledger: LedgerStore) -> None:
        index.hits = [[self.hit(4)], []]
        assert ledger.newest_complete("o") == NOON + timedelta(hours=5)
        assert ledger.newest_complete("o") is None
        asked = index.asked[0]
        assert (asked["method"], asked["path"]) == ("POST", "/okta-system-log-ledger/_search")
        assert asked["body"] == {
            "size": 20,
            "query": {
                "bool": {
                    "filter": [{"term": {"org": "o"}}, {"exists": {"field": "completed_at"}}],
                    "must_not": [{"exists": {"field": "filter"}}, {"exists": {"field": "q"}}],
                }
            },
            "sort": [{"window_end": "desc"}],
        }

    def test_entries_come_page_by_page(
        self, index: Index, ledger: LedgerStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ledger_store, "_PAGE", 3)
        index.hits = [[self.hit(n) for n in range(3)], [self.hit(n) for n in range(3, 6)], [self.hit(6)]]
        found = list(ledger.entries("o", HOUR))
        assert [entry.window_start for entry in found] == [NOON + timedelta(hours=n) for n in range(7)]
        first, second, third = (asked["body"] for asked in index.asked)
        assert first == {
            "size": 3,
            "query": {
                "bool": {
                    "filter": [
                        {"term": {"org": "o"}},
                        {"range": {"window_start": {"lt": "2026-11-23T13:00:00+00:00"}}},
                        {"range": {"window_end": {"gt": "2026-11-23T12:00:00+00:00"}}},
                    ]
                }
            },
            "sort": [{"window_start": "asc"}, {"id": "asc"}],
        }
        assert (second["search_after"], third["search_after"]) == ([2, "id-2"], [5, "id-5"])

    @pytest.mark.parametrize(
        "forged",
        [
            {"tries": "many"},
            {"window_end": "2026-11-23T11:00:00Z"},
            {"window_start": "2026-11-23T12:00:00"},
            {"completed_at": "2026-11-23T12:00:00"},
            {"kind": "backfill"},
            {"org": "another"},
            {"id": "else"},
            {"_id": "else"},
        ],
        ids=str,
    )
    def test_what_nobody_of_ours_wrote_counts_for_nothing(
        self, index: Index, ledger: LedgerStore, forged: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        hit = self.hit(0)
        hit |= {name: value for name, value in forged.items() if name in hit}
        hit["_source"] |= {name: value for name, value in forged.items() if name not in hit}
        index.hits = [[hit, self.hit(1)], [hit, self.hit(1)]]
        assert [entry.window_start for entry in ledger.entries("o", HOUR)] == [NOON + timedelta(hours=1)]
        assert f"{hit['_id']} of the ledger was not written by oktalogger" in caplog.text
        assert ledger.newest_complete("o") == NOON + timedelta(hours=2)

    def test_kinds_narrow_it(self, index: Index, ledger: LedgerStore) -> None:
        index.hits = [[]]
        assert list(ledger.entries("o", HOUR, kinds=("manual", "backfill"))) == []
        filters = index.asked[0]["body"]["query"]["bool"]["filter"]
        assert filters[3:] == [{"terms": {"kind": ["manual", "backfill"]}}]
        assert index.asked[0]["body"]["size"] == 1000


def test_the_clock_is_this_machine_s_by_default() -> None:
    before = time.time()
    assert before <= LedgerStore(cast("OpenSearch", None), IndexNames()).now().timestamp() <= time.time()
