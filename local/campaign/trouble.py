"""Lets the planned faults happen when their time has come."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import requests

from local.campaign import proxy
from local.campaign.damage import Damage
from local.campaign.plan import DAMAGE, DISK_FULL, OKTA_FAULTS, OPENSEARCH_FAULTS, RESTARTED, START_MOVED, WORKER_KILLED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.campaign.clock import SharedClock
    from local.campaign.crew import Slot
    from local.campaign.plan import Campaign, Injection
    from local.campaign.server import OpenSearch
    from local.campaign.stored import Holdings
    from local.simulator.process import Simulator

_LOOK_SECONDS: Final = 0.05
_NOTHING_YET_SECONDS: Final = 0.5
_LOOK_AT_QUEUES_SECONDS: Final = 0.5
_MOST_WAITING: Final = 2


class Trouble:
    """Injects the faults of a campaign.

    :param campaign: what is planned
    :param okta: the simulated org
    :param server: the real OpenSearch
    :param holdings: the same, for blocking it
    :param proxy_url: of the proxy before it
    :param slots: the workers that may be killed
    """

    def __init__(
        self,
        campaign: Campaign,
        clock: SharedClock,
        okta: Simulator,
        server: OpenSearch,
        holdings: Holdings,
        proxy_url: str,
        slots: Sequence[Slot],
    ) -> None:
        self._campaign = campaign
        self._clock = clock
        self._okta = okta
        self._server = server
        self._holdings = holdings
        self._proxy = proxy_url + proxy.PREFIX
        self._slots = slots
        self._rng = random.Random(f"trouble {campaign.seed}")  # noqa: S311
        # Stopping, blocking and damaging are not for two at once, nor for when somebody compares words with facts.
        self.whole = asyncio.Lock()
        self._damage = Damage(holdings, lambda: self.tell(disturbed=True))
        # Set when all work is done.
        self.over = asyncio.Event()
        self._killing = asyncio.Lock()
        self._finished_at_last_kill = 0
        self._deep = False
        self._looked_at = 0.0
        self.fired: Counter[str] = Counter()

    async def run(self) -> None:
        """Inject all that is planned, each at its time, as long as there is work that it can trouble."""
        async with asyncio.TaskGroup() as group:
            for injection in self._campaign.injections:
                while self._campaign.progress(self._clock.now()) < injection.at or await self._is_deep():
                    if self.over.is_set():
                        return
                    await asyncio.sleep(_LOOK_SECONDS)
                group.create_task(self._inject(injection))

    async def _is_deep(self) -> bool:
        """Whether so many faults wait for a request already that no work would get through them."""
        if time.monotonic() < self._looked_at + _LOOK_AT_QUEUES_SECONDS:
            return self._deep
        okta = await asyncio.to_thread(self._okta.control.get, "/faults")
        self._deep = len(okta["queue"]) + int((await asyncio.to_thread(self.seen_by_proxy))["queued"]) > _MOST_WAITING
        self._looked_at = time.monotonic()
        return self._deep

    async def _inject(self, injection: Injection) -> None:
        kind = injection.kind
        if kind in OKTA_FAULTS:
            wish = {"seconds": injection.seconds} if injection.seconds else {}
            on = {"on": "next"} if kind in ("looping-next", "returning-next") else {}
            await asyncio.to_thread(self._okta.control.fault, kind, **wish, **on)
        elif kind in OPENSEARCH_FAULTS:
            await asyncio.to_thread(self.tell, kind=kind)
        elif kind in DAMAGE:
            await self._harm(kind)
        elif kind == START_MOVED:
            self.fired[kind] += 1  # the conductor leaves its windows out
        elif kind == WORKER_KILLED:
            await self._kill(injection.seconds)
        elif kind == DISK_FULL:
            async with self.whole:
                await self._fill(injection.seconds)
        elif kind in RESTARTED:
            async with self.whole:
                await asyncio.to_thread(self._server.stop, kill=kind == RESTARTED[1])
                await asyncio.to_thread(self._server.start)
            self.fired[kind] += 1

    async def _harm(self, kind: str) -> None:
        done = False
        while not done:
            async with self.whole:
                done = await asyncio.to_thread(self._damage.do, kind)
            if not done:  # nothing is stored yet
                await asyncio.sleep(_NOTHING_YET_SECONDS)
        self.fired[kind] += 1

    async def _kill(self, after: float) -> None:
        async with self._killing:
            while not self.over.is_set():
                busy = [slot for slot in self._slots if slot.busy]
                # On a slow machine nobody would ever come to an end, if each were killed as soon as it has started.
                if busy and self._finished() > self._finished_at_last_kill:
                    chosen = self._rng.choice(busy)
                    await asyncio.sleep(after)
                    if chosen.kill():
                        self.fired[WORKER_KILLED] += 1
                        self._finished_at_last_kill = self._finished()
                        return
                await asyncio.sleep(_LOOK_SECONDS)

    def _finished(self) -> int:
        return sum(slot.finished for slot in self._slots)

    async def _fill(self, seconds: float) -> None:
        before = (await asyncio.to_thread(self.seen_by_proxy))["blocked"]
        await asyncio.to_thread(self._holdings.block, full=True)
        try:
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(self._holdings.block, full=False)
        after = (await asyncio.to_thread(self.seen_by_proxy))["blocked"]
        self.fired[DISK_FULL] += after > before  # only one that refused somebody's write

    def seen_by_proxy(self) -> dict[str, Any]:
        """What the proxy has seen."""
        answer = requests.get(self._proxy, timeout=60)
        found: dict[str, Any] = answer.json()
        return found

    def tell(self, **wish: Any) -> dict[str, Any]:
        """Tell or ask the proxy something; the answer says what it has seen, and what is false."""
        answer = requests.post(self._proxy, json=wish, timeout=600)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
