"""Puts the parts of a campaign together and lets them run."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from local.campaign.clock import SharedClock
from local.campaign.conductor import Conductor
from local.campaign.crew import Slot, Tally
from local.campaign.findings import PREFIX, report
from local.campaign.plan import LONGEST_LATENESS, ODDITIES, Campaign
from local.campaign.server import OpenSearch, cluster, server
from local.campaign.stored import Holdings
from local.campaign.trouble import Trouble
from local.console import Stopwatch
from local.paths import ROOT
from local.process import ready_program
from local.simulator.process import running
from local.standins.s3 import environment as bucket_environment
from local.standins.s3 import serving

if TYPE_CHECKING:
    from local.campaign.report import Report
    from local.simulator.process import Simulator

HOLD_BACK_SECONDS: Final = 30
# Two clocks that are well kept may differ by this, as the product documents it.
CLOCK_SLACK_SECONDS: Final = 2
_ODD_SHARE: Final = 0.02
_LATE_SHARE: Final = 0.003
_S3_FAILS: Final = 0.08  # of all requests
_S3_SLOW_SECONDS: Final = 1.0


def run(
    campaign: Campaign,
    *,
    version: str,
    heap: str = "1g",
    brief: bool = False,
    nodes: bool = False,
    logs: Path | None = None,
) -> Report:
    """Run a campaign.

    :param campaign: what is planned
    :param version: of OpenSearch
    :param heap: Java's heap
    :param brief: the server lives for minutes only
    :param nodes: three nodes with a replica, and not one server
    :param logs: a folder for the logs of all processes; a temporary one if not given
    """
    watch = Stopwatch()
    with ExitStack() as stack:
        folder = logs or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oktalogger-campaign-logs-")))
        folder.mkdir(parents=True, exist_ok=True)
        search: OpenSearch = (
            stack.enter_context(cluster(version, heap, folder))
            if nodes
            else stack.enter_context(server(version, heap, folder / "opensearch.log", brief=brief))
        )
        okta = stack.enter_context(running(*_org(campaign)))
        holdings = Holdings(search.url, PREFIX)
        bucket = stack.enter_context(serving(share=_S3_FAILS, slow_seconds=_S3_SLOW_SECONDS, seed=str(campaign.seed)))
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
        variables = {
            "PATH": os.environ["PATH"],
            **environment,
            **_variables(campaign, okta, between["url"]),
            **bucket_environment(bucket),
        }

        def slot(name: str) -> Slot:
            return Slot(name, folder / "clock", variables, folder / "workers.log", crew, seed=campaign.seed)

        live, reconcile, backfill = [slot("live 1"), slot("live 2")], slot("reconcile"), [slot("b 1"), slot("b 2")]
        slots = [*live, reconcile, *backfill]
        trouble = Trouble(campaign, clock, okta, search, holdings, between["url"], slots)
        conductor = Conductor(campaign, clock, okta, live=live, reconcile=reconcile, backfill=backfill, trouble=trouble)
        watch.say(f"{campaign.start:%Y-%m-%d %H:%M} to {campaign.end:%Y-%m-%d %H:%M} is to happen; it begins")
        asyncio.run(_play(conductor, trouble, slots, watch, clock))
        watch.say("everything is loaded; comparing")
        return report(
            campaign, okta, holdings, conductor, trouble, crew, bucket, seconds=watch.seconds, version=version
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
            trouble.over.set()
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
