"""A task of ours in a run of its own, and what Airflow would make of that."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx

from oktalogger.operators.system_log import (
    OktaSystemLogToOpenSearchOperator,
    system_log_asset,
)
from oktalogger.window import Window

if TYPE_CHECKING:
    pass


def five_minutes(ago: timedelta = timedelta(minutes=30)) -> Window:
    end = (datetime.now(UTC) - ago).replace(second=0, microsecond=0)
    return Window(end - timedelta(minutes=5), end)


class Log:
    """Remembers what a task would write."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def info(self, message: str, *arguments: object) -> None:
        self.lines.append(("info", message % arguments))

    def warning(self, message: str, *arguments: object) -> None:
        self.lines.append(("warning", message % arguments))

    def text(self, level: str) -> str:
        return "\n".join(line for kind, line in self.lines if kind == level)


class OutletEvents:
    """Like Airflow's: by asset, which 3.0 cannot hash."""

    def __init__(self) -> None:
        self._events: dict[str, SimpleNamespace] = {}

    def __getitem__(self, asset: Any) -> SimpleNamespace:
        return self._events.setdefault(asset.uri, SimpleNamespace(extra={}))


class Task:
    """A task of ours and what Airflow would make of its run."""

    def __init__(self, prefix: str) -> None:
        self.xcoms: dict[str, Any] = {}
        self.log = Log()
        self.prefix = prefix
        self.asset = system_log_asset()
        self.events = OutletEvents()

    def make(self, **arguments: Any) -> OktaSystemLogToOpenSearchOperator:
        log = self.log

        class Logged(OktaSystemLogToOpenSearchOperator):
            @property
            def log(self) -> Any:
                return log

        arguments = {"task_id": "load", "index_prefix": self.prefix, "outlets": [self.asset]} | arguments
        return Logged(**arguments)

    def context(self, window: Window | None, *, run_type: str = "scheduled", **more: Any) -> Any:
        interval = {"data_interval_start": window.start, "data_interval_end": window.end} if window else {}
        return {
            "run_id": f"{run_type}__{uuid.uuid4()}",
            "dag_run": SimpleNamespace(run_type=run_type),
            "ti": SimpleNamespace(xcom_push=lambda key, value: self.xcoms.__setitem__(key, value)),
            "params": {"since": None, "until": None},
            "outlet_events": self.events,
            **interval,
            **more,
        }

    def run(self, window: Window | None, *, arguments: Any = None, **context: Any) -> dict[str, Any]:
        return execute(self.make(**(arguments or {})), self.context(window, **context))


def execute(operator: OktaSystemLogToOpenSearchOperator, context: Any) -> dict[str, Any]:
    # Airflow wraps this method, to complain of a call that is not its own.
    method = OktaSystemLogToOpenSearchOperator.execute
    counts: dict[str, Any] = getattr(method, "__wrapped__", method)(operator, context)
    return counts


class Search:
    """What is in OpenSearch."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(method, f"{self.url}{path}", json=body, timeout=60, trust_env=False)
        answer.raise_for_status()
        return answer.json()

    def ids(self, prefix: str) -> list[str]:
        self.call("POST", f"/{prefix}/_refresh")
        found = self.call("POST", f"/{prefix}/_search?size=10000", {"_source": False, "query": {"match_all": {}}})
        return sorted(hit["_id"] for hit in found["hits"]["hits"])

    def documents(self, index: str) -> list[dict[str, Any]]:
        self.call("POST", f"/{index}/_refresh")
        return [hit["_source"] for hit in self.call("POST", f"/{index}/_search?size=1000", {})["hits"]["hits"]]
