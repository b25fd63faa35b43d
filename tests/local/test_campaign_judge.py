"""The campaign's judge and watch see what they are there for; a judge that cannot fail proves nothing."""

from __future__ import annotations

import base64
import gzip
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local.campaign.archived import ArchiveJudge
from local.campaign.audit import Audit
from local.campaign.judge import Judge
from local.campaign.oracle import Happened
from local.campaign.plan import EVERY_KIND, ODD_ONES, S3_FAULTS, campaign
from local.campaign.report import Report
from local.campaign.watch import JUST_NOW, Claim, Watch
from local.standins.s3 import Bucket

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ORG = "acme.okta.com"
TEN = datetime(2026, 6, 30, 10, tzinfo=UTC)
FIVE = timedelta(minutes=5)
HOLD_BACK = timedelta(seconds=30)


def event(uuid: str, published: str = "2026-06-30T10:00:00.000Z") -> dict[str, Any]:
    return {"uuid": uuid, "published": published, "actor": {"id": "00u1", "detail": [1, 2.5, None]}}


def document(uuid: str, **added: Any) -> dict[str, Any]:
    return {**event(uuid), "oktalogger": {"org": ORG, **added}}


def rejected(uuid: str, **more: Any) -> dict[str, Any]:
    return {"uuid": uuid, "reason": "no", "part": 1, "parts": 1, "event": json.dumps(document(uuid)), **more}


class Court:
    """A judge who was shown what is stored; ``good`` is as it should be."""

    def __init__(self) -> None:
        self.judge = Judge("c", ORG)

    def good(self, *uuids: str) -> Court:
        for uuid in uuids:
            self.judge.document("c-2026-06", uuid, document(uuid))
        return self

    def figures(self, *sent: str, poison: Iterable[str] = ()) -> tuple[int, int, int]:
        self.judge.sent([json.dumps(event(uuid)).encode() for uuid in sent], set(poison))
        verdict = self.judge.verdict()
        assert verdict.events == len(sent)
        assert bool(verdict.examples) == bool(verdict.lost or verdict.doubled or verdict.wrong)
        return verdict.lost, verdict.doubled, verdict.wrong


@pytest.fixture
def court() -> Court:
    return Court()


def test_parts_that_a_document_keeps_as_text_are_put_back(court: Court) -> None:
    whole = event("a")
    first = next(name for name in whole if name not in ("uuid", "published"))
    kept = [{"path": f"/{first}", "text": json.dumps(whole[first])}]
    stored = {name: value for name, value in document("a", unmapped=kept).items() if name != first}
    court.judge.document("c-2026-06", "a", stored)
    assert court.figures("a") == (0, 0, 0)


def test_a_part_that_is_kept_wrong_is_wrong(court: Court) -> None:
    court.judge.document("c-2026-06", "a", document("a", unmapped=[{"path": "/more", "text": "1"}]))
    assert court.figures("a") == (0, 0, 1)


def test_what_is_exact_is_exact(court: Court) -> None:
    court.judge.rejection("p", rejected("p"))
    assert court.good("a", "b").figures("a", "b", "p", poison={"p"}) == (0, 0, 0)


def test_an_event_that_is_nowhere_is_lost(court: Court) -> None:
    assert court.good("a").figures("a", "b") == (1, 0, 0)


@pytest.mark.parametrize("index", ["c-2026-06", "c-2026-07"])
def test_a_second_document_is_doubled_in_whatever_index(court: Court, index: str) -> None:
    court.good("a").judge.document(index, "a", document("a"))
    assert court.figures("a") == (0, 1, 0)


def test_an_event_both_stored_and_rejected_is_doubled(court: Court) -> None:
    court.good("a").judge.rejection("a", rejected("a"))
    assert court.figures("a") == (0, 1, 0)


@pytest.mark.parametrize(
    ("index", "identity", "source"),
    [
        ("c-2026-06", "a", {**document("a"), "actor": {"id": "00u2"}}),
        ("c-2026-06", "a", {**document("a"), "actor": {"id": "00u1", "detail": [1, 2.5]}}),
        ("c-2026-06", "a", {**document("a"), "more": 1}),
        ("c-2026-07", "a", document("a")),
        ("c-2026-06", "b", document("a")),
        ("c-2026-06", "a", document("a", org="other.okta.com")),
        ("c-2026-06", "a", document("a", historical=True, load_kind="scheduled")),
    ],
    ids=["another value", "a value less", "a field more", "month", "id", "org", "historical"],
)
def test_a_document_that_differs_is_wrong(court: Court, index: str, identity: str, source: dict[str, Any]) -> None:
    court.judge.document(index, identity, source)
    assert court.figures("a") == (0, 0, 1)


