"""Any order, any repetition, any crash point, the archive on or off: what the ledger calls complete can be restored."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oktalogger.okta.rate_budget import RateBudget, Share
from oktalogger.okta.system_log import SystemLogQuery
from oktalogger.pipeline.archive.catalog import read_catalog
from oktalogger.pipeline.archive.checking import check_archive
from oktalogger.pipeline.archive.reading import ArchiveSource
from oktalogger.pipeline.document import LoadKind, Stamp
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.window import Window, gaps
from tests.unit.pipeline.test_continuity import MINUTE, NOON, ORG, WHOLE, Fuse, Killed, Process, World, minutes, tries

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Kept:
    """An archive that outlives every process. It keeps the first bytes of a name, and forgets nothing."""

    objects: dict[str, bytes] = field(default_factory=dict)
    fuse: Fuse = field(default_factory=lambda: Fuse(None))
    where: str = "memory"

    def put(self, name: str, body: bytes, *, by_content: bool = True) -> bool:
        self.fuse.before_step()
        new = name not in self.objects
        assert new or not by_content or self.objects[name] == body
        self.objects.setdefault(name, body)
        self.fuse.after_step()
        return new

    def get(self, name: str) -> bytes:
        return self.objects[name]

    def names(self, prefix: str) -> Iterator[str]:
        return iter(sorted(name for name in self.objects if name.startswith(prefix)))

    def overwritten(self, prefix: str) -> Iterator[str]:
        return iter(())


def attempt(world: World, kept: Kept, window: Window, kind: LoadKind, overlap: int, fuse: Fuse, *, on: bool) -> bool:
    budget = RateBudget(Share(0.9), sleep=world.sleep, clock=lambda: world.now, jitter=lambda low, high: high)
    process = Process(world, fuse, budget)
    plan = LoadPlan(Stamp(ORG, window, "run", kind), overlap=overlap * MINUTE, threads=2, keeps=None)
    archive = Kept(kept.objects, fuse) if on else None
    try:
        load_and_record(process, process, process, plan, archive=archive, clock=lambda: NOON + timedelta(days=1))  # type: ignore[arg-type]
    except Killed:
        return False
    return True


def restored(kept: Kept, window: Window) -> list[str]:
    source = ArchiveSource(kept, read_catalog(kept, ORG, window))
    pages = source.pages(SystemLogQuery(since=window.start, until=window.end))
    return [json.loads(bytes(event))["uuid"] for page in pages for event in page.events]


@settings(max_examples=60, deadline=None)
@given(
    minutes=minutes,
    tries=tries,
    page_size=st.integers(1, 8),
    on=st.lists(st.sampled_from([True, True, True, False]), min_size=12, max_size=12),
)
def test_what_is_complete_with_the_archive_on_can_be_restored_from_it(
    minutes: tuple[int, ...],
    tries: list[tuple[int, int, LoadKind, int, int | None, bool]],
    page_size: int,
    on: list[bool],
) -> None:
    world, kept = World(minutes, page_size, 600), Kept()
    for (start, length, kind, overlap, crash, after), archived in zip(tries, on, strict=False):
        window = Window(NOON + start * MINUTE, min(NOON + (start + length) * MINUTE, WHOLE.end))
        done = attempt(world, kept, window, kind, overlap, Fuse(crash, after), on=archived)
        if done and archived:
            catalog = read_catalog(kept, ORG, window)
            assert catalog.covered(None, None) == [window]
            assert set(restored(kept, window)) >= {uuid for uuid, _ in world.events(window)}
    check = check_archive(kept, ORG)
    assert [*check.missing, *check.changed] == [], "a crash leaves objects without a manifest, and no other damage"
    assert attempt(world, kept, WHOLE, "backfill", 0, Fuse(None), on=True)
    events = restored(kept, WHOLE)
    assert len(events) == len(set(events)), "each once"
    assert set(events) == {uuid for uuid, _ in world.events(WHOLE)}
    assert gaps(WHOLE, read_catalog(kept, ORG, WHOLE).covered(None, None)) == []


@settings(max_examples=40, deadline=None)
@given(minutes=minutes, crashes=st.lists(st.integers(3, 40), min_size=1, max_size=6), page_size=st.integers(1, 4))
def test_a_resumed_load_leaves_the_same_as_one_that_nothing_stopped(
    minutes: tuple[int, ...], crashes: list[int], page_size: int
) -> None:
    def objects(some: list[int]) -> set[str]:
        world, kept = World(minutes, page_size, limit=600), Kept()
        for crash in some:
            if attempt(world, kept, WHOLE, "backfill", 0, Fuse(crash), on=True):
                break
        assert attempt(world, kept, WHOLE, "backfill", 0, Fuse(None), on=True)
        return set(kept.objects)

    assert objects(crashes) == objects([])


MINUTES = tuple(range(0, 60, 3))


@pytest.mark.parametrize("crash", range(8, 30, 3))
@pytest.mark.parametrize("before", [[False], [True, False]])
def test_what_was_read_while_the_archive_was_off_is_read_again_for_it(crash: int, before: list[bool]) -> None:
    world, kept = World(MINUTES, 2, 600), Kept()
    for on in before:
        attempt(world, kept, WHOLE, "backfill", 0, Fuse(crash), on=on)
    assert attempt(world, kept, WHOLE, "backfill", 0, Fuse(None), on=True)
    assert len(restored(kept, WHOLE)) == len(MINUTES)
