"""The DAG okta_check: its shape, how it asks for the pool, and runs of it by Airflow itself."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from oktalogger.checks.airflow import PoolAnswer
from oktalogger.compat import AIRFLOW_3, AirflowFailException
from oktalogger.operators.check import POOL_TASK, OktaCheckOperator
from oktalogger.operators.deployment import ask_for_pool
from tests.airflow.command_line import CommandLine
from tests.airflow.conftest import run_airflow
from tests.airflow.test_dags import load_dags

if TYPE_CHECKING:
    from pathlib import Path

    from local.simulator.process import Simulator
    from tests.airflow.deployment import Deployment


def test_its_shape() -> None:
    dag = load_dags()["okta_check"]
    assert [task.task_id for task in dag.tasks] == [POOL_TASK, "ask"]
    assert dag.get_task(POOL_TASK).pool == "okta_api"
    assert dag.get_task("ask").pool == "default_pool"
    assert dag.get_task("ask").opensearch_conn_id == "{{ params.opensearch_conn_id }}"
    assert dag.max_active_runs == 1


class Slots:
    """A run in which the task that uses the pool has one state after the other."""

    def __init__(self, *states: str | None) -> None:
        self.states = list(states)
        self.waited = 0.0

    def get_task_states(self, *, dag_id: str, task_ids: list[str], run_ids: list[str]) -> Any:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {run_ids[0]: {task_ids[0]: state}}

    def sleep(self, seconds: float) -> None:
        self.waited += seconds

    def ask(self, dag: Any = SimpleNamespace(task_ids=[POOL_TASK]), dag_run: Any = None) -> PoolAnswer:  # noqa: B008
        self.dag_id, self.run_id = "okta_check", "manual__1"
        context: Any = {"ti": self, "dag": dag, "dag_run": dag_run}
        return ask_for_pool("okta_api", context=context, pool_task=POOL_TASK, sleep=self.sleep, seconds=60)


@pytest.mark.skipif(not AIRFLOW_3, reason="2.11 lets a task read the pool")
class TestPool:
    def test_a_task_that_starts_shows_the_pool(self) -> None:
        slots = Slots(None, "scheduled", "queued")
        assert slots.ask() == PoolAnswer(True)
        assert slots.waited == 4

    def test_one_that_does_not_start_shows_that_it_is_missing(self) -> None:
        slots = Slots("scheduled")
        assert slots.ask() == PoolAnswer(False)
        assert slots.waited == 60

    def test_a_run_of_dags_test_cannot_tell(self) -> None:
        slots = Slots("success")
        answer = slots.ask(dag_run=SimpleNamespace(triggering_user_name="dag_test"))
        assert (answer.exists, slots.waited) == (None, 0)
        assert "trigger the DAG" in answer.why

    def test_another_dag_cannot_tell(self) -> None:
        answer = Slots("scheduled").ask(SimpleNamespace(task_ids=["mine"]))
        assert answer.exists is None
        assert "run the DAG okta_check" in answer.why


@pytest.mark.skipif(AIRFLOW_3, reason="3 tells no task of its pools")
@pytest.mark.airflow
def test_airflow_2_tells_the_slots(airflow_db: Path) -> None:
    context: Any = {}
    assert ask_for_pool("okta_api", context=context, pool_task=POOL_TASK) == PoolAnswer(True, 4)
    assert ask_for_pool("none", context=context, pool_task=POOL_TASK) == PoolAnswer(False)


@pytest.fixture
def pool_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oktalogger.operators.deployment.ask_for_pool", lambda *_, **__: PoolAnswer(True, 4))


def run(here: Deployment, monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> dict[str, str]:
    monkeypatch.setenv("OKTALOGGER_INDEX_PREFIX", here.prefix)
    operator = OktaCheckOperator(task_id="ask", **arguments)
    method = OktaCheckOperator.execute
    found: dict[str, str] = getattr(method, "__wrapped__", method)(operator, here.context())
    return found


@pytest.mark.opensearch
@pytest.mark.usefixtures("pool_is_there")
class TestTask:
    def test_each_connection_is_named(self, here: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        found = run(here, monkeypatch)
        assert found["okta role (okta_default)"] == "ok"
        assert found["opensearch login (opensearch_default)"] == "note"
        assert here.xcoms["report"]["ok"] is True

    def test_what_is_wrong_fails_the_task_and_names_the_connection(
        self, here: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection = {"conn_type": "okta", "host": here.okta.url, "password": "00wrong"}
        monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps(connection))
        with pytest.raises(AirflowFailException) as caught:
            run(here, monkeypatch)
        assert str(caught.value) == (
            "okta login (okta_default): Okta refuses the login of the connection `okta_default` (401 E0000011 Invalid "
            "token provided): correct it, or make a new one in the Admin Console."
        )
        assert "00wrong" not in json.dumps(here.xcoms["report"])

    def test_a_missing_connection_is_named(self, here: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OKTALOGGER_OKTA_CONN_IDS", "okta_emea")
        with pytest.raises(
            AirflowFailException, match=r"okta connection \(okta_emea\): There is no connection `okta_emea`"
        ):
            run(here, monkeypatch)

    def test_a_notifier_that_cannot_be_made(self, here: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OKTALOGGER_DETECTION_NOTIFIERS", '{"soc": {"class": "nowhere.Notifier"}}')
        with pytest.raises(
            AirflowFailException, match=r"^notifiers: The notifier nowhere.Notifier of the channel 'soc'"
        ):
            run(here, monkeypatch)

    def test_a_channel_is_told_and_then_the_task_succeeds(
        self, here: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[Any] = []
        monkeypatch.setattr(
            "oktalogger.operators.check.send_to", lambda channel, definition, alert, context: told.append(alert)
        )
        notifiers = {"alarms": {"class": "oktalogger.notifications.webhook.WebhookNotifier"}}
        monkeypatch.setenv("OKTALOGGER_DETECTION_NOTIFIERS", json.dumps(notifiers))
        monkeypatch.setenv("OKTALOGGER_CHECK_CHANNEL", "alarms")
        monkeypatch.setenv("OKTALOGGER_LIVE_SHARE", "0.000001")
        assert run(here, monkeypatch)["okta rate limit (okta_default)"] == "wrong"
        assert [alert["channel"] for alert in told] == ["alarms"]
        assert "raise OKTALOGGER_LIVE_SHARE" in told[0]["text"]


@pytest.mark.airflow
@pytest.mark.opensearch
def test_airflow_runs_it(
    airflow_db: Path, airflow_commands: CommandLine, quiet_okta: Simulator, opensearch_url: str
) -> None:
    where = urlsplit(opensearch_url)
    search = {"conn_type": "opensearch", "host": where.hostname, "port": where.port, "extra": {"use_ssl": False}}
    environment = {
        "AIRFLOW_CONN_OPENSEARCH_DEFAULT": json.dumps(search),
        "OKTALOGGER_INDEX_PREFIX": "test-check-dag",
    }

    def said(token: str) -> str:
        okta = {"conn_type": "okta", "host": quiet_okta.url, "password": token}
        done = run_airflow(
            "dags", "test", "okta_check", check=False, commands=airflow_commands,
            AIRFLOW_CONN_OKTA_DEFAULT=json.dumps(okta), **environment,
        )  # fmt: skip
        return done.stdout + done.stderr

    good = said(quiet_okta.token)
    assert "ok         okta role (okta_default): The role of this login may read the System Log." in good
    # From 3.2 on `dags test` says who it is, and it looks at no pool, in whatever order it runs the two tasks.
    assert ("not asked  pool:" if AIRFLOW_3 else "ok         pool:") in good
    assert "WRONG" not in good
    assert "WRONG      okta login (okta_default): Okta refuses the login of the connection" in said("00wrong")
