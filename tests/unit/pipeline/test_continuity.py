"""Any order, any repetition, any crash point: the same documents, and no window complete before it is."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from oktalogger.okta.rate_budget import RateBudget, Share
from oktalogger.okta.rate_limit import RateLimit
from oktalogger.okta.system_log import Page, SystemLogQuery
from oktalogger.opensearch.bulk import BulkResult, Document, Rejection
from oktalogger.opensearch.names import IndexNames
from oktalogger.pipeline.backfill import BackfillRequest, to_load
from oktalogger.pipeline.document import LoadKind, Stamp
from oktalogger.pipeline.ledger import LedgerEntry, LedgerKey, advance, begin, from_the_start
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.load_result import LoadResult, Progress
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.window import Window, gaps, merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NOON = datetime(2025, 11, 3, 12, tzinfo=UTC)  # long past: a load refuses the future
MINUTE = timedelta(minutes=1)
WHOLE = Window(NOON, NOON + 60 * MINUTE)
ORG = "example.okta.com"


class Killed(BaseException):
    """The process is gone: nothing that it would still have done happens."""


@dataclass
class Fuse:
    """Kills the process at its n-th step, before that step or after it."""

    left: int | None
    after: bool = False
    dead: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def before_step(self) -> None:
        with self.lock:
            if self.dead:
                raise Killed
            if self.left is not None:
                self.left -= 1
                if self.left < 0 and not self.after:
                    self.dead = True
                    raise Killed

    def after_step(self) -> None:
        with self.lock:
            if self.left is not None and self.left < 0:
                self.dead = True
                raise Killed


@dataclass
class World:
    """An org, an OpenSearch, a ledger and a clock, which outlive every process."""

    minutes: tuple[int, ...]
    page_size: int
    limit: int
    documents: dict[str, Document] = field(default_factory=dict)
    ledger: dict[str, LedgerEntry] = field(default_factory=dict)
    names: IndexNames = field(default_factory=IndexNames)
    uuid: str = "first"
    now: float = 0.0
    used: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def events(self, window: Window) -> list[tuple[str, datetime]]:
        every = ((f"u-{n}", NOON + minute * MINUTE) for n, minute in enumerate(sorted(self.minutes)))
        return [(uuid, published) for uuid, published in every if published in window]

    def ask(self) -> RateLimit:
        minute = int(self.now // 60)
        self.used[minute] = self.used.get(minute, 0) + 1
        remaining = max(0, self.limit - self.used[minute])
        reset, date = NOON + timedelta(seconds=(minute + 1) * 60), NOON + timedelta(seconds=int(self.now))
        self.now += 0.3
        return RateLimit(self.limit, remaining, reset, date)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def complete(self) -> list[Window]:
        return merge(entry.window for entry in self.ledger.values() if entry.covers)


@dataclass
class Process:
    """One worker's try of one load."""

    world: World
    fuse: Fuse
    budget: RateBudget

    @property
    def names(self) -> IndexNames:
        return self.world.names

    def pages(self, query: SystemLogQuery, *, resume_from: str | None = None) -> Iterator[Page]:
        events = self.world.events(Window(query.since, query.until))
        first = int(resume_from.rpartition("=")[2]) if resume_from else 0
        for number in range(first, len(events) + 1, self.world.page_size):
            self.fuse.before_step()
            self.budget.before_request()
            rate_limit = self.world.ask()
            self.budget.after_response(rate_limit)
            self.fuse.after_step()
            some = events[number : number + self.world.page_size]
            last = number + self.world.page_size >= len(events)
            next_url = None if last else f"https://{ORG}/api/v1/logs?after={number + self.world.page_size}"
            bodies = [msgspec.Raw(json.dumps({"uuid": u, "published": p.isoformat()}).encode()) for u, p in some]
            yield Page(number, bodies, "https://x", next_url, "r", rate_limit, 1, 1, 0.0)
            if last:
                return

    def ensure_month(self, published: datetime) -> None:
        self.fuse.before_step()

    def identity(self, index: str) -> str:
        return self.world.uuid

    def identities(self, indices: Iterable[str]) -> dict[str, str]:
        self.fuse.before_step()
        return dict.fromkeys(indices, self.world.uuid)

    def create(self, documents: Sequence[Document]) -> BulkResult:
        self.fuse.before_step()
        existing = []
        for document in documents:
            with self.world.lock:
                if document.id in self.world.documents:
                    existing.append(document.id)
                self.world.documents.setdefault(document.id, document)
        self.fuse.after_step()
        created = len(documents) - len(existing)
        return BulkResult(created=created, existing=len(existing), existing_ids=tuple(existing))

    def added_fields(self, documents: Sequence[Document]) -> dict[str, dict[str, Any]]:
        self.fuse.before_step()
        ids = [document.id for document in documents]
        return {id: json.loads(self.world.documents[id].source)["oktalogger"] for id in ids}

    def sources(self, documents: Sequence[Document]) -> dict[str, dict[str, Any]]:
        self.fuse.before_step()
        return {document.id: json.loads(self.world.documents[document.id].source) for document in documents}

    def reject(self, rejections: Sequence[Rejection], *, context: Mapping[str, str]) -> int:
        raise AssertionError(f"nothing here is bad: {rejections}")

    def entries(self, org: str, within: Window) -> list[LedgerEntry]:
        self.fuse.before_step()
        return [e for e in self.world.ledger.values() if e.window_start < within.end and within.start < e.window_end]

    def open(self, key: LedgerKey, *, run_id: str, run_url: str | None = None) -> Entry:
        self.fuse.before_step()
        entry = begin(key, self.world.ledger.get(key.id), run_id=run_id, run_url=run_url, now=NOON)
        self.world.ledger[key.id] = entry
        self.fuse.after_step()
        return Entry(self, entry)


