"""What is asked of an environment's REST API is what Airflow takes: each request goes to a real one."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from deploy.mwaa import __main__ as command
from deploy.mwaa.aws import MwaaError
from deploy.mwaa.backfill import dag_id_for, read_conf, run_body, start_backfill
from deploy.mwaa.environment import Environment
from deploy.mwaa.ready import make_pool, paused, problems, ready
from deploy.mwaa.rest import LONGEST_PATH, MwaaRestApi
from local.paths import ROOT
from tests.mwaa.airflow_server import BROKEN, AirflowServer, airflow_server
from tests.mwaa.cloud import NAME, REGION, described

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploy.mwaa.rest import Answer

# One image of each major version.
VERSIONS = {"3.3": "3.3.1", "2.11": "2.11.2"}
FILES = sorted(path.name for path in (ROOT / "dags").glob("*.py"))
NOW = datetime(2026, 11, 25, 8, 0, 0, tzinfo=UTC)
PARAMS = {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z", "chunk": "1 day", "order": "oldest first"}


@pytest.fixture(scope="module", params=VERSIONS)
def airflow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowServer]:
    with airflow_server(request.param, tmp_path_factory.mktemp("airflow")) as server:
        yield server


def environment(line: str) -> Environment:
    return Environment(NAME, described(AirflowVersion=VERSIONS[line]))


def runs(airflow: AirflowServer) -> list[dict[str, Any]]:
    answer = airflow.ask("GET", f"/dags/{dag_id_for('okta_default')}/dagRuns")
    assert answer.ok, answer
    return list(answer.body["dag_runs"])


def test_a_backfill_is_started_as_it_was_asked_for(airflow: AirflowServer) -> None:
    assert airflow.version == environment(airflow.line).airflow_version
    said: list[str] = []

    def start(unpause: bool, at: datetime = NOW) -> str:
        params = PARAMS | {"share": 0.1}
        return start_backfill(airflow, environment(airflow.line), params, say=said.append, unpause=unpause, now=at)

    with pytest.raises(MwaaError, match=r"is paused.*--unpause"):
        start(False)
    assert runs(airflow) == []
    run_id = start(True)
    [run] = runs(airflow)
    assert (run["dag_run_id"], run["run_type"]) == ("mwaa-20261125T080000Z", "manual")
    assert run["dag_run_id"] == run_id
    assert run["conf"] == PARAMS | {"share": 0.1}
    # The answer was lost, and the same request comes again.
    assert start(False) == run_id
    assert len(runs(airflow)) == 1
    assert any("was there already" in line for line in said)
    assert start(False, NOW + timedelta(seconds=1)) != run_id
    assert len(runs(airflow)) == 2


def test_without_params_airflow_refuses_a_run(airflow: AirflowServer) -> None:
    body = run_body(environment(airflow.line).airflow_version, {}, NOW - timedelta(days=1))
    before = len(runs(airflow))
    answer = airflow.ask("POST", f"/dags/{dag_id_for('okta_default')}/dagRuns", body)
    assert answer.status in (400, 422)
    assert "from" in answer.reason
    assert len(runs(airflow)) == before


def test_an_org_without_a_dag_is_named(airflow: AirflowServer) -> None:
    with pytest.raises(MwaaError, match="no DAG okta_system_log_backfill__unknown"):
        start_backfill(airflow, environment(airflow.line), PARAMS, say=print, okta_conn_id="unknown", now=NOW)


def test_the_pool_is_made_once(airflow: AirflowServer) -> None:
    assert make_pool(airflow)
    assert not make_pool(airflow)
    answer = airflow.ask("GET", "/pools/okta_api")
    assert answer.body["slots"] == 4


def test_a_file_that_airflow_cannot_import_is_named_with_the_reason(airflow: AirflowServer) -> None:
    assert problems(airflow, FILES) == []
    [problem] = problems(airflow, [*FILES, BROKEN])
    assert problem.startswith(f"{BROKEN} cannot be imported: ModuleNotFoundError")
    assert "a_library_that_pip_could_not_install" in problem
    assert problems(airflow, ["okta_absent.py"]) == ["okta_absent.py has not been read by Airflow yet."]


def test_ready_says_what_is_paused(airflow: AirflowServer) -> None:
    said: list[str] = []
    assert ready(airflow, FILES, say=said.append)
    assert "okta_system_log" in paused(airflow, FILES)
    assert any(line.startswith("okta_system_log is paused") for line in said)
    assert not ready(airflow, [*FILES, BROKEN], say=said.append)


def test_a_backfill_of_airflow_s_own_as_the_docs_show_it(airflow: AirflowServer) -> None:
    if airflow.line.startswith("2."):
        assert airflow.ask("POST", "/backfills", {}).status == 404, "Airflow 2 has got one: the docs say it has none"
        return
    [body] = re.findall(r"--path /backfills --body '(.*?)'", (ROOT / "docs" / "mwaa.md").read_text(), re.DOTALL)
    answer = airflow.ask("POST", "/backfills", json.loads(body))
    assert answer.ok, answer


class Recorded:
    """An Airflow in which all is well, for what is refused before or never reaches it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Answer:
        self.asked.append(f"{method} {path}")
        raise AssertionError("nothing was to be asked")


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"from": "2026-11-26T00:00:00Z"}, "lies in the future"),
        ({"from": "2026-11-24T00:00:00Z", "to": "2026-11-23T00:00:00Z"}, "is not before"),
        ({"from": "2026-01-01T00:00:00Z"}, "180 days"),
        ({"from": "the other day"}, "from"),
    ],
)
def test_params_without_sense_are_refused_before_anything_is_asked(params: dict[str, str], says: str) -> None:
    rest = Recorded()
    with pytest.raises(MwaaError, match=says):
        start_backfill(rest, environment("3.3"), params, say=print, now=NOW)
    assert rest.asked == []


