"""Whether a role allows the sync of monitors.

Alerting is not among the published plugins: the role as the security plugin stored it decides, in front of a stand-in
of the Alerting API, with the plugin's names of actions and its rule for wildcards.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from local.standins.alerting import AlertingStandIn
from local.standins.alerting_answers import Answer
from local.standins.monitors import rendered
from local.standins.transport import in_process_client
from oktalogger.detections.monitors.api import AlertingClient
from oktalogger.detections.monitors.channels import read_channels
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.monitors.sync import SyncOptions, apply_sync, plan_sync
from oktalogger.opensearch.errors import OpenSearchPermissionError
from oktalogger.opensearch.request import call
from oktalogger.opensearch.setup.security import ROLES_API
from tests.integration.people import People
from tests.integration.roles.permissions import ANALYST, LOADER, SYNC

if TYPE_CHECKING:
    from oktalogger.detections.model import RenderedMonitor

pytestmark = pytest.mark.opensearch

# opensearch-project/common-utils, AlertingActions.kt and NotificationsActions.kt; alerting, ExecuteMonitorAction.kt.
MONITOR = "cluster:admin/opendistro/alerting/monitor"
ACTIONS = {
    ("POST", "/_plugins/_alerting/monitors"): f"{MONITOR}/write",
    ("PUT", "/_plugins/_alerting/monitors/ID"): f"{MONITOR}/write",
    ("GET", "/_plugins/_alerting/monitors/ID"): f"{MONITOR}/get",
    ("DELETE", "/_plugins/_alerting/monitors/ID"): f"{MONITOR}/delete",
    ("POST", "/_plugins/_alerting/monitors/_search"): f"{MONITOR}/search",
    ("POST", "/_plugins/_alerting/monitors/_execute"): f"{MONITOR}/execute",
    ("POST", "/okta-system-log/_validate/query"): "indices:admin/validate/query",
    ("POST", "/okta-system-log/_search"): "indices:data/read/search",
    ("GET", "/_plugins/_notifications/channels"): "cluster:admin/opensearch/notifications/channels/get",
}


class GuardedAlerting:
    """The stand-in of the Alerting API behind a role."""

    def __init__(self, team: People, role: str) -> None:
        stored = call(team.admin, "GET", f"{ROLES_API}/{role}", doing="to read the role")[role]
        # The stand-in's index is not the deployment's: what the role may do in that one counts here.
        on_indices = [action for part in stored["index_permissions"] for action in part["allowed_actions"]]
        self._allowed = [*stored["cluster_permissions"], *on_indices]
        self._user = team.users[role]
        self.standin = AlertingStandIn()

    def __call__(self, method: str, target: str, body: Any, headers: dict[str, str]) -> Answer:
        path = target.partition("?")[0]
        last = path.rpartition("/")[2]
        if last not in ("query", "monitors", "_search", "_execute", "channels"):
            path = f"{path.rpartition('/')[0]}/ID"
        action = ACTIONS[(method, path)]
        if not any(fnmatchcase(action, pattern) for pattern in self._allowed):
            reason = (
                f"no permissions for [{action}] and User [name={self._user}, backend_roles=[], requestedTenant=null]"
            )
            return 403, {"error": {"type": "security_exception", "reason": reason}, "status": 403}
        return self.standin.handle(method, target, body, headers)

    def sync(self, monitors: list[RenderedMonitor]) -> None:
        """Plan and apply, as the DAG does."""
        client = AlertingClient(in_process_client(self), sleep=lambda _: None)
        read_channels(client)
        for monitor in monitors:
            client.dry_run(monitor.body)
        plan_sync(client, monitors, Owner(), SyncOptions())
        apply_sync(client, monitors, Owner(), SyncOptions(confirm_deletions=True), sleep=lambda _: None)


def test_the_syncs_role_is_enough_for_the_sync(team: People) -> None:
    guarded = GuardedAlerting(team, SYNC)
    guarded.sync([rendered(1), rendered(2)])
    guarded.sync([rendered(1, query="eventType:new")])
    assert len(guarded.standin.monitors()) == 1
    assert {method for method, _ in guarded.standin.writes} == {"POST", "PUT", "DELETE"}


@pytest.mark.parametrize("role", [LOADER, ANALYST])
def test_no_other_role_makes_monitors(team: People, role: str) -> None:
    guarded = GuardedAlerting(team, role)
    with pytest.raises(OpenSearchPermissionError, match="to the role oktalogger_sync"):
        guarded.sync([rendered(1)])
    assert guarded.standin.writes == []
