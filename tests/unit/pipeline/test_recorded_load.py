"""What a load says of itself, by what the ledger says of those before it."""

from __future__ import annotations

from datetime import datetime, timedelta

from oktalogger.pipeline.document import LoadKind, Stamp
from oktalogger.pipeline.ledger import LedgerEntry, LedgerKey, begin
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.window import Window
from tests.unit.pipeline.test_continuity import NOON, ORG, Fuse, Process, World
from tests.unit.pipeline.test_load import MemoryStore, ScriptedSource, event

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
