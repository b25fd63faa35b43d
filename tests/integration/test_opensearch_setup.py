"""The setup on a real OpenSearch with the security plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.opensearch.client import OpenSearchSettings, make_client
from oktalogger.opensearch.diagnosis import MAPPINGS_API
from oktalogger.opensearch.errors import IndexConflictError, OpenSearchPermissionError, SetupConflictError
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.request import call
from oktalogger.opensearch.roles import ROLES
from oktalogger.opensearch.setup.apply import apply_setup, plan_setup
from oktalogger.opensearch.setup.indices import plan_indices
from oktalogger.opensearch.setup.security import ROLES_API, shipped_documents
from tests.integration.conftest import ROOT
from tests.integration.people import SECURITY, People, people

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oktalogger.opensearch.setup.steps import SetupPlan

pytestmark = pytest.mark.opensearch

NOT_APPEND_ONLY = {"settings": {"index.append_only.enabled": False}}


@pytest.fixture(scope="module")
def everybody(opensearch_secure: Any) -> Iterator[People]:
    with people(opensearch_secure) as found:
        yield found


@pytest.fixture
def team(everybody: People) -> People:
    """The users without a role, on a server without anything of ours."""
    everybody.forget_roles()
    everybody.admin.indices.delete(index=f"{everybody.names.prefix}*", ignore_unavailable=True)
    for template in everybody.names.templates:
        call(everybody.admin, "DELETE", f"/_index_template/{template}", doing="to clean up", ignore=(404,))
    return everybody


def set_up(team: People, **changes: Any) -> SetupPlan:
    plan = plan_setup(team.admin, team.names, team.documents(**changes), retention_days=365)
    apply_setup(team.admin, plan)
    return plan


def security(team: People) -> dict[str, Any]:
    """Return every role and every mapping of the server."""
    return {
        kind: call(team.admin, "GET", f"{SECURITY}/{kind}", doing="to compare") for kind in ("roles", "rolesmapping")
    }


def test_a_first_setup_makes_everything_and_a_second_nothing(team: People) -> None:
    before = security(team)
    first = set_up(team)
    assert [(step.kind, step.action) for step in first.steps] == (
        [("index template", "create")] * 4
        + [("index", "create")] * 3
        + [("role", "create")] * 3
        + [("role mapping", "create")] * 3
    )
    after = security(team)
    for kind in ("roles", "rolesmapping"):
        assert set(after[kind]) - set(before[kind]) == set(ROLES)
        assert {name: value for name, value in after[kind].items() if name not in ROLES} == before[kind]
    for role, user in team.users.items():
        assert after["rolesmapping"][role]["users"] == [user]
    second = set_up(team)
    assert second.changes == ()
    assert len(second.steps) == 10
    assert security(team) == after


def test_a_plan_writes_nothing(team: People) -> None:
    before = security(team)
    assert len(plan_setup(team.admin, team.names, team.documents(), retention_days=365).changes) == 13
    assert security(team) == before
    assert not team.admin.indices.exists_index_template(name=team.names.template)


def test_what_was_changed_is_named_and_put_back(team: People) -> None:
    set_up(team)
    wanted = team.document()["roles"]["oktalogger_analyst"]
    widened = wanted | {"cluster_permissions": [*wanted["cluster_permissions"][1:], "*"]}
    call(team.admin, "PUT", f"{ROLES_API}/oktalogger_analyst", doing="to widen a role", body=widened)
    call(
        team.admin, "PUT", f"{MAPPINGS_API}/oktalogger_loader", doing="to map", body={"users": ["eve"], "hosts": ["x"]}
    )
    changes = {(step.kind, step.name): step.changes for step in set_up(team).changes}
    assert changes == {
        ("role", "oktalogger_analyst"): (f"+ cluster: {wanted['cluster_permissions'][0]}", "- cluster: *"),
        ("role mapping", "oktalogger_loader"): (
            f"+ user {team.users['oktalogger_loader']}",
            "- host x",
            "- user eve",
        ),
    }
    assert set_up(team).changes == ()


def test_who_is_no_longer_named_loses_the_role(team: People) -> None:
    set_up(team)
    nobody: dict[str, list[str]] = {"backend_roles": [], "users": [], "hosts": []}
    set_up(team, role_mappings=team.document()["role_mappings"] | {"oktalogger_analyst": nobody})
    assert security(team)["rolesmapping"]["oktalogger_analyst"]["users"] == []


def test_without_documents_whoever_is_mapped_stays(team: People) -> None:
    set_up(team)
    plan = plan_setup(team.admin, team.names, shipped_documents(team.names), retention_days=365)
    assert plan.changes == ()
    assert any("This setup maps no users" in notice for notice in plan.notices)


def test_a_role_of_somebody_else_stops_the_setup_before_it_writes(team: People) -> None:
    theirs = {"description": "Our SIEM", "cluster_permissions": ["cluster:monitor/main"]}
    call(team.admin, "PUT", f"{ROLES_API}/oktalogger_sync", doing="to make a role", body=theirs)
    before = security(team)
    with pytest.raises(SetupConflictError, match="oktalogger_sync that oktalogger did not make"):
        set_up(team)
    assert security(team) == before
    assert not team.admin.indices.exists_index_template(name=team.names.template)


def test_the_roles_of_another_deployment_are_left_to_it(team: People) -> None:
    set_up(team)
    before = security(team)
    other = IndexNames(f"{team.names.prefix}x")
    with pytest.raises(SetupConflictError, match="another deployment"):
        plan_setup(team.admin, other, shipped_documents(other), retention_days=365)
    assert security(team) == before


def test_a_template_of_somebody_else_stops_the_setup_before_it_writes(team: People) -> None:
    before = security(team)
    body = {"index_patterns": ["somewhere-*"]}
    call(team.admin, "PUT", f"/_index_template/{team.names.template}", doing="to make a template", body=body)
    with pytest.raises(IndexConflictError, match="not made by oktalogger"):
        set_up(team)
    assert security(team) == before


def test_who_is_no_administrator_is_told_what_is_missing(team: People) -> None:
    set_up(team)
    loader = team.client(team.users["oktalogger_loader"])
    # It may read templates, so that it is the security plugin's API that refuses.
    with pytest.raises(OpenSearchPermissionError, match="rights of an administrator") as caught:
        plan_setup(loader, team.names, team.documents(), retention_days=365)
    assert "setup_from_airflow" in str(caught.value)
    assert caught.value.user == team.users["oktalogger_loader"]
    loader.close()


def test_without_the_security_plugin_there_is_a_notice(opensearch_url: str) -> None:
    names = IndexNames("no-security-here")
    client = make_client(OpenSearchSettings(url=opensearch_url))
    plan = plan_setup(client, names, shipped_documents(names), retention_days=365)
    assert [step.kind for step in plan.steps] == ["index template"] * 4 + ["index"] * 3
    assert any("no security plugin" in notice for notice in plan.notices)
    assert any("no Index State Management plugin" in notice for notice in plan.notices)
    client.close()


def run(team: People, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "plugins"), **team.environ()}
    command = [sys.executable, "-m", "oktalogger", "setup", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_does_the_same(team: People, tmp_path: Path) -> None:
    file = tmp_path / "documents.json"
    file.write_text(json.dumps(team.document()))
    planned = run(team, "--documents", str(file), "--months-ahead", "0", "--check", "--json")
    assert planned.returncode == 3, planned.stderr
    # This month, and those that Okta still keeps; and the audit log.
    assert len(json.loads(planned.stdout)["changes"]) in (14 + 4, 14 + 5)
    applied = run(team, "--documents", str(file))
    assert applied.returncode == 0, applied.stderr
    assert f"+ user {team.users['oktalogger_loader']}" in applied.stdout
    assert run(team, "--documents", str(file), "--check").returncode == 0
    assert run(team, "--documents", str(tmp_path / "nowhere")).returncode == 2
    file.write_text("{}")
    refused = run(team, "--documents", str(file))
    assert refused.returncode == 1
    assert "security_documents" in refused.stderr


def test_months_are_made_ahead_so_that_nobody_else_makes_them_otherwise(team: People) -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    apply_setup(team.admin, plan_setup(team.admin, team.names, team.documents(), retention_days=365))
    plan = plan_indices(team.admin, team.names, months_ahead=2, now=now)
    apply_setup(team.admin, plan)
    months = ["2026-08", "2026-09", "2026-10", "2026-11", "2026-12", "2027-01"]
    assert sorted(team.admin.indices.get_alias(name=team.names.alias)) == [f"{team.names.prefix}-{m}" for m in months]
    assert plan_indices(team.admin, team.names, months_ahead=2, now=now).steps == ()
    loader = team.client(team.users["oktalogger_loader"])
    with pytest.raises(IndexConflictError, match="already exists"):
        call(loader, "PUT", f"/{team.names.prefix}-2027-01", doing="to make it first", body=NOT_APPEND_ONLY)
    loader.close()
