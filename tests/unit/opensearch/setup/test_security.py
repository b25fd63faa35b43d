"""What the setup takes as roles and mappings, and what it refuses before it asks any server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oktalogger.opensearch.errors import SetupDocumentsError
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.roles import ROLES, role_that_allows, shipped_roles
from oktalogger.opensearch.setup.security import read_security_documents

NAMES = IndexNames("okta-system-log")
WORKER = "arn:aws:iam::123456789012:role/airflow"


def documents(prefix: str = "okta-system-log") -> dict[str, Any]:
    """As Terraform's output is (terraform/pipeline.tf)."""
    members = {"backend_roles": [WORKER], "users": [], "hosts": []}
    return {
        "version": 1,
        "domain_arn": "arn:aws:es:eu-west-1:123456789012:domain/x",
        "master_role_arn": "arn:aws:iam::123456789012:role/x-opensearch-master",
        "roles": shipped_roles(prefix),
        "role_mappings": dict.fromkeys(ROLES, members),
    }


def read(document: Any) -> Any:
    return read_security_documents(json.dumps(document), NAMES, source="the Variable x")


def test_what_terraform_makes_is_taken() -> None:
    found = read(documents())
    assert found.master_role_arn == "arn:aws:iam::123456789012:role/x-opensearch-master"
    assert set(found.roles) == set(found.mappings) == set(ROLES)
    assert found.notices == ()


def test_the_loader_may_make_its_findings_visible_whatever_the_index_is_called() -> None:
    # With the default prefix the name is older than the rule for names, and no other pattern fits it.
    rights = documents()["roles"]["oktalogger_loader"]["index_permissions"]
    (matches,) = [one for one in rights if "okta-detection-matches" in one["index_patterns"]]
    assert "indices:admin/refresh*" in matches["allowed_actions"]


def changed(**more: Any) -> dict[str, Any]:
    return documents() | more


def with_role(name: str, **more: Any) -> dict[str, Any]:
    document = documents()
    document["roles"] = document["roles"] | {name: document["roles"]["oktalogger_loader"] | more}
    return document


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "security_documents"),
        ({}, "security_documents"),
        (changed(roles="x"), "security_documents"),
        (changed(version=2), "version 2"),
        (with_role("all_access"), "all_access: only roles whose names begin with oktalogger_"),
        (changed(role_mappings={"security_manager": {"users": ["eve"]}}), "security_manager: only roles"),
        (changed(role_mappings={"oktalogger_loader": {"and_backend_roles": ["x"]}}), "and_backend_roles"),
        (with_role("oktalogger_loader", description="Loads"), "must begin with 'oktalogger:'"),
        (with_role("oktalogger_loader", reserved=True), "unknown keys: reserved"),
        (documents("other"), "OKTALOGGER_INDEX_PREFIX"),
    ],
)
def test_anything_else_is_refused_with_its_source(document: Any, words: str) -> None:
    with pytest.raises(SetupDocumentsError, match="the Variable x") as caught:
        read(document)
    assert words in str(caught.value)
    assert not caught.value.retryable


def test_documents_of_another_release_are_applied_with_a_notice() -> None:
    (notice,) = read(with_role("oktalogger_loader", cluster_permissions=["cluster:monitor/main"])).notices
    assert "oktalogger_loader" in notice
    assert "apply Terraform of the same release" in notice


@pytest.mark.parametrize(
    ("permissions", "role"),
    [
        (["indices:admin/create", "indices:admin/get"], "oktalogger_loader"),
        (["indices:admin/aliases"], None),
        (["indices:data/write/bulk[s]"], "oktalogger_loader"),
        (["cluster:admin/opendistro/alerting/monitor/write"], "oktalogger_sync"),
        (["indices:data/read/field_caps"], "oktalogger_sync"),
        (["cluster:admin/settings/update"], None),
        ([], None),
    ],
)
def test_a_missing_permission_leads_to_a_role(permissions: list[str], role: str | None) -> None:
    assert role_that_allows(permissions) == role
