"""The import of saved objects by the setup's task and by its command, beside a real OpenSearch."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from local.standins.dashboards import DashboardsStandIn, serve_dashboards
from local.standins.sigv4 import Aws, Key, in_front_of
from oktalogger.cli import main
from oktalogger.compat import AirflowFailException, run_list_url
from oktalogger.hooks.opensearch import OpenSearchHook
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.setup.apply import apply_setup
from oktalogger.opensearch.setup.dashboards import plan_dashboards, shipped_objects
from oktalogger.operators.setup import OpenSearchSetupOperator
from oktalogger.settings import load_settings
from tests.airflow.test_detection_operators import execute, logged
from tests.indices import own_names

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.opensearch


@pytest.fixture
def names(opensearch_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexNames]:
    from opensearchpy import OpenSearch

    where = urlsplit(opensearch_url)
    connection = {"conn_type": "opensearch", "host": where.hostname, "port": where.port, "schema": "http"}
    monkeypatch.setenv("AIRFLOW_CONN_OPENSEARCH_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("OKTALOGGER_OPENSEARCH_URL", opensearch_url)
    client = OpenSearch(opensearch_url, timeout=60)
    with own_names(client) as names:
        monkeypatch.setenv("OKTALOGGER_INDEX_PREFIX", names.prefix)
        yield names
    client.close()


@contextmanager
def dashboards(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[DashboardsStandIn]:
    standin = DashboardsStandIn(**options)
    with serve_dashboards(standin) as url:
        monkeypatch.setenv("OKTALOGGER_DASHBOARDS_URL", url)
        yield standin


def run(**params: Any) -> dict[str, Any]:
    """Run the task, and return what it says."""
    context = {"params": params, "ti": SimpleNamespace(xcom_push=lambda **_: None), "run_id": "manual__1"}
    result: dict[str, Any] = execute(logged(OpenSearchSetupOperator)(task_id="set_up"), context)
    return result


def of_dashboards(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for step in result["changes"] if step["kind"] in ("dashboard", "index pattern")]


def test_the_task_imports_once_and_a_dry_run_nothing(names: IndexNames, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTALOGGER_OKTA_HOSTS", "company.okta.com")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    monkeypatch.setenv("AIRFLOW__WEBSERVER__BASE_URL", "https://airflow.example.com")
    with dashboards(monkeypatch) as standin:
        assert len(of_dashboards(run(dry_run=True))) == 8
        assert standin.writes == []
        assert len(of_dashboards(run())) == 8
        assert standin.objects().keys() == {one.key for one in shipped_objects(names)}
        assert of_dashboards(run()) == []
        formats = json.loads(standin.objects()["index-pattern", names.alias]["attributes"]["fieldFormatMap"])
    assert formats["oktalogger.run_id"]["params"]["urlTemplate"] == run_list_url()
    assert str(run_list_url()).startswith("https://airflow.example.com/")
    assert formats["actor.id"]["params"]["urlTemplate"].startswith("https://company-admin.okta.com/")


def test_opensearch_is_set_up_though_dashboards_refuses_and_then_the_task_fails(
    names: IndexNames, monkeypatch: pytest.MonkeyPatch, opensearch_url: str
) -> None:
    from opensearchpy import OpenSearch

    with (
        dashboards(monkeypatch, login="somebody else's"),
        pytest.raises(AirflowFailException, match="refuses the login"),
    ):
        run()
    client = OpenSearch(opensearch_url)
    assert client.indices.exists_index_template(name=names.template)
    client.close()


def test_without_an_address_or_if_not_wanted_nothing_is_imported(
    names: IndexNames, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert of_dashboards(run(dry_run=True)) == []
    assert "set OKTALOGGER_DASHBOARDS_URL to import them" in caplog.text
    with dashboards(monkeypatch, login="somebody else's"):
        assert of_dashboards(run(dashboards=False)) == []


def test_the_command_imports_when_asked(
    names: IndexNames, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with dashboards(monkeypatch) as standin:
        assert main(["setup"]) == 0
        assert standin.writes == []
        assert main(["setup", "--dashboards", "--check"]) == 3
        assert standin.writes == []
        assert main(["setup", "--dashboards"]) == 0
        assert "create     dashboard Okta" in capsys.readouterr().out
        assert standin.objects().keys() == {one.key for one in shipped_objects(names)}
        capsys.readouterr()
        assert main(["setup", "--dashboards", "--json"]) == 0
        assert of_dashboards(json.loads(capsys.readouterr().out)) == []


def test_the_command_says_that_the_address_is_missing(names: IndexNames, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", "--dashboards", "--dry-run"]) == 2
    assert "OKTALOGGER_DASHBOARDS_URL is not set" in capsys.readouterr().err


def test_requests_to_dashboards_on_aws_are_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Key("AKIAWORKER", "the-secret-key-of-the-worker")
    fields = {"okta-system-log": [{"name": "eventType", "type": "string"}]}
    standin = DashboardsStandIn(base="/_dashboards", fields=fields)
    with serve_dashboards(standin) as url, in_front_of(url.removesuffix("/_dashboards"), Aws(worker)) as aws:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", worker.id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", worker.secret)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        sigv4 = {"auth": "sigv4", "region": aws.region, "service": aws.service, "use_ssl": False}
        connection = {"conn_type": "opensearch", "host": "127.0.0.1", "port": int(aws.url.rpartition(":")[2])}
        extra = {**sigv4, "dashboards_url": f"{aws.url}/_dashboards"}
        monkeypatch.setenv("AIRFLOW_CONN_OPENSEARCH_DEFAULT", json.dumps(connection | {"extra": extra}))
        client = OpenSearchHook().dashboards(load_settings())
        assert client is not None
        apply_setup(None, plan_dashboards(client, IndexNames()))  # type: ignore[arg-type]
        client.close()
        assert aws.refused == []
        assert {asked.path.partition("?")[0] for asked in aws.asked} >= {"/_dashboards/api/saved_objects/_import"}
    assert len(standin.objects()) == len(shipped_objects(IndexNames()))
