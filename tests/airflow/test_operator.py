"""The operator against the simulated org and a real OpenSearch, with a context like Airflow's."""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from oktalogger.compat import AirflowFailException, AirflowNotFoundException
from oktalogger.links.system_log import OktaSystemLogLink, OpenSearchDashboardsLink, RejectedEventsLink
from oktalogger.okta.errors import OktaConnectionError
from oktalogger.okta.retry import RetrySettings
from oktalogger.opensearch.bulk import BulkRetry
from oktalogger.opensearch.errors import IndexBlockedError, IndexConflictError, OpenSearchUnavailableError
from oktalogger.operators.run import load_kind
from oktalogger.operators.system_log import LONGEST_HELD, OktaSystemLogToOpenSearchOperator
from oktalogger.pipeline.stop import LoadStoppedError
from oktalogger.window import Window, format_instant
from tests.airflow.task import Search, Task, execute, five_minutes
from tests.unit.okta.server import Answer, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.simulator.process import Simulator

pytestmark = pytest.mark.opensearch


DAY = f"{datetime.now(UTC) - timedelta(days=7):%Y-%m-%d}"


@pytest.fixture
def search(opensearch_url: str) -> Search:
    return Search(opensearch_url)


@pytest.fixture
def task(okta: Simulator, opensearch_url: str, search: Search, monkeypatch: pytest.MonkeyPatch) -> Iterator[Task]:
    where = urlsplit(opensearch_url)
    connections = {
        "OKTA_DEFAULT": {"conn_type": "okta", "host": okta.url, "password": okta.token},
        "OPENSEARCH_DEFAULT": {
            "conn_type": "opensearch",
            "host": where.hostname,
            "port": where.port,
            "extra": {"use_ssl": False, "dashboards_url": "https://dashboards.example.com"},
        },
    }
    for name, connection in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
    task = Task(f"test-{uuid.uuid4().hex[:12]}")
    yield task
    for path in (f"/_index_template/{task.prefix}*", f"/{task.prefix}*?expand_wildcards=all"):
        with suppress(httpx.HTTPStatusError):  # a test may have ended before it made any
            search.call("DELETE", path)


def uuids(okta: Simulator, window: Window) -> list[str]:
    events = okta.control.hidden(format_instant(window.start), format_instant(window.end))
    assert events, "a window without events would prove nothing"
    return sorted(event["uuid"] for event in events)


def test_a_window_is_loaded_exactly(task: Task, okta: Simulator, search: Search) -> None:
    window = five_minutes()
    overlap = Window(window.start - timedelta(minutes=1), window.end)
    counts = task.run(window)
    assert search.ids(task.prefix) == uuids(okta, overlap)
    assert counts["created"] == len(uuids(okta, overlap))
    assert counts["rejected"] == 0
    assert (counts["window_start"], counts["window_end"]) == (format_instant(window.start), format_instant(window.end))
    assert (counts["load_kind"], counts["index"]) == ("scheduled", task.prefix)
    assert counts["org"] == urlsplit(okta.url).netloc
    assert json.loads(json.dumps(counts)) == counts, "an XCom holds plain JSON"
    assert task.events[task.asset].extra == counts
    [entry] = search.documents(f"{task.prefix}-ledger")
    since = datetime.fromisoformat(entry["loading_since"])
    assert counts["loading_since"] == format_instant(since)


def test_loading_again_creates_nothing(task: Task, okta: Simulator, search: Search) -> None:
    window = five_minutes()
    first = task.run(window)
    again = task.run(window)
    assert (again["created"], again["existing"]) == (0, first["created"])
    assert len(search.ids(task.prefix)) == first["created"]


