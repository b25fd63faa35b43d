"""Hold-back, reconciling and backfill against the simulated org and a real OpenSearch."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from oktalogger.compat import AirflowFailException, BaseNotifier, DateTimeTrigger
from oktalogger.operators.backfill import BackfillPlanOperator, BackfillSummaryOperator
from oktalogger.operators.reconcile import ReconcilePlanOperator, ReconcileVerdictOperator
from oktalogger.operators.system_log import OktaSystemLogToOpenSearchOperator
from oktalogger.pipeline.reconcile import LIVE_INTERVAL
from oktalogger.pipeline.window import Window, format_instant
from tests.airflow.conftest import run_airflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.simulator.process import Simulator

pytestmark = pytest.mark.opensearch

HOUR = timedelta(hours=1)
FIVE_MINUTES = timedelta(minutes=5)


class Told(BaseNotifier):
    """Remembers what it was told."""

    template_fields = ("text",)
    heard: list[str] = []  # noqa: RUF012

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        self.heard.append(self.text)


@dataclass
class Deployment:
    """Indices of one test, the org that fills them, and operators that run as in a task."""

    okta: Simulator
    url: str
    prefix: str
    xcoms: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)

    def context(self, window: Window | None = None, *, run_type: str = "scheduled") -> Any:
        interval = {"data_interval_start": window.start, "data_interval_end": window.end} if window else {}
        return {
            "run_id": f"{run_type}__{uuid.uuid4()}",
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
        units = self.run(ReconcilePlanOperator, self.context())
        for unit in units:
            self.run(OktaSystemLogToOpenSearchOperator, kind="reconcile", overlap=timedelta(0), **unit)
        return units, self.verdict(units, **arguments)

    def verdict(self, units: Any, **arguments: Any) -> Any:
        more = {"gaps": self.xcoms["gaps"], "left": self.xcoms["left"]}
        return self.run(ReconcileVerdictOperator, windows=units, **more, **arguments)

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

    def uuids(self, window: Window) -> set[str]:
        events = self.okta.control.hidden(format_instant(window.start), format_instant(window.end))
        assert events, "a window without events would prove nothing"
        return {event["uuid"] for event in events}


@pytest.fixture(scope="module")
def _quiet() -> Iterator[Simulator]:
    from local.simulator.process import running

    # Hours of a large org would take minutes to load, and say no more.
    with running("--seed", "quiet", "--rate", "4", "--rhythm", "flat") as simulator:
        yield simulator


@pytest.fixture
def okta(_quiet: Simulator) -> Simulator:
    """A quiet org, begun anew for each test."""
    _quiet.control.post("/reset")
    return _quiet


@pytest.fixture
def here(okta: Simulator, opensearch_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    where = urlsplit(opensearch_url)
    connections = {
        "OKTA_DEFAULT": {"conn_type": "okta", "host": okta.url, "password": okta.token},
        "OPENSEARCH_DEFAULT": {
            "conn_type": "opensearch",
            "host": where.hostname,
            "port": where.port,
            "extra": {"use_ssl": False},
        },
    }
    for name, connection in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
    monkeypatch.setenv("OKTALOGGER_START_DATE", "2026-01-01T00:00:00Z")
    monkeypatch.setenv("OKTALOGGER_OVERLAP_SECONDS", "0")
    okta.control.post("/limits", per_minute=100_000)
    here = Deployment(okta, opensearch_url, f"test-{uuid.uuid4().hex[:12]}")
    yield here
    for path in (f"/_index_template/{here.prefix}*", f"/{here.prefix}*?expand_wildcards=all"):
        with suppress(httpx.HTTPStatusError):
            here.call("DELETE", path)


def last_hours(count: int) -> Window:
    """Whole hours, up to the last five minutes that scheduled loads answer for by now."""
    full = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    end = datetime.now(UTC) - LIVE_INTERVAL - timedelta(seconds=30)
    end -= timedelta(minutes=end.minute % 5, seconds=end.second, microseconds=end.microsecond)
    return Window(full - count * HOUR, end + FIVE_MINUTES)


class TestHoldBack:
    def test_a_long_one_is_deferred_and_holds_no_worker(self, here: Deployment) -> None:
        end = datetime.now(UTC).replace(microsecond=0)
        window = Window(end - FIVE_MINUTES, end)
        try:
            here.load(window, hold_back=timedelta(minutes=2))
        except BaseException as caught:  # each line has this one in another place
            deferral: Any = caught
        assert type(deferral).__name__ == "TaskDeferred"
        path, arguments = deferral.trigger.serialize()
        assert path == f"{DateTimeTrigger.__module__}.DateTimeTrigger"
        assert arguments["moment"] == end + timedelta(minutes=2)
        assert deferral.method_name == "execute_complete"

    def test_the_trigger_is_one_that_every_triggerer_can_import(self) -> None:
        assert DateTimeTrigger.__module__.startswith("airflow."), "Airflow 3 imports no triggers from DAG bundles"

    def test_what_was_deferred_loads_the_same_window(self, here: Deployment) -> None:
        end = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)
        window = Window(end - FIVE_MINUTES, end)
        operator = OktaSystemLogToOpenSearchOperator(
            task_id="t", index_prefix=here.prefix, hold_back=timedelta(minutes=2)
        )
        counts = operator.execute_complete(here.context(window), {"event": "fired"})
        assert counts["window_end"] == format_instant(end)
        assert set(here.documents()) == here.uuids(window)


class TestReconcile:
    def test_before_the_first_load_there_is_nothing_to_do(self, here: Deployment) -> None:
        units, found = here.reconcile()
        assert units == []
        assert (found["windows"], found["gaps"]) == (0, [])

    def test_late_events_are_found_counted_and_stored(self, here: Deployment) -> None:
        whole = last_hours(2)
        hour = Window(whole.start, whole.start + HOUR)
        span = {"since": format_instant(hour.start), "until": format_instant(hour.end)}
        here.okta.control.post("/hold", **span, count=7, persisted="+1h")
        here.load(Window(whole.start, whole.end), hold_back=timedelta(0))
        here.refresh()
        before = set(here.documents())
        here.okta.control.post("/clock", advance=3700)
        units, found = here.reconcile()
        assert units[0] == {
            "since": format_instant(hour.start),
            "until": format_instant(hour.end),
            "unit": units[0]["unit"],
        }
        assert found["late"] == 7
        assert found["gaps"] == []
        assert 3600 <= found["late_max_seconds"] <= 3 * 3600
        after = here.documents()
        assert len(set(after) - before) == 7
        assert set(after) >= here.uuids(hour)
        kinds = {after[found_id]["oktalogger"]["load_kind"] for found_id in set(after) - before}
        assert kinds == {"reconcile"}
        assert not any(after[found_id]["oktalogger"].get("historical") for found_id in set(after) - before)

    def test_lateness_beyond_the_setting_fails_the_task(
        self, here: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = last_hours(2)
        self.hold(here, whole)
        here.load(whole, hold_back=timedelta(0))
        here.refresh()
        here.okta.control.post("/clock", advance=3700)
        monkeypatch.setenv("OKTALOGGER_LATE_ALERT_SECONDS", "60")
        with pytest.raises(AirflowFailException, match=r"1 events came late.*They are stored now"):
            here.reconcile()
        assert here.xcoms["findings"]["late"] == 1

    def test_or_tells_a_notifier(self, here: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = last_hours(2)
        self.hold(here, whole)
        here.load(whole, hold_back=timedelta(0))
        here.refresh()
        here.okta.control.post("/clock", advance=3700)
        notifiers = {"soc": {"class": f"{__name__}.Told", "text": "{{ alert.text }}"}}
        monkeypatch.setenv("OKTALOGGER_LATE_ALERT_SECONDS", "60")
        monkeypatch.setenv("OKTALOGGER_RECONCILE_CHANNEL", "soc")
        monkeypatch.setenv("OKTALOGGER_DETECTION_NOTIFIERS", json.dumps(notifiers))
        monkeypatch.setattr("oktalogger.notifications.channels.import_module", lambda name: SimpleNamespace(Told=Told))
        Told.heard.clear()
        _, found = here.reconcile()
        assert found["late"] == 1
        [text] = Told.heard
        assert "1 events came late" in text

    @staticmethod
    def hold(here: Deployment, whole: Window) -> None:
        span = {"since": format_instant(whole.start), "until": format_instant(whole.start + HOUR)}
        here.okta.control.post("/hold", **span, count=1, persisted="+1h")

    def test_a_gap_is_found_filled_and_said(self, here: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OKTALOGGER_RECONCILE_AFTER_HOURS", "24")
        whole = Window(last_hours(1).end - timedelta(minutes=25), last_hours(1).end)
        windows = here.load_live(whole, leave_out=(1, 2, 3))
        here.refresh()
        with pytest.raises(AirflowFailException, match="15 min of the covered time had no complete window"):
            here.reconcile()
        missing = Window(windows[1].start, windows[3].end)
        found = here.xcoms["findings"]
        assert found["gaps"] == [[format_instant(missing.start), format_instant(missing.end)]]
        assert found["late"] == 0, "what fills a gap is not late"
        assert set(here.documents()) == here.uuids(whole)
        here.refresh()
        units, again = here.reconcile()
        assert (units, again["gaps"]) == ([], []), "and the next run finds none"

    def test_a_window_that_was_not_read_fails_the_run(self, here: Deployment) -> None:
        whole = last_hours(2)
        here.load(whole, hold_back=timedelta(0))
        here.refresh()
        units = here.run(ReconcilePlanOperator, here.context())
        with pytest.raises(AirflowFailException, match="1 of 1 windows were not read again"):
            here.verdict(units)


class TestBackfill:
    def plan(self, here: Deployment, window: Window, **params: Any) -> list[dict[str, str]]:
        here.params = {
            "from": format_instant(window.start),
            "to": format_instant(window.end),
            "chunk": "1 hour",
            **params,
        }
        units: list[dict[str, str]] = here.run(BackfillPlanOperator, here.context(run_type="manual"))
        return units

    def summary(self, here: Deployment, units: Any) -> Any:
        return here.run(BackfillSummaryOperator, windows=units, whole=here.xcoms["range"])

    def load(self, here: Deployment, unit: dict[str, str]) -> Any:
        return here.run(OktaSystemLogToOpenSearchOperator, kind="backfill", share="1.0", **unit)

    def test_stopped_and_started_again_it_loads_each_chunk_once(self, here: Deployment) -> None:
        full = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
        window = Window(full - 3 * HOUR, full)
        units = self.plan(here, window)
        assert [unit["since"] for unit in units] == [format_instant(full - n * HOUR) for n in (1, 2, 3)]
        self.load(here, units[0])
        with pytest.raises(AirflowFailException, match=r"1 parts of .* are left"):
            self.summary(here, units)
        assert here.xcoms["summary"]["windows"] == 1
        here.refresh()
        again = self.plan(here, window)
        assert again == units[1:], "what is complete is left out"
        for unit in again:
            self.load(here, unit)
        figures = self.summary(here, again)
        assert (figures["windows"], figures["skipped"], figures["left"]) == (2, 1, [])
        assert figures["requests"] > 0
        documents = here.documents()
        assert set(documents) == here.uuids(window)
        assert all(document["oktalogger"]["historical"] for document in documents.values())
        here.refresh()
        assert self.plan(here, window) == []

    def test_the_five_minute_dag_may_backfill_the_same_range_beside_it(self, here: Deployment) -> None:
        full = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
        window = Window(full - HOUR, full)
        five = list(window.split(FIVE_MINUTES))
        for part in five[:3]:
            here.run(OktaSystemLogToOpenSearchOperator, here.context(part, run_type="backfill"), share="1.0")
        here.refresh()
        [unit] = self.plan(here, window)
        self.load(here, unit)
        for part in five[3:5]:
            counts = here.run(OktaSystemLogToOpenSearchOperator, here.context(part, run_type="backfill"), share="1.0")
            assert counts["created"] == 0
        assert set(here.documents()) == here.uuids(window)

    @pytest.mark.parametrize(
        ("params", "sentence"),
        [({"from": "2026-01-01T00:00:00Z"}, "over 180 days"), ({"to": "2099-01-01T00:00:00Z"}, "future")],
    )
    def test_nonsense_fails_at_once(self, here: Deployment, params: dict[str, str], sentence: str) -> None:
        now = datetime.now(UTC)
        with pytest.raises(AirflowFailException, match=sentence):
            self.plan(here, Window(now - 5 * HOUR, now - HOUR), **params)

    def test_a_share_that_is_none_fails_at_once(self, here: Deployment) -> None:
        window = last_hours(1)
        with pytest.raises(AirflowFailException, match="share='2' cannot be used"):
            here.load(window, share="2", hold_back=timedelta(0))


@pytest.mark.airflow
class TestAsAirflowRunsThem:
    @pytest.mark.usefixtures("airflow_db")
    def test_backfill(self, here: Deployment) -> None:
        full = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
        window = Window(full - 2 * HOUR, full)
        conf = {"from": format_instant(window.start), "to": format_instant(window.end), "chunk": "1 hour", "share": 1}
        done = run_airflow(
            "dags",
            "test",
            "okta_system_log_backfill",
            "2026-11-23T00:00:00+00:00",
            "--conf",
            json.dumps(conf),
            OKTALOGGER_INDEX_PREFIX=here.prefix,
        )
        assert "2 windows loaded and 0 complete before" in done.stdout + done.stderr
        assert set(here.documents()) == here.uuids(window)

    @pytest.mark.usefixtures("airflow_db")
    def test_reconcile(self, here: Deployment) -> None:
        whole = last_hours(2)
        here.load(whole, hold_back=timedelta(0))
        here.refresh()
        done = run_airflow(
            "dags",
            "test",
            "okta_system_log_reconcile",
            format_instant(datetime.now(UTC)),
            OKTALOGGER_INDEX_PREFIX=here.prefix,
        )
        assert "windows again: 0 late events" in done.stdout + done.stderr
