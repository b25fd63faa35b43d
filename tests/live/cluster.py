"""A place for these tests: a part of a real cluster, or a stand-in where none is named."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.standins.alerting import AlertingStandIn
from local.standins.transport import serve
from oktalogger.cli.environment import opensearch_client
from oktalogger.detections.monitors.api import MONITORS, AlertingClient
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.monitors.sync import SyncOptions, SyncResult, apply_sync
from oktalogger.detections.testing.run import scratch_store
from oktalogger.opensearch.client import OpenSearchSettings, make_client
from oktalogger.opensearch.names import IndexNames

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import RenderedMonitor
    from oktalogger.detections.monitors.stored import StoredMonitor

LIVE = "OKTALOGGER_TEST_LIVE"


@dataclass(frozen=True, slots=True)
class Place:
    """Monitors and indices that no other test uses.

    :param client: of the cluster
    :param names: the names of the indices
    """

    client: OpenSearch
    names: IndexNames

    @property
    def alerting(self) -> AlertingClient:
        """A client that counts from nothing."""
        return AlertingClient(self.client)

    @property
    def owner(self) -> Owner:
        """Whose monitors these are."""
        return Owner(self.names.prefix)

    def sync(self, rendered: Iterable[RenderedMonitor], **options: Any) -> SyncResult:
        """Bring the monitors in step with these rules."""
        given = SyncOptions(**{"delete_share": 1.0, **options})
        return apply_sync(self.alerting, rendered, self.owner, given)

    def monitors(self) -> list[StoredMonitor]:
        """Read the monitors whose names begin as ours do."""
        return [one for one in self.alerting.monitors() if one.name.startswith(self.owner.name_prefix)]

    def write_by_hand(self, monitor: StoredMonitor, *, keep_metadata: bool = False, **changes: Any) -> None:
        """Write a monitor as a colleague does in Dashboards, whose form writes ``ui_metadata`` anew."""
        body = monitor.content | changes
        if not keep_metadata:
            body["ui_metadata"] = {"schedule": {"frequency": "interval"}}
        self.client.transport.perform_request("PUT", f"{MONITORS}/{monitor.id}", body=body)

    def create_by_hand(self, body: dict[str, Any]) -> str:
        """Create a monitor without the sync, and return its id."""
        created = self.client.transport.perform_request("POST", MONITORS, body=body)
        return str(created["_id"])


@contextmanager
def place() -> Iterator[Place]:
    """Give a place, and clean up behind it."""
    if not os.environ.get(LIVE):
        prefix = f"oktalogger-test-{secrets.token_hex(5)}"
        with serve(AlertingStandIn(indices={prefix})) as url:
            client = make_client(OpenSearchSettings(url=url))
            yield Place(client, IndexNames(prefix))
            client.close()
        return
    client = opensearch_client()
    with scratch_store(client) as store:
        # Without its month there is no alias, and a monitor on it is refused.
        store.ensure_month(datetime.now(UTC))
        here = Place(client, store.names)
        try:
            yield here
        finally:
            _clean_up(here)
    client.close()


def _clean_up(here: Place) -> None:
    """Delete the monitors that read the indices of this place, however they are called, and no others."""
    for monitor in here.alerting.monitors():
        inputs = (inner for given in monitor.content.get("inputs", ()) for inner in given.values())
        if any(name.startswith(here.names.prefix) for inner in inputs for name in inner.get("indices", ())):
            here.client.transport.perform_request("DELETE", f"{MONITORS}/{monitor.id}")