def test_reconcile_compares_what_is_there_already(
    task: Task, okta: Simulator, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = five_minutes()
    task.run(Window(window.start - timedelta(minutes=5), window.start))
    stolen = uuids(okta, window)[0]
    other = {"uuid": stolen, "published": format_instant(window.start), "severity": "NOTHING"}
    search.call("PUT", f"/{task.prefix}-{window.start:%Y-%m}/_create/{stolen}", other)
    assert task.run(window)["altered"] == 0, "nobody waits for that in a live load"
    reconcile = {"kind": "reconcile"}
    assert task.run(window, arguments=reconcile)["altered"] == 1
    assert stolen in task.log.text("warning")
    monkeypatch.setenv("OKTALOGGER_RECONCILE_COMPARES", "false")
    assert task.run(window, arguments=reconcile)["altered"] == 0


def test_the_log_is_for_a_person(task: Task) -> None:
    window = five_minutes()
    counts = task.run(window)
    lines = task.log.text("info").splitlines()
    assert len(lines) == 2, "a short load says what it does, and what it did"
    assert f"Loading the window {window}" in lines[0]
    assert f"Loaded {counts['read']:,} events" in lines[1]
    assert task.log.text("warning") == ""


@pytest.mark.parametrize(
    ("arguments", "params"),
    [
        ({}, {"since": f"{DAY}T10:00:00Z", "until": f"{DAY}T10:02:00Z"}),
        ({}, {"since": f"{DAY}T11:00:00+01:00", "until": f"{DAY}T10:02:00Z"}),
        ({"since": f"{DAY}T10:00:00Z", "until": f"{DAY}T10:02:00Z"}, {"since": "x", "until": "y"}),
    ],
)
def test_params_come_before_the_data_interval(
    task: Task, okta: Simulator, search: Search, arguments: dict[str, str], params: dict[str, str]
) -> None:
    start = datetime.fromisoformat(f"{DAY}T10:00:00Z")
    counts = task.run(five_minutes(), arguments=arguments, params=params, run_type="manual")
    assert counts["window_start"] == f"{DAY}T10:00:00Z"
    assert search.ids(task.prefix) == uuids(okta, Window(start, start + timedelta(minutes=2))), "and no overlap"


def test_an_unset_template_counts_as_absent(task: Task) -> None:
    counts = task.run(five_minutes(), arguments={"since": "None", "until": "", "kind": "None"})
    assert counts["load_kind"] == "scheduled"


@pytest.mark.parametrize(
    ("window", "params", "words"),
    [
        (None, {}, ["no data interval", "`since`", "`until`"]),
        (None, {"since": "2026-11-20T10:00:00Z"}, ["`until`"]),
        (None, {"since": "2026-11-20T10:00:00Z", "until": "2026-11-20T09:00:00Z"}, ["before"]),
        (None, {"since": "yesterday", "until": "2026-11-20T09:00:00Z"}, ["since='yesterday'"]),
        (None, {"since": "2026-11-20T08:00:00", "until": "2026-11-20T09:00:00Z"}, ["since=", "has no time zone"]),
        (None, {"since": "2026-11-20T10:00:00Z", "until": "2099-01-01T00:00:00Z"}, ["future"]),
        (None, {"since": "2026-01-01T00:00:00Z", "until": "2026-01-01T00:05:00Z"}, ["180 days"]),
    ],
)
def test_a_window_that_cannot_be_loaded_fails_at_once(
    task: Task, window: Window | None, params: dict[str, str], words: list[str]
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        task.run(window, params=params, run_type="manual")
    for word in words:
        assert word in str(caught.value)


def test_filter_and_keywords_are_passed_on(task: Task, okta: Simulator) -> None:
    window = five_minutes()
    everything = task.run(window)
    some = task.run(window, arguments={"filter": 'eventType eq "user.session.start"'})
    assert 0 < some["read"] < everything["read"]
    asked = parse_qs(urlsplit(task.xcoms[OktaSystemLogLink.key]).query) if OktaSystemLogLink.key in task.xcoms else {}
    assert asked == {}, "nobody knows the Admin Console of a simulated org"


def test_a_bad_filter_fails_at_once_in_oktas_words(task: Task) -> None:
    with pytest.raises(AirflowFailException, match="eqq"):
        task.run(five_minutes(), arguments={"filter": 'eventType eqq "x"'})


def test_links(task: Task, monkeypatch: pytest.MonkeyPatch, okta: Simulator) -> None:
    connection = {
        "host": okta.url,
        "password": okta.token,
        "extra": {"admin_url": "https://admin.example.com"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps({"conn_type": "okta", **connection}))
    window = five_minutes()
    task.run(window)
    console = urlsplit(task.xcoms[OktaSystemLogLink.key])
    assert (console.netloc, console.path) == ("admin.example.com", "/report/system_log_2")
    assert parse_qs(console.query)["fromTime"] == [format_instant(window.start)]
    assert task.xcoms[OpenSearchDashboardsLink.key].startswith("https://dashboards.example.com/app/data-explorer/")
    assert RejectedEventsLink.key not in task.xcoms
    assert okta.token not in json.dumps(task.xcoms)


def test_links_are_there_when_the_load_fails(task: Task, okta: Simulator) -> None:
    okta.control.call("DELETE", "/tokens", {"token": okta.token})
    with pytest.raises(AirflowFailException):
        task.run(five_minutes())
    assert OpenSearchDashboardsLink.key in task.xcoms


def test_rejected_events_are_kept_and_shouted_about(task: Task, okta: Simulator, search: Search) -> None:
    window = five_minutes()
    # The name of an alias in the mapping: no document may have a field of that name.
    published = format_instant(window.start + timedelta(seconds=5))
    [bad] = okta.control.post("/events", event={"@timestamp": "now"}, published=published)
    counts = task.run(window)
    assert counts["rejected"] == 1
    assert counts["created"] == len(search.ids(task.prefix)) > 0, "one bad event stops no other"
    [kept] = search.documents(f"{task.prefix}-rejected")
    assert json.loads(kept["event"])["@timestamp"] == "now"
    assert kept["uuid"] == bad["uuid"]
    warning = task.log.text("warning")
    assert "1 EVENT" in warning
    assert f"{task.prefix}-rejected" in warning
    assert task.events[task.asset].extra["rejected"] == 1
    assert kept["run_id"] in task.xcoms[RejectedEventsLink.key].replace("%22", '"')


def test_a_wrong_token_fails_at_once(task: Task, okta: Simulator) -> None:
    okta.control.call("DELETE", "/tokens", {"token": okta.token})
    with pytest.raises(AirflowFailException, match="E0000011") as caught:
        task.run(five_minutes())
    assert okta.token not in str(caught.value)


def test_a_connection_that_is_not_there_is_left_to_airflows_retries(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_OKTA_DEFAULT")
    with pytest.raises(
        AirflowNotFoundException, match=r"no connection `okta_default`.*the type `okta`.*connections.md"
    ):
        task.run(five_minutes())


def test_an_unknown_extra_fails_at_once(task: Task, monkeypatch: pytest.MonkeyPatch, okta: Simulator) -> None:
    connection = {"conn_type": "okta", "host": okta.url, "password": okta.token, "extra": {"fliter": "x"}}
    monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps(connection))
    with pytest.raises(AirflowFailException, match="fliter"):
        task.run(five_minutes())


def test_a_proxys_page_fails_at_once(task: Task, monkeypatch: pytest.MonkeyPatch, okta_server: ScriptedServer) -> None:
    okta_server.answers(Answer(body=b"<html>log in</html>", content_type="text/html"))
    connection = {"conn_type": "okta", "host": okta_server.url, "password": "x"}
    monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps(connection))
    with pytest.raises(AirflowFailException, match="HTML"):
        task.run(five_minutes())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up at once what is otherwise tried again for minutes."""
    monkeypatch.setattr("oktalogger.okta.client.RetrySettings", partial(RetrySettings, max_attempts=2))
    monkeypatch.setattr("oktalogger.opensearch.bulk.BulkRetry", partial(BulkRetry, total_seconds=1, blocked_seconds=1))


@pytest.mark.usefixtures("impatient")
def test_what_a_retry_can_mend_is_left_to_airflows_retries(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    good = {"conn_type": "okta", "host": "http://127.0.0.1:1", "password": "x"}
    monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps(good))
    with pytest.raises(OktaConnectionError):
        task.run(five_minutes())
    down = {"conn_type": "opensearch", "host": "127.0.0.1", "port": 1, "extra": {"use_ssl": False}}
    monkeypatch.setenv("AIRFLOW_CONN_OPENSEARCH_DEFAULT", json.dumps(down))
    with pytest.raises(OpenSearchUnavailableError):
        task.run(five_minutes())


def test_a_foreign_index_under_our_alias_fails_at_once(task: Task, search: Search) -> None:
    search.call("PUT", f"/somebody-elses-{task.prefix}")
    actions = [{"add": {"index": f"somebody-elses-{task.prefix}", "alias": task.prefix}}]
    search.call("POST", "/_aliases", {"actions": actions})
    try:
        with pytest.raises(AirflowFailException) as caught:
            task.run(five_minutes())
        assert isinstance(caught.value.__cause__, IndexConflictError)
    finally:
        search.call("DELETE", f"/somebody-elses-{task.prefix}")


@pytest.mark.usefixtures("impatient")
def test_a_read_only_index_is_left_to_airflows_retries(task: Task, search: Search) -> None:
    window = five_minutes()
    task.run(window, arguments={"filter": 'eventType eq "user.session.start"'})
    search.call("PUT", f"/{task.prefix}-20*/_settings", {"index.blocks.read_only_allow_delete": True})
    try:
        with pytest.raises(IndexBlockedError):
            task.run(window)
    finally:
        search.call("PUT", f"/{task.prefix}-20*/_settings", {"index.blocks.read_only_allow_delete": None})
    assert task.run(window)["created"] > 0, "and nothing is lost"


class TestHoldBack:
    def test_a_fresh_window_waits(self, task: Task) -> None:
        end = datetime.now(UTC)
        task.run(Window(end - timedelta(seconds=10), end), arguments={"hold_back": timedelta(seconds=5)})
        assert datetime.now(UTC) >= end + timedelta(seconds=5)
        assert "late (hold-back)" in task.log.text("info")

    def test_an_old_window_does_not(self, task: Task) -> None:
        task.run(five_minutes(), arguments={"hold_back": timedelta(minutes=5)})
        assert "Waiting" not in task.log.text("info")

    def test_a_clock_that_is_ahead_of_oktas_waits_for_oktas(self, task: Task, okta: Simulator) -> None:
        okta.control.advance(-20)
        end = datetime.now(UTC) - timedelta(seconds=4)
        counts = task.run(Window(end - timedelta(minutes=5), end), arguments={"hold_back": timedelta(seconds=3)})
        assert counts["requests"] == counts["pages"] + 1
        assert "by Okta's clock it was too early" in task.log.text("warning")

    def test_killing_the_task_ends_the_wait(self, task: Task) -> None:
        end = datetime.now(UTC) + timedelta(seconds=1)  # within the clocks' tolerance: the wait is the longest there is
        operator = task.make(hold_back=LONGEST_HELD - timedelta(seconds=2))
        with killed_when(operator, lambda: "Waiting" in task.log.text("info")), pytest.raises(LoadStoppedError):
            execute(operator, task.context(Window(end - timedelta(minutes=5), end)))
        assert "Loading" not in task.log.text("info")


@contextmanager
def killed_when(operator: OktaSystemLogToOpenSearchOperator, ready: Callable[[], bool]) -> Iterator[None]:
    """Kill a task from another thread, as Airflow does from a signal handler, once it has come so far."""
    ended = threading.Event()

    def kill() -> None:
        while not ended.wait(0.05):
            if ready():
                operator.on_kill()
                return

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        ended.set()
        killer.join()


def test_killing_the_task_ends_the_load(task: Task, okta: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "okta", "host": okta.url, "password": okta.token, "extra": {"page_limit": 10}}
    monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps(connection))
    okta.control.post("/limits", per_minute=100_000)
    end = datetime.now(UTC) - timedelta(hours=1)
    operator = task.make()
    with killed_when(operator, lambda: bool(okta.control.counters().get("events"))), pytest.raises(LoadStoppedError):
        execute(operator, task.context(Window(end - timedelta(days=10), end)))


def test_killing_a_task_that_has_not_begun_is_nothing(task: Task) -> None:
    task.make().on_kill()


@pytest.mark.parametrize(
    ("run_type", "kind"),
    [
        ("scheduled", "scheduled"),
        ("backfill", "backfill"),
        ("manual", "manual"),
        ("operator_triggered", "manual"),
        ("asset_materialization", "manual"),
        ("asset_triggered", "scheduled"),
        ("dataset_triggered", "scheduled"),
    ],
)
def test_the_kind_of_a_load(run_type: str, kind: str) -> None:
    context: Any = {"dag_run": SimpleNamespace(run_type=run_type)}
    assert load_kind(None, context) == kind
    assert load_kind("reconcile", context) == "reconcile"
    with pytest.raises(AirflowFailException, match="hourly"):
        load_kind("hourly", context)


def test_operators_can_be_copied_while_they_run(task: Task) -> None:
    import copy

    operator = task.make()
    execute(operator, task.context(five_minutes()))
    assert copy.copy(operator).okta_conn_id == "okta_default"


def test_templates() -> None:
    operator = OktaSystemLogToOpenSearchOperator(task_id="load", since="{{ 1 + 1 }}", filter="{{ run_id }}")
    operator.render_template_fields({"run_id": "r"})
    assert (operator.since, operator.filter) == ("2", "r")