def test_what_was_never_sent_is_wrong(court: Court) -> None:
    assert court.good("a", "b").figures("a") == (0, 0, 1)


def test_a_good_event_among_the_rejected_is_wrong_and_so_is_poison_among_the_documents(court: Court) -> None:
    court.good("p").judge.rejection("a", rejected("a"))
    assert court.figures("a", "p", poison={"p"}) == (0, 0, 2)


def test_an_event_that_nobody_can_read_is_kept_byte_for_byte_among_the_rejected_and_once() -> None:
    half, deep = rb'{"uuid":"s","text":"\ud83d"}', b'{"uuid":"d","nested":' + b"[" * 1500 + b"]" * 1500 + b"}"

    def figures(*kept: bytes) -> tuple[int, int, int]:
        judge = Judge("c", ORG)
        for number, body in enumerate(kept):
            where = {"event": body.decode(errors="backslashreplace"), "event_base64": base64.b64encode(body).decode()}
            judge.rejection(str(number), {"reason": "unreadable", **where})
        judge.sent([half, deep], set())
        verdict = judge.verdict()
        assert verdict.rejected == len({half, deep} & set(kept))
        return verdict.lost, verdict.doubled, verdict.wrong

    assert figures(half, deep) == (0, 0, 0)
    assert figures(half) == (1, 0, 0)
    assert figures(half, deep, deep) == (0, 1, 0)
    assert figures(half, deep[:-1]) == (1, 0, 1)


def test_what_a_search_finds_in_no_month_of_ours_is_doubled(court: Court) -> None:
    court.good("a").judge.strays({TEN: {"c-2026-06": 5, "c-copy-1": 3}})
    assert court.figures("a") == (0, 3, 0)


def test_a_rejected_event_is_compared_too(court: Court) -> None:
    court.judge.rejection("p", rejected("p", event=json.dumps({**event("p"), "more": 1})))
    court.judge.rejection("q", rejected("q", event="{"))
    court.judge.rejection("r", rejected("r", reason=""))
    assert court.figures("p", "q", "r", poison={"p", "q", "r"}) == (1, 0, 3)


def test_a_rejected_event_in_parts_is_put_together(court: Court) -> None:
    text = json.dumps(document("p"))
    court.judge.rejection("p-2", rejected("p", part=2, parts=2, event=text[20:]))
    court.judge.rejection("p", rejected("p", part=1, parts=2, event=text[:20]))
    court.judge.rejection("q", rejected("q", part=1, parts=2, event="{"))
    assert court.figures("p", "q", poison={"p", "q"}) == (1, 0, 1)


class Org:
    """Okta, and an OpenSearch that lacks some of its events."""

    def __init__(self, *events: Happened) -> None:
        self.events = events
        self.time = TEN + FIVE + HOLD_BACK
        self.lacks: set[str] = set()

    def now(self) -> datetime:
        return self.time

    def published(self, start: datetime, end: datetime) -> Iterator[Happened]:
        return (found for found in self.events if start <= found.published < end)

    def missing(self, events: Iterable[Happened]) -> list[str]:
        return [found.uuid for found in events if found.uuid in self.lacks]


def happened(uuid: str, published: timedelta, readable_after: timedelta) -> Happened:
    return Happened(uuid, TEN + published, TEN + published + readable_after)


SECOND = timedelta(seconds=1)
LATE = happened("late", 4 * 60 * SECOND, timedelta(hours=3))
ON_TIME = happened("on time", FIVE - SECOND, 31 * SECOND)
NEXT = happened("next window", FIVE, SECOND)
OPEN = Claim(id="w", kind="scheduled", window_start=TEN, window_end=TEN + FIVE)
DONE = Claim(id="w", kind="scheduled", window_start=TEN, window_end=TEN + FIVE, state="complete", completed_at=TEN)


def written(watch: Watch, *claims: Claim) -> None:
    for claim in claims:
        watch.after(claim, watch.before(claim))


@pytest.fixture
def org() -> Org:
    return Org(LATE, ON_TIME, NEXT)


@pytest.fixture
def watch(org: Org) -> Watch:
    return Watch(org, org, HOLD_BACK)


def test_a_window_with_all_its_on_time_events_is_not_early(org: Org, watch: Watch) -> None:
    org.lacks = {"late", "next window"}
    written(watch, OPEN, DONE)
    assert (watch.complete, watch.early) == ({"w"}, {})


