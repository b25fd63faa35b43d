"""What the setup changes in a cluster's audit log: it adds, and leaves the rest to whoever chose it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from local.standins.transport import in_process_client
from oktalogger.opensearch.errors import OpenSearchUnavailableError
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.setup.apply import apply_setup
from oktalogger.opensearch.setup.audit import plan_audit
from oktalogger.opensearch.setup.steps import SetupPlan

NAMES = IndexNames()
OURS = ["okta-system-log-ledger", "okta-system-log-rejected", "okta-detection-matches"]
ON: dict[str, Any] = {
    "enabled": True,
    "audit": {
        "enable_rest": True,
        "enable_transport": True,
        "disabled_rest_categories": ["AUTHENTICATED", "GRANTED_PRIVILEGES"],
        "disabled_transport_categories": ["AUTHENTICATED", "GRANTED_PRIVILEGES"],
        "ignore_users": ["kibanaserver"],
    },
    "compliance": {
        "enabled": True,
        "internal_config": True,
        "write_metadata_only": True,
        "write_watched_indices": OURS,
        "read_watched_fields": {"payroll": ["salary"]},
    },
}


class Cluster:
    """Answers like the security plugin's API of the audit log."""

    def __init__(self, config: dict[str, Any], *, readonly: tuple[str, ...] = (), refusal: int | None = None) -> None:
        self.config = config
        self._readonly = readonly
        self._refusal = refusal
        self.writes: list[dict[str, Any]] = []

    def __call__(self, method: str, target: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        if self._refusal is not None:
            return self._refusal, {"status": "REFUSED", "message": "refused"}
        if method == "PUT":
            assert target == "/_plugins/_security/api/audit/config"
            self.config = body
            self.writes.append(body)
            return 200, {"status": "OK"}
        assert target == "/_plugins/_security/api/audit"
        return 200, {"_readonly": list(self._readonly), "config": self.config}


def planned(cluster: Cluster) -> SetupPlan:
    return plan_audit(in_process_client(cluster), NAMES, "changes")


def changed(**parts: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration as it should be, but for some keys."""
    config = copy.deepcopy(ON)
    for part, values in parts.items():
        config[part] |= values
    return config


def test_where_all_is_on_nothing_is_to_be_done() -> None:
    plan = planned(Cluster(copy.deepcopy(ON)))
    assert ([step.action for step in plan.steps], plan.notices) == (["unchanged"], ())


def test_what_aws_has_at_first_is_switched_on_and_the_rest_stays() -> None:
    fresh = changed(compliance={"write_watched_indices": []}) | {"enabled": False}
    cluster = Cluster(fresh)
    client = in_process_client(cluster)
    apply_setup(client, plan_audit(client, NAMES, "changes"))
    assert cluster.writes == [ON]
    assert planned(cluster).changes == ()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (changed(audit={"enable_transport": False}), "+ audit.enable_transport: true"),
        (changed(compliance={"internal_config": False}), "+ compliance.internal_config: true"),
        (changed(audit={"disabled_transport_categories": ["INDEX_EVENT"]}),
         "- audit.disabled_transport_categories: INDEX_EVENT"),
        (changed(audit={"disabled_rest_categories": ["MISSING_PRIVILEGES", "AUTHENTICATED"]}),
         "- audit.disabled_rest_categories: MISSING_PRIVILEGES"),
        (changed(compliance={"write_watched_indices": ["payroll", *OURS[1:]]}),
         f"+ compliance.write_watched_indices: {OURS[0]}"),
    ],
)  # fmt: skip
def test_each_thing_that_is_missing_is_named_and_added(config: dict[str, Any], said: str) -> None:
    cluster = Cluster(config)
    (step,) = planned(cluster).changes
    assert step.changes == (said,)
    apply_setup(in_process_client(cluster), SetupPlan((step,)))
    assert planned(cluster).changes == ()
    for name in ("payroll", "AUTHENTICATED"):
        assert (name in str(config)) == (name in str(cluster.config)), "what others chose stays"


def test_the_content_of_what_is_written_stays_out_unless_somebody_chose_it() -> None:
    fresh = changed(compliance={"write_watched_indices": [], "write_metadata_only": False})
    assert "+ compliance.write_metadata_only: true" in planned(Cluster(fresh)).changes[0].changes
    chosen = changed(compliance={"write_watched_indices": OURS, "write_metadata_only": False})
    assert planned(Cluster(chosen)).changes == ()


def test_what_is_read_only_is_left_and_said() -> None:
    cluster = Cluster(ON | {"enabled": False}, readonly=("/enabled", "/compliance"))
    plan = planned(cluster)
    assert plan.changes == ()
    (notice,) = plan.notices
    assert "/enabled is read-only" in notice


@pytest.mark.parametrize("status", [404, 405, 501])
def test_where_the_log_cannot_be_configured_there_is_a_notice(status: int) -> None:
    plan = planned(Cluster({}, refusal=status))
    assert plan.steps == ()
    assert "audit log" in plan.notices[0]


def test_a_cluster_out_of_reach_is_an_error() -> None:
    with pytest.raises(OpenSearchUnavailableError):
        planned(Cluster({}, refusal=503))
