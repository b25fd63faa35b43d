"""Indices of one test, the org that fills them, and operators that run as in a task."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx

from oktalogger.operators.reconcile import ReconcilePlanOperator, ReconcileVerdictOperator
from oktalogger.operators.system_log import OktaSystemLogToOpenSearchOperator
from oktalogger.window import Window, format_instant

if TYPE_CHECKING:
    from local.simulator.process import Simulator

HOUR = timedelta(hours=1)
FIVE_MINUTES = timedelta(minutes=5)


@dataclass
class Deployment:
    """Indices of one test, the org that fills them, and operators that run as in a task."""

    okta: Simulator
    url: str
    prefix: str
    xcoms: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)

    def context(self, window: Window | None = None, *, run_type: str = "scheduled", run_id: str | None = None) -> Any:
        interval = {"data_interval_start": window.start, "data_interval_end": window.end} if window else {}
        return {
            "run_id": run_id or f"{run_type}__{uuid.uuid4()}",
            "dag": None,  # notifiers of 2.11 look for it
            "dag_run": SimpleNamespace(run_type=run_type, start_date=datetime.now(UTC)),
            "ti": SimpleNamespace(xcom_push=lambda key, value: self.xcoms.__setitem__(key, value)),
            "params": self.params,
            "outlet_events": {},
            **interval,
        }

    def run(self, operator_class: Any, context: Any = None, **arguments: Any) -> Any:
        operator = operator_class(task_id="t", index_prefix=self.prefix, **arguments)
        method = operator_class.execute  # Airflow wraps it, to complain of a call that is not its own
        return getattr(method, "__wrapped__", method)(operator, context or self.context())

    def load(self, window: Window, **arguments: Any) -> dict[str, Any]:
        loaded: dict[str, Any] = self.run(OktaSystemLogToOpenSearchOperator, self.context(window), **arguments)
        return loaded

    def load_live(self, whole: Window, *, leave_out: tuple[int, ...] = ()) -> list[Window]:
        windows = list(whole.split(FIVE_MINUTES))
        for number, window in enumerate(windows):
            if number not in leave_out:
                self.load(window, hold_back=timedelta(0))
        return windows

    def reconcile(self, **arguments: Any) -> tuple[list[dict[str, str]], Any]:
        context = self.context()
        units = self.run(ReconcilePlanOperator, context)
        for unit in units:
            self.run(OktaSystemLogToOpenSearchOperator, context, kind="reconcile", overlap=timedelta(0), **unit)
        return units, self.verdict(units, context, **arguments)

    def verdict(self, units: Any, context: Any = None, **arguments: Any) -> Any:
        more = {"gaps": self.xcoms["gaps"], "left": self.xcoms["left"]}
        return self.run(ReconcileVerdictOperator, context, windows=units, **more, **arguments)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(method, f"{self.url}{path}", json=body, timeout=60, trust_env=False)
        answer.raise_for_status()
        return answer.json()

    def documents(self) -> dict[str, dict[str, Any]]:
        self.call("POST", f"/{self.prefix}/_refresh")
        found = self.call("POST", f"/{self.prefix}/_search?size=10000", {"query": {"match_all": {}}})
        return {hit["_id"]: hit["_source"] for hit in found["hits"]["hits"]}

    def refresh(self) -> None:
        self.call("POST", f"/{self.prefix}-ledger/_refresh")

    def ledger(self) -> list[dict[str, Any]]:
        self.refresh()
        found = self.call("POST", f"/{self.prefix}-ledger/_search?size=1000", {"query": {"match_all": {}}})
        return [hit["_source"] for hit in found["hits"]["hits"]]

    def uuids(self, window: Window) -> set[str]:
        events = self.okta.control.hidden(format_instant(window.start), format_instant(window.end))
        assert events, "a window without events would prove nothing"
        return {event["uuid"] for event in events}


def last_hours(count: int) -> Window:
    """Whole hours, up to the last five minutes that scheduled loads answer for by now, and for some time to come."""
    answered = FIVE_MINUTES + timedelta(seconds=30)
    _not_just_before(FIVE_MINUTES, answered)  # else there would be a gap before a test has come to look for one
    _not_just_before(HOUR)  # else reconcile would begin an hour later than the test
    full = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    end = datetime.now(UTC) - answered
    end -= timedelta(minutes=end.minute % 5, seconds=end.second, microseconds=end.microsecond)
    return Window(full - count * HOUR, end + FIVE_MINUTES)


def _not_just_before(step: timedelta, behind: timedelta = timedelta(0)) -> None:
    """Wait for the next multiple of a step where it is near, by a clock that is so far behind."""
    left = step - (datetime.now(UTC) - behind - datetime(2026, 1, 1, tzinfo=UTC)) % step
    if left < timedelta(seconds=20):
        time.sleep(left.total_seconds())
