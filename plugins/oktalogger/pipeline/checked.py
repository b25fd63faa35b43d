"""Asks the ledger what was loaded, and the index whether it is still there: no plan believes the ledger alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from oktalogger.pipeline.coverage import SETTLING
from oktalogger.pipeline.expected import Damage, damaged_hours, expected_events
from oktalogger.pipeline.reconcile import Ledgered
from oktalogger.window import whole_hours

if TYPE_CHECKING:
    from datetime import datetime

    from oktalogger.pipeline.coverage import Census, Entries
    from oktalogger.window import Window


@dataclass(frozen=True, slots=True)
class Checked:
    """What the ledger says of a range, and which hours of it do not hold what was stored.

    :param ledgered: what the ledger says
    :param damaged: hours that hold fewer events than complete loads stored
    """

    ledgered: Ledgered
    damaged: tuple[Damage, ...]


def check(
    ledger: Entries,
    census: Census,
    org: str,
    window: Window,
    *,
    now: datetime,
    kept: timedelta | None = None,
    filter: str | None = None,
    q: str | None = None,
) -> Checked:
    """Sum up what the ledger says of a range, and count in OpenSearch whether it is still there. One search.

    :param ledger: which windows were loaded
    :param census: what OpenSearch holds
    :param org: the Okta org's host name
    :param window: the range
    :param now: the time, in UTC
    :param kept: how long events are kept; None for ever
    :param filter: Okta's filter expression that this deployment reads through
    :param q: Okta's keyword search, likewise
    :raises OpenSearchLoadError: where OpenSearch cannot be asked
    """
    whole = whole_hours(window)
    entries = list(ledger.entries(org, whole))
    settling = timedelta(0) if census.refresh() else SETTLING
    found = {hour: count.events for hour, count in census.events_by_hour(org, whole).items()}
    damaged = damaged_hours(expected_events(entries, filter, q), found, now=now, settling=settling, kept=kept)
    within = [one for one in entries if one.window_start < window.end and window.start < one.window_end]
    return Checked(
        Ledgered.of(within, filter, q),
        tuple(one for one in damaged if one.window.start < window.end and window.start < one.window.end),
    )
