"""Plays the scheduler: live windows as they end, reconcile every hour, and a backfill meanwhile."""

from __future__ import annotations

import asyncio
import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from local.campaign.inspector import Inspector
from local.campaign.plan import LEFT_OUT, LIVE_INTERVAL, MONTH_DELETED, START_MOVED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.campaign.clock import SharedClock
    from local.campaign.crew import Slot
    from local.campaign.plan import Campaign
    from local.campaign.trouble import Trouble
    from local.simulator.process import Simulator

HOUR: Final = timedelta(hours=1)
# As the schedule of the DAG says: at seven past.
RECONCILE_AT: Final = timedelta(minutes=7)
_LOOK_SECONDS: Final = 0.02
# By the number of live windows that are behind, how fast time goes: a machine that cannot keep up with its own
# simulation, or whose OpenSearch takes minutes to start, must not meet all faults of a day in one heap.
_PACES: Final = ((4, 1.0), (20, 0.05), (math.inf, 0.01))
# Nothing but reconcile runs is left then, and the time jumps from one to the next.
_TAIL_SPEED: Final = 60.0
# How often somebody starts the backfill again while the live loads run.
_BACKFILLS: Final = 6


class Conductor:
    """Runs a campaign's loads.

    :param campaign: what is planned
    :param clock: the simulated time, which the conductor moves
    :param okta: the simulated org, whose clock goes with it
    :param live: workers of the five-minute loads
    :param reconcile: the worker that reads again
    :param backfill: workers of the backfill
    :param trouble: what may not happen while somebody compares words with facts
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
        trouble: Trouble,
    ) -> None:
        self._campaign = campaign
        self._clock = clock
        self._okta = okta
        self._live = live
        self._reconcile = reconcile
        self._backfill = backfill
        self._trouble = trouble
        self._inspector = Inspector(trouble)
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._under_way = 0
        self._live_over = asyncio.Event()
        self.windows: dict[str, int] = {"scheduled": 0, "reconcile": 0, "backfill": 0}
        self.unread = 0
        self.left: list[dict[str, str]] = []
        self.unwell: list[dict[str, str]] = []

    @property
    def false_green(self) -> list[str]:
        """What was called well and was not, in sentences."""
        return self._inspector.false

    async def run(self) -> None:
        """Do all of it, and come back when nothing can be late any more."""
        # Time begins when everybody is there.
        whole = {"since": self._campaign.start.isoformat(), "until": self._campaign.live_start.isoformat()}
        slots = (*self._live, self._reconcile, *self._backfill)
        await asyncio.gather(*(slot.call({"task": "coverage", **whole}) for slot in slots))
        await self._turn(self._campaign.speed)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pace())
            group.create_task(self._live_loads())
            group.create_task(self._reconcile_runs())
            group.create_task(self._backfill_runs())

    async def _turn(self, speed: float, **wish: str) -> None:
        """Let the time go faster or slower, or jump, here and in the simulator."""
        said = await asyncio.to_thread(lambda: self._okta.control.post("/clock", speed=speed, **wish))
        self._clock.set(said["epoch"], speed)

    async def _pace(self) -> None:
        """Slow down while the live loads are behind: the speed of time is not part of the test."""
        pace = 1.0
        while not self._live_over.is_set():
            behind = self._waiting.qsize() + self._under_way
            slower = next(pace for most, pace in _PACES if behind <= most)
            faster = next(pace for most, pace in _PACES if 4 * behind <= most)
            wanted = slower if slower < pace else max(pace, faster)
            if wanted != pace:
                pace = wanted
                await self._turn(self._campaign.speed * pace)
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
                if self._is_left_out(end):
                    end += LIVE_INTERVAL
                    continue
                self._waiting.put_nowait(self._load("scheduled", end - LIVE_INTERVAL, end))
                end += LIVE_INTERVAL
            await self._waiting.join()
            for worker in workers:
                worker.cancel()
        self._live_over.set()
        await self._turn(_TAIL_SPEED)

    def _is_left_out(self, end: datetime) -> bool:
        """Whether a later start date, set while loads stood still, leaves a window out."""
        campaign = self._campaign
        live = campaign.end - campaign.live_start
        moved = [campaign.live_start + one.at * live for one in campaign.injections if one.kind == START_MOVED]
        return any(at <= end < at + LEFT_OUT for at in moved)

    async def _live_worker(self, slot: Slot) -> None:
        while True:
            task = await self._waiting.get()
            self._under_way += 1
            await slot.call(task)
            self._inspector.green(task)
            self._under_way -= 1
            self.windows["scheduled"] += 1
            self._waiting.task_done()

    async def _reconcile_runs(self) -> None:
        at = self._campaign.live_start + HOUR + RECONCILE_AT
        last = False
        while not last:
            await self._until(at)
            last = at >= self._campaign.settled
            since, until = self._campaign.start, min(at, self._campaign.end)
            await self._inspector.rows(self._reconcile, since, until)
            request = {"task": "plan-reconcile", "at": at.isoformat()}
            plan = await self._inspector.plan(self._reconcile, request, "gaps", since, until)
            for unit in plan["windows"]:
                task = self._load("reconcile", unit["since"], unit["until"])
                await self._reconcile.call(task)
                self._inspector.green(task)
                self.windows["reconcile"] += 1
            verdict = await self._reconcile.call({"task": "unread", "kind": "reconcile", "windows": plan["windows"]})
            self.unread += len(verdict["unread"])
            at += HOUR
        rows = await self._inspector.rows(self._reconcile, self._campaign.start, self._campaign.end)
        self.unwell = [row for row in rows if row["state"] != "complete"]
        await self._inspector.runs()

    async def _backfill_runs(self) -> None:
        """Load the days before; again and again, and when a month was deleted, what is left of them or damaged."""
        campaign = self._campaign
        at = campaign.live_start + HOUR
        deleted = 0
        while at < campaign.end:
            while self._clock.now() < at and deleted == self._trouble.fired[MONTH_DELETED]:
                await asyncio.sleep(_LOOK_SECONDS)
            deleted = self._trouble.fired[MONTH_DELETED]
            await self._backfill_run()
            at = self._clock.now() + (campaign.end - campaign.live_start) / _BACKFILLS
        await self._live_over.wait()
        await self._backfill_run()

    async def _backfill_run(self) -> None:
        campaign = self._campaign
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
                task = self._load("backfill", unit["since"], unit["until"])
                await slot.call(task)
                self._inspector.green(task)
                self.windows["backfill"] += 1

        async with asyncio.TaskGroup() as group:
            for slot in self._backfill:
                group.create_task(work(slot))
        whole = {"since": params["from"], "until": params["to"]}
        request = {"task": "left", **whole, "windows": plan["windows"]}
        found = await self._inspector.plan(first, request, "left", campaign.start, campaign.live_start)
        self.left = [*found["left"], *found["damaged"]]

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
