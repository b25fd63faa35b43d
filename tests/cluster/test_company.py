"""What a company runs: windows are loaded on time while a node and a worker are killed and the database restarts.

Airflow on PostgreSQL with Celery workers and Redis; OpenSearch as a cluster of three nodes. A window lasts a minute.
"""

from __future__ import annotations

import logging
import signal
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from local.balancer import balancer
from local.opensearch.nodes import Nodes, nodes
from local.simulator.process import Simulator, running
from oktalogger.window import Window, format_instant
from tests.cluster.company import Company, company, connections

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.airflow, pytest.mark.opensearch, pytest.mark.timeout(900)]

log = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)

MINUTE: Final = timedelta(minutes=1)
PREFIX: Final = "company"
# So long after its end a window has to be complete: the requirement, and no measure of a machine.
LATEST: Final = 2 * MINUTE
_MAY_BE_ABSENT: Final = "ignore_unavailable=true&allow_no_indices=true"


@dataclass
class Site:
    """The whole installation.

    :param start: where the first window begins
    """

    okta: Simulator
    nodes: Nodes
    company: Company
    start: datetime

    def entries(self) -> dict[datetime, dict[str, Any]]:
        """The ledger's entries, by the start of their windows."""
        self.nodes.ask("POST", f"/{PREFIX}-ledger/_refresh?{_MAY_BE_ABSENT}")
        found = self.nodes.ask("GET", f"/{PREFIX}-ledger/_search?size=1000&{_MAY_BE_ABSENT}")
        return {instant(hit["_source"]["window_start"]): hit["_source"] for hit in found["hits"]["hits"]}

    def documents(self, window: Window) -> list[str]:
        """The ids of all documents of a range, in whatever index."""
        self.nodes.ask("POST", f"/{PREFIX}-20*/_refresh")
        query = {"range": {"published": {"gte": format_instant(window.start), "lt": format_instant(window.end)}}}
        body = {"size": 10_000, "_source": False, "query": query}
        found = self.nodes.ask("POST", f"/{PREFIX}-20*/_search?allow_partial_search_results=false", body)
        return [hit["_id"] for hit in found["hits"]["hits"]]

    def completed(self, until: datetime) -> bool:
        """Whether every window from the first on is complete that ends by an instant."""
        entries = self.entries()
        return all(entries.get(start, {}).get("state") == "complete" for start in starts(self.start, until))

    def wait_for(self, until: datetime, what: str) -> None:
        """Wait until every window is complete that ends by an instant."""
        seconds = (until + LATEST - datetime.now(UTC)).total_seconds() + 120
        self.company.wait(f"the windows up to {until:%H:%M} {what}", lambda: self.completed(until), seconds)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def starts(start: datetime, until: datetime) -> list[datetime]:
    return [start + n * MINUTE for n in range((until - start) // MINUTE)]


def next_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) + MINUTE


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("company")
    with (
        nodes(folder) as opensearch,
        balancer(list(opensearch.ports.values())) as url,
        running("--seed", "company", "--rate", "120", "--rhythm", "flat", "--start", "1h") as okta,
    ):
        begins: list[datetime] = []

        def settings() -> dict[str, str]:
            opensearch.wait(*opensearch.ports)
            begins.append(next_minute())
            return {
                "OKTALOGGER_START_DATE": begins[0].isoformat(),
                "OKTALOGGER_INTERVAL_MINUTES": "1",
                "OKTALOGGER_INDEX_PREFIX": PREFIX,
                "OKTALOGGER_POOL": "default_pool",
                "OKTALOGGER_REPLICAS": "1",
                "OKTALOGGER_HOLD_BACK_SECONDS": "10",
                "OKTALOGGER_OVERLAP_SECONDS": "10",
                **connections(okta.url, okta.token, url),
            }

        with company(folder, settings) as airflow:
            yield Site(okta, opensearch, airflow, begins[0])


def test_windows_are_on_time_and_nothing_is_lost_while_parts_of_the_company_die(site: Site) -> None:
    airflow, cluster = site.company, site.nodes
    site.wait_for(site.start + MINUTE, "while all is well")
    well_since = datetime.now(UTC)

    # Only what is on two nodes survives one of them; the month was made a moment ago.
    cluster.wait_for_green(180)
    leader = cluster.leader()
    cluster.kill(leader)
    site.wait_for(next_minute(), f"while the node {leader}, which led the cluster, is dead")
    cluster.start(leader)

    # The next load takes long enough to be killed in the middle.
    site.okta.control.fault("slow-body", seconds=20)
    worker = airflow.wait("a worker that is at a load", airflow.busy_worker, 120)
    airflow.supervisor.kill(worker)
    killed = next_minute()
    site.wait_for(killed, f"after {worker} was killed in the middle of a load")
    cluster.wait(leader)

    airflow.supervisor.kill("postgres", signal.SIGINT)  # a fast shutdown; it is started again
    site.wait_for(next_minute(), "after PostgreSQL restarted")
    cluster.wait_for_green(120)

    entries = site.entries()
    end = max(instant(entry["window_end"]) for entry in entries.values() if entry["state"] == "complete")
    took = {
        start: instant(entries[start]["completed_at"]) - start - MINUTE
        for start in starts(site.start, end)
        if entries.get(start, {}).get("state") == "complete"
    }
    said = ", ".join(f"{start:%H:%M} {after.total_seconds():.0f} s" for start, after in took.items())
    log.info("Complete so long after their windows' end: %s. Started: %s", said, airflow.supervisor.starts())
    # While the parts start one after the other, windows may wait.
    assert max(after for start, after in took.items() if start + MINUTE >= well_since) <= LATEST, said
    checked = Window(site.start, max(took) + MINUTE)
    assert list(took) == starts(checked.start, checked.end), said

    sent = {event["uuid"] for event in site.okta.control.hidden(*map(format_instant, (checked.start, checked.end)))}
    stored = site.documents(checked)
    assert len(sent) > 100 * len(took)
    assert sorted(stored) == sorted(sent)
