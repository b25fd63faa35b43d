"""Puts the parts of a campaign together, lets them run, and judges."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections import Counter
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from local.campaign.clock import SharedClock
from local.campaign.conductor import Conductor
from local.campaign.crew import Slot, Tally
from local.campaign.judge import Judge, Verdict, tally
from local.campaign.oracle import Oracle
from local.campaign.plan import LONGEST_LATENESS, ODDITIES, WORKER_KILLED, Campaign
from local.campaign.report import Report
from local.campaign.server import server
from local.campaign.stored import Holdings
from local.campaign.trouble import Trouble
from local.console import Stopwatch
from local.paths import ROOT
from local.process import ready_program
from local.simulator.process import running

if TYPE_CHECKING:
    from local.simulator.process import Simulator

PREFIX: Final = "campaign"
HOLD_BACK_SECONDS: Final = 30
# Two clocks that are well kept may differ by this, as the product documents it.
CLOCK_SLACK_SECONDS: Final = 2
HOUR: Final = timedelta(hours=1)
_ODD_SHARE: Final = 0.02
_LATE_SHARE: Final = 0.003


class _Entry(msgspec.Struct):
    window_start: datetime
    window_end: datetime
    completed_at: datetime | None = None


def run(campaign: Campaign, *, version: str, heap: str = "1g", logs: Path | None = None) -> Report:
    """Run a campaign.

    :param campaign: what is planned
    :param version: of OpenSearch
    :param heap: Java's heap
    :param logs: a folder for the logs of all processes; a temporary one where not given
    """
    watch = Stopwatch()
    with ExitStack() as stack:
        folder = logs or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oktalogger-campaign-logs-")))
        folder.mkdir(parents=True, exist_ok=True)
        search = stack.enter_context(server(version, heap, folder / "opensearch.log"))
        okta = stack.enter_context(running(*_org(campaign)))
        holdings = Holdings(search.url, PREFIX)
        command = [
            sys.executable, "-m", "local.campaign.proxy", "--opensearch", search.url, "--control", okta.control.url,
            "--prefix", PREFIX, "--seed", str(campaign.seed),
            "--hold-back", str(HOLD_BACK_SECONDS - CLOCK_SLACK_SECONDS),
        ]  # fmt: skip
        environment = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
        between = stack.enter_context(
            ready_program("the proxy", command, log=folder / "proxy.log", timeout=60, environment=environment)
        )
        clock = SharedClock.made(folder / "clock", campaign.live_start)
        stack.callback(clock.close)
        crew = Tally()
        variables = {**os.environ, **environment, **_variables(campaign, okta, between["url"])}

        def slot(name: str) -> Slot:
            return Slot(name, folder / "clock", variables, folder / "workers.log", crew, seed=campaign.seed)

        live, reconcile, backfill = [slot("live 1"), slot("live 2")], slot("reconcile"), [slot("b 1"), slot("b 2")]
        slots = [*live, reconcile, *backfill]
        conductor = Conductor(campaign, clock, okta, live=live, reconcile=reconcile, backfill=backfill)
        trouble = Trouble(campaign, clock, okta, search, holdings, between["url"], slots)
        watch.say(f"{campaign.start:%Y-%m-%d %H:%M} to {campaign.end:%Y-%m-%d %H:%M} is to happen; it begins")
        asyncio.run(_play(conductor, trouble, slots, watch, clock))
        watch.say("everything is loaded; comparing")
        seen: dict[str, Any] = trouble.seen_by_proxy()
        verdict, late, odd = _judge(campaign, okta, holdings)
        entries = [msgspec.convert(hit.source, _Entry) for hit in holdings.documents("-ledger")]
        complete = [entry for entry in entries if entry.completed_at is not None]
        counters = okta.control.counters()
        faults = Counter(crew.fired) + trouble.fired + Counter(seen["fired"])
        faults.update({name[7:]: count for name, count in counters.items() if name.startswith("faults.")})
        return Report(
            events=verdict.events,
            faults=faults.total(),
            lost=verdict.lost,
            doubled=verdict.doubled,
            wrong=verdict.wrong,
            early_complete=len(seen["early"]),
            seed=campaign.seed,
            faults_by_kind=dict(sorted(faults.items())),
            wanted_events=campaign.events,
            fewest_faults=campaign.fewest_faults,
            uncovered_seconds=_uncovered(campaign, complete),
            unwatched=len(complete) - seen["complete"],
            unread_windows=conductor.unread,
            backfill_left=len(conductor.left),
            refused_for_good=len(crew.refused),
            rejected=verdict.rejected,
            late=crew.counts["late"],
            late_max_seconds=late,
            odd_events=odd,
            windows=conductor.windows,
            kills=faults[WORKER_KILLED],
            resumes=seen["resumes"],
            restarts_from_start=crew.counts["restarted"],
            retried_tasks=crew.tries - crew.tasks,
            requests_to_okta=counters.get("requests", 0),
            rate_limit_violations=counters.get("violations", 0),
            simulated_days=(campaign.settled - campaign.start) / timedelta(days=1),
            seconds=round(watch.seconds, 1),
            opensearch=version,
            errors=dict(crew.errors),
            examples=[
                *verdict.examples,
                *(f"{name} was called complete without {count} events" for name, count in seen["early"].items()),
                *crew.refused,
            ][:20],
        )


async def _play(
    conductor: Conductor, trouble: Trouble, slots: list[Slot], watch: Stopwatch, clock: SharedClock
) -> None:
    async with AsyncExitStack() as stack:
        for slot in slots:
            stack.push_async_callback(slot.close)
        async with asyncio.TaskGroup() as group:
            saying = group.create_task(_say(conductor, watch, clock))
            group.create_task(trouble.run())
            await conductor.run()
            saying.cancel()


async def _say(conductor: Conductor, watch: Stopwatch, clock: SharedClock) -> None:
    while True:
        await asyncio.sleep(10)
        windows = ", ".join(f"{count} {kind}" for kind, count in conductor.windows.items())
        watch.say(f"{clock.now():%Y-%m-%d %H:%M}: windows done: {windows}")


def _org(campaign: Campaign) -> list[str]:
    """The simulator's command line."""
    longest = LONGEST_LATENESS.total_seconds()
    return [
        "--seed", f"campaign {campaign.seed}", "--rate", str(campaign.rate), "--start", campaign.start.isoformat(),
        "--end", campaign.end.isoformat(), "--clock", campaign.live_start.isoformat(), "--cache-mb", "3000",
        "--lateness", f"usual=1.5,share={_LATE_SHARE},longest={longest:.0f}",
        "--oddities", f"{_ODD_SHARE}:{','.join(ODDITIES)}",
    ]  # fmt: skip


