"""The DAGs load on every line, and keep to what a security log needs."""

from __future__ import annotations

import importlib
import inspect
import logging
import socket
from datetime import timedelta
from typing import Any

import pendulum
import pytest
from airflow.models import DagBag
from airflow.timetables.interval import CronDataIntervalTimetable

from oktalogger.compat import AIRFLOW_3
from oktalogger.operators.system_log import OktaSystemLogToOpenSearchOperator
from tests.airflow.conftest import ROOT

DAG_FILES = sorted(path.name for path in (ROOT / "dags").glob("*.py"))


def load_bag() -> Any:
    arguments: dict[str, Any] = {"dag_folder": str(ROOT / "dags")}
    if "include_examples" in inspect.signature(DagBag.__init__).parameters:
        arguments["include_examples"] = False
    return DagBag(**arguments)


def load_dags() -> dict[str, Any]:
    bag = load_bag()
    assert bag.import_errors == {}
    loaded = {str(dag.fileloc).rpartition("/")[2] for dag in bag.dags.values()}
    assert loaded == set(DAG_FILES), "every file in dags/ gives a DAG, and there is nothing else"
    return dict(bag.dags)


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    return load_dags()


def test_there_is_the_dag_of_the_default_org(dags: dict[str, Any]) -> None:
    assert "okta_system_log" in dags


def loading(dags: dict[str, Any]) -> dict[str, Any]:
    """Those that load windows."""
    return {dag_id: dag for dag_id, dag in dags.items() if dag_id.startswith("okta_system_log")}


def test_policy_of_loading(dags: dict[str, Any]) -> None:
    assert loading(dags)
    for dag_id, dag in loading(dags).items():
        if dag_id in ("okta_system_log_backfill", "okta_system_log_restore"):
            assert dag.catchup is False, "nobody else starts it"
        else:
            assert isinstance(dag.timetable, CronDataIntervalTimetable), "a bare cron has empty intervals on Airflow 3"
            assert dag.catchup is True, "an outage of the scheduler must lose no window"
        for task in dag.tasks:
            assert task.retries >= (2 if task.task_id == "reread" else 10)
            if task.task_id in ("load", "reread") and dag_id != "okta_system_log_restore":
                assert task.pool == "okta_api", "all that ask Okta"


def test_where_the_pool_is_full_live_loads_go_first(dags: dict[str, Any]) -> None:
    weights = {
        dag_id: max(task.priority_weight for task in dag.tasks if task.pool == "okta_api")
        for dag_id, dag in loading(dags).items()
        if dag_id != "okta_system_log_restore"  # it asks Okta nothing
    }
    for dag in loading(dags).values():
        for task in dag.tasks:
            assert "absolute" in str(task.weight_rule).lower(), "else what stands behind a task adds to its weight"
    assert sorted(weights, key=weights.__getitem__, reverse=True) == [
        "okta_system_log",
        "okta_system_log_reconcile",
        "okta_system_log_backfill",
    ]
    assert len(set(weights.values())) == 3


def test_policy(dags: dict[str, Any]) -> None:
    assert dags
    for dag in dags.values():
        assert dag.max_active_runs <= {"okta_system_log": 148, "okta_detections_after_load": 28}.get(dag.dag_id, 4)
        assert dag.dagrun_timeout is not None
        assert dag.tags
        assert dag.description
        assert len(dag.doc_md) > 500
        assert dag.tasks
        for task in dag.tasks:
            assert task.owner not in ("", "airflow")
            # Those of detections after a load only say what was found, and hold up nothing.
            says = dag.dag_id == "okta_detections_after_load" and task.task_id != "detect"
            assert task.retries >= (1 if says else 2 if task.task_id == "reread" else 4)
            assert task.retry_exponential_backoff
            assert task.max_retry_delay >= task.retry_delay
            assert task.execution_timeout is not None
            assert task.doc_md


def test_retries_outlive_a_night_and_fit_into_the_run(dags: dict[str, Any]) -> None:
    """Of a run that somebody starts; one that the clock starts gives up within the hour."""
    dag = dags["okta_system_log"]
    task = dag.get_task("load")
    waits = [min(task.retry_delay * 2**n, task.max_retry_delay) for n in range(task.retries)]
    assert timedelta(hours=8) < sum(waits, timedelta()) < dag.dagrun_timeout
    assert task.give_up_after == timedelta(hours=1)


def test_runs_that_wait_for_their_next_try_leave_room_for_new_ones(dags: dict[str, Any]) -> None:
    dag = dags["okta_system_log"]
    assert dag.max_active_runs * timedelta(minutes=5) > dag.dagrun_timeout
    assert dag.get_task("load").max_active_tis_per_dag == 4, "what loads at once is bounded here"
    # Reconcile's runs come one after the other: one that tries for an hour would put all later ones off.
    assert dags["okta_system_log_reconcile"].get_task("reread").partial_kwargs["retries"] == 2


