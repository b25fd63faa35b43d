"""Loads the tests' hour as a user with a role, and reads what is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from oktalogger.okta.auth import SswsAuth
from oktalogger.okta.client import OktaClient
from oktalogger.okta.system_log import SystemLogClient
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.pipeline.document import Stamp
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.pipeline.stop import StopSignal
from oktalogger.window import Window

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from local.simulator.process import Simulator
    from oktalogger.pipeline.document import LoadKind
    from tests.integration.people import People

HOUR = Window(datetime(2026, 11, 16, 10, tzinfo=UTC), datetime(2026, 11, 16, 11, tzinfo=UTC))


def host(org: Simulator) -> str:
    """Return what documents of the org are stamped with."""
    return urlsplit(org.url).netloc


def okta_of(org: Simulator) -> SystemLogClient:
    """Return a client of the simulated org."""
    return SystemLogClient(OktaClient(org.url, SswsAuth(org.token), allow_http=True))


def load(
    client: OpenSearch,
    team: People,
    org: Simulator,
    kind: LoadKind,
    *,
    window: Window = HOUR,
    stop_after: int | None = None,
) -> dict[str, Any]:
    """Load a window, by default the hour, as the load does, twenty events a page."""
    stop = StopSignal()
    store = OpenSearchStore(client, team.names)
    store.prepare()
    stamp = Stamp(host(org), window, f"{kind}-run", kind, timedelta(hours=24))

    def count(progress: Any) -> None:
        if stop_after is not None and progress.result.pages >= stop_after:
            stop.set()

    with okta_of(org) as okta:
        return load_and_record(
            okta,
            store,
            LedgerStore(client, team.names),
            LoadPlan(stamp, page_limit=20, threads=1, compares=kind == "reconcile"),
            on_stored=count,
            stop=stop,
        ).as_dict()


def documents(team: People) -> dict[str, Any]:
    """Return every document of ours, whole, with its version."""
    team.admin.indices.refresh(index=f"{team.names.prefix}*")
    body = {"size": 5000, "version": True, "sort": ["_doc"]}
    found: dict[str, Any] = {}
    for index in (team.names.alias, team.names.rejected):
        for hit in team.admin.search(index=index, body=body)["hits"]["hits"]:
            # A rejected event has an id made of its content.
            found[hit["_source"]["uuid"]] = (hit["_index"], hit["_version"], hit["_source"])
    return found
