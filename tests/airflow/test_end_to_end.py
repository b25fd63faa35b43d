"""The DAG through a real scheduler and executor, against the simulated org and a real OpenSearch."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from local.simulator.process import Simulator, running
from tests.airflow.stack import AIRFLOW_2, Run, Stack, airflow_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.airflow, pytest.mark.opensearch, pytest.mark.timeout(900)]

STEP = timedelta(minutes=5)
PREFIX = f"e2e-{uuid.uuid4().hex[:8]}"

# An Airflow DAG that an asset (a dataset) starts.
CONSUMER = """# for Airflow to find, which looks for its name
from datetime import UTC, datetime
from oktalogger.compat import DAG
from oktalogger.operators.system_log import OktaSystemLogToOpenSearchOperator, system_log_asset
with DAG("consumer", schedule=[system_log_asset(index_prefix="{prefix}")], catchup=False, max_active_runs=1,
         start_date=datetime(2026, 1, 1, tzinfo=UTC), is_paused_upon_creation=True):
    OktaSystemLogToOpenSearchOperator(task_id="load")
"""


def floor(instant: datetime) -> datetime:
    return instant - timedelta(minutes=instant.minute % 5, seconds=instant.second, microseconds=instant.microsecond)


def text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


NOW = floor(datetime.now(UTC))
START = NOW - 3 * STEP  # the scheduler has three windows to catch up with
PAST = NOW - timedelta(hours=30)  # what others load must not meet what the schedule loads


@pytest.fixture(scope="module")
def org() -> Iterator[Simulator]:
    # Nothing late: what is published is there, so that a window has one right answer.
    with running(
        "--seed", "e2e", "--rate", "40", "--rhythm", "flat", "--lateness", "none", "--rate-limit", "600"
    ) as org:
        yield org


@pytest.fixture(scope="module")
def stack(org: Simulator, opensearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    where = urlsplit(opensearch_url)
    opensearch = {
        "conn_type": "opensearch",
        "host": where.hostname,
        "port": where.port,
        "extra": {"use_ssl": False, "dashboards_url": "https://dashboards.example.com"},
    }
    okta = {
        "conn_type": "okta",
        "host": org.url,
        "password": org.token,
        "extra": {"admin_url": "https://acme-admin.example.com"},
    }
    environment = {
        "AIRFLOW_CONN_OKTA_DEFAULT": json.dumps(okta),
        "AIRFLOW_CONN_OPENSEARCH_DEFAULT": json.dumps(opensearch),
        "OKTALOGGER_START_DATE": text(START),
        "OKTALOGGER_INDEX_PREFIX": PREFIX,
    }
    home = tmp_path_factory.mktemp("airflow")
    with airflow_stack(home, environment, {"consumer.py": CONSUMER.format(prefix=PREFIX)}) as stack:
        # Before the scheduler, which on SQLite would lock them out in the middle of their work.
        backfill(stack)
        dags_test(stack)
        # On Airflow 3 it has written down the DAG as its own settings have it: the scheduler would begin in the past.
        stack.cli("dags", "reserialize")
        stack.start_all()
        yield stack
    httpx.delete(f"{opensearch_url}/{PREFIX}*?expand_wildcards=all", timeout=60, trust_env=False)
    httpx.delete(f"{opensearch_url}/_index_template/{PREFIX}*", timeout=60, trust_env=False)


def backfill(stack: Stack) -> None:
    """Load an hour of the past as a user does."""
    last = PAST + timedelta(minutes=55)  # both ends are loaded
    if AIRFLOW_2:
        stack.cli("dags", "backfill", "okta_system_log", "-s", text(PAST), "-e", text(last), "-y")
    else:
        ends = ("--from-date", text(PAST), "--to-date", text(last), "--max-active-runs", "3")
        stack.cli("backfill", "create", "--dag-id", "okta_system_log", *ends)


def dags_test(stack: Stack) -> None:
    """Try the DAG as its author does."""
    settings = {"OKTALOGGER_INDEX_PREFIX": f"{PREFIX}-dags-test", "OKTALOGGER_START_DATE": "2026-01-01T00:00:00Z"}
    stack.cli("dags", "test", "okta_system_log", text(PAST + timedelta(minutes=2)), environment=settings)


@pytest.fixture(scope="module")
def caught_up(stack: Stack) -> dict[str, Run]:
    """The scheduled runs, when the windows that were due are loaded."""

    def due() -> dict[str, Run] | None:
        runs = {name: run for name, run in stack.runs().items() if run.run_type == "scheduled"}
        return runs if len(runs) >= 3 and all(run.state == "success" for run in runs.values()) else None

    found: dict[str, Run] = stack.wait("three scheduled runs", due, 180)
    return found


def loaded(opensearch_url: str, since: datetime, until: datetime, prefix: str = PREFIX) -> list[str]:
    """The ids of the documents of a time range, each as often as it is there."""
    httpx.post(f"{opensearch_url}/{prefix}/_refresh", timeout=60, trust_env=False).raise_for_status()
    query = {"range": {"published": {"gte": text(since), "lt": text(until)}}}
    answer = httpx.post(
        f"{opensearch_url}/{prefix}/_search?size=10000",
        json={"_source": False, "query": query},
        timeout=60,
        trust_env=False,
    )
    hits = answer.raise_for_status().json()["hits"]
    assert hits["total"]["value"] == len(hits["hits"])
    return sorted(hit["_id"] for hit in hits["hits"])


def published(org: Simulator, since: datetime, until: datetime) -> list[str]:
    """The ids of the events that must be there."""
    uuids = sorted(event["uuid"] for event in org.control.hidden(text(since), text(until)))
    assert len(uuids) > 20, "too few events to prove anything"
    return uuids


class TestScheduled:
    def test_no_window_is_missed_and_none_doubled(
        self, stack: Stack, caught_up: dict[str, Run], org: Simulator, opensearch_url: str
    ) -> None:
        intervals = sorted(run.interval for run in caught_up.values() if run.interval)
        assert intervals[:3] == [(text(START + n * STEP), text(START + (n + 1) * STEP)) for n in range(3)]
        assert [stack.window(name) for name in caught_up] == [run.interval for run in caught_up.values()]
        assert loaded(opensearch_url, START, START + 3 * STEP) == published(org, START, START + 3 * STEP)

    def test_the_task_says_in_its_log_what_it_did(self, stack: Stack, caught_up: dict[str, Run]) -> None:
        log = stack.task_log(next(iter(caught_up)))
        assert "Loading the window [" in log
        assert "events in" in log
        assert json.loads(stack.environment["AIRFLOW_CONN_OKTA_DEFAULT"])["password"] not in log

    def test_the_asset_event_carries_the_counts(self, stack: Stack, caught_up: dict[str, Run]) -> None:
        table = "dataset_event" if AIRFLOW_2 else "asset_event"
        rows = stack.query(f"select source_run_id, extra from {table} where source_dag_id = 'okta_system_log'")  # noqa: S608
        extras = {run_id: json.loads(extra) for run_id, extra in rows}
        for name in caught_up:
            assert extras[name]["created"] == stack.xcom(name)["created"] > 0

    def test_the_extra_links(self, stack: Stack, caught_up: dict[str, Run]) -> None:
        name, run = next(iter(caught_up.items()))
        links = extra_links(stack, name)
        assert run.interval
        assert f"fromTime={run.interval[0].replace(':', '%3A')}" in links["Okta System Log"]
        assert links["Okta System Log"].startswith("https://acme-admin.example.com/report/system_log_2?")
        assert links["OpenSearch Dashboards"].startswith("https://dashboards.example.com/app/data-explorer/discover#")
        assert links["Rejected events"] == ""


def extra_links(stack: Stack, run_id: str) -> dict[str, str]:
    """The links of a task as the UI of each line gets them."""
    if not AIRFLOW_2:
        path = f"/dags/okta_system_log/dagRuns/{run_id}/taskInstances/load/links"
        return {name: url or "" for name, url in stack.rest("GET", path)["extra_links"].items()}
    found: dict[str, str] = stack.python(
        "import json\n"
        "from airflow.models.serialized_dag import SerializedDagModel\n"
        "from airflow.models import TaskInstance\n"
        "from airflow.utils.session import create_session\n"
        "with create_session() as session:\n"
        f"    ti = session.query(TaskInstance).filter_by(dag_id='okta_system_log', run_id='{run_id}').one()\n"
        "    task = SerializedDagModel.get('okta_system_log').dag.get_task('load')\n"
        "    print(json.dumps({name: task.get_extra_links(ti, name) for name in task.extra_links}))\n"
    )
    return found


PARAMS = {"since": text(PAST - timedelta(hours=5)), "until": text(PAST - timedelta(hours=5) + timedelta(minutes=17))}
BEFORE = {"since": text(PAST - timedelta(hours=8)), "until": text(PAST - timedelta(hours=8) + STEP)}
DATE = START + 2 * STEP + timedelta(minutes=2)


@pytest.fixture(scope="module")
def triggered(stack: Stack, caught_up: dict[str, Run]) -> dict[str, datetime]:
    """Runs triggered on the command line: by params, without a date, with one; and when."""
    date = "-e" if AIRFLOW_2 else "-l"
    wanted = {
        "by_params": ("--conf", json.dumps(PARAMS)),
        "without_date": (),
        "with_date": (date, text(DATE)),
        "before_the_schedule": (date, text(START - timedelta(days=2)), "--conf", json.dumps(BEFORE)),
        "misspelt": ("--conf", json.dumps({"sinse": PARAMS["since"], "until": PARAMS["until"]})),
    }

    def trigger(name: str) -> datetime:
        stack.cli("dags", "trigger", "okta_system_log", "--run-id", name, *wanted[name])
        return datetime.now(UTC)

    # Airflow 2 knows runs apart by the second in which they were triggered.
    with ThreadPoolExecutor(1 if AIRFLOW_2 else 2) as pool:
        return dict(zip(wanted, pool.map(trigger, wanted), strict=True))


def last_complete(moment: datetime) -> list[tuple[str, str]]:
    """The last complete window at a moment, which may have been a few seconds earlier."""
    ends = [floor(moment), floor(moment - timedelta(seconds=60))]
    return [(text(end - STEP), text(end)) for end in ends]


@pytest.mark.usefixtures("triggered")
class TestTriggered:
    """Each way of starting a run by hand, and which window it gets."""

    def test_params_name_the_window(self, stack: Stack, org: Simulator, opensearch_url: str) -> None:
        run = stack.ended("by_params")
        assert run.state == "success"
        assert stack.window(run.run_id) == (PARAMS["since"], PARAMS["until"])
        since, until = (datetime.fromisoformat(PARAMS[name]) for name in ("since", "until"))
        assert loaded(opensearch_url, since - STEP, until + STEP) == published(org, since, until)

    def test_without_a_date(self, stack: Stack, triggered: dict[str, datetime]) -> None:
        run = stack.ended("without_date")
        if AIRFLOW_2:
            assert stack.window(run.run_id) in last_complete(triggered["without_date"])
        else:
            assert (run.state, run.interval) == ("failed", None)
            log = stack.task_log(run.run_id)
            assert "This run has no data interval" in log
            assert "`since` and `until`" in log
            [(tries,)] = stack.query("select try_number from task_instance where run_id = ?", run.run_id)
            assert tries == 1, "no retry can mend it"

    def test_with_a_date(self, stack: Stack, triggered: dict[str, datetime]) -> None:
        run = stack.ended("with_date")
        # Airflow 3 takes the interval from the time of the command, not from the date that it was given.
        windows = [(text(START + STEP), text(START + 2 * STEP))] if AIRFLOW_2 else last_complete(triggered["with_date"])
        assert stack.window(run.run_id) in windows

    def test_a_date_before_the_schedule_begins(self, stack: Stack) -> None:
        # Airflow makes no task for a run before the DAG's start, and calls the run a success.
        run = stack.ended("before_the_schedule")
        assert run.state == "success"
        assert stack.window(run.run_id) == (BEFORE["since"], BEFORE["until"])
        assert stack.xcom(run.run_id)["read"] > 0

    def test_a_misspelt_param(self, stack: Stack) -> None:
        run = stack.ended("misspelt")
        assert run.state == "failed"
        assert "Did you mean `since`?" in stack.task_log(run.run_id)

    @pytest.mark.skipif(AIRFLOW_2, reason="tested without a web server in test_windows.py")
    def test_by_rest(self, stack: Stack) -> None:
        since, until = text(PAST - timedelta(hours=3)), text(PAST - timedelta(hours=3) + timedelta(minutes=7))
        dated = self.post(stack, {"logical_date": text(DATE - STEP)})
        given = {"data_interval_start": since, "data_interval_end": until}
        with_interval = self.post(stack, {"logical_date": text(DATE - timedelta(minutes=1)), **given})
        dateless = self.post(stack, {"logical_date": None})
        assert stack.ended(dated).state == "success"
        assert stack.window(dated) == (text(START), text(START + STEP))
        assert stack.ended(with_interval).state == "success"
        assert stack.window(with_interval) == (since, until)
        assert (stack.ended(dateless).state, stack.ended(dateless).interval) == ("failed", None)

    def post(self, stack: Stack, body: Any) -> str:
        name: str = stack.rest("POST", "/dags/okta_system_log/dagRuns", body)["dag_run_id"]
        return name


def test_a_backfill_of_an_hour(stack: Stack, org: Simulator, opensearch_url: str) -> None:
    def done() -> dict[str, Run] | None:
        runs = stack.runs(run_id="backfill__%")
        return runs if len(runs) >= 12 and all(run.state == "success" for run in runs.values()) else None

    runs = stack.wait("twelve runs of a backfill", done, 180)
    assert sorted(run.interval for run in runs.values()) == [
        (text(PAST + n * STEP), text(PAST + (n + 1) * STEP)) for n in range(12)
    ]
    assert {run.run_type for run in runs.values()} == {"backfill"}
    end = PAST + 12 * STEP
    assert loaded(opensearch_url, PAST - STEP, end + STEP) == published(org, PAST, end)
    counts = [stack.xcom(name) for name in runs]
    assert {count["load_kind"] for count in counts} == {"backfill"}
    assert sum(count["created"] for count in counts) == len(published(org, PAST, end))


@pytest.mark.usefixtures("stack")
def test_dags_test(org: Simulator, opensearch_url: str) -> None:
    found = loaded(opensearch_url, PAST - timedelta(days=1), PAST + timedelta(days=1), f"{PREFIX}-dags-test")
    assert found == published(org, PAST - STEP, PAST)


@pytest.mark.usefixtures("caught_up")
def test_a_run_that_an_asset_starts(stack: Stack) -> None:
    stack.cli("dags", "unpause", "consumer")
    conf = {"since": text(PAST - timedelta(hours=4)), "until": text(PAST - timedelta(hours=4) + STEP)}
    stack.cli("dags", "trigger", "okta_system_log", "--run-id", "writer", "--conf", json.dumps(conf))

    def ended() -> Run | None:
        runs = [run for run in stack.runs("consumer").values() if run.state in ("success", "failed")]
        return runs[0] if runs else None

    run = stack.wait("the consumer's run", ended, seconds=300)
    if AIRFLOW_2:
        # From the first to the last interval of all runs that had written the asset, not the window that params named.
        # What `dags test` made wrote another index, which is another asset.
        runs = (run for run in stack.runs().values() if not run.run_id.startswith("manual__"))
        written = [run.interval for run in runs if run.state == "success" and run.interval]
        writer = stack.runs()["writer"].interval
        assert run.interval is not None
        assert writer is not None
        assert run.interval[0] == min(start for start, _ in written)
        assert run.interval[1] in [end for _, end in written]
        assert run.interval[1] >= writer[1]
        assert stack.window(run.run_id, "consumer") == run.interval
    else:
        assert (run.state, run.interval) == ("failed", None)
        assert "This run has no data interval" in stack.task_log(run.run_id)
