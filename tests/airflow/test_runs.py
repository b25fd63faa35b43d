"""A green run has loaded what it was made for: which windows and params a run takes, and which it refuses."""

from __future__ import annotations

import json
import uuid
from copy import copy
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction

from oktalogger.compat import AirflowFailException, AirflowTaskTimeout
from oktalogger.operators.errors import giving_up
from oktalogger.operators.run import before_load, refuse_unknown_params
from oktalogger.pipeline.stop import LoadStoppedError
from oktalogger.timetables import LONG_PAST, CronFromTimetable
from oktalogger.window import Window
from tests.airflow.task import Task, five_minutes
from tests.airflow.test_dags import load_dags

BEGINS = datetime(2026, 11, 29, 8, 47, tzinfo=UTC)
FIVE = timedelta(minutes=5)
EVERY_FIVE = "*/5 * * * *"


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    return load_dags()


@pytest.fixture
def task() -> Task:
    return Task(f"none-{uuid.uuid4().hex[:8]}")


class TestWindow:
    OTHER = {"since": "2026-11-20T10:00:00Z", "until": "2026-11-20T10:05:00Z"}  # noqa: RUF012

    @pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
    def test_params_do_not_take_the_place_of_the_window_that_a_run_was_made_for(
        self, task: Task, run_type: str
    ) -> None:
        window = five_minutes()
        with pytest.raises(AirflowFailException) as caught:
            task.run(window, run_type=run_type, params=self.OTHER)
        assert str(window) in str(caught.value)
        assert "[2026-11-20T10:00:00Z, 2026-11-20T10:05:00Z)" in str(caught.value)

    def test_params_that_name_the_same_window_are_none_the_worse(self, task: Task) -> None:
        window = Window(BEGINS, BEGINS + FIVE)
        params = {"since": "2026-11-29T09:47:00+01:00", "until": "2026-11-29T08:52:00Z"}
        context = task.context(window, run_type="backfill", params=params)
        assert task.make()._window(context) == window

    @pytest.mark.parametrize("run_type", ["manual", "asset_triggered"])
    def test_a_run_that_was_made_for_no_window_takes_the_one_that_params_name(self, task: Task, run_type: str) -> None:
        context = task.context(five_minutes(), run_type=run_type, params=self.OTHER)
        assert str(task.make()._window(context)) == "[2026-11-20T10:00:00Z, 2026-11-20T10:05:00Z)"

    def test_a_window_that_the_dag_itself_names_stands(self, task: Task) -> None:
        context = task.context(five_minutes(), run_type="scheduled")
        assert str(task.make(**self.OTHER)._window(context)).startswith("[2026-11-20T10:00:00Z")


FIRST_TASKS = {
    "okta_system_log": "load",
    "okta_system_log_backfill": "plan",
    "okta_system_log_reconcile": "plan",
    "okta_system_log_restore": "plan",
    "okta_detections": "plan",
    "okta_detections_after_load": "detect",
    "okta_detection_replay": "parts",
    "okta_opensearch_setup": "set_up",
    "okta_check": "ask",
    "okta_page": "measure",
}


class TestParams:
    def refusal(self, dag: Any, conf: Any, params: Any = None) -> str:
        taken = dict.fromkeys(dag.params) | (conf or {}) if params is None else params
        context: Any = {"dag": dag, "dag_run": SimpleNamespace(conf=conf), "params": taken}
        try:
            refuse_unknown_params(context)
        except AirflowFailException as error:
            return str(error)
        return ""

    def test_the_first_task_of_every_dag_looks_at_them(self, dags: dict[str, Any]) -> None:
        assert FIRST_TASKS.keys() == dags.keys()
        for dag_id, task_id in FIRST_TASKS.items():
            task = dags[dag_id].get_task(task_id)
            assert task.upstream_task_ids == set(), dag_id
            hook = before_load if dag_id == "okta_system_log" else refuse_unknown_params
            assert task._pre_execute_hook is hook, dag_id

    def test_what_no_dag_takes_is_named_with_what_it_does_take(self, dags: dict[str, Any]) -> None:
        for dag_id, dag in dags.items():
            said = self.refusal(dag, {"no_such_param": 1})
            assert "`no_such_param`" in said, dag_id
            assert all(f"`{name}`" in said for name in dag.params), dag_id

    @pytest.mark.parametrize(
        ("conf", "words"),
        [
            ({"filter": 'eventType eq "x"'}, "Unknown params in the run's conf: `filter`. This DAG"),
            ({"sinse": "2026-11-20T10:00:00Z", "until": "x"}, "`sinse`. Did you mean `since`?"),
        ],
    )
    def test_a_misspelt_one_and_a_filter_are_refused(self, dags: dict[str, Any], conf: Any, words: str) -> None:
        assert words in self.refusal(dags["okta_system_log"], conf)

    @pytest.mark.parametrize("conf", [None, {}, {"since": None}, {"since": "2026-11-20T10:00:00Z", "until": "x"}])
    def test_known_ones_pass(self, dags: dict[str, Any], conf: Any) -> None:
        assert self.refusal(dags["okta_system_log"], conf) == ""

    def test_an_airflow_that_leaves_conf_aside_is_noticed(self, dags: dict[str, Any]) -> None:
        said = self.refusal(dags["okta_system_log"], {"since": "x"}, params={"since": None, "until": None})
        assert "`since`" in said
        assert "core.dag_run_conf_overrides_params" in said


