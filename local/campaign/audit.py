"""Finds what said "well" while it was not: rows of coverage, plans, runs. Without the product's code.

All that was on time in a window called complete is owed (:mod:`local.campaign.watch`). Whoever calls an hour well says
that a search finds what is owed there, and no event twice. An audit looks at just that, through the alias. While it
lasts, from the saying to the looking, nobody does damage.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from local.campaign.watch import Watch

Run = tuple[str, datetime, datetime]
"""Kind, start and end of what a load answered for."""


class Visible(Protocol):
    """What a search on the alias finds."""

    def visible(self) -> Mapping[datetime, Mapping[str, int]]:
        """Count documents by the hour and the index."""

    def found(self, uuids: list[str]) -> int:
        """Count documents with these ids."""

    def month_of(self, hour: datetime) -> str:
        """Name the index that an hour's documents belong in."""


@dataclass(slots=True)
class Audit:
    """Compares words with facts.

    :param watch: knows what is owed
    :param store: what is found
    :param rng: chooses hours of which each event is asked for by its id
    """

    watch: Watch
    store: Visible
    rng: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311

    def hours(self, well: Iterable[datetime], *, by_id: int) -> list[str]:
        """Return the hours that are not well, in sentences.

        :param well: beginnings of hours that somebody called well
        :param by_id: of how many of them to ask for each event by its id
        """
        owed = self.watch.owed_now()
        visible = self.store.visible()
        some = sorted(hour for hour in well if hour in owed)
        asked = set(self.rng.sample(some, min(by_id, len(some))))
        said = {hour: self._amiss(hour, owed[hour], visible.get(hour, {}), by_id=hour in asked) for hour in some}
        return [f"{hour:%Y-%m-%d %H:%M} was called well: {what}" for hour, what in said.items() if what]

    def _amiss(self, hour: datetime, owed: list[str], visible: Mapping[str, int], *, by_id: bool) -> str | None:
        month = self.store.month_of(hour)
        there = visible.get(month, 0)
        if there < len(owed):
            return f"a search finds {there} of {len(owed)} events in {month}"
        if strays := sorted(set(visible) - {month}):
            return f"a search also finds documents in {', '.join(strays)}"
        if by_id and (there := self.store.found(owed)) != len(owed):
            return f"by their ids a search finds {there} of {len(owed)} events"
        return None

    def runs(self, green: Iterable[Run]) -> list[str]:
        """Return the loads that ended well although the ledger does not call their window complete."""
        return [
            f"the {kind} load of {start:%Y-%m-%d %H:%M} to {end:%H:%M} was green and its window never complete"
            for kind, start, end in green
            if (kind, start, end) not in self.watch.loads
        ]
