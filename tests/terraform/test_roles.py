"""The OpenSearch roles of `include/opensearch/roles`, as far as their text can tell."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest

from tests.terraform.iam import like
from tools.terraform_cli import ROOT

pytestmark = pytest.mark.xdist_group("static")

FOLDER = ROOT / "include" / "opensearch" / "roles"
NAMES = ("oktalogger_analyst", "oktalogger_loader", "oktalogger_sync")


def role(name: str, prefix: str = "okta-system-log") -> dict[str, Any]:
    """Read a role from Python: Terraform's ``${index_prefix}`` is ``string.Template``'s too."""
    template = string.Template((FOLDER / f"{name}.json").read_text())
    document: dict[str, Any] = json.loads(template.substitute(index_prefix=prefix))
    return document


def may(name: str, action: str, index: str | None = None) -> bool:
    """Say whether a role has a permission, on the cluster or on an index."""
    document = role(name)
    if index is None:
        return any(like(pattern, action) for pattern in document["cluster_permissions"])
    return any(
        like(pattern, action)
        for permission in document["index_permissions"]
        if any(like(name, index) for name in permission["index_patterns"])
        for pattern in permission["allowed_actions"]
    )


def test_that_there_are_these_roles() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_shape(name: str) -> None:
    document = role(name)
    assert set(document) == {"description", "cluster_permissions", "index_permissions", "tenant_permissions"}
    for actions in (document["cluster_permissions"], *(p["allowed_actions"] for p in document["index_permissions"])):
        assert actions == sorted(set(actions))
        assert not {"*", "indices:*", "cluster:*", "unlimited", "manage", "crud", "write"} & set(actions)
    patterns = {pattern for permission in document["index_permissions"] for pattern in permission["index_patterns"]}
    # The index of alerts is Alerting's own; the sync may look at its mapping and at nothing else there.
    others = {p for p in patterns if not p.startswith("okta-system-log")}
    assert others <= ({MATCHES, ALERTS} if name == "oktalogger_sync" else {MATCHES})
    on_alerts = [p["allowed_actions"] for p in document["index_permissions"] if ALERTS in p["index_patterns"]]
    assert all(actions == ["indices:admin/mappings/get"] for actions in on_alerts)


def test_that_the_prefix_is_filled_in() -> None:
    assert "${" not in json.dumps([role(name, "okta") for name in NAMES])
    assert role("oktalogger_loader", "okta")["index_permissions"][0]["index_patterns"] == ["okta", "okta-*"]


MONTH, LEDGER, MATCHES = "okta-system-log-2026-11", "okta-system-log-ledger", "okta-detection-matches"
ALERTS = ".opendistro-alerting-alerts"

MAY: list[tuple[str, str, str | None]] = [
    ("oktalogger_loader", "indices:data/write/bulk", None),
    ("oktalogger_loader", "indices:admin/index_template/get", None),
    ("oktalogger_loader", "indices:admin/index_template/simulate_index", None),
    ("oktalogger_loader", "indices:admin/create", MONTH),
    ("oktalogger_loader", "indices:admin/get", MONTH),
    ("oktalogger_loader", "indices:data/write/index", MONTH),
    ("oktalogger_loader", "indices:data/write/bulk[s]", MONTH),
    ("oktalogger_loader", "indices:data/write/index", "okta-system-log-rejected"),
    ("oktalogger_loader", "indices:data/write/index", LEDGER),
    ("oktalogger_loader", "indices:data/read/get", LEDGER),
    ("oktalogger_loader", "indices:admin/create", MATCHES),
    ("oktalogger_loader", "indices:data/write/update", MATCHES),
    ("oktalogger_loader", "indices:data/read/mget[shard]", MATCHES),
    ("oktalogger_loader", "cluster:admin/opendistro/alerting/alerts/get", None),
    ("oktalogger_sync", "cluster:admin/opendistro/alerting/monitor/write", None),
    ("oktalogger_sync", "cluster:admin/opendistro/alerting/monitor/delete", None),
    ("oktalogger_sync", "cluster:admin/opendistro/alerting/monitor/search", None),
    ("oktalogger_sync", "cluster:admin/opensearch/notifications/configs/get", None),
    ("oktalogger_sync", "indices:data/read/search", MONTH),
    ("oktalogger_analyst", "indices:data/read/search", "okta-system-log"),
    ("oktalogger_analyst", "indices:data/read/search", MATCHES),
    ("oktalogger_analyst", "cluster:admin/opendistro/alerting/alerts/get", None),
    ("oktalogger_analyst", "cluster:admin/opendistro/alerting/alerts/ack", None),
    ("oktalogger_sync", "cluster:admin/opendistro/_scheduled_jobs/stats", None),
    ("oktalogger_sync", "indices:admin/mappings/get", ".opendistro-alerting-alerts"),
]

MAY_NOT: list[tuple[str, str, str | None]] = [
    # The template brings the aliases, and the setup upgrades mappings.
    ("oktalogger_loader", "indices:admin/aliases", MONTH),
    ("oktalogger_loader", "indices:admin/mapping/put", MONTH),
    ("oktalogger_loader", "indices:admin/mapping/put", MATCHES),
    ("oktalogger_loader", "indices:admin/create", "okta-system-log-payroll"),
    ("oktalogger_loader", "indices:admin/create", "okta-system-log-2026-12-write"),
    ("oktalogger_loader", "indices:data/write/index", "okta-system-log-payroll"),
    ("oktalogger_loader", "indices:data/write/delete", MONTH),
    ("oktalogger_loader", "indices:data/write/delete/byquery", MONTH),
    ("oktalogger_loader", "indices:data/write/update", MONTH),
    ("oktalogger_loader", "indices:data/write/update/byquery", MONTH),
    ("oktalogger_loader", "indices:data/write/delete", LEDGER),
    ("oktalogger_loader", "indices:data/write/update", LEDGER),
    ("oktalogger_loader", "indices:data/write/delete", MATCHES),
    ("oktalogger_loader", "indices:admin/delete", MATCHES),
    ("oktalogger_loader", "indices:admin/delete", MONTH),
    ("oktalogger_loader", "indices:admin/close", MONTH),
    ("oktalogger_loader", "indices:admin/settings/update", MONTH),
    ("oktalogger_loader", "indices:data/write/index", "payroll"),
    ("oktalogger_loader", "indices:data/read/search", "payroll"),
    ("oktalogger_loader", "indices:data/read/search", ".opendistro_security"),
    ("oktalogger_loader", "indices:admin/index_template/put", None),
    ("oktalogger_loader", "indices:admin/index_template/delete", None),
    ("oktalogger_loader", "cluster:admin/opendistro/alerting/monitor/write", None),
    ("oktalogger_loader", "restapi:admin/roles", None),
    ("oktalogger_loader", "cluster:admin/settings/update", None),
    ("oktalogger_sync", "indices:data/write/index", MONTH),
    ("oktalogger_sync", "indices:data/write/bulk", None),
    ("oktalogger_sync", "indices:data/write/delete", MONTH),
    ("oktalogger_sync", "indices:admin/create", MONTH),
    ("oktalogger_sync", "indices:admin/mapping/put", MONTH),
    ("oktalogger_sync", "indices:data/read/search", "payroll"),
    ("oktalogger_sync", "indices:data/read/search", ".opendistro-alerting-alerts"),
    ("oktalogger_sync", "cluster:admin/opendistro/alerting/alerts/ack", None),
    ("oktalogger_sync", "restapi:admin/roles", None),
    ("oktalogger_analyst", "indices:data/write/index", MONTH),
    ("oktalogger_analyst", "indices:data/write/bulk", None),
    ("oktalogger_analyst", "indices:data/read/search", "payroll"),
    ("oktalogger_analyst", "cluster:admin/opendistro/alerting/monitor/write", None),
]


@pytest.mark.parametrize(("name", "action", "index"), MAY)
def test_may(name: str, action: str, index: str | None) -> None:
    assert may(name, action, index)


@pytest.mark.parametrize(("name", "action", "index"), MAY_NOT)
def test_may_not(name: str, action: str, index: str | None) -> None:
    assert not may(name, action, index)
