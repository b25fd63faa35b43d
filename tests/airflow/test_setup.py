"""The setup's DAG: its shape, and runs of it by Airflow itself on a real OpenSearch with the security plugin."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.compat import get_variable
from tests.airflow.command_line import CommandLine
from tests.airflow.conftest import run_airflow
from tests.airflow.test_dags import load_dags
from tests.integration.people import PASSWORD, People, people

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def dag() -> Any:
    return load_dags()["okta_opensearch_setup"]


def test_nobody_runs_it_but_people_and_one_at_a_time(dag: Any) -> None:
    assert [task.task_id for task in dag.tasks] == ["set_up"]
    assert dag.max_active_runs == 1
    assert type(dag.timetable).__name__ == "NullTimetable"


def test_its_params(dag: Any) -> None:
    assert dag.params.dump() == {
        "dry_run": False,
        "confirm_deletions": False,
        "dashboards": True,
        "months_ahead": 3,
        "opensearch_conn_id": "opensearch_default",
    }
    assert dag.get_task("set_up").opensearch_conn_id == "{{ params.opensearch_conn_id }}"


def test_a_variable_is_read_from_wherever_airflow_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_OKTALOGGER_SECURITY", '{"version": 1}')
    assert get_variable("oktalogger_security") == '{"version": 1}'


@pytest.fixture
def team(opensearch_secure: Any) -> Iterator[People]:
    with people(opensearch_secure) as found:
        yield found


def run(commands: CommandLine, team: People, params: dict[str, Any], **variables: str) -> str:
    """Run the DAG, and return what Airflow said."""
    server = team.server
    connection = {
        "conn_type": "opensearch",
        "host": server.url,
        "login": server.username,
        "password": server.password,
        "extra": {"ca_certs": str(server.ca)},
    }
    environment = {
        "AIRFLOW_CONN_OPENSEARCH_ADMIN": json.dumps(connection),
        # Somebody who may not do it, so that the param must have been heard.
        "AIRFLOW_CONN_OPENSEARCH_DEFAULT": json.dumps(
            connection | {"login": team.users["oktalogger_loader"], "password": PASSWORD}
        ),
        "OKTALOGGER_INDEX_PREFIX": team.names.prefix,
        **variables,
    }
    conf = json.dumps({"opensearch_conn_id": "opensearch_admin", **params})
    done = run_airflow(
        "dags", "test", "okta_opensearch_setup", "-c", conf, check=False, commands=commands, **environment
    )
    said = done.stdout + done.stderr
    assert server.password not in said
    return said


@pytest.mark.airflow
@pytest.mark.opensearch
def test_airflow_sets_up_what_terraform_says(airflow_db: Path, airflow_commands: CommandLine, team: People) -> None:
    documents = {"AIRFLOW_VAR_OKTALOGGER_SECURITY": json.dumps(team.document())}

    def mapped() -> set[str]:
        found: dict[str, Any] = team.admin.transport.perform_request("GET", "/_plugins/_security/api/rolesmapping")
        return {role for role, user in team.users.items() if user in found.get(role, {}).get("users", ())}

    said = run(airflow_commands, team, {"dry_run": True}, **documents)
    # Four templates, three roles and their mappings, three indices beside the months, the audit log; this month, the
    # three after it, and those that Okta still keeps.
    things = re.search(r"To be changed: (\d+) of \1 things", said)
    assert things is not None, said
    number = int(things[1])
    assert number in (14 + 7, 14 + 8)
    assert f"+ user {team.users['oktalogger_sync']}" in said
    assert mapped() == set()

    said = run(airflow_commands, team, {}, **documents)
    assert f"Changed: {number} of {number} things" in said
    assert "Done: create role mapping oktalogger_sync" in said
    assert mapped() == set(team.users)

    assert "Changed: 0 of 11 things" in run(airflow_commands, team, {}, **documents)
    assert len(team.admin.indices.get_alias(name=team.names.alias)) == number - 14

    said = run(airflow_commands, team, {"opensearch_conn_id": "opensearch_default"}, **documents)
    assert "rights of an administrator" in said
