"""Judges what a campaign has left behind, and puts the figures together."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from local.campaign.archived import ArchiveJudge
from local.campaign.judge import Judge, Verdict, tally
from local.campaign.oracle import Oracle
from local.campaign.plan import WORKER_KILLED, Campaign
from local.campaign.report import Report
from local.simulator.world.oddities import UNSTORABLE

if TYPE_CHECKING:
    from local.campaign.conductor import Conductor
    from local.campaign.crew import Tally
    from local.campaign.stored import Holdings
    from local.campaign.trouble import Trouble
    from local.simulator.process import Simulator
    from local.standins.s3 import Bucket

PREFIX: Final = "campaign"
HOUR: Final = timedelta(hours=1)
_SHOWN: Final = 20


class Entry(msgspec.Struct):
    """What is read of a ledger entry."""

    window_start: datetime
    window_end: datetime
    completed_at: datetime | None = None


def report(
    campaign: Campaign,
    okta: Simulator,
    holdings: Holdings,
    conductor: Conductor,
    trouble: Trouble,
    crew: Tally,
    bucket: Bucket,
    *,
    seconds: float,
    version: str,
) -> Report:
    """Compare everything, and return the figures.

    :param seconds: how long the loads took
    :param version: of OpenSearch
    """
    seen: dict[str, Any] = trouble.seen_by_proxy()
    archive = ArchiveJudge(bucket)
    verdict, late, odd = _judge(campaign, okta, holdings, archive)
    archived = archive.verdict()
    entries = [msgspec.convert(hit.source, Entry) for hit in holdings.documents("-ledger")]
    complete = [entry for entry in entries if entry.completed_at is not None]
    counters = okta.control.counters()
    faults = Counter(crew.fired) + trouble.fired + Counter(seen["fired"]) + bucket.fired
    faults.update({name[7:]: count for name, count in counters.items() if name.startswith("faults.")})
    return Report(
        events=verdict.events,
        faults=faults.total(),
        lost=verdict.lost,
        doubled=verdict.doubled,
        wrong=verdict.wrong,
        early_complete=len(seen["early"]),
        false_green=len(conductor.false_green),
        excused=seen["excused"],
        unarchived=archived.unarchived,
        archive_wrong=archived.wrong,
        seed=campaign.seed,
        faults_by_kind=dict(sorted(faults.items())),
        wanted_events=campaign.events,
        fewest_faults=campaign.fewest_faults,
        uncovered_seconds=uncovered(campaign, complete),
        unwatched=len(complete) - seen["complete"],
        unread_windows=conductor.unread,
        backfill_left=len(conductor.left),
        unwell_hours=len(conductor.unwell),
        refused_for_good=len(crew.refused),
        rejected=verdict.rejected,
        late=crew.counts["late"],
        late_max_seconds=late,
        odd_events=odd,
        archive={"objects": archived.objects, "bytes": archived.bytes, "events": archived.events},
        windows=conductor.windows,
        kills=faults[WORKER_KILLED],
        resumes=seen["resumes"],
        restarts_from_start=crew.counts["restarted"],
        retried_tasks=crew.tries - crew.tasks,
        requests_to_okta=counters.get("requests", 0),
        rate_limit_violations=counters.get("violations", 0),
        simulated_days=(campaign.settled - campaign.start) / timedelta(days=1),
        seconds=round(seconds, 1),
        opensearch=version,
        errors=dict(crew.errors),
        examples=[
            *verdict.examples,
            *archived.examples,
            *(f"{name} was called complete without {count} events" for name, count in seen["early"].items()),
            *conductor.false_green,
            *(f"at the end coverage called the hour from {row['start']} {row['state']}" for row in conductor.unwell),
            *crew.refused,
        ][:_SHOWN],
    )


def _judge(
    campaign: Campaign, okta: Simulator, holdings: Holdings, archive: ArchiveJudge
) -> tuple[Verdict, float, dict[str, int]]:
    """Compare everything; return also the greatest lateness, and the odd events by kind."""
    judge = Judge(PREFIX, urlsplit(okta.url).netloc)
    for hit in holdings.documents("-20*"):
        judge.document(hit.index, hit.id, hit.source)
    for hit in holdings.documents("-rejected"):
        judge.rejection(hit.id, hit.source)
    judge.strays(holdings.visible())
    oracle = Oracle(okta.control.url)
    odd: list[str | None] = []
    late = 0.0
    start = campaign.start
    while start < oracle.now():
        events = list(oracle.published(start, start + HOUR))
        odd += [event.oddity for event in events]
        late = max(late, max(((event.persisted - event.published).total_seconds() for event in events), default=0.0))
        judge.sent(oracle.bodies(start, start + HOUR), {event.uuid for event in events if event.oddity in UNSTORABLE})
        archive.sent(oracle.bodies(start, start + HOUR))
        start += HOUR
    return judge.verdict(), late, {**tally(odd), "duplicate": _duplicates(campaign, okta)}


def _duplicates(campaign: Campaign, okta: Simulator) -> int:
    """How often Okta sent an event twice in one reading."""
    counted = 0
    start = campaign.start
    while start < campaign.end:
        query = {"since": start.isoformat(), "until": (start + HOUR).isoformat(), "all": "1", "fields": "hidden"}
        lines = okta.control.call("GET", "/events", **query, duplicates="1").splitlines()
        counted += sum(b'"oddity":"duplicate"' in line for line in lines)
        start += HOUR
    return counted


def uncovered(campaign: Campaign, complete: list[Entry]) -> float:
    """Seconds of the campaign's time that no complete window covers."""
    at, uncovered = campaign.start, timedelta()
    for entry in sorted(complete, key=lambda entry: entry.window_start):
        if entry.window_start > at:
            uncovered += min(entry.window_start, campaign.end) - at
        at = max(at, entry.window_end)
        if at >= campaign.end:
            return uncovered.total_seconds()
    return (uncovered + campaign.end - at).total_seconds()