def _variables(campaign: Campaign, okta: Simulator, opensearch: str) -> dict[str, str]:
    """The environment of a worker."""
    return {
        "OKTALOGGER_OKTA_URL": okta.url,
        "OKTALOGGER_OKTA_TOKEN": okta.token,
        "OKTALOGGER_OPENSEARCH_URL": opensearch,
        "OKTALOGGER_INDEX_PREFIX": PREFIX,
        "OKTALOGGER_START_DATE": campaign.live_start.isoformat(),
        "OKTALOGGER_HOLD_BACK_SECONDS": str(HOLD_BACK_SECONDS),
        "OKTALOGGER_LIVE_TASKS": "2",
        "OKTALOGGER_BACKFILL_TASKS": "2",
    }


def _judge(campaign: Campaign, okta: Simulator, holdings: Holdings) -> tuple[Verdict, float, dict[str, int]]:
    """Compare everything; return also the greatest lateness, and the odd events by kind."""
    judge = Judge(PREFIX, "127.0.0.1")
    for hit in holdings.documents("-20*"):
        judge.document(hit.index, hit.id, hit.source)
    for hit in holdings.documents("-rejected"):
        judge.rejection(hit.source)
    oracle = Oracle(okta.control.url)
    odd: list[str | None] = []
    late = 0.0
    start = campaign.start
    while start < oracle.now().astimezone(UTC):
        events = list(oracle.published(start, start + HOUR))
        odd += [event.oddity for event in events]
        late = max(late, max(((event.persisted - event.published).total_seconds() for event in events), default=0.0))
        judge.sent(oracle.bodies(start, start + HOUR), {event.uuid for event in events if event.oddity == "poison"})
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


def _uncovered(campaign: Campaign, complete: list[_Entry]) -> float:
    """Seconds of the campaign's time that no complete window covers."""
    at, uncovered = campaign.start, timedelta()
    for entry in sorted(complete, key=lambda entry: entry.window_start):
        if entry.window_start > at:
            uncovered += min(entry.window_start, campaign.end) - at
        at = max(at, entry.window_end)
        if at >= campaign.end:
            return uncovered.total_seconds()
    return (uncovered + campaign.end - at).total_seconds()
