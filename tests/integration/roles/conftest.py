"""One deployment with its three users, on a real OpenSearch with the security plugin, for all tests of the roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.simulator.process import Simulator, running
from oktalogger.opensearch.request import call
from oktalogger.opensearch.setup.apply import apply_setup, plan_setup
from oktalogger.pipeline.stop import LoadStoppedError
from tests.integration.people import People, people
from tests.integration.roles.loading import load
from tests.integration.roles.permissions import LOADER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opensearchpy import OpenSearch

NOW = "2026-11-16T14:00:00Z"


@pytest.fixture(scope="package")
def team(opensearch_secure: Any) -> Iterator[People]:
    with people(opensearch_secure) as found:
        plan = plan_setup(found.admin, found.names, found.documents(), retention_days=365)
        apply_setup(found.admin, plan)
        call(found.admin, "PUT", "/payroll/_doc/1", doing="to have something foreign", body={"salary": 1})
        yield found
        found.admin.indices.delete(index="payroll,payroll-*", ignore_unavailable=True)


@pytest.fixture(scope="package")
def clients(team: People) -> Iterator[dict[str, OpenSearch]]:
    made = {role: team.client(user) for role, user in team.users.items()}
    yield made
    for client in made.values():
        client.close()


@pytest.fixture(scope="package")
def org() -> Iterator[Simulator]:
    with running("--seed", "roles", "--rate", "3", "--clock", NOW, "--rate-limit", "100000") as simulator:
        event = {"@timestamp": "now"}
        simulator.control.post("/events", event=event, published="2026-11-16T10:10:00Z")
        yield simulator


@pytest.fixture(scope="package")
def loaded(team: People, clients: dict[str, OpenSearch], org: Simulator) -> dict[str, Any]:
    """The hour, loaded as the loader's user: stopped half-way and taken up again."""
    with pytest.raises(LoadStoppedError):
        load(clients[LOADER], team, org, "scheduled", stop_after=2)
    return load(clients[LOADER], team, org, "scheduled")
