"""Checks of the load itself: how far behind an org is, by the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from oktalogger.checks.model import Check, Verdict, note, ok, wrong
from oktalogger.opensearch.errors import IndexMissingError
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from datetime import datetime

    from oktalogger.checks.cluster import Cluster

# How much later than usual a window may be complete: a try may take ten minutes.
_PATIENCE: Final = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Loads:
    """The loads of one org.

    :param org: the name by which the ledger knows it
    :param cluster: where the ledger is
    :param now: the time, in UTC
    """

    org: str
    cluster: Cluster
    now: datetime


def _behind(loads: Loads) -> Verdict:
    settings = loads.cluster.settings
    try:
        newest = LedgerStore(loads.cluster.client(), loads.cluster.names).newest_complete(loads.org)
    except IndexMissingError:
        newest = None
    if newest is None:
        return note(f"Nothing of {loads.org} is loaded yet: turn on the DAG okta_system_log.")
    behind = loads.now - newest
    minutes = int(behind.total_seconds() // 60)
    if behind > settings.interval + settings.hold_back + _PATIENCE:
        return wrong(
            f"Loads are {minutes:,} minutes behind, as the newest complete window ends at {format_instant(newest)}: "
            "look at the newest runs of okta_system_log, and whether it is paused."
        )
    return ok(f"Loads are up to date: the newest complete window ended {minutes} minutes ago.")


CHECKS: Final[tuple[Check[Loads], ...]] = (Check("loads", _behind),)