class TestBegin:
    """When schedules begin, and that nothing else waits for that."""

    def test_every_dag_has_tasks_for_whatever_logical_date(self, dags: dict[str, Any]) -> None:
        assert {dag.start_date for dag in dags.values()} == {LONG_PAST}
        # Older than anything that Okta keeps.
        assert datetime.now(UTC) - LONG_PAST > timedelta(days=365 * 20)

    def due(self, last: datetime | None, earliest: datetime | None = LONG_PAST) -> tuple[datetime, datetime] | None:
        interval = DataInterval(pendulum.instance(last - FIVE), pendulum.instance(last)) if last else None
        restriction = TimeRestriction(pendulum.instance(earliest) if earliest else None, None, catchup=True)
        info = CronFromTimetable(EVERY_FIVE, BEGINS).next_dagrun_info(
            last_automated_data_interval=interval, restriction=restriction
        )
        return (info.data_interval.start, info.data_interval.end) if info and info.data_interval else None

    @pytest.mark.parametrize("earliest", [LONG_PAST, None])
    def test_the_schedule_begins_with_the_first_whole_window(self, earliest: datetime | None) -> None:
        first = datetime(2026, 11, 29, 8, 50, tzinfo=UTC)
        assert self.due(None, earliest) == (first, first + FIVE)

    def test_windows_follow_one_another(self) -> None:
        last = datetime(2026, 11, 29, 12, 5, tzinfo=UTC)
        assert self.due(last) == (last, last + FIVE)

    def test_a_begin_that_was_moved_on_leaves_out_what_lies_before(self) -> None:
        first = datetime(2026, 11, 29, 8, 50, tzinfo=UTC)
        assert self.due(first - timedelta(hours=3)) == (first, first + FIVE)

    def test_a_backfill_may_begin_before(self) -> None:
        early = datetime(2026, 11, 1, tzinfo=UTC)
        assert self.due(None, early) == (early, early + FIVE)
        assert self.due(early + FIVE, early) == (early + FIVE, early + 2 * FIVE)

    def test_it_survives_serialization(self) -> None:
        timetable = CronFromTimetable(EVERY_FIVE, BEGINS)
        back = CronFromTimetable.deserialize(json.loads(json.dumps(timetable.serialize())))
        assert back == timetable
        assert back.serialize() == timetable.serialize()
        assert back.summary == EVERY_FIVE


class TestGivingUp:
    """A load that fails for too long fails for good, so that its run makes room for others."""

    WINDOW = Window(BEGINS, BEGINS + FIVE)

    def fail(self, error: BaseException, *, past: bool, tries: int) -> None:
        last = datetime.now(UTC) + timedelta(minutes=-1 if past else 1)
        with giving_up(self.WINDOW, last, tries=tries):
            raise error

    @pytest.mark.parametrize("error", [OSError("gone"), KeyError("bug"), AirflowTaskTimeout()])
    def test_whatever_failed(self, error: BaseException) -> None:
        with pytest.raises(AirflowFailException) as caught:
            self.fail(error, past=True, tries=3)
        said = str(caught.value)
        assert str(self.WINDOW) in said
        assert "okta_system_log_reconcile finds the gap" in said
        assert caught.value.__cause__ is error

    @pytest.mark.parametrize(("past", "tries"), [(False, 9), (True, 2)])
    def test_not_before_its_time_nor_its_third_try(self, past: bool, tries: int) -> None:
        with pytest.raises(OSError, match="gone"):
            self.fail(OSError("gone"), past=past, tries=tries)

    def test_what_fails_at_once_and_what_somebody_stopped_stays_what_it_is(self) -> None:
        for error in (AirflowFailException("a wrong token"), LoadStoppedError("stopped")):
            with pytest.raises(type(error)) as caught:
                self.fail(error, past=True, tries=9)
            assert caught.value is error

    def test_without_a_time_all_is_left_to_the_retries(self) -> None:
        with pytest.raises(OSError, match="gone"), giving_up(self.WINDOW, None, tries=99):
            raise OSError("gone")

    @pytest.mark.parametrize(("run_type", "longest"), [("scheduled", 10), ("manual", 60), ("backfill", 60)])
    def test_a_live_try_has_less_time(self, dags: dict[str, Any], run_type: str, longest: int) -> None:
        dag = dags["okta_system_log"]
        task = copy(dag.get_task("load"))
        run = SimpleNamespace(conf=None, run_type=run_type)
        context: Any = {"dag": dag, "dag_run": run, "params": dag.params, "task": task}
        before_load(context)
        assert task.execution_timeout == timedelta(minutes=longest)

    def test_a_load_that_somebody_started_is_left_to_its_retries(
        self, task: Task, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AIRFLOW_CONN_OKTA_DEFAULT", raising=False)
        context = task.context(five_minutes(timedelta(hours=2)), run_type="manual")
        context["ti"].try_number = 9
        with pytest.raises(Exception, match="okta_default") as caught:
            task.make(give_up_after=timedelta(hours=1)).load(context)
        assert not isinstance(caught.value, AirflowFailException)

    @pytest.mark.parametrize(("tries", "expected"), [(3, AirflowFailException), (1, Exception)])
    def test_the_operator_counts_from_the_end_of_its_window(
        self, task: Task, monkeypatch: pytest.MonkeyPatch, tries: int, expected: type[Exception]
    ) -> None:
        monkeypatch.delenv("AIRFLOW_CONN_OKTA_DEFAULT", raising=False)  # so that it cannot load
        context = task.context(five_minutes(timedelta(hours=2)))
        context["ti"].try_number = tries
        with pytest.raises(expected) as caught:
            task.make(give_up_after=timedelta(hours=1)).load(context)
        assert isinstance(caught.value, AirflowFailException) == (tries == 3)
