"""The kinds of rules that look at more than one group of events, on a real OpenSearch."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from opensearchpy import OpenSearch

from local.standins.stored_form import stored_search
from oktalogger.detections.criteria import Absence, FirstSeen, RulePart, Threshold
from oktalogger.detections.grouped_search import FRESH, GROUPS, SHIFTED_SLOTS, SLOTS, group_values
from oktalogger.detections.model import CompiledDetection, MonitorSettings
from oktalogger.detections.monitors.compare import dropped
from oktalogger.detections.monitors.render import monitor_search
from oktalogger.detections.replay.absent import loaded_until
from oktalogger.detections.replay.search import find
from oktalogger.detections.replay.span import Span
from oktalogger.detections.rules.cases import Case, CaseEvents
from oktalogger.detections.testing.run import firing_groups, scratch_store
from oktalogger.detections.testing.samples import documents, samples
from oktalogger.pipeline.ledger import LedgerEntry, LedgerKey
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.window import Window
from tests.integration.slow_log import server_log, written_anew

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oktalogger.opensearch.store import OpenSearchStore
    from oktalogger.pipeline.document import LoadKind

pytestmark = pytest.mark.opensearch

SETTINGS = MonitorSettings()
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BASE = CompiledDetection(
    id="5d0a8d1f-23a5-4f0e-a1b1-2b8f4e9d7d01",
    name="kind",
    title="Kind",
    description="",
    severity="high",
    selection="eventType:(a OR b OR c)",
)
NEWS = replace(
    BASE,
    selection="eventType:user.session.start",
    first_seen=FirstSeen(fields=("client.geographicalContext.country",), seconds=30 * 86_400),
)
MISSED = replace(BASE, selection="eventType:beat", absence=Absence(seconds=3600, group_by=(), history_seconds=604_800))


@pytest.fixture(scope="module")
def client(opensearch_url: str) -> Iterator[OpenSearch]:
    client = OpenSearch(opensearch_url, timeout=60)
    yield client
    client.close()


@pytest.fixture
def store(client: OpenSearch) -> Iterator[OpenSearchStore]:
    with scratch_store(client) as store:
        yield store


def put(
    store: OpenSearchStore,
    happened: list[tuple[datetime, dict[str, Any]]],
    *,
    loaded: datetime | None = None,
    org: str = "acme.okta.com",
    kind: LoadKind = "scheduled",
) -> None:
    """Load events, by default half a minute after they happened."""
    for number, (at, event) in enumerate(happened):
        late = (loaded or at + timedelta(seconds=30)) - at
        case = Case("case", True, (CaseEvents(event, loaded_after=late),), 1)
        key = f"{store.names.prefix}/{number}/{at}/{event}/{loaded}"
        made = samples(case, at, key)
        store.ensure_month(at)
        store.create(documents(made, store.names, "run", org=org, kind=kind))
    store.client.indices.refresh(index=store.names.alias)


def sign_in(country: str, actor: str = "ada@acme.example") -> dict[str, Any]:
    return {
        "eventType": "user.session.start",
        "actor": {"alternateId": actor},
        "client": {"geographicalContext": {"country": country}},
    }


def loaded(start: datetime, end: datetime) -> Span:
    return Span(Window(start, end), by="loaded", historical=False)


def new_values(store: OpenSearchStore, span: Span, detection: CompiledDetection = NEWS) -> list[str]:
    found, _ = find(store.client, store.names, detection, span, SETTINGS)
    return [match.group["client.geographicalContext.country"] for match in found]


class TestInOrder:
    """Random events of three rules in one slot, against a search by hand through all of them."""

    @pytest.mark.parametrize("parts", [2, 3])
    def test_finds_just_the_actors_whose_events_lie_in_the_order_of_the_rules(
        self, store: OpenSearchStore, parts: int
    ) -> None:
        chance = random.Random(parts)
        start = datetime.fromtimestamp((NOW - 6 * HOUR).timestamp() // 3600 * 3600, UTC)
        names = "abc"[:parts]
        expected, happened = set(), []
        for number in range(60):
            actor = f"u{number:02}"
            events = [
                (start + timedelta(seconds=chance.randrange(5, 1500)), chance.choice("abc"))
                for _ in range(chance.randrange(1, 8))
            ]
            happened += [(at, {"eventType": kind, "actor": {"alternateId": actor}}) for at, kind in events]
            rows = product(*([at for at, kind in events if kind == name] for name in names))
            if any(list(row) == sorted(row) for row in rows):
                expected.add(actor)
        put(store, happened)
        rules = tuple(RulePart(title=name, query=f"eventType:{name}") for name in names)
        threshold = Threshold(
            counted=None, group_by=("actor.alternateId",), seconds=3600, at_least=1, parts=rules, in_order=True
        )
        detection = replace(BASE, threshold=threshold)
        found, _ = find(store.client, store.names, detection, Span(Window(start, start + HOUR)), SETTINGS)
        assert {match.group["actor.alternateId"] for match in found} == expected
        assert 5 < len(expected) < 55
        if detection.is_monitored:
            keys = firing_groups(store.client, store.names, detection, MonitorSettings(fresh_minutes=600), None, NOW)
            assert {group_values(key)["actor.alternateId"] for key in keys} == expected


@pytest.mark.parametrize(
    ("measure", "percentile", "number"),
    [("sum", None, 1 + 2 + 3 + 94), ("average", None, 25.0), ("percentile", 50.0, 2.5), ("percentile", 100.0, 94)],
)
def test_a_measure_fires_at_its_number_and_not_above(
    store: OpenSearchStore, measure: Any, percentile: float | None, number: float
) -> None:
    if percentile == 50 and not store.client.info()["version"]["number"].startswith("2."):
        number = 3  # of two numbers in the middle, 3.x takes the greater one and not their mean
    at = NOW - 2 * HOUR
    put(store, [(at + timedelta(minutes=n), {"eventType": "a", "securityContext": {"asNumber": n}}) for n in (1, 2, 3)])
    put(store, [(at + timedelta(minutes=9), {"eventType": "a", "securityContext": {"asNumber": 94}})])
    for at_least, is_reached in ((number, True), (number + 0.01, False)):
        threshold = Threshold(
            counted="securityContext.asNumber",
            group_by=(),
            seconds=3600,
            at_least=at_least,
            measure=measure,
            percentile=percentile,
        )
        detection = replace(BASE, threshold=threshold)
        found, _ = find(store.client, store.names, detection, Span(Window(at, NOW)), SETTINGS)
        assert [match.values for match in found] == ([number] if is_reached else [])
        keys = firing_groups(store.client, store.names, detection, MonitorSettings(fresh_minutes=600), None, NOW)
        assert len(keys) == is_reached


def _thresholds() -> Iterator[Threshold]:
    common: dict[str, Any] = {"group_by": ("actor.alternateId",), "seconds": 3600}
    rules = (RulePart(title="a", query="eventType:a"), RulePart(title="b", query="eventType:(b OR c)"))
    for in_order in (False, True):
        yield Threshold(counted=None, at_least=1, parts=rules, in_order=in_order, **common)
    for measure, percentile in (("sum", None), ("average", None), ("percentile", 95.0)):
        counted: dict[str, Any] = {"counted": "securityContext.asNumber", "measure": measure, "percentile": percentile}
        yield Threshold(at_least=0.5, **counted, **common)
    yield Threshold(counted=None, at_least=1, with_query="eventType:a", without_query="eventType:c", **common)


def test_nothing_of_a_kind_is_lost_when_a_monitor_is_stored(store: OpenSearchStore) -> None:
    at = NOW - 2 * HOUR
    put(store, [(at, {"eventType": "a"}), (at + timedelta(minutes=5), {"eventType": "b"})])
    client, index = store.client, store.names.month_index(at)
    log = server_log(client)
    client.indices.put_settings(index=index, body={"index.search.slowlog.threshold.query.warn": "0ms"})
    settings = MonitorSettings(fresh_minutes=600)
    for number, threshold in enumerate(_thresholds()):
        monitor = monitor_search(replace(BASE, threshold=threshold), settings)
        sent = json.loads(json.dumps(monitor).replace("{{period_end}}", str(int((NOW + HOUR).timestamp() * 1000))))
        # The server writes ranges as they are for its documents, or, within an aggregation, nothing at all.
        sent["query"]["bool"]["filter"] = sent["query"]["bool"]["filter"][:1]
        for name in (SLOTS, SHIFTED_SLOTS):
            inside = sent["aggregations"][GROUPS]["aggregations"][name]["aggregations"]
            inside[FRESH] = {"filter": {"exists": {"field": "uuid"}}}
        stored = written_anew(client, index, sent, log, f"kind-{number}-{store.names.prefix}")
        assert dropped(sent, stored) == ()
        assert stored_search(sent) == stored, "the stand-in stores it as the server does"
        first, second = (client.search(index=index, body=body)["aggregations"] for body in (sent, stored))
        assert first == second
        assert any(bucket["okta_slots"]["buckets"] for bucket in first["composite_agg"]["buckets"]), threshold


class TestFirstSeen:
    def test_each_load_finds_what_it_brought_for_the_first_time_and_once(self, store: OpenSearchStore) -> None:
        put(store, [(NOW - day * DAY, sign_in("Norway")) for day in range(1, 12)])
        put(store, [(NOW - HOUR, sign_in("Chile")), (NOW - HOUR, sign_in("Norway"))], loaded=NOW)
        span = loaded(NOW - timedelta(minutes=5), NOW + timedelta(minutes=5))
        first, _ = find(store.client, store.names, NEWS, span, SETTINGS)
        assert [match.group["client.geographicalContext.country"] for match in first] == ["Chile"]
        again, _ = find(store.client, store.names, NEWS, span, SETTINGS)
        by_day, _ = find(store.client, store.names, NEWS, Span(Window(NOW - DAY, NOW)), SETTINGS)
        assert first[0].id == again[0].id == by_day[0].id
        # An earlier event of the same, that comes late: the other load told of it.
        put(store, [(NOW - 2 * HOUR, sign_in("Chile"))], loaded=NOW + timedelta(minutes=10))
        assert new_values(store, loaded(NOW + timedelta(minutes=8), NOW + timedelta(minutes=12))) == []

    def test_a_value_older_than_the_history_is_new_again(self, store: OpenSearchStore) -> None:
        put(store, [(NOW - 33 * DAY, sign_in("Chile")), (NOW - 20 * DAY, sign_in("Norway")), (NOW, sign_in("Chile"))])
        assert new_values(store, loaded(NOW, NOW + HOUR)) == ["Chile"]
        put(store, [(NOW - 30 * DAY + HOUR, sign_in("Chile"))])
        assert new_values(store, loaded(NOW, NOW + HOUR)) == []

    def test_newcomers_are_asked_for(self, store: OpenSearchStore) -> None:
        put(store, [(NOW - 20 * DAY, sign_in("Norway")), (NOW, sign_in("Chile", "new@acme.example"))])
        span = loaded(NOW, NOW + HOUR)
        assert new_values(store, span) == []
        assert NEWS.first_seen is not None
        eager = replace(NEWS, first_seen=replace(NEWS.first_seen, newcomers=True))
        assert new_values(store, span, eager) == ["Chile"]

    def test_what_a_backfill_loaded_is_known_and_raises_nothing(self, store: OpenSearchStore) -> None:
        old = [(NOW - day * DAY, sign_in("Norway")) for day in (9, 10)]
        put(store, [*old, (NOW - 8 * DAY, sign_in("Chile"))], loaded=NOW, kind="backfill")
        span = loaded(NOW - timedelta(minutes=1), NOW + HOUR)
        assert new_values(store, span) == []
        put(store, [(NOW, sign_in("Chile")), (NOW, sign_in("Peru"))])
        assert new_values(store, span) == ["Peru"]

    def test_a_log_that_just_began_knows_nothing_and_says_so(
        self, store: OpenSearchStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        put(store, [(NOW - 6 * DAY, sign_in("Norway")), (NOW, sign_in("Chile"))])
        assert new_values(store, loaded(NOW, NOW + HOUR)) == []
        assert "cannot tell yet what is new in acme.okta.com" in caplog.text
        assert "Backfill at least a week" in caplog.text

    def test_more_values_than_one_question_holds(self, store: OpenSearchStore) -> None:
        put(store, [(NOW - 9 * DAY, sign_in("Norway"))])
        put(store, [(NOW, sign_in(f"Land {number}")) for number in range(120)])
        assert len(new_values(store, loaded(NOW, NOW + HOUR))) == 120


@pytest.mark.parametrize("is_late", [False, True])
def test_a_late_event_of_the_month_before_is_found_like_any_other(store: OpenSearchStore, is_late: bool) -> None:
    """The turn of a month is what document-level monitors lost late events at."""
    turn = NOW.replace(day=1, hour=0)
    before, after = turn - timedelta(minutes=4), turn + timedelta(minutes=3)
    put(store, [(after, {"eventType": "b"})], loaded=NOW - 5 * HOUR)
    put(store, [(before, {"eventType": "a"})], loaded=NOW if is_late else NOW - 5 * HOUR)
    rules = (RulePart(title="a", query="eventType:a"), RulePart(title="b", query="eventType:b"))
    ordered = Threshold(counted=None, group_by=(), seconds=1200, at_least=1, parts=rules, in_order=True)
    single = replace(BASE, selection="eventType:a")
    counting = Threshold(counted=None, group_by=(), seconds=1200, at_least=2)
    for detection in (single, replace(BASE, threshold=ordered), replace(BASE, threshold=counting)):
        at = NOW + timedelta(minutes=1)
        assert len(firing_groups(store.client, store.names, detection, SETTINGS, None, at)) == is_late
        found, _ = find(store.client, store.names, detection, loaded(NOW - HOUR, at), SETTINGS)
        assert len(found) == is_late


class TestAbsent:
    def beats(self, store: OpenSearchStore, *hours_ago: float) -> None:
        put(store, [(NOW - ago * HOUR, {"eventType": "beat"}) for ago in hours_ago])

    def covered(self, store: OpenSearchStore, start: float, end: float) -> None:
        window = Window(NOW - start * HOUR, NOW - end * HOUR)
        ledger = LedgerStore(store.client, store.names)
        entry = LedgerEntry(
            id=LedgerKey("acme.okta.com", "scheduled", window).id,
            org="acme.okta.com",
            kind="scheduled",
            window_start=window.start,
            window_end=window.end,
            state="complete",
            completed_at=window.end,
        )
        ledger.write(entry.id, entry, {})
        store.client.indices.refresh(index=store.names.ledger)

    def silent(self, store: OpenSearchStore) -> int:
        found, _ = find(store.client, store.names, MISSED, loaded(NOW - HOUR, NOW), SETTINGS)
        return len(found)

    def test_a_silence_counts_up_to_where_everything_is_loaded(self, store: OpenSearchStore) -> None:
        self.beats(store, 5, 4, 3)
        self.covered(store, 6, 2.2)
        assert self.silent(store) == 0, "the log is known up to 2.2 hours ago, when the last beat was 48 minutes old"
        self.covered(store, 2.2, 1.9)
        assert self.silent(store) == 1
        self.beats(store, 0.5)
        assert self.silent(store) == 0

    def test_a_gap_in_the_loads_is_no_silence(self, store: OpenSearchStore, caplog: pytest.LogCaptureFixture) -> None:
        self.beats(store, 5, 4, 3)
        self.covered(store, 6, 2)
        self.covered(store, 1, 0.5)
        assert self.silent(store) == 0
        assert "its loads have a gap" in caplog.text
        assert loaded_until(LedgerStore(store.client, store.names), "acme.okta.com", NOW, silence=HOUR) is None

    def test_what_never_came_or_not_for_long_is_not_expected(self, store: OpenSearchStore) -> None:
        self.beats(store, 8 * 24)
        self.covered(store, 6, 0)
        assert self.silent(store) == 0

    def test_a_replay_finds_each_silence_that_there_was(self, store: OpenSearchStore) -> None:
        self.beats(store, 10, 9.5, 9, 7.5, 7, 6.5, 6, 5.5, 4.4, 4)
        found, _ = find(store.client, store.names, MISSED, Span(Window(NOW - 12 * HOUR, NOW)), SETTINGS)
        assert [(NOW - match.last) / HOUR for match in found] == pytest.approx([9, 5.5, 4])
        part, _ = find(store.client, store.names, MISSED, Span(Window(NOW - 7.9 * HOUR, NOW - 6 * HOUR)), SETTINGS)
        assert part == [], "the silence of nine hours ago was long enough before"
