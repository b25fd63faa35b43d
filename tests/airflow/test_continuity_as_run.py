"""The DAGs of history and closed hours as Airflow itself runs them, and what it hears of them."""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oktalogger.window import Window, format_instant
from tests.airflow import listeners
from tests.airflow.conftest import ROOT, run_airflow
from tests.airflow.deployment import HOUR, last_hours

if TYPE_CHECKING:
    from tests.airflow.deployment import Deployment

pytestmark = [pytest.mark.opensearch, pytest.mark.airflow]


def documented() -> set[str]:
    """Return the names of all load metrics in the docs."""
    return set(re.findall(r"^\| `(oktalogger\.load[\w.]+)` \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE))


def test_a_backfill(here: Deployment, airflow_db: Path) -> None:
    full = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
    window = Window(full - 2 * HOUR, full)
    conf = {"from": format_instant(window.start), "to": format_instant(window.end), "chunk": "1 hour", "share": 1}
    with listeners.statsd() as (port, heard):
        done = run_airflow(
            "dags",
            "test",
            "okta_system_log_backfill",
            "2026-11-23T00:00:00+00:00",
            "--conf",
            json.dumps(conf),
            OKTALOGGER_INDEX_PREFIX=here.prefix,
            AIRFLOW__METRICS__STATSD_ON="True",
            AIRFLOW__METRICS__STATSD_HOST="127.0.0.1",
            AIRFLOW__METRICS__STATSD_PORT=str(port),
        )
    assert "2 windows loaded and 0 complete before" in done.stdout + done.stderr
    uuids = here.uuids(window)
    assert set(here.documents()) == uuids
    for name in ("read", "created"):
        assert sum(heard[f"airflow.oktalogger.load.{name}"]) == len(uuids)
    # Only a scheduled load knows how far behind it is, and none of these failed.
    absent = {"oktalogger.load.behind_seconds", "oktalogger.load.failed"}
    assert {name.removeprefix("airflow.") for name in heard if "oktalogger.load" in name} == documented() - absent

    entries = here.ledger()
    assert {entry["state"] for entry in entries} == {"complete"}
    for entry in entries:
        assert re.match(r"https?://\S*okta_system_log_backfill", entry["run_url"])
        assert entry["lateness"]["max"] >= entry["lateness"]["p99"] * 0.9 > 2 * 86_400
    names = {f"{full - n * HOUR:%Y-%m-%d %H:%M} to {'24:00' if end.hour == 0 else f'{end:%H:%M}'} UTC"
             for n in (1, 2) for end in [full - (n - 1) * HOUR]}  # fmt: skip
    with sqlite3.connect(airflow_db) as database:
        shown = database.execute(
            "select rendered_map_index from task_instance "
            "where dag_id = 'okta_system_log_backfill' and task_id = 'load'"
        )
        assert {name for (name,) in shown} == names


def test_reconciling(here: Deployment, airflow_db: Path) -> None:
    whole = last_hours(3)
    here.load(whole, hold_back=timedelta(0))
    here.refresh()
    # The schedule's minute has not come yet in this hour, so that Airflow 2 gives the run the interval before it.
    at = datetime.now(UTC).replace(minute=3)
    with listeners.opentelemetry() as (port, heard):
        done = run_airflow(
            "dags",
            "test",
            "okta_system_log_reconcile",
            format_instant(at),
            OKTALOGGER_INDEX_PREFIX=here.prefix,
            OKTALOGGER_START_DATE=format_instant(whole.start),
            # Airflow may take minutes to start, and the next five minutes would be a gap then.
            OKTALOGGER_HOLD_BACK_SECONDS="600",
            AIRFLOW__METRICS__OTEL_ON="True",
            AIRFLOW__METRICS__OTEL_HOST="127.0.0.1",
            AIRFLOW__METRICS__OTEL_PORT=str(port),
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        )
    said = done.stdout + done.stderr
    assert re.search(r"Read 1 window again: 0 of [\d,]+ events late", said), said
    names = {name.decode() for body in heard for name in re.findall(rb"airflow\.(oktalogger\.[\w.]+)", body)}
    wanted = {"oktalogger.load.requests", "oktalogger.load.behind_seconds", "oktalogger.reconcile.gap_seconds"}
    assert wanted <= names, f"{sorted(names)} in {len(heard)} bodies\n{done.stdout}{done.stderr}"