def test_without_an_end_it_is_ten_minutes_ago_and_what_is_not_given_is_left_to_the_environment() -> None:
    said: list[str] = []
    conf = read_conf({"from": "2026-07-01T00:00:00Z", "to": None, "share": None}, now=NOW, say=said.append)
    assert conf == {"from": "2026-07-01T00:00:00Z", "to": "2026-11-25T07:50:00Z"}
    assert "90 days" in said[0]


@pytest.fixture
def mwaa() -> Iterator[Any]:
    import boto3
    from botocore.stub import Stubber

    client = boto3.client("mwaa", region_name=REGION)
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def test_aws_is_asked_as_its_api_wants_it(mwaa: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, stubber = mwaa
    monkeypatch.setattr(command, "client", lambda service, region: client)
    stubber.add_response("get_environment", {"Environment": described()}, {"Name": NAME})
    path = "/dags/okta_system_log_backfill"
    stubber.add_response(
        "invoke_rest_api",
        {"RestApiStatusCode": 200, "RestApiResponse": {"is_paused": False}},
        {"Name": NAME, "Method": "GET", "Path": path},
    )
    sent: list[dict[str, Any]] = []
    client.meta.events.register("before-parameter-build.mwaa.InvokeRestApi", lambda params, **_: sent.append(params))
    stubber.add_response("invoke_rest_api", {"RestApiStatusCode": 200, "RestApiResponse": {}}, None)
    start = datetime.now(UTC) - timedelta(days=2)
    assert command.main(["backfill", "--environment", NAME, "--from", start.isoformat(), "--chunk", "1 day"]) == 0
    request = sent[-1]
    assert (request["Method"], request["Path"]) == ("POST", f"{path}/dagRuns")
    assert request["Body"]["conf"]["chunk"] == "1 day"
    assert request["Body"]["logical_date"] is None
    assert "share" not in request["Body"]["conf"]


def test_airflow_s_own_refusal_is_shown(mwaa: Any) -> None:
    client, stubber = mwaa
    said = {"RestApiStatusCode": 400, "RestApiResponse": {"detail": "from is a required property"}}
    stubber.add_client_error("invoke_rest_api", "RestApiClientException", modeled_fields=said)
    answer = MwaaRestApi(client, NAME).ask("POST", "/dags/x/dagRuns", {})
    assert not answer.ok
    assert answer.reason == "400 from is a required property"


@pytest.mark.parametrize(
    ("code", "fields", "says"),
    [
        ("RestApiServerException", {"RestApiStatusCode": 504, "RestApiResponse": {}}, "504.*waits 10 seconds"),
        ("AccessDeniedException", {}, "airflow:InvokeRestApi"),
    ],
)
def test_what_keeps_airflow_from_answering_is_explained(
    mwaa: Any, code: str, fields: dict[str, Any], says: str
) -> None:
    client, stubber = mwaa
    stubber.add_client_error("invoke_rest_api", code, modeled_fields=fields)
    with pytest.raises(MwaaError, match=says):
        MwaaRestApi(client, NAME).ask("GET", "/pools")


def test_a_path_that_aws_does_not_pass_on_is_refused_with_another_way(mwaa: Any) -> None:
    client, _ = mwaa
    path = f"/dags/{dag_id_for('okta_of_a_company_with_a_long_name')}/dagRuns"
    assert len(path) > LONGEST_PATH
    with pytest.raises(MwaaError, match="web page"):
        MwaaRestApi(client, NAME).ask("POST", path, {})
    assert len(f"/dags/{dag_id_for('okta_default')}/dagRuns") <= LONGEST_PATH