@dataclass
class Entry:
    """The ledger's entry of a try, as the one in OpenSearch behaves."""

    process: Process
    entry: LedgerEntry

    @property
    def resume_from(self) -> str | None:
        return self.entry.next_url

    @property
    def indices(self) -> dict[str, str]:
        return self.entry.indices

    def restart(self) -> None:
        self.entry = from_the_start(self.entry)

    def write(self, entry: LedgerEntry) -> LedgerEntry:
        self.process.fuse.before_step()
        self.process.world.ledger[entry.id] = entry
        self.process.fuse.after_step()
        return entry

    def checkpoint(self, progress: Progress) -> None:
        if progress.next_url is not None:
            self.write(advance(self.entry, progress.result, next_url=progress.next_url, state="running", now=NOON))

    def complete(self, result: LoadResult) -> LedgerEntry:
        return self.write(advance(self.entry, result, next_url=None, state="complete", now=NOON))

    def fail(self, error: BaseException) -> None:
        self.write(advance(self.entry, LoadResult(), next_url=self.entry.next_url, state="failed", now=NOON))


def attempt(world: World, window: Window, kind: LoadKind, share: Share, *, overlap: int, fuse: Fuse) -> bool:
    """Run one try; say whether it came to its end."""
    budget = RateBudget(share, sleep=world.sleep, clock=lambda: world.now, jitter=lambda low, high: high)
    process = Process(world, fuse, budget)
    plan = LoadPlan(Stamp(ORG, window, "run", kind), overlap=overlap * MINUTE, threads=2)
    try:
        load_and_record(process, process, process, plan, clock=lambda: NOON + timedelta(days=1))  # type: ignore[arg-type]
    except Killed:
        return False
    budget.rest()
    return True


def nothing_is_complete_too_early(world: World) -> None:
    for window in world.complete():
        assert {uuid for uuid, _ in world.events(window)} <= set(world.documents)


minutes = st.lists(st.integers(0, 59), max_size=40).map(tuple)
tries = st.lists(
    st.tuples(
        st.integers(0, 55),
        st.sampled_from([5, 5, 5, 17, 60]),
        st.sampled_from(["scheduled", "manual", "backfill", "reconcile"]),
        st.integers(0, 2),
        st.one_of(st.none(), st.integers(0, 25)),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(minutes=minutes, tries=tries, page_size=st.integers(1, 8), limit=st.integers(5, 120))
def test_any_order_any_repetition_any_crash_point(
    minutes: tuple[int, ...],
    tries: list[tuple[int, int, LoadKind, int, int | None, bool]],
    page_size: int,
    limit: int,
) -> None:
    world = World(minutes, page_size, limit)
    share = Share(0.5, reserve=0.25, paced=True)
    for start, length, kind, overlap, crash, after in tries:
        window = Window(NOON + start * MINUTE, min(NOON + (start + length) * MINUTE, WHOLE.end))
        attempt(world, window, kind, share, overlap=overlap, fuse=Fuse(crash, after))
        nothing_is_complete_too_early(world)
    # What is left by then is what the ledger says is left, and loading that is enough.
    for window in to_load(BackfillRequest(WHOLE, timedelta(hours=1)), world.complete()):
        assert attempt(world, window, "backfill", share, overlap=0, fuse=Fuse(None))
    assert gaps(WHOLE, world.complete()) == []
    assert set(world.documents) == {uuid for uuid, _ in world.events(WHOLE)}
    assert all(used < limit for used in world.used.values()), "and the last request of a minute was never taken"


@settings(max_examples=40, deadline=None)
@given(minutes=minutes, crashes=st.lists(st.integers(3, 30), min_size=1, max_size=6), page_size=st.integers(1, 4))
def test_a_try_goes_on_where_the_one_before_was_safely_stored(
    minutes: tuple[int, ...], crashes: list[int], page_size: int
) -> None:
    world = World(minutes, page_size, limit=600)
    share = Share(1.0)
    resumed: list[int] = []
    for crash in crashes:
        done = attempt(world, WHOLE, "backfill", share, overlap=0, fuse=Fuse(crash))
        [entry] = world.ledger.values()
        if done:
            break
        assert entry.completed_at is None
        at = int(entry.next_url.rpartition("=")[2]) if entry.next_url else 0
        stored = [f"u-{n}" for n in range(at)]
        assert set(stored) <= set(world.documents), "the link to go on with never skips an event that is not stored"
        resumed.append(at)
    assert resumed == sorted(resumed), "no try falls back behind the one before"
    while not attempt(world, WHOLE, "backfill", share, overlap=0, fuse=Fuse(None)):
        raise AssertionError("nothing kills this one")
    assert len(world.documents) == len(minutes)
