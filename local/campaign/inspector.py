"""Has the product say how things stand, and has that compared with the facts at the same moment."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import requests

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.campaign.crew import Slot
    from local.campaign.trouble import Trouble

_HOUR: Final = timedelta(hours=1)
# Of so many hours an audit asks for each event by its id; of the others it counts the events.
_BY_ID: Final = 2
_PATIENCE_SECONDS: Final = 120


class Inspector:
    """Keeps what was called well and was not.

    :param trouble: does no damage while words are compared with facts, and passes them on
    """

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._green: list[tuple[str, str, str]] = []
        self.false: list[str] = []

    def green(self, task: dict[str, Any]) -> None:
        """Take note of a load that ended well."""
        self._green.append((task["kind"], task["since"], task["until"]))

    async def runs(self) -> None:
        """Compare all loads that ended well with the ledger."""
        self.false += (await asyncio.to_thread(self._trouble.tell, green=self._green))["false"]

    async def rows(self, slot: Slot, since: datetime, until: datetime) -> list[dict[str, str]]:
        """Have the coverage of a range told, and return it."""
        async with self._trouble.whole:
            task = {"task": "coverage", "since": since.isoformat(), "until": until.isoformat()}
            rows: list[dict[str, str]] = (await slot.call(task))["hours"]
            await self._compare("coverage", [row["start"] for row in rows if row["state"] == "complete"], _BY_ID)
        return rows

    async def plan(
        self, slot: Slot, request: dict[str, Any], missing: str, since: datetime, until: datetime
    ) -> dict[str, Any]:
        """Have a plan made for a range; all that it calls neither missing nor damaged has to be well.

        :param request: the task that plans
        :param missing: under which name the plan lists what is missing
        """
        async with self._trouble.whole:
            plan = await slot.call(request)
            amiss = [
                (datetime.fromisoformat(unit["since"]), datetime.fromisoformat(unit["until"]))
                for unit in [*plan[missing], *plan["damaged"]]
            ]
            well = [
                hour.isoformat()
                for hour in _hours(since, until)
                if not any(start < hour + _HOUR and hour < end for start, end in amiss)
            ]
            await self._compare(request["task"], well, 0)
        return plan

    async def _compare(self, who: str, well: list[str], by_id: int) -> None:
        if well:
            answer = await self._answer(well=well, by_id=by_id)
            self.false += [f"{who}: {sentence}" for sentence in answer["false"]]

    async def _answer(self, **wish: Any) -> dict[str, Any]:
        for _ in range(_PATIENCE_SECONDS):
            try:
                return await asyncio.to_thread(self._trouble.tell, **wish)
            except requests.HTTPError:  # shards are not back yet, after a restart
                await asyncio.sleep(1)
        return await asyncio.to_thread(self._trouble.tell, **wish)


def _hours(since: datetime, until: datetime) -> Iterable[datetime]:
    hour = since.replace(minute=0, second=0, microsecond=0)
    while hour < until:
        yield hour
        hour += _HOUR