def test_a_window_without_an_on_time_event_is_early_even_if_it_comes_later(org: Org, watch: Watch) -> None:
    org.lacks = {"on time"}
    written(watch, OPEN, DONE)
    org.lacks = set()
    written(watch, DONE)
    assert watch.early == {"w": 1}


def test_a_claim_that_was_not_written_does_not_count(org: Org, watch: Watch) -> None:
    org.lacks = {"on time"}
    written(watch, OPEN)
    assert watch.before(DONE) == 1
    org.lacks = set()
    written(watch, DONE)
    assert watch.early == {}


def test_what_could_be_read_when_a_window_was_first_opened_is_on_time(org: Org, watch: Watch) -> None:
    org.time = TEN + timedelta(hours=4)
    org.lacks = {"late"}
    written(watch, OPEN, DONE)
    assert watch.early == {"w": 1}


def test_a_window_that_is_read_again_is_early_without_what_could_be_read_by_then(org: Org, watch: Watch) -> None:
    written(watch, OPEN, DONE)
    org.time = TEN + timedelta(hours=4)
    org.lacks = {"late"}
    written(watch, OPEN, DONE)
    assert watch.early == {"w": 1}


def test_damage_between_a_load_s_last_look_and_its_last_word_is_excused_and_its_events_are_owed(
    org: Org, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    org.lacks = {"on time"}
    watch.disturb()
    written(watch, OPEN, DONE)
    assert (watch.early, watch.excused) == ({}, 1)
    assert watch.owed_now() == {TEN: ["on time"]}
    later = time.monotonic() + JUST_NOW
    monkeypatch.setattr(time, "monotonic", lambda: later)
    written(watch, OPEN, DONE)
    assert (watch.early, watch.excused) == ({"w": 1}, 1)


class Search:
    """What a search on the alias finds."""

    def __init__(self, **indices: int) -> None:
        self.indices = {name.replace("_", "-"): number for name, number in indices.items()}
        self.lacks: set[str] = set()

    def visible(self) -> dict[datetime, dict[str, int]]:
        return {TEN: self.indices}

    def found(self, uuids: list[str]) -> int:
        return len(set(uuids) - self.lacks)

    def month_of(self, hour: datetime) -> str:
        return f"c-{hour:%Y-%m}"


def test_an_hour_is_well_if_a_search_finds_what_is_owed_and_nothing_twice(watch: Watch) -> None:
    written(watch, OPEN, DONE)
    said = [TEN, TEN + timedelta(hours=1)]
    assert Audit(watch, Search(c_2026_06=1)).hours(said, by_id=2) == []
    assert Audit(watch, Search(c_2026_06=2)).hours(said, by_id=2) == []
    for amiss in (Search(), Search(c_copy_1=1), Search(c_2026_06=1, c_copy_1=1)):
        [sentence] = Audit(watch, amiss).hours(said, by_id=2)
        assert "2026-06-30 10:00 was called well" in sentence
        assert Audit(watch, amiss).hours(said[1:], by_id=2) == []


def test_an_hour_in_which_others_make_up_the_number_is_found_out_by_the_ids(watch: Watch) -> None:
    written(watch, OPEN, DONE)
    search = Search(c_2026_06=7)
    search.lacks = {"on time"}
    assert len(Audit(watch, search).hours([TEN], by_id=1)) == 1
    assert Audit(watch, search).hours([TEN], by_id=0) == []


def test_a_green_load_whose_window_is_not_complete_is_found_out(watch: Watch) -> None:
    written(watch, OPEN)
    run = ("scheduled", TEN, TEN + FIVE)
    assert len(Audit(watch, Search()).runs([run])) == 1
    written(watch, DONE)
    assert Audit(watch, Search()).runs([run]) == []


def test_a_later_try_does_not_make_a_late_event_on_time(org: Org, watch: Watch) -> None:
    written(watch, OPEN)
    org.time = TEN + timedelta(hours=4)
    org.lacks = {"late"}
    second = Claim(**{**_fields(OPEN), "tries": 2, "next_url": "https://acme.okta.com/api/v1/logs?after=1"})
    written(watch, second, Claim(**{**_fields(DONE), "tries": 2}))
    assert (watch.early, watch.resumes) == ({}, 1)


def _fields(claim: Claim) -> dict[str, Any]:
    return {name: getattr(claim, name) for name in claim.__struct_fields__}


def archive_of(*lines: bytes, listed: bool = True, more: dict[str, list[bytes]] | None = None) -> Bucket:
    body = gzip.compress(b"".join(line + b"\n" for line in lines))
    manifest = {"objects": [{"name": "events/o"}] if listed else [], "parts": []}
    versions = {"okta/events/o": [body], "okta/manifests/m.json": [json.dumps(manifest).encode()]}
    return Bucket("evidence", versions=versions | (more or {}))


ARCHIVED = b'{"uuid":"u-1","published":"2026-07-01T10:00:00Z","severity":"INFO"}'


@pytest.mark.parametrize(
    ("bucket", "unarchived", "wrong"),
    [
        (archive_of(ARCHIVED), 0, 0),
        (archive_of(ARCHIVED, ARCHIVED), 0, 0),
        (archive_of(), 1, 0),
        (archive_of(ARCHIVED, listed=False), 1, 0),
        (archive_of(ARCHIVED.replace(b"INFO", b"WARN")), 0, 1),
        (archive_of(ARCHIVED, ARCHIVED.replace(b"INFO", b"WARN")), 0, 1),
        (archive_of(ARCHIVED, ARCHIVED.replace(b"u-1", b"u-2")), 0, 1),
        (archive_of(ARCHIVED, more={"okta/events/twice": [b"", b""]}), 0, 1),
    ],
)
def test_the_judge_of_the_archive_sees_what_is_amiss(bucket: Bucket, unarchived: int, wrong: int) -> None:
    judge = ArchiveJudge(bucket)
    judge.sent([ARCHIVED])
    verdict = judge.verdict()
    assert (verdict.unarchived, verdict.wrong) == (unarchived, wrong), verdict.examples


def test_the_judge_of_the_archive_misses_an_object_that_is_listed() -> None:
    bucket = archive_of(ARCHIVED)
    del bucket.versions["okta/events/o"]
    judge = ArchiveJudge(bucket)
    judge.sent([ARCHIVED])
    assert (judge.verdict().unarchived, judge.verdict().wrong) == (1, 1)


GOOD = Report(
    events=10, faults=500, lost=0, doubled=0, wrong=0, early_complete=0, false_green=0, excused=0,
    unarchived=0, archive_wrong=0, archive={"objects": 1, "bytes": 1, "events": 1}, seed=1,
    faults_by_kind=dict.fromkeys(EVERY_KIND, 20), wanted_events=10, fewest_faults=500, uncovered_seconds=0.0,
    unwatched=0, unread_windows=0, backfill_left=0, unwell_hours=0, refused_for_good=0, rejected=1, late=1,
    late_max_seconds=1.0, odd_events=dict.fromkeys(ODD_ONES, 1), windows={}, kills=1, resumes=1, restarts_from_start=0,
    retried_tasks=1, requests_to_okta=1, rate_limit_violations=0, simulated_days=1.0, seconds=1.0, opensearch="2.19.4",
)  # fmt: skip


def test_a_good_report_has_no_problems() -> None:
    assert GOOD.problems == []


@pytest.mark.parametrize(
    "change",
    [
        {"lost": 1}, {"doubled": 1}, {"wrong": 1}, {"early_complete": 1}, {"unarchived": 1}, {"archive_wrong": 1},
        {"uncovered_seconds": 1.0}, {"unwatched": 1},
        {"faults": 499}, {"events": 9}, {"late": 0}, {"odd_events": {"poison": 1}}, {"refused_for_good": 1},
        {"faults_by_kind": dict.fromkeys(EVERY_KIND[1:], 20)}, {"unread_windows": 1}, {"backfill_left": 1},
        {"false_green": 1}, {"unwell_hours": 1},
    ],
)  # fmt: skip
def test_anything_amiss_is_a_problem(change: dict[str, Any]) -> None:
    [problem] = replace(GOOD, **change).problems
    assert problem in replace(GOOD, **change).text()


def test_a_seed_gives_the_same_plan_and_another_seed_another() -> None:
    assert campaign(1, 1_000_000) == campaign(1, 1_000_000)
    assert campaign(1, 1_000_000).injections != campaign(2, 1_000_000).injections


@pytest.mark.parametrize("events", [20_000, 1_000_000])
def test_every_kind_of_fault_is_planned_and_more_than_enough(events: int) -> None:
    plan = campaign(1, events)
    kinds = {injection.kind for injection in plan.injections}
    assert kinds | {"clock-ahead", "clock-behind"} | set(S3_FAULTS) == set(EVERY_KIND)
    assert len(plan.injections) >= plan.fewest_faults * 1.15
    assert plan.live_start < datetime(2026, 7, 1, tzinfo=UTC) < plan.end
