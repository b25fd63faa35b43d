"""Plays the scheduler: live windows as they end, reconcile every hour, and a backfill meanwhile."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from local.campaign.plan import LIVE_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.campaign.clock import SharedClock
    from local.campaign.crew import Slot
    from local.campaign.plan import Campaign
    from local.simulator.process import Simulator

HOUR: Final = timedelta(hours=1)
# As the schedule of the DAG says: at seven past.
RECONCILE_AT: Final = timedelta(minutes=7)
_LOOK_SECONDS: Final = 0.02
# Time goes slowly while this many live windows are behind, as on a machine that cannot keep up with its own simulation.
_MOST_BEHIND: Final = 4
_SLOWLY: Final = 0.05
# Nothing but reconcile runs is left then, and the time jumps from one to the next.
_TAIL_SPEED: Final = 60.0


class Conductor:
    """Runs a campaign's loads.

    :param campaign: what is planned
    :param clock: the simulated time, which the conductor moves
    :param okta: the simulated org, whose clock goes with it
    :param live: workers of the five-minute loads
    :param reconcile: the worker that reads again
    :param backfill: workers of the backfill
    """

    def __init__(
        self,
        campaign: Campaign,
        clock: SharedClock,
        okta: Simulator,
        *,
        live: Sequence[Slot],
        reconcile: Slot,
        backfill: Sequence[Slot],
    ) -> None:
        self._campaign = campaign
        self._clock = clock
        self._okta = okta
        self._live = live
        self._reconcile = reconcile
        self._backfill = backfill
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._under_way = 0
        self._live_over = asyncio.Event()
        self.windows: dict[str, int] = {"scheduled": 0, "reconcile": 0, "backfill": 0}
        self.unread = 0
        self.left: list[dict[str, str]] = []

    async def run(self) -> None:
        """Do all of it, and come back when nothing can be late any more."""
        await self._turn(self._campaign.speed)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pace())
            group.create_task(self._live_loads())
            group.create_task(self._reconcile_runs())
            group.create_task(self._backfill_run())

    async def _turn(self, speed: float, **wish: str) -> None:
        """Let the time go faster or slower, or jump, here and in the simulator."""
        said = await asyncio.to_thread(lambda: self._okta.control.post("/clock", speed=speed, **wish))
        self._clock.set(said["epoch"], speed)

    async def _pace(self) -> None:
        """Slow down while the live loads are behind: the speed of time is not part of the test."""
        fast = True
        while not self._live_over.is_set():
            behind = self._waiting.qsize() + self._under_way
            wanted = behind <= (_MOST_BEHIND if fast else 1)
            if wanted != fast:
                fast = wanted
                await self._turn(self._campaign.speed * (1.0 if fast else _SLOWLY))
            await asyncio.sleep(_LOOK_SECONDS)

    async def _until(self, moment: datetime) -> None:
        while self._clock.now() < moment:
            if self._live_over.is_set():
                await self._turn(_TAIL_SPEED, set=moment.isoformat())
            await asyncio.sleep(_LOOK_SECONDS)

    async def _live_loads(self) -> None:
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._live_worker(slot)) for slot in self._live]
            end = self._campaign.live_start + LIVE_INTERVAL
            while end <= self._campaign.end:
                await self._until(end)
                self._waiting.put_nowait(self._load("scheduled", end - LIVE_INTERVAL, end))
                end += LIVE_INTERVAL
            await self._waiting.join()
            for worker in workers:
                worker.cancel()
        self._live_over.set()

    async def _live_worker(self, slot: Slot) -> None:
        while True:
            task = await self._waiting.get()
            self._under_way += 1
            await slot.call(task)
            self._under_way -= 1
            self.windows["scheduled"] += 1
            self._waiting.task_done()

    async def _reconcile_runs(self) -> None:
        at = self._campaign.live_start + HOUR + RECONCILE_AT
        last = False
        while not last:
            await self._until(at)
            last = at >= self._campaign.settled
            plan = await self._reconcile.call({"task": "plan-reconcile", "at": at.isoformat()})
            for unit in plan["windows"]:
                await self._reconcile.call(self._load("reconcile", unit["since"], unit["until"]))
                self.windows["reconcile"] += 1
            verdict = await self._reconcile.call({"task": "unread", "kind": "reconcile", "windows": plan["windows"]})
            self.unread += len(verdict["unread"])
            at += HOUR

    async def _backfill_run(self) -> None:
        campaign = self._campaign
        await self._until(campaign.live_start + HOUR)
        first = self._backfill[0]
        params = {
            "from": campaign.start.isoformat(),
            "to": campaign.live_start.isoformat(),
            "chunk": campaign.chunk,
            "order": "newest first",
        }
        plan = await first.call({"task": "plan-backfill", "params": params})
        waiting = plan["windows"][::-1]

        async def work(slot: Slot) -> None:
            while waiting:
                unit = waiting.pop()
                await slot.call(self._load("backfill", unit["since"], unit["until"]))
                self.windows["backfill"] += 1

        async with asyncio.TaskGroup() as group:
            for slot in self._backfill:
                group.create_task(work(slot))
        whole = {"since": params["from"], "until": params["to"]}
        self.left = (await first.call({"task": "left", **whole, "windows": plan["windows"]}))["left"]

    def _load(self, kind: str, since: datetime | str, until: datetime | str) -> dict[str, Any]:
        start, end = (moment if isinstance(moment, str) else moment.isoformat() for moment in (since, until))
        return {
            "task": "load",
            "kind": kind,
            "since": start,
            "until": end,
            "run_id": f"{kind}__{start}",
            "page_limit": self._campaign.page_limit,
        }
