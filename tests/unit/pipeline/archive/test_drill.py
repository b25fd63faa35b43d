"""Loads with an archive in a folder: what they leave there, what comes back, and how each kind of damage is named."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from oktalogger.okta.system_log import SystemLogQuery
from oktalogger.pipeline.archive.catalog import read_catalog
from oktalogger.pipeline.archive.checking import ArchiveCheck, check_archive, orgs_of
from oktalogger.pipeline.archive.errors import ArchiveDamagedError, ArchiveRefusedError, ArchiveUnavailableError
from oktalogger.pipeline.archive.folder import FolderStore
from oktalogger.pipeline.archive.lines import events_of
from oktalogger.pipeline.archive.object_names import events_name, read_name
from oktalogger.pipeline.archive.records import ArchivedObject, Listing, Manifest, manifest_body, sha256_of
from oktalogger.pipeline.archive.sealing import MadeSeal, seal_closed_days
from oktalogger.pipeline.document import LoadKind, Stamp
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.pipeline.restore import restorable, restoring
from oktalogger.window import HOUR, Window
from tests.unit.pipeline.loading import MemoryStore, ScriptedSource, event
from tests.unit.pipeline.test_recorded_load import Told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from oktalogger.pipeline.archive.place import ArchiveStore
    from oktalogger.pipeline.load_result import LoadResult

from tests.unit.pipeline.test_continuity import NOON, ORG

DAY = timedelta(days=1)
LAST_HOUR = Window(NOON, NOON + HOUR)


def load(
    store: ArchiveStore,
    window: Window,
    *pages: list[msgspec.Raw],
    kind: LoadKind = "scheduled",
    org: str = ORG,
    documents: MemoryStore | None = None,
    ledger: Any = None,
    overlap: timedelta = timedelta(0),
    **more: Any,
) -> LoadResult:
    source = ScriptedSource(list(pages) or [[]], **more)
    plan = LoadPlan(Stamp(org, window, "run", kind), overlap=overlap, keeps=None)
    return load_and_record(source, documents or MemoryStore(), ledger or Told(), plan, archive=store)


def read_back(store: ArchiveStore, window: Window, org: str = ORG) -> list[bytes]:
    source = restoring(store, org, window, "restore").source
    pages = source.pages(SystemLogQuery(since=window.start, until=window.end))
    return [bytes(one) for page in pages for one in page.events]


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def at(minutes: float, number: int) -> msgspec.Raw:
    return event(number, NOON + timedelta(minutes=minutes))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def test_a_load_leaves_its_events_byte_for_byte_and_says_so_in_a_manifest(store: FolderStore, tmp_path: Path) -> None:
    odd = msgspec.Raw(b'{"no":"uuid",\n "\xff": 1}')
    pages = [[at(1, 1), at(2, 2), odd], [at(59, 3)]]
    result = load(store, LAST_HOUR, *pages)
    assert sorted(read_back(store, LAST_HOUR)) == sorted(bytes(one) for some in pages for one in some)
    [name] = [name for name in files(tmp_path) if name.startswith("manifests/")]
    manifest = json.loads((tmp_path / name).read_bytes())
    assert (manifest["events"], manifest["state"], manifest["kind"]) == (4, "complete", "scheduled")
    assert (manifest["window_start"], manifest["run_id"]) == ("2025-11-03T12:00:00Z", "run")
    assert [one["events"] for one in manifest["objects"]] == [3, 1]
    assert result.archived is not None
    assert result.as_dict()["archived"] == 4


def test_a_load_that_is_repeated_leaves_nothing_new(store: FolderStore, tmp_path: Path) -> None:
    load(store, LAST_HOUR, [at(1, 1)], [at(2, 2)])
    before = files(tmp_path)
    load(store, LAST_HOUR, [at(1, 1)], [at(2, 2)])
    assert files(tmp_path) == before


def test_other_page_boundaries_and_late_events_come_beside_it_and_each_event_comes_back_once(
    store: FolderStore, tmp_path: Path
) -> None:
    load(store, LAST_HOUR, [at(1, 1)], [at(2, 2)])
    load(store, LAST_HOUR, [at(1, 1), at(2, 2)], [at(3, 3)], kind="reconcile")
    assert len(files(tmp_path)) == 6
    assert read_back(store, LAST_HOUR) == [bytes(at(number, number)) for number in (1, 2, 3)]
    assert check_archive(store, ORG).sound


def test_what_an_overlap_finds_in_the_hour_before_comes_back_with_that_hour(store: FolderStore) -> None:
    before = Window(NOON - HOUR, NOON)
    load(store, before, [at(-30, 1)])
    load(store, LAST_HOUR, [at(-1, 2), at(1, 3)], overlap=timedelta(minutes=5))
    assert read_back(store, before) == [bytes(at(-30, 1)), bytes(at(-1, 2))]
    assert read_back(store, LAST_HOUR) == [bytes(at(1, 3))]


def test_a_part_of_an_hour_comes_back_alone(store: FolderStore) -> None:
    load(store, LAST_HOUR, [at(1, 1), at(31, 2)])
    assert read_back(store, Window(NOON + timedelta(minutes=30), NOON + HOUR)) == [bytes(at(31, 2))]


def test_two_orgs_do_not_meet(store: FolderStore) -> None:
    load(store, LAST_HOUR, [at(1, 1)])
    load(store, LAST_HOUR, [at(1, 2)], org="other.okta.com:8090")
    assert read_back(store, LAST_HOUR) == [bytes(at(1, 1))]
    assert read_back(store, LAST_HOUR, "other.okta.com:8090") == [bytes(at(1, 2))]
    assert orgs_of(store) == [ORG, "other.okta.com:8090"]


def test_many_pages_are_listed_in_parts(store: FolderStore, tmp_path: Path) -> None:
    pages = [[at(number / 10, number)] for number in range(250)]
    load(store, LAST_HOUR, *pages)
    assert len([name for name in files(tmp_path) if name.endswith(".part.json")]) == 2
    assert len(read_back(store, LAST_HOUR)) == 250
    assert check_archive(store, ORG).sound


def test_a_filtered_load_proves_nothing_of_the_rest(store: FolderStore) -> None:
    plan = LoadPlan(Stamp(ORG, LAST_HOUR, "run", "manual"), filter="f", keeps=None)
    load_and_record(ScriptedSource([[at(1, 1)]]), MemoryStore(), Told(), plan, archive=store)
    catalog = read_catalog(store, ORG, LAST_HOUR)
    assert restorable(catalog, None, None).absent == (LAST_HOUR,)
    assert restorable(catalog, "f", None).complete == (LAST_HOUR,)


class Down(FolderStore):
    """A folder that cannot be written for a while."""

    down = True
    refused = False

    def put(self, name: str, body: bytes, *, by_content: bool = True) -> bool:
        if self.down and (name.startswith("events/") or self.refused):
            raise (ArchiveRefusedError if self.refused else ArchiveUnavailableError)("S3 is down")
        return super().put(name, body, by_content=by_content)


def test_a_live_load_stores_all_in_opensearch_though_the_archive_is_down_and_is_not_complete(tmp_path: Path) -> None:
    store, documents, ledger = Down(tmp_path), MemoryStore(), Told()
    pages = [[at(number, number)] for number in range(9)]
    with pytest.raises(ArchiveUnavailableError, match="S3 is down"):
        load(store, LAST_HOUR, *pages, documents=documents, ledger=ledger)
    assert len(documents.documents) == 9
    assert [what for what, _ in ledger.told] == ["open", "failed"]
    store.down = False
    load(store, LAST_HOUR, *pages, documents=documents)
    assert len(read_back(store, LAST_HOUR)) == 9


def test_a_backfill_stops_there(tmp_path: Path) -> None:
    ledger = Told()
    with pytest.raises(ArchiveUnavailableError):
        load(Down(tmp_path), LAST_HOUR, *[[at(n, n)] for n in range(9)], kind="backfill", ledger=ledger)
    assert [what for what, _ in ledger.told] == ["open", "failed"]


def test_no_window_is_complete_before_its_manifest_is_there(tmp_path: Path) -> None:
    class WithoutManifests(FolderStore):
        def put(self, name: str, body: bytes, *, by_content: bool = True) -> bool:
            if name.startswith("manifests/"):
                raise ArchiveUnavailableError("S3 is down")
            return super().put(name, body, by_content=by_content)

    ledger = Told()
    with pytest.raises(ArchiveUnavailableError):
        load(WithoutManifests(tmp_path), LAST_HOUR, [at(1, 1)], ledger=ledger)
    assert [what for what, _ in ledger.told] == ["open", "stored", "failed"]
    assert restorable(read_catalog(FolderStore(tmp_path), ORG, LAST_HOUR), None, None).absent == (LAST_HOUR,)


def test_a_window_that_is_read_from_its_start_after_all_lists_nothing_of_before(
    store: FolderStore, tmp_path: Path
) -> None:
    ledger = Told(resume_from="https://example.okta.com/api/v1/logs?after=1")
    before = Listing(store.where, objects=(ArchivedObject("events/gone", 7, 7),), events=7)
    ledger.entry = msgspec.structs.replace(ledger.entry, archived=before)
    load(store, LAST_HOUR, [at(1, 1)], [at(2, 2)], ledger=ledger, bad_cursor=True)
    [name] = [name for name in files(tmp_path) if name.startswith("manifests/")]
    assert json.loads((tmp_path / name).read_bytes())["events"] == 2


def sealed(store: FolderStore, days: float, now: float = 0.0) -> list[MadeSeal]:
    return seal_closed_days(store, ORG, now=NOON + days * DAY + timedelta(hours=now), run_id="reconcile")


def test_each_closed_day_is_sealed_once_and_what_comes_late_is_in_a_later_seal(store: FolderStore) -> None:
    assert sealed(store, 9) == [], "there is nothing to seal"
    load(store, LAST_HOUR, [at(1, 1)])
    assert sealed(store, 0) == [], "the day is not over"
    assert sealed(store, 0, now=13) == [], "and its last windows may still be under way"
    [first] = sealed(store, 0, now=14)
    assert len(first.seal.manifests) == 1
    assert first.seal.previous is None
    assert sealed(store, 0, now=15) == []
    load(store, LAST_HOUR, [at(1, 1), at(2, 2)], kind="reconcile")
    load(store, Window(NOON + DAY, NOON + DAY + HOUR), [at(24 * 60, 3)])
    second, third = sealed(store, 3)
    assert len(second.seal.manifests) == 2
    assert second.seal.previous is not None
    assert second.seal.previous.sha256 == first.sha256
    assert len(third.seal.manifests) == 0
    check = check_archive(store, ORG, trusted=second.sha256)
    assert check.sound
    assert (check.seals, check.unsealed, check.newest_seal) == (3, [], (third.name, third.sha256))


def test_a_clock_that_is_a_day_ahead_seals_early_and_nothing_is_lost_by_it(store: FolderStore) -> None:
    load(store, LAST_HOUR, [at(1, 1)])
    assert len(sealed(store, 1, now=3)) == 1, "by a clock that is ahead: the day is not over"
    load(store, Window(NOON + HOUR, NOON + 2 * HOUR), [at(61, 2)])
    assert sealed(store, 0, now=14) == []
    [second] = sealed(store, 1, now=14)
    assert len(second.seal.manifests) == 1
    assert check_archive(store, ORG).sound


def test_what_a_load_left_behind_that_came_to_no_end_is_noted(store: FolderStore) -> None:
    load(store, LAST_HOUR, [at(1, 1)])
    with pytest.raises(Exception, match="down"):
        load(store, Window(NOON + HOUR, NOON + 2 * HOUR), [at(61, 2)], [at(62, 3)], fail_at=1)
    assert [read_name(name).kind for name in check_archive(store, ORG).foreign] == ["events"]  # type: ignore[union-attr]
    [seal] = sealed(store, 1)
    check = check_archive(store, ORG)
    assert check.sound
    assert check.unclaimed == list(seal.seal.unclaimed) != []


@pytest.fixture
def drilled(store: FolderStore) -> FolderStore:
    """Two days, sealed, and a day that is not sealed yet; the first hour was read twice."""
    load(store, LAST_HOUR, [at(1, 1), at(2, 2)], [at(3, 3)])
    load(store, LAST_HOUR, [at(1, 1), at(2, 2), at(3, 3)], kind="reconcile")
    load(store, Window(NOON + DAY, NOON + DAY + HOUR), [at(24 * 60, 4)])
    load(store, Window(NOON + 2 * DAY, NOON + 2 * DAY + HOUR), [at(48 * 60, 5)])
    assert len(sealed(store, 2)) == 2
    assert check_archive(store, ORG).sound
    return store


def named(folder: Path, begins: str, number: int = 0) -> str:
    return sorted(name for name in files(folder) if name.startswith(begins))[number]


def named_by(check: ArchiveCheck) -> dict[str, list[str]]:
    what = ("missing", "changed", "foreign", "broken")
    return {one: [text.split()[0] for text in getattr(check, one)] for one in what if getattr(check, one)}


def test_any_byte_of_any_object_that_changes_is_named(drilled: FolderStore, tmp_path: Path) -> None:
    for name, body in files(tmp_path).items():
        for place in range(0, len(body), 7):
            (tmp_path / name).write_bytes(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])
            found = named_by(check_archive(drilled, ORG))
            if name.startswith("seals/"):
                assert found, place  # the newest seal is the exception, of which only a hash kept elsewhere tells
            else:
                assert name in found["changed"], place
        (tmp_path / name).write_bytes(body)
        if name.startswith("seals/"):
            break


@pytest.mark.parametrize("begins", ["events/", "manifests/", "seals/"])
def test_an_object_that_is_gone_is_named(drilled: FolderStore, tmp_path: Path, begins: str) -> None:
    name = named(tmp_path, begins)
    (tmp_path / name).unlink()
    found = named_by(check_archive(drilled, ORG))
    if begins == "seals/":
        assert "broken" in found
    else:
        assert name in found["missing"]


def test_the_newest_seal_that_is_changed_or_gone_is_told_by_a_hash_kept_elsewhere(
    drilled: FolderStore, tmp_path: Path
) -> None:
    name = named(tmp_path, "seals/", 1)
    hash = sha256_of((tmp_path / name).read_bytes())
    assert check_archive(drilled, ORG, trusted=hash).sound
    (tmp_path / name).unlink()
    assert check_archive(drilled, ORG, trusted=hash).broken == [f"no seal of seals/org={ORG}/ has the hash {hash}"]


def test_an_object_that_somebody_adds_is_named(drilled: FolderStore, tmp_path: Path) -> None:
    body = (tmp_path / named(tmp_path, "events/")).read_bytes() + b"x"
    made_up = events_name(ORG, LAST_HOUR, NOON, sha256_of(body))
    drilled.put(made_up, body)
    drilled.put(f"events/org={ORG}/note.txt", b"hello")
    assert sorted(named_by(check_archive(drilled, ORG))["foreign"]) == sorted([made_up, f"events/org={ORG}/note.txt"])
    assert len(read_back(drilled, LAST_HOUR)) == 3, "and nothing believes it"


def test_a_manifest_that_somebody_adds_later_is_in_no_seal(drilled: FolderStore) -> None:
    before = check_archive(drilled, ORG).unsealed
    forged = Manifest(
        org=ORG, kind="manual", window_start=NOON, window_end=NOON + HOUR, reads_from=NOON, run_id="r", completed=NOON
    )
    drilled.put(forged.name, manifest_body(forged), by_content=False)
    assert set(check_archive(drilled, ORG).unsealed) - set(before) == {forged.name}


def test_the_objects_of_one_org_under_another_are_foreign_there(drilled: FolderStore, tmp_path: Path) -> None:
    for name, body in files(tmp_path).items():
        drilled.put(name.replace(ORG, "evil.okta.com"), body, by_content=False)
    assert not check_archive(drilled, "evil.okta.com").sound
    assert check_archive(drilled, ORG).sound


def test_one_damaged_reading_is_no_loss_where_another_has_the_same(drilled: FolderStore, tmp_path: Path) -> None:
    (tmp_path / named(tmp_path, "events/")).write_bytes(b"")
    source = restoring(drilled, ORG, LAST_HOUR, "restore").source
    pages = list(source.pages(SystemLogQuery(since=NOON, until=NOON + HOUR)))
    assert sum(len(page.events) for page in pages) == 3
    assert "cannot be read" in (pages[-1].note or "")


def test_what_is_lost_is_said_after_all_the_rest_was_read_and_the_next_try_begins_there(
    drilled: FolderStore, tmp_path: Path
) -> None:
    window = Window(NOON - HOUR, NOON + 2 * HOUR)
    for name, body in files(tmp_path).items():
        if name.startswith("events/") and len(events_of(body, name)) > 1:
            (tmp_path / name).write_bytes(b"")
    load(drilled, Window(NOON - HOUR, NOON), [at(-5, 6)])
    load(drilled, Window(NOON + HOUR, NOON + 2 * HOUR), [at(65, 7)])
    pages = restoring(drilled, ORG, window, "restore").source.pages(SystemLogQuery(since=NOON - HOUR, until=window.end))
    read = [next(pages) for _ in range(3)]
    with pytest.raises(ArchiveDamagedError, match="may be missing"):
        next(pages)
    links = [page.next_url for page in read]
    assert [len(page.events) for page in read] == [1, 1, 1], "all the rest was read first"
    assert links == ["archive:2025-11-03T12:00:00Z", "archive:2025-11-03T12:00:00Z", None]


def test_a_restored_load_reads_on_at_the_hour_where_it_stopped(drilled: FolderStore) -> None:
    window = Window(NOON, NOON + DAY + HOUR)
    query = SystemLogQuery(since=window.start, until=window.end)
    source = restoring(drilled, ORG, window, "restore").source
    pages = list(source.pages(query, resume_from="archive:2025-11-04T12:00:00Z"))
    assert [bytes(one) for page in pages for one in page.events] == [bytes(at(24 * 60, 4))]
    assert len(list(source.pages(query, resume_from="https://example.okta.com/"))) == 25, "another link means nothing"


def test_pages_are_as_large_as_was_asked_for(store: FolderStore) -> None:
    load(store, LAST_HOUR, [at(number / 100, number) for number in range(250)])
    source = restoring(store, ORG, LAST_HOUR, "restore").source
    pages = list(source.pages(SystemLogQuery(since=NOON, until=NOON + HOUR, limit=100)))
    assert [len(page.events) for page in pages] == [100, 100, 50]


def spoil(change: Callable[[bytes], bytes], path: Path) -> None:
    path.write_bytes(change(path.read_bytes()))


def test_a_damaged_manifest_is_named_and_costs_only_its_own_window(drilled: FolderStore, tmp_path: Path) -> None:
    spoil(
        lambda body: body[: len(body) // 2], tmp_path / named(tmp_path, "manifests/org=example.okta.com/day=2025-11-04")
    )
    catalog = read_catalog(drilled, ORG, Window(NOON, NOON + DAY + HOUR))
    there = restorable(catalog, None, None)
    assert there.complete == (LAST_HOUR,)
    assert len(there.damaged) == 1
    assert events_of((tmp_path / named(tmp_path, "events/")).read_bytes(), "x")
