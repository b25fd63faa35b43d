"""A worker process: does what a task of the DAGs does, by the product's own code, on the campaign's clock.

``python -m local.campaign.worker CLOCK SKEW``; a task a line of JSON on standard input, its outcome a line of JSON on
standard output. Where Okta and OpenSearch are, the environment says, as on the command line.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from local.campaign.clock import SharedClock
from oktalogger.cli.environment import OKTA_URL, archive_of, okta_client, opensearch_client
from oktalogger.malloc import limit_heap_growth_of_process
from oktalogger.okta.errors import OktaError
from oktalogger.okta.origin import org_name
from oktalogger.okta.rate_budget import RateBudget
from oktalogger.opensearch.errors import OpenSearchLoadError
from oktalogger.opensearch.inventory import OpenSearchCensus
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.pipeline.archive.errors import ArchiveError
from oktalogger.pipeline.backfill import read_request, to_load
from oktalogger.pipeline.checked import Checked, check
from oktalogger.pipeline.coverage import coverage
from oktalogger.pipeline.document import LoadKind, Stamp
from oktalogger.pipeline.ledger import LedgerKey
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.okta_clock import TooEarlyError
from oktalogger.pipeline.owed import with_owed
from oktalogger.pipeline.reconcile import RETENTION, closed_hours, covered_time, plan_reconcile
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.pipeline.share import share_of
from oktalogger.settings import Settings, load_settings
from oktalogger.window import Window, gaps, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opensearchpy import OpenSearch

    from oktalogger.pipeline.archive.place import ArchiveStore

Unit = dict[str, str]


@dataclass(frozen=True, slots=True)
class Worker:
    """What every task of a worker needs.

    :param clock: this worker's, which may be off
    :param client: of OpenSearch
    :param archive: where each load keeps events
    """

    clock: SharedClock
    client: OpenSearch
    names: IndexNames
    org: str
    settings: Settings
    archive: ArchiveStore | None

    def do(self, task: dict[str, Any]) -> dict[str, Any]:
        """Do one task."""
        match task["task"]:
            case "load":
                return self.load(task)
            case "plan-reconcile":
                return self.plan_reconcile(parse_instant(task["at"], name="at"))
            case "unread":
                return {"unread": self.unread(task["kind"], task["windows"])}
            case "plan-backfill":
                return self.plan_backfill(task["params"])
            case "left":
                return self.left(_window(task), task["windows"])
            case "coverage":
                return {"hours": self.coverage(_window(task))}
        raise ValueError(f"no such task: {task}")

    def ledger(self) -> LedgerStore:
        """The ledger, told the time of this worker."""
        return LedgerStore(self.client, self.names, clock=self.clock.now)

    def store(self) -> OpenSearchStore:
        """The store, prepared as each task prepares it."""
        store = OpenSearchStore(self.client, self.names, shards=self.settings.shards, replicas=self.settings.replicas)
        store.prepare()
        return store

    def census(self) -> OpenSearchCensus:
        """What OpenSearch holds."""
        return OpenSearchCensus(self.client, self.names)

    def checked(self, window: Window) -> Checked:
        """Say what was loaded of a range, and whether it is still there."""
        kept = self.settings.retention
        return check(self.ledger(), self.census(), self.org, window, now=self.clock.now(), kept=kept)

    def coverage(self, window: Window) -> list[dict[str, str]]:
        """Say how each hour of a range stands: what the command of that name prints."""
        kept = self.settings.retention
        found = coverage(self.ledger(), self.census(), self.org, window, now=self.clock.now(), kept=kept)
        return [{"start": hour.window.start.isoformat(), "state": hour.state} for hour in found]

    def load(self, task: dict[str, Any]) -> dict[str, Any]:
        """Load a window: what the load's operator does, less what it tells Airflow."""
        kind = cast("LoadKind", task["kind"])
        settings, window = self.settings, _window(task)
        live = kind == "scheduled"
        budget = RateBudget(share_of(kind, settings), sleep=self.clock.sleep, clock=self.clock.seconds)
        plan = LoadPlan(
            Stamp(self.org, window, task["run_id"], kind, settings.horizon),
            overlap=settings.overlap if live else timedelta(0),
            hold_back=settings.hold_back if live else timedelta(0),
            page_limit=task["page_limit"],
            threads=settings.bulk_threads,
        )
        if live:
            self.clock.sleep((window.end + settings.hold_back - self.clock.now()).total_seconds())
        limit_heap_growth_of_process()
        with okta_client(sleep=self.clock.sleep, gate=budget) as okta:
            result = load_and_record(
                okta,
                self.store(),
                self.ledger(),
                plan,
                archive=self.archive,
                wait=self.clock.sleep,
                clock=self.clock.now,
            )
            budget.rest()
        names = ("pages", "requests", "read", "created", "existing", "rejected", "late", "retried", "waits")
        return {**{name: getattr(result, name) for name in names}, "restarted": int(result.restarted)}

    def plan_reconcile(self, interval_end: datetime) -> dict[str, Any]:
        """Say what a reconcile run reads again."""
        settings, at = self.settings, self.clock.now()
        self.store()
        checked = self.checked(Window(at - RETENTION, at))
        ledgered, damaged = checked.ledgered, [damage.window for damage in checked.damaged]
        closed = closed_hours(interval_end, [timedelta(hours=hours) for hours in settings.reconcile_after_hours])
        covered = covered_time(
            ledgered, begins=settings.start_date, interval=settings.interval, now=at, hold_back=settings.hold_back
        )
        plan = plan_reconcile(closed, covered, ledgered, damaged)
        windows = with_owed(plan.windows, ledgered.owed, settings.interval)
        return {"windows": _units(windows), "gaps": _units(plan.gaps), "damaged": _units(damaged)}

    def plan_backfill(self, params: dict[str, Any]) -> dict[str, Any]:
        """Say which chunks a backfill loads."""
        request = read_request(params, now=self.clock.now())
        self.store()
        checked = self.checked(request.window)
        damaged = [damage.window for damage in checked.damaged]
        return {"windows": _units(to_load(request, checked.ledgered.complete, damaged)), "damaged": _units(damaged)}

    def left(self, whole: Window, windows: list[Unit]) -> dict[str, Any]:
        """Return what a backfill has left; its newest entries cannot be searched yet, and are read by their names."""
        unread = self.unread("backfill", windows)
        done = [_window(unit) for unit in windows if unit not in unread]
        checked = self.checked(whole)
        damaged = [damage.window for damage in checked.damaged]
        return {"left": _units(gaps(whole, [*checked.ledgered.complete, *done])), "damaged": _units(damaged)}

    def unread(self, kind: LoadKind, windows: list[Unit]) -> list[Unit]:
        """Return those windows whose entries do not say complete."""
        ledger = self.ledger()
        found = []
        for unit in windows:
            entry, _ = ledger.read(LedgerKey(self.org, kind, _window(unit)).id)
            if entry is None or entry.state != "complete":
                found.append(unit)
        return found


def _window(unit: dict[str, Any]) -> Window:
    return Window(parse_instant(unit["since"], name="since"), parse_instant(unit["until"], name="until"))


def _units(windows: Iterable[Window]) -> list[Unit]:
    return [{"since": window.start.isoformat(), "until": window.end.isoformat()} for window in windows]


def main() -> None:
    """Do tasks until there are no more."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(process)d %(message)s")
    clock = SharedClock(Path(sys.argv[1]), skew=float(sys.argv[2]))
    settings = load_settings()
    org = org_name(os.environ[OKTA_URL])
    names = IndexNames(settings.index_prefix)
    worker = Worker(clock, opensearch_client(), names, org, settings, archive_of(settings))
    for line in sys.stdin:
        try:
            outcome: dict[str, Any] = {"ok": worker.do(msgspec.json.decode(line))}
        except (OktaError, OpenSearchLoadError, ArchiveError) as error:
            outcome = {"error": f"{type(error).__name__}: {error}", "retryable": error.retryable}
        except TooEarlyError as error:
            outcome = {"error": f"{type(error).__name__}: {error}", "retryable": True}
        sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