def test_the_task(dags: dict[str, Any]) -> None:
    dag = dags["okta_system_log"]
    assert [task.task_id for task in dag.tasks] == ["load"]
    task = dag.get_task("load")
    assert isinstance(task, OktaSystemLogToOpenSearchOperator)
    assert (task.okta_conn_id, task.opensearch_conn_id) == ("okta_default", "opensearch_default")


def test_every_kind_of_load_announces_what_it_has_loaded(dags: dict[str, Any]) -> None:
    """Else detections would not look at it, on a cluster without the Alerting plugin."""
    loads = {"okta_system_log": "load", "okta_system_log_reconcile": "reread", "okta_system_log_backfill": "load"}
    for dag_id, task_id in loads.items():
        task = dags[dag_id].get_task(task_id)
        outlets = task.partial_kwargs["outlets"] if is_mapped(task) else task.outlets
        assert [outlet.uri for outlet in outlets] == [
            "okta-system-log://okta_default/opensearch_default/okta-system-log"
        ]
        if AIRFLOW_3:
            assert [(outlet.name, outlet.group) for outlet in outlets] == [
                ("Okta System Log (okta_default)", "oktalogger")
            ]


def test_params_take_an_instant_or_nothing(dags: dict[str, Any]) -> None:
    dag = dags["okta_system_log"]
    assert dag.params.dump() == {"since": None, "until": None}
    for name in ("since", "until"):
        param = dag.params.get_param(name)
        assert param.schema["format"] == "date-time"
        assert param.resolve("2026-11-23T10:00:00Z") == "2026-11-23T10:00:00Z"
        with pytest.raises(Exception, match="is not of type"):
            param.resolve(12)


def test_each_org_has_a_dag_of_its_own_named_by_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    # The order must not matter: it would hand one org's history of runs to another.
    for ids in ("okta_default,okta_emea", "okta_emea, okta_default"):
        monkeypatch.setenv("OKTALOGGER_OKTA_CONN_IDS", ids)
        dags = loading(load_dags())
        assert {dag_id: conn_id_of(dag) for dag_id, dag in dags.items()} == {
            "okta_system_log": "okta_default",
            "okta_system_log__okta_emea": "okta_emea",
            "okta_system_log_backfill": "okta_default",
            "okta_system_log_backfill__okta_emea": "okta_emea",
            "okta_system_log_reconcile": "okta_default",
            "okta_system_log_reconcile__okta_emea": "okta_emea",
            "okta_system_log_restore": "okta_default",
            "okta_system_log_restore__okta_emea": "okta_emea",
        }
        live = (dags["okta_system_log"], dags["okta_system_log__okta_emea"])
        assert len({dag.get_task("load").outlets[0].uri for dag in live}) == 2


def is_mapped(task: Any) -> bool:
    """Each line says it in another way."""
    return hasattr(task, "partial_kwargs")


def conn_id_of(dag: Any) -> str:
    """The one org that all tasks of a DAG are about."""
    [conn_id] = {
        task.partial_kwargs["okta_conn_id"] if is_mapped(task) else task.okta_conn_id
        for task in dag.tasks
        if not is_mapped(task) or "okta_conn_id" in task.partial_kwargs
    }
    return str(conn_id)


class TestBackfillForm:
    def test_it_asks_for_days_and_choices_and_for_no_json(self, dags: dict[str, Any]) -> None:
        params = dags["okta_system_log_backfill"].params
        schemas = {name: params.get_param(name).schema for name in ("from", "to", "chunk", "share", "order")}
        assert schemas["from"]["format"] == schemas["to"]["format"] == "date-time"
        assert "null" not in schemas["from"]["type"], "the form does not go out without it"
        assert "1 hour" in schemas["chunk"]["enum"]
        assert schemas["order"]["enum"][0] == "newest first"
        assert all(params.get_param(name).description and schema["title"] for name, schema in schemas.items())

    @pytest.mark.parametrize(("name", "nonsense"), [("from", None), ("chunk", "2 days"), ("share", 2), ("order", "")])
    def test_nonsense_does_not_go_out(self, dags: dict[str, Any], name: str, nonsense: Any) -> None:
        params = dags["okta_system_log_backfill"].params
        with pytest.raises(Exception, match=r"is not|maximum|No value"):
            params.get_param(name).resolve(nonsense)

    def test_chunks_have_names_and_a_share(self, dags: dict[str, Any]) -> None:
        load = dags["okta_system_log_backfill"].get_task("load")
        assert is_mapped(load)
        assert load.map_index_template == "{{ task.unit }}"
        assert load.partial_kwargs["kind"] == "backfill"
        assert "params.share" in load.partial_kwargs["share"]
        assert load.max_active_tis_per_dag == 1


