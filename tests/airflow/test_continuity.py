"""Hold-back, reconciling and backfill against the simulated org and a real OpenSearch."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.compat import AirflowFailException, BaseNotifier
from oktalogger.opensearch.errors import OpenSearchUnavailableError
from oktalogger.operators.backfill import BackfillPlanOperator, BackfillSummaryOperator
from oktalogger.operators.reconcile import ReconcilePlanOperator
from oktalogger.operators.system_log import OktaSystemLogToOpenSearchOperator
from oktalogger.window import Window, format_instant
from tests.airflow.deployment import FIVE_MINUTES, HOUR, last_hours

if TYPE_CHECKING:
    from tests.airflow.deployment import Deployment

pytestmark = pytest.mark.opensearch


class Told(BaseNotifier):
    """Remembers what it was told."""

    template_fields = ("text",)
    heard: list[str] = []  # noqa: RUF012

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        self.heard.append(self.text)


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
        assert path.startswith("airflow."), "Airflow 3 imports no triggers from DAG bundles"
        assert path.endswith(".DateTimeTrigger")
        assert arguments["moment"] == end + timedelta(minutes=2)
        assert deferral.method_name == "execute_complete"

    def test_what_was_deferred_loads_the_same_window(self, here: Deployment) -> None:
        end = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)
        window = Window(end - FIVE_MINUTES, end)
        here.okta.control.post("/events", published=format_instant(window.start))  # there may be none of the org's own
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
        monkeypatch.setenv("OKTALOGGER_LATE_ALERT_EVENTS", "0")
        with pytest.raises(AirflowFailException, match=r"The loads missed 1 of .* events.*They are stored now"):
            here.reconcile()
        assert here.xcoms["findings"]["late"] == 1

    def test_or_tells_a_notifier(self, here: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = last_hours(2)
        self.hold(here, whole)
        here.load(whole, hold_back=timedelta(0))
        here.refresh()
        here.okta.control.post("/clock", advance=3700)
        notifiers = {"soc": {"class": f"{__name__}.Told", "text": "{{ alert.text }}"}}
        monkeypatch.setenv("OKTALOGGER_LATE_ALERT_EVENTS", "0")
        monkeypatch.setenv("OKTALOGGER_RECONCILE_CHANNEL", "soc")
        monkeypatch.setenv("OKTALOGGER_DETECTION_NOTIFIERS", json.dumps(notifiers))
        monkeypatch.setattr("oktalogger.notifications.channels.import_module", lambda name: SimpleNamespace(Told=Told))
        Told.heard.clear()
        _, found = here.reconcile()
        assert found["late"] == 1
        [text] = Told.heard
        assert "The loads missed 1 of " in text

    @staticmethod
    def hold(here: Deployment, whole: Window) -> None:
        span = {"since": format_instant(whole.start), "until": format_instant(whole.start + HOUR)}
        here.okta.control.post("/hold", **span, count=1, persisted="+1h")

    def test_hours_that_no_load_ever_opened_are_gaps(self, here: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = last_hours(2)
        monkeypatch.setenv("OKTALOGGER_START_DATE", format_instant(whole.start))
        with pytest.raises(AirflowFailException, match="of the covered time had no complete window"):
            here.reconcile()
        [[start, _]] = here.xcoms["findings"]["gaps"]
        assert start == format_instant(whole.start)

    def test_a_gap_is_found_filled_and_said(self, here: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OKTALOGGER_RECONCILE_AFTER_HOURS", "24")
        end = last_hours(1).end
        whole = Window(end - timedelta(minutes=25), end)
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

    def test_what_could_not_be_read_is_read_by_the_next_run_in_pieces(
        self, here: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here.load(last_hours(2), hold_back=timedelta(0))
        here.refresh()
        right = os.environ["AIRFLOW_CONN_OKTA_DEFAULT"]
        monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps(json.loads(right) | {"password": "00wrong"}))
        with pytest.raises(AirflowFailException):
            here.reconcile()
        monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", right)
        here.refresh()
        units, _ = here.reconcile()
        assert len(units) == 12, "an hour in five minutes each, so that the one that fails costs itself"
        here.refresh()
        [unit], _ = here.reconcile()
        assert unit["since"] == units[0]["since"], "and as a whole again, once it can be read"

    def test_an_alarm_does_not_hide_it(self, here: Deployment) -> None:
        whole = last_hours(2)
        here.load(whole, hold_back=timedelta(0))
        here.refresh()
        units = here.run(ReconcilePlanOperator, here.context())
        here.xcoms["gaps"] = units
        with pytest.raises(AirflowFailException, match=r"had no complete window.*1 of 1 windows were not read again"):
            here.verdict(units)

    @pytest.mark.parametrize(
        ("variable", "value"), [("OKTALOGGER_RECONCILE_AFTER_HOURS", "x"), ("OKTALOGGER_INDEX_PREFIX", "No.Name")]
    )
    def test_a_setting_that_cannot_be_used_fails_at_once(
        self, here: Deployment, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
    ) -> None:
        monkeypatch.setenv(variable, value)
        with pytest.raises(AirflowFailException, match=value):
            here.reconcile()

    def test_an_index_name_that_cannot_be_used_fails_at_once(self, here: Deployment) -> None:
        here.prefix = "No.Name"
        with pytest.raises(AirflowFailException, match=r"No\.Name"):
            here.reconcile()

    def test_what_another_run_has_read_is_not_read_by_this_one(self, here: Deployment) -> None:
        here.load(last_hours(2), hold_back=timedelta(0))
        here.refresh()
        units, _ = here.reconcile()
        with pytest.raises(AirflowFailException, match="1 of 1 windows were not read again"):
            here.verdict(units)

    def test_late_events_are_found_through_a_filter_too(
        self, here: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection = json.loads(os.environ["AIRFLOW_CONN_OKTA_DEFAULT"])
        connection["extra"] = {"filter": 'eventType sw "user."'}
        monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("OKTALOGGER_LATE_ALERT_EVENTS", "60")
        whole = last_hours(2)
        span = {"since": format_instant(whole.start), "until": format_instant(whole.start + HOUR)}
        here.okta.control.post("/hold", **span, count=60, persisted="+1h")
        here.load(whole, hold_back=timedelta(0))
        here.refresh()
        before = len(here.documents())
        here.okta.control.post("/clock", advance=3700)
        _, found = here.reconcile()
        assert 0 < found["late"] == len(here.documents()) - before < 60


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


class TestFailures:
    """A load that fails tells Airflow's metrics so, and how far behind that leaves its org."""

    @pytest.fixture
    def sent(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
        sent: dict[str, float] = {}

        def note(name: str, value: float, **_: Any) -> None:
            sent[name.removeprefix("oktalogger.load.")] = value

        stats = SimpleNamespace(incr=note, gauge=note, timing=note)
        monkeypatch.setattr("oktalogger.operators.metrics.Stats", stats)
        return sent

    def test_okta_refuses(self, here: Deployment, monkeypatch: pytest.MonkeyPatch, sent: dict[str, float]) -> None:
        end = last_hours(1).end
        [first, second] = Window(end - 2 * FIVE_MINUTES, end).split(FIVE_MINUTES)
        here.load(first, hold_back=timedelta(0))
        here.refresh()
        assert "failed" not in sent
        sent.clear()
        okta = {"conn_type": "okta", "host": here.okta.url, "password": "00wrong"}
        monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps(okta))
        with pytest.raises(AirflowFailException, match="Invalid token"):
            here.load(second, hold_back=timedelta(0))
        assert sent["failed"] == 1
        behind = (datetime.now(UTC) - first.end).total_seconds()
        assert 0 <= behind - sent["behind_seconds"] < 60
        assert "read" not in sent

    def test_a_load_is_good_where_only_its_metric_cannot_be_told(
        self, here: Deployment, monkeypatch: pytest.MonkeyPatch, sent: dict[str, float]
    ) -> None:
        def unavailable(*_: Any) -> None:
            raise OpenSearchUnavailableError("OpenSearch is out of reach.")

        monkeypatch.setattr("oktalogger.pipeline.ledger_store.LedgerStore.newest_complete", unavailable)
        end = last_hours(1).end
        counts = here.load(Window(end - FIVE_MINUTES, end), hold_back=timedelta(0))
        assert sent["read"] == counts["read"] > 0
        assert {"failed", "behind_seconds"}.isdisjoint(sent)

    def test_before_any_window_is_complete_it_is_behind_by_the_first(
        self, here: Deployment, monkeypatch: pytest.MonkeyPatch, sent: dict[str, float]
    ) -> None:
        okta = {"conn_type": "okta", "host": here.okta.url, "password": "00wrong"}
        monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps(okta))
        end = last_hours(1).end
        with pytest.raises(AirflowFailException):
            here.load(Window(end - FIVE_MINUTES, end), hold_back=timedelta(0))
        assert sent["behind_seconds"] > FIVE_MINUTES.total_seconds()

    def test_opensearch_is_gone(
        self, here: Deployment, monkeypatch: pytest.MonkeyPatch, sent: dict[str, float]
    ) -> None:
        search = {"conn_type": "opensearch", "host": "127.0.0.1", "port": 9, "extra": {"use_ssl": False}}
        monkeypatch.setenv("AIRFLOW_CONN_OPENSEARCH_DEFAULT", json.dumps(search))
        end = last_hours(1).end
        with pytest.raises(OpenSearchUnavailableError):
            here.load(Window(end - FIVE_MINUTES, end), hold_back=timedelta(0))
        assert sent == {"failed": 1}
