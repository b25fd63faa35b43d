"""The page in Airflow's UI: what it is served as, and the snapshots that its task leaves in Airflow's own store."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.compat import PAGE_LINE
from oktalogger.operators import page
from oktalogger.operators.page import OktaPageOperator
from oktalogger.ui.packing import pack, unpack
from oktalogger.ui.served import FlaskViews, OktaPageApp
from oktalogger.window import format_instant, hour_of, parse_instant
from tests.airflow.conftest import run_airflow
from tests.airflow.deployment import last_hours
from tests.unit.ui.made_up import made_up

if TYPE_CHECKING:
    from tests.airflow.deployment import Deployment


def ask(path: str, method: str = "GET") -> tuple[int, bytes, dict[bytes, bytes]]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read of a request")

    asyncio.run(OktaPageApp()({"type": "http", "method": method, "path": path}, receive, send))
    start, body = sent
    return start["status"], body["body"], dict(start["headers"])


def test_airflow_3_is_given_the_page_and_nothing_else() -> None:
    status, body, headers = ask("/okta/page")
    assert status == 200
    assert b'data-api="../api/v2" data-line="3"' in body
    assert headers[b"content-length"] == str(len(body)).encode()
    assert headers[b"content-type"] == b"text/html; charset=utf-8"
    assert ask("/okta/page", "HEAD")[1] == b""
    assert ask("/okta/other")[0] == 404
    assert ask("/okta/page", "POST")[0] == 405


REGISTERED = """
import json, sys
import airflow.plugins_manager as manager
before = set(sys.modules)  # Airflow 3.0 imports FastAPI here
manager.ensure_plugins_loaded()
plugins = manager._get_plugins()[0] if hasattr(manager, "_get_plugins") else manager.plugins
[plugin] = [one for one in plugins if one.name == "oktalogger"]
heavy = ("fastapi", "flask_appbuilder", "oktalogger.ui.html")
web = [name for name in heavy if name in sys.modules and name not in before]
print(json.dumps({
    "apps": [app["url_prefix"] for app in plugin.fastapi_apps],
    "views": [view["href"] for view in getattr(plugin, "external_views", [])],
    "flask": len(plugin.appbuilder_views),
    "web": web,
}))
"""


def test_the_plugin_registers_the_page_where_this_line_shows_one_and_imports_no_web_framework() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", REGISTERED], text=True, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    expected = {
        3: {"apps": ["/okta"], "views": ["okta/page"], "flask": 0},
        2: {"apps": [], "views": [], "flask": 1},
        0: {"apps": [], "views": [], "flask": 0},
    }[PAGE_LINE]
    assert {name: found[name] for name in expected} == expected
    assert found["web"] == []


@pytest.mark.skipif(PAGE_LINE != 2, reason="only Airflow 2 has Flask")
def test_airflow_2_is_given_a_view_that_frames_the_page() -> None:
    [view] = FlaskViews()
    assert view["name"] == "Okta"
    body = view["view"].page().get_data(as_text=True)
    assert 'data-api="../api/v1" data-line="2"' in body


class Store:
    """Airflow's XComs of one task, by the id of the run."""

    def __init__(self, **values: Any) -> None:
        self.values: dict[str, Any] = dict(values)

    def newest(self, context: Any, key: str) -> Any:
        return next(reversed(self.values.values()), None)

    def delete(self, context: Any, key: str, run_id: str) -> None:
        del self.values[run_id]


def run(monkeypatch: pytest.MonkeyPatch, store: Store, measured: Any) -> tuple[Any, list[Any]]:
    previous: list[Any] = []

    def measure(self: Any, before: Any) -> Any:
        previous.append(before)
        if isinstance(measured, Exception):
            raise measured
        return measured

    monkeypatch.setattr(page, "newest_xcom", store.newest)
    monkeypatch.setattr(page, "delete_xcom", store.delete)
    monkeypatch.setattr(OktaPageOperator, "_measure", measure)
    push = SimpleNamespace(xcom_push=lambda key, value: store.values.__setitem__("this", value))
    execute = OktaPageOperator.execute
    context: Any = {"ti": push, "run_id": "this"}
    return getattr(execute, "__wrapped__", execute)(OktaPageOperator(task_id="measure"), context), previous


def left(run_id: str, data: str) -> dict[str, str]:
    return {"run_id": run_id, "org": "company.okta.com", "data": data}


def test_snapshots_of_earlier_runs_are_deleted_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    old = made_up(findings=1)
    store = Store(a=left("a", pack(old)), b=left("b", pack(old)), c=left("c", pack(old)))
    counts, previous = run(monkeypatch, store, made_up(findings=3))
    assert list(store.values) == ["this"]
    assert counts["findings"] == len(unpack(store.values["this"]["data"]).findings) == 3
    assert previous == [old]


def test_the_last_snapshot_stays_where_measuring_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(a=left("a", pack(made_up(findings=1))))
    with pytest.raises(ConnectionError):
        run(monkeypatch, store, ConnectionError("OpenSearch is away"))
    assert list(store.values) == ["a"]


@pytest.mark.parametrize("data", ["nonsense", None])
def test_a_snapshot_that_cannot_be_read_is_replaced(monkeypatch: pytest.MonkeyPatch, data: Any) -> None:
    store = Store(a=left("a", data))
    _, previous = run(monkeypatch, store, made_up(findings=1))
    assert previous == [None]
    assert list(store.values) == ["this"]


@pytest.mark.opensearch
@pytest.mark.airflow
@pytest.mark.skipif(PAGE_LINE == 0, reason="Airflow 3.0 has no page")
def test_airflow_keeps_the_newest_snapshot_and_no_other(here: Deployment, airflow_db: Path) -> None:
    here.load(last_hours(2), hold_back=timedelta(0))
    here.refresh()
    for minute in (1, 2):
        at = datetime(2026, 11, 28, 10, minute, tzinfo=UTC)
        done = run_airflow("dags", "test", "okta_page", format_instant(at), OKTALOGGER_INDEX_PREFIX=here.prefix)
        assert "Measured" in done.stdout + done.stderr
    with sqlite3.connect(airflow_db) as database:
        rows = database.execute(
            "select run_id, value from xcom where dag_id = 'okta_page' and key = 'snapshot'"
        ).fetchall()
        runs = database.execute("select run_id from dag_run where dag_id = 'okta_page' order by id").fetchall()
    [(run_id, value)] = rows
    assert len(runs) == 2
    assert run_id == runs[-1][0]
    read = json.loads(value)
    snapshot = unpack((json.loads(read) if isinstance(read, str) else read)["data"])
    counted: dict[datetime, int] = {}
    for document in here.documents().values():
        hour = hour_of(parse_instant(document["published"], name="published"))
        counted[hour] = counted.get(hour, 0) + 1
    assert counted
    assert {hour.start: hour.events for hour in snapshot.hours if hour.events} == counted