def test_with_an_archive_reconcile_seals_and_compares_it(monkeypatch: pytest.MonkeyPatch, dags: dict[str, Any]) -> None:
    assert dags["okta_system_log_reconcile"].task_ids == ["plan", "reread", "verdict"]
    monkeypatch.setenv("OKTALOGGER_ARCHIVE", "s3://evidence/okta")
    dag = load_dags()["okta_system_log_reconcile"]
    task = dag.get_task("archive")
    assert task.upstream_task_ids == {"plan", "reread"}
    assert "all_done" in str(task.trigger_rule).lower(), "a window that cannot be read stops no seal"


def test_settings_reach_the_dag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTALOGGER_START_DATE", "2026-10-01T00:00:00Z")
    monkeypatch.setenv("OKTALOGGER_POOL", "one_at_a_time")
    monkeypatch.setenv("OKTALOGGER_OPENSEARCH_CONN_ID", "search")
    dag = load_dags()["okta_system_log"]
    assert dag.timetable.serialize()["begins"] == "2026-10-01T00:00:00+00:00"
    assert dag.get_task("load").pool == "one_at_a_time"
    assert dag.get_task("load").opensearch_conn_id == "search"


def test_a_bad_setting_is_an_import_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTALOGGER_START_DATE", "yesterday")
    errors = load_bag().import_errors
    assert len(errors) == len(DAG_FILES)
    assert all("OKTALOGGER_START_DATE" in message for message in errors.values())


@pytest.mark.parametrize("text", ["", " "])
def test_without_a_start_date_the_schedule_is_an_import_error_that_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("OKTALOGGER_START_DATE", text)
    bag = load_bag()
    scheduled = ["okta_system_log.py", "okta_system_log_reconcile.py"]
    assert sorted(path.rpartition("/")[2] for path in bag.import_errors) == scheduled
    for message in bag.import_errors.values():
        assert "OKTALOGGER_START_DATE is not set: set it" in message.strip().splitlines()[-1]
    assert {"okta_system_log_backfill", "okta_opensearch_setup"} < set(bag.dags), "these need none"


def test_a_start_date_in_the_future_is_said(monkeypatch: pytest.MonkeyPatch, dags: dict[str, Any]) -> None:
    assert "future" not in dags["okta_system_log"].doc_md
    monkeypatch.setenv("OKTALOGGER_START_DATE", "2099-01-01T00:00:00Z")
    said = load_dags()["okta_system_log"].doc_md
    assert "`OKTALOGGER_START_DATE` is in the future: the first window begins at 2099-01-01T00:00:00Z." in said


@pytest.mark.parametrize(("minutes", "cron"), [("1", "*/1 * * * *"), ("15", "*/15 * * * *"), ("60", "0 * * * *")])
def test_the_interval_is_a_setting(monkeypatch: pytest.MonkeyPatch, minutes: str, cron: str) -> None:
    monkeypatch.setenv("OKTALOGGER_INTERVAL_MINUTES", minutes)
    dag = load_dags()["okta_system_log"]
    assert dag.timetable.serialize()["expression"] == cron
    assert f"every {minutes} minutes" in dag.description
    interval = timedelta(minutes=int(minutes))
    assert dag.max_active_runs * interval > dag.dagrun_timeout
    info = dag.timetable.infer_manual_data_interval(run_after=pendulum.datetime(2026, 11, 29, 10, 31))
    assert info.end - info.start == interval


@pytest.mark.parametrize("minutes", ["0", "7", "61", "five"])
def test_an_interval_that_does_not_divide_the_hour_is_refused(monkeypatch: pytest.MonkeyPatch, minutes: str) -> None:
    monkeypatch.setenv("OKTALOGGER_INTERVAL_MINUTES", minutes)
    assert all("divide an hour: 1, 2, 3" in message for message in load_bag().import_errors.values())


def test_parsing_connects_nowhere_and_asks_for_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    from oktalogger.compat import BaseHook

    def forbidden(*arguments: object, **more: object) -> None:
        raise AssertionError(f"parsing must not do this: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(BaseHook, "get_connection", forbidden)
    assert "okta_system_log" in load_dags()


def test_dags_survive_serialization(dags: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    module = importlib.import_module("airflow.serialization.serialized_objects")
    serialization = getattr(module, "DagSerialization", None) or module.SerializedDAG  # the latter before 3.2
    with caplog.at_level(logging.WARNING):
        back = serialization.from_dict(serialization.to_dict(dags["okta_system_log"]))
    task = back.get_task("load")
    assert sorted(link.name for link in task.operator_extra_links) == [
        "Okta System Log",
        "OpenSearch Dashboards",
        "Rejected events",
    ]
    assert "not registered" not in caplog.text
