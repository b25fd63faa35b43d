"""The audit log that the setup switches on holds what a thief of the loader's role does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.opensearch.errors import OpenSearchPermissionError
from oktalogger.opensearch.request import call
from oktalogger.opensearch.setup.apply import apply_setup
from oktalogger.opensearch.setup.audit import AUDIT_API, plan_audit
from oktalogger.opensearch.setup.security import ROLES_API
from tests.integration.people import People
from tests.integration.roles.permissions import ANALYST, LOADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opensearchpy import OpenSearch

pytestmark = pytest.mark.opensearch

LOG = "security-auditlog-*"
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def audited(team: People) -> Iterator[People]:
    """The deployment with its audit log; other tests need none, and it costs them time."""
    before = call(team.admin, "GET", AUDIT_API, doing="to put it back")["config"]
    apply_setup(team.admin, plan_audit(team.admin, team.names, "changes"))
    yield team
    call(team.admin, "PUT", f"{AUDIT_API}/config", doing="to put it back", body=before)
    team.admin.indices.delete(index=LOG, ignore_unavailable=True)


def lines(team: People, **fields: str) -> list[dict[str, Any]]:
    """Return the lines of the log that have these values, as soon as there are some: it is written beside requests."""
    query = {"bool": {"filter": [{"match_phrase": {name: value}} for name, value in fields.items()]}}
    params = {"ignore_unavailable": "true"}
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        call(team.admin, "POST", f"/{LOG}/_refresh", doing="to see it", params=params)
        answer = call(team.admin, "POST", f"/{LOG}/_search", doing="to read it", body={"query": query}, params=params)
        if (hits := answer["hits"]["hits"]) or time.monotonic() > end:
            return [hit["_source"] for hit in hits]
        time.sleep(0.5)


def make_otherwise(team: People, thief: OpenSearch) -> None:
    body = {"settings": {"index.append_only.enabled": False}}
    call(thief, "PUT", f"/{team.names.prefix}-2027-06", doing="to make it first", body=body)


def forge(team: People, thief: OpenSearch) -> None:
    for state in ("running", "complete"):
        call(thief, "PUT", f"/{team.names.ledger}/_doc/forged", doing="to forge it", body={"state": state})


def overwrite_match(team: People, thief: OpenSearch) -> None:
    for events in (1, 2):
        call(thief, "PUT", f"/{team.names.matches}/_doc/forged", doing="to forge it", body={"events": events})


def rename(team: People, thief: OpenSearch) -> None:
    with pytest.raises(OpenSearchPermissionError):
        call(thief, "PUT", f"/{team.names.month_pattern}/_alias/payroll", doing="to rename it")


ATTACKS: list[tuple[Callable[[People, OpenSearch], None], dict[str, str], str]] = [
    (
        make_otherwise,
        {"audit_category": "INDEX_EVENT", "audit_request_privilege": "indices:admin/create"},
        "append_only",
    ),
    (forge, {"audit_category": "COMPLIANCE_DOC_WRITE", "audit_compliance_operation": "UPDATE"}, "ledger"),
    (overwrite_match, {"audit_category": "COMPLIANCE_DOC_WRITE", "audit_trace_doc_id": "forged"}, "matches"),
    (rename, {"audit_category": "MISSING_PRIVILEGES"}, "indices:admin/aliases"),
]


@pytest.mark.parametrize(("attack", "fields", "said"), ATTACKS, ids=lambda value: getattr(value, "__name__", ""))
def test_an_attack_leaves_a_line(
    audited: People,
    clients: dict[str, OpenSearch],
    attack: Callable[[People, OpenSearch], None],
    fields: dict[str, str],
    said: str,
) -> None:
    attack(audited, clients[LOADER])
    found = lines(audited, audit_request_effective_user=audited.users[LOADER], **fields)
    assert any(said in str(line) for line in found), found


def test_a_change_of_a_role_leaves_a_line(audited: People) -> None:
    role = call(audited.admin, "GET", f"{ROLES_API}/{ANALYST}", doing="to read the role")[ANALYST]
    wider = {key: role[key] for key in ("description", "index_permissions", "tenant_permissions")}
    body = {**wider, "cluster_permissions": ["*"]}
    call(audited.admin, "PUT", f"{ROLES_API}/{ANALYST}", doing="to widen it", body=body)
    body = {**wider, "cluster_permissions": role["cluster_permissions"]}
    call(audited.admin, "PUT", f"{ROLES_API}/{ANALYST}", doing="to put it back", body=body)
    assert lines(audited, audit_category="COMPLIANCE_INTERNAL_CONFIG_WRITE", audit_trace_doc_id="roles")


def test_no_line_holds_what_was_written(audited: People, clients: dict[str, OpenSearch]) -> None:
    path = f"/{audited.names.ledger}/_doc/secret"
    call(clients[LOADER], "PUT", path, doing="to write it", body={"error": "what-was-written"})
    found = lines(audited, audit_trace_doc_id="secret")
    assert found
    assert "what-was-written" not in str(found)


def test_the_configuration_is_added_to_and_a_second_setup_changes_nothing(audited: People) -> None:
    assert plan_audit(audited.admin, audited.names, "changes").changes == ()
    (step,) = plan_audit(audited.admin, audited.names, "events").changes
    assert step.changes == (f"+ compliance.write_watched_indices: {audited.names.prefix}-20*-*",)
    assert plan_audit(audited.admin, audited.names, "off").steps == ()
