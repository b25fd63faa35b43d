"""Thresholds on a real OpenSearch: catch-ups, late events, borders, outages, backfills, and being stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from opensearchpy import OpenSearch

from oktalogger.detections.criteria import Threshold
from oktalogger.detections.grouped_search import group_values
from oktalogger.detections.model import CompiledDetection, MonitorSettings
from oktalogger.detections.monitors.render import monitor_search
from oktalogger.detections.replay.search import find
from oktalogger.detections.replay.span import Span
from oktalogger.detections.rules.cases import Case, CaseEvents
from oktalogger.detections.testing.run import firing_groups, scratch_store
from oktalogger.detections.testing.samples import documents, samples
from oktalogger.window import Window
from tests.integration.slow_log import server_log, written_anew

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oktalogger.opensearch.store import OpenSearchStore
    from oktalogger.pipeline.document import LoadKind

pytestmark = pytest.mark.opensearch

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
SLOT = timedelta(minutes=10)
# A slot's beginning, six hours ago.
THEN = datetime.fromtimestamp((NOW - timedelta(hours=6)).timestamp() // 600 * 600, UTC)
SPRAY = CompiledDetection(
    id="5d0a8d1f-23a5-4f0e-a1b1-2b8f4e9d7c02",
    name="spray",
    title="One address tried many accounts",
    description="",
    severity="high",
    selection="eventType:user.session.start AND outcome.result:FAILURE",
    threshold=Threshold(counted="actor.id", group_by=("client.ipAddress",), seconds=600, at_least=10),
)
COUNT = CompiledDetection(
    id="5d0a8d1f-23a5-4f0e-a1b1-2b8f4e9d7c03",
    name="count",
    title="One address failed often",
    description="",
    severity="high",
    selection=SPRAY.selection,
    threshold=Threshold(counted=None, group_by=("client.ipAddress",), seconds=600, at_least=10),
)


@pytest.fixture(scope="module")
def client(opensearch_url: str) -> Iterator[OpenSearch]:
    client = OpenSearch(opensearch_url, timeout=60)
    yield client
    client.close()


@pytest.fixture(scope="module")
def store(client: OpenSearch) -> Iterator[OpenSearchStore]:
    with scratch_store(client) as store:
        yield store


class Attack:
    """Failed sign-ins from one address, of which each has an account of its own."""

    def __init__(self, store: OpenSearchStore, name: str) -> None:
        self._store = store
        self.name = name
        self.org = f"{name}.okta.com"
        self._loads = 0

    def fails(
        self,
        number: int,
        *,
        start: datetime,
        every: timedelta = timedelta(seconds=15),
        loaded: datetime = NOW,
        kind: LoadKind = "scheduled",
    ) -> None:
        self._loads += 1
        actor = {"id": f"{self.name}-{self._loads}-{{n}}"}
        event = {"eventType": "user.session.start", "outcome": {"result": "FAILURE"}, "actor": actor}
        case = Case(self.name, True, (CaseEvents(event, repeat=number, every=every),), 0)
        made = [
            type(sample)(sample.event, sample.published, loaded)
            for sample in samples(case, start, f"{self._store.names.prefix}/{self.name}/{self._loads}")
        ]
        for sample in made:
            self._store.ensure_month(sample.published)
        built = documents(made, self._store.names, f"{self.name}-{self._loads}", org=self.org, kind=kind)
        assert self._store.create(built).created == number
        self._store.client.indices.refresh(index=self._store.names.alias)

    def alerts(self, detection: CompiledDetection = SPRAY, *, at: datetime = NOW) -> int:
        """Count the groups of this attack for which the monitor alerts."""
        groups = firing_groups(self._store.client, self._store.names, detection, MonitorSettings(), None, at)
        return sum(group_values(group)["oktalogger.org"] == self.org for group in groups)


def test_a_catch_up_of_six_hours_does_not_inflate_a_threshold(store: OpenSearchStore) -> None:
    attack = Attack(store, "catch-up")
    attack.fails(72, start=THEN, every=timedelta(minutes=5))
    assert attack.alerts() == attack.alerts(COUNT) == 0


def test_ten_within_ten_minutes_alert_and_nine_do_not(store: OpenSearchStore) -> None:
    ten, nine = Attack(store, "ten"), Attack(store, "nine")
    ten.fails(10, start=THEN)
    nine.fails(9, start=THEN)
    assert (ten.alerts(), ten.alerts(COUNT)) == (1, 1)
    assert (nine.alerts(), nine.alerts(COUNT)) == (0, 0)


def test_a_burst_over_the_border_of_two_windows_is_one_burst(store: OpenSearchStore) -> None:
    attack = Attack(store, "border")
    attack.fails(6, start=THEN + SLOT - timedelta(seconds=90), loaded=NOW - timedelta(minutes=5))
    assert attack.alerts(at=NOW - timedelta(minutes=5)) == 0
    attack.fails(6, start=THEN + SLOT)
    assert (attack.alerts(), attack.alerts(COUNT)) == (1, 1)


def test_a_late_event_completes_a_threshold(store: OpenSearchStore) -> None:
    attack = Attack(store, "late")
    attack.fails(9, start=THEN, loaded=NOW - timedelta(hours=5))
    assert attack.alerts() == 0
    attack.fails(1, start=THEN + timedelta(minutes=3))
    assert (attack.alerts(), attack.alerts(COUNT)) == (1, 1)


def test_a_late_event_of_yesterday_completes_one_when_it_is_reconciled(store: OpenSearchStore) -> None:
    attack = Attack(store, "reconciled")
    attack.fails(9, start=THEN - timedelta(hours=18), loaded=NOW - timedelta(hours=24))
    attack.fails(1, start=THEN - timedelta(hours=18, minutes=-3), kind="reconcile")
    assert attack.alerts() == 1


def test_what_was_judged_is_not_judged_again(store: OpenSearchStore) -> None:
    attack = Attack(store, "judged")
    attack.fails(12, start=THEN, loaded=NOW - timedelta(hours=1))
    assert attack.alerts(at=NOW - timedelta(hours=1)) == 1
    assert attack.alerts() == 0
    # Another failure of the same address, hours later, does not bring it back.
    attack.fails(1, start=THEN + timedelta(hours=2))
    assert attack.alerts() == 0


def test_an_attack_during_an_outage_of_the_scheduler_alerts_afterwards(store: OpenSearchStore) -> None:
    attack = Attack(store, "outage")
    attack.fails(12, start=THEN - timedelta(days=9))
    assert (attack.alerts(), attack.alerts(COUNT)) == (1, 1)


@pytest.mark.parametrize("kind", ["backfill", "manual"])
def test_a_backfill_does_not_page(store: OpenSearchStore, kind: LoadKind) -> None:
    attack = Attack(store, kind)
    attack.fails(12, start=THEN - timedelta(days=9), kind=kind)
    assert (attack.alerts(), attack.alerts(COUNT)) == (0, 0)


def test_orgs_are_counted_apart(store: OpenSearchStore) -> None:
    one, other = Attack(store, "one-org"), Attack(store, "other-org")
    one.fails(6, start=THEN)
    other.fails(6, start=THEN)
    assert (one.alerts(), other.alerts()) == (0, 0)


def test_pages_of_groups_are_read_to_the_end(store: OpenSearchStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oktalogger.detections.grouped_search.PAGE_OF_GROUPS", 2)
    attacks = [Attack(store, f"page-{number}") for number in range(5)]
    for attack in attacks:
        attack.fails(10, start=THEN)
    assert [attack.alerts() for attack in attacks] == [1] * 5


def test_replay_finds_each_burst_once_whatever_the_window(store: OpenSearchStore) -> None:
    attack = Attack(store, "replayed")
    attack.fails(12, start=THEN + SLOT - timedelta(seconds=90), kind="backfill")

    def ids(start: datetime, end: datetime) -> set[str]:
        found, _ = find(store.client, store.names, SPRAY, Span(Window(start, end)), MonitorSettings())
        return {match.id for match in found if match.org == attack.org}

    whole = ids(THEN - timedelta(hours=1), THEN + timedelta(hours=1))
    assert len(whole) == 1
    # Cut through the middle of the burst, both halves find the same.
    assert ids(THEN - timedelta(hours=1), THEN + SLOT) == whole
    assert ids(THEN + SLOT, THEN + timedelta(hours=1)) == whole
    assert ids(THEN + 2 * SLOT, THEN + timedelta(hours=1)) == set()


def test_the_search_means_the_same_once_the_server_has_written_it_anew(store: OpenSearchStore) -> None:
    """A stored monitor is the server's own writing of the search; the slow log shows that writing."""
    client, index = store.client, store.names.month_index(THEN)
    log = server_log(client)
    attack = Attack(store, "stored")
    attack.fails(12, start=THEN + SLOT - timedelta(seconds=90))
    client.indices.put_settings(index=index, body={"index.search.slowlog.threshold.query.warn": "0ms"})
    for detection in (SPRAY, COUNT):
        moment = str(int((NOW + timedelta(seconds=1)).timestamp() * 1000))
        sent = json.loads(json.dumps(monitor_search(detection, MonitorSettings())).replace("{{period_end}}", moment))
        marker = f"detection-{detection.name}-{store.names.prefix}"
        stored = written_anew(client, index, sent, log, marker)
        # The server may leave out what it does not need, but never what decides.
        assert (
            stored["aggregations"]["composite_agg"]["aggregations"]["okta_shifted_slots"]["date_histogram"]["offset"]
            == 300_000
        )
        first, second = (client.search(index=index, body=body)["aggregations"] for body in (sent, stored))
        assert first == second
        assert any(bucket["okta_shifted_slots"]["buckets"] for bucket in first["composite_agg"]["buckets"])
    composite = {
        "sources": [{"s": {"date_histogram": {"field": "published", "fixed_interval": "10m", "offset": "5m"}}}]
    }
    trap = {"size": 0, "aggregations": {"trap": {"composite": composite}}}
    assert "offset" not in json.dumps(written_anew(client, index, trap, log, f"trap-{store.names.prefix}"))
