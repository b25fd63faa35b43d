"""What a load says of itself, by what the ledger says of those before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from oktalogger.okta.errors import OktaServerError
from oktalogger.opensearch.errors import IndexMissingError
from oktalogger.opensearch.names import IndexNames
from oktalogger.pipeline.document import LoadKind, Stamp
from oktalogger.pipeline.ledger import LedgerEntry, LedgerKey, begin
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.load_result import LoadResult, Progress
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.window import Window
from tests.unit.pipeline.loading import MemoryStore, ScriptedSource, event
from tests.unit.pipeline.test_continuity import NOON, ORG, Fuse, Process, World

HOUR = Window(NOON, NOON + timedelta(hours=1))


def begun(window: Window, kind: LoadKind, at: datetime) -> LedgerEntry:
    return begin(LedgerKey(ORG, kind, window), None, run_id="earlier", run_url=None, now=at)


def loading_since(*before: LedgerEntry) -> datetime | None:
    world = World((), 1, 1)
    world.ledger = {entry.id: entry for entry in before}
    ledger = Process(world, Fuse(None), None)  # type: ignore[arg-type]
    source = ScriptedSource([[event(1, NOON)]])
    plan = LoadPlan(Stamp(ORG, HOUR, "now", "reconcile"))
    return load_and_record(source, MemoryStore(), ledger, plan).loading_since


def test_alone_it_begins_with_its_own_first_try() -> None:
    assert loading_since() == NOON, "by the clock of this ledger"


def test_what_a_load_of_another_kind_stored_before_it_failed_for_good_is_announced_with_it() -> None:
    failed = begun(Window(NOON, NOON + timedelta(minutes=5)), "scheduled", NOON - timedelta(hours=1))
    assert loading_since(failed) == NOON - timedelta(hours=1)


def test_what_one_stored_that_came_to_its_end_is_not() -> None:
    done = begun(Window(NOON, NOON + timedelta(minutes=5)), "scheduled", NOON - timedelta(hours=1))
    done = LedgerEntry(**{name: getattr(done, name) for name in done.__struct_fields__} | {"state": "complete"})
    elsewhere = begun(Window(NOON - timedelta(hours=9), NOON), "scheduled", NOON - timedelta(hours=1))
    assert loading_since(done, elsewhere) == NOON


@dataclass
class Told:
    """A ledger with one entry that notes what it is told, and in which order."""

    resume_from: str | None = None
    built_on: dict[str, str] = field(default_factory=dict)
    entry: LedgerEntry = field(default_factory=lambda: begun(HOUR, "manual", NOON))
    told: list[tuple[str, Any]] = field(default_factory=list)

    def open(self, key: LedgerKey, *, run_id: str, run_url: str | None = None) -> Told:
        self.told.append(("open", (key, run_id, run_url)))
        return self

    @property
    def indices(self) -> dict[str, str]:
        return self.built_on

    def restart(self) -> None:
        self.told.append(("restart", None))
        self.resume_from = None

    def entries(self, org: str, within: Window) -> list[LedgerEntry]:
        return []

    def checkpoint(self, progress: Progress) -> None:
        self.told.append(("stored", progress.next_url))

    def complete(self, result: LoadResult) -> LedgerEntry:
        self.told.append(("complete", result.created))
        return begun(HOUR, "manual", NOON)

    def fail(self, error: BaseException) -> None:
        self.told.append(("failed", error))


PLAN = LoadPlan(Stamp(ORG, HOUR, "now", "manual"), filter="f", q="q")
OPENED = ("open", (LedgerKey(ORG, "manual", HOUR, "f", "q"), "now", "https://airflow.example.com"))


def link(number: int) -> str:
    return f"https://example.okta.com/api/v1/logs?after={number}"


def test_each_page_is_written_down_before_it_is_told_of() -> None:
    ledger = Told()
    load_and_record(
        ScriptedSource([[event(1, NOON)], [event(2, NOON)]]),
        MemoryStore(),
        ledger,
        PLAN,
        run_url="https://airflow.example.com",
        on_stored=lambda progress: ledger.told.append(("heard", progress.next_url)),
    )
    assert ledger.told == [
        OPENED,
        *(("stored", link(1)), ("heard", link(1)), ("stored", None), ("heard", None)),
        ("complete", 2),
    ]


def test_a_failure_is_written_down_and_raised() -> None:
    ledger = Told()
    source = ScriptedSource([[event(1, NOON)], [event(2, NOON)]], fail_at=1)
    with pytest.raises(OktaServerError) as raised:
        load_and_record(source, MemoryStore(), ledger, PLAN, run_url="https://airflow.example.com")
    assert ledger.told == [OPENED, ("stored", link(1)), ("failed", raised.value)]


def test_it_goes_on_where_its_entry_says() -> None:
    source = ScriptedSource([[event(1, NOON)], [event(2, NOON)]])
    assert load_and_record(source, MemoryStore(), Told(resume_from=link(1)), PLAN).created == 1
    assert source.fetched == [1]


MONTH = IndexNames().month_index(NOON)


def resuming(store: MemoryStore, **built_on: str) -> tuple[list[str], list[int], int]:
    """Load, as a try whose entry has a page to go on with; say what was told, what was read and what was stored."""
    source = ScriptedSource([[event(1, NOON)], [event(2, NOON)]])
    ledger = Told(resume_from=link(1), built_on=built_on)
    load_and_record(source, store, ledger, PLAN)
    return [what for what, _ in ledger.told], source.fetched, len(store.documents)


def test_one_whose_index_is_the_same_goes_on() -> None:
    store = MemoryStore()
    store.uuids = {MONTH: "first"}
    assert resuming(store, **{MONTH: "first"}) == (["open", "stored", "complete"], [1], 1)


@pytest.mark.parametrize("now", [{MONTH: "second"}, {}])
def test_one_whose_index_was_deleted_or_made_anew_begins_at_the_start(now: dict[str, str]) -> None:
    store = MemoryStore()
    store.uuids = now
    store.gone = frozenset() if now else frozenset({MONTH})
    store.gone_for = 1
    assert resuming(store, **{MONTH: "first"}) == (["open", "restart", "stored", "stored", "complete"], [0, 1], 2)


def test_a_window_is_not_complete_whose_index_was_made_anew_meanwhile() -> None:
    store = MemoryStore()
    store.gone = frozenset({MONTH})
    ledger = Told()
    with pytest.raises(IndexMissingError, match=f"{MONTH} was deleted or made anew while .* was being loaded"):
        load_and_record(ScriptedSource([[event(1, NOON)]]), store, ledger, PLAN)
    assert [what for what, _ in ledger.told] == ["open", "stored", "failed"]
