"""Replay on a real OpenSearch: what it finds is kept, each match once; and how messages come out."""

from __future__ import annotations

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from opensearchpy import OpenSearch

from oktalogger.detections import messages
from oktalogger.detections.bundle import load_detections
from oktalogger.detections.criteria import Threshold
from oktalogger.detections.grouped_search import search_body
from oktalogger.detections.model import CompiledDetection, MonitorSettings
from oktalogger.detections.replay.alerts import Alert, mark_notified, pending_alerts
from oktalogger.detections.replay.matches import Match, store_matches
from oktalogger.detections.replay.report import rows_text
from oktalogger.detections.replay.search import ReplayIncompleteError, replay
from oktalogger.detections.replay.span import Span
from oktalogger.detections.rules.cases import Case, CaseEvents
from oktalogger.detections.testing.run import firing_groups, scratch_store
from oktalogger.detections.testing.samples import documents, samples
from oktalogger.opensearch.errors import IndexConflictError
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.schema import ensure_matches_index
from oktalogger.opensearch.templates import matches_template
from oktalogger.resources import include_dir
from oktalogger.window import Window
from tests.integration.indices import Requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oktalogger.opensearch.store import OpenSearchStore
    from oktalogger.pipeline.document import LoadKind

pytestmark = pytest.mark.opensearch

NOW = datetime.now(UTC).replace(microsecond=0)
THEN = datetime.fromtimestamp((NOW - timedelta(days=3)).timestamp() // 86400 * 86400 + 36_000, UTC)
DAY = Window(THEN - timedelta(hours=10), THEN + timedelta(hours=14))
TOKEN = CompiledDetection(
    id="11111111-1111-4111-8111-111111111111",
    name="okta_api_token_created",
    title="An API token was made",
    description="",
    severity="medium",
    selection="eventType:system.api_token.create",
)
GUESS = CompiledDetection(
    id="22222222-2222-4222-8222-222222222222",
    name="okta_account_guessed",
    title="An account was guessed at",
    description="",
    severity="high",
    selection="eventType:user.session.start AND outcome.result:FAILURE",
    threshold=Threshold(counted=None, group_by=("actor.alternateId",), seconds=600, at_least=10),
)


# Each by somebody else, and so each a match.
TOKENS = {"eventType": "system.api_token.create", "actor": {"alternateId": "user{n}@acme.example"}}


@pytest.fixture(scope="module")
def client(opensearch_url: str) -> Iterator[OpenSearch]:
    client = OpenSearch(opensearch_url, timeout=60)
    yield client
    client.close()


@pytest.fixture
def store(client: OpenSearch) -> Iterator[OpenSearchStore]:
    with scratch_store(client) as store:
        yield store


def _load(
    store: OpenSearchStore, key: str, event: dict[str, Any], number: int, kind: LoadKind, *, refresh: bool = True
) -> None:
    case = Case(key, True, (CaseEvents(event, repeat=number, every=timedelta(seconds=10)),), 0)
    made = [type(sample)(sample.event, sample.published, NOW) for sample in samples(case, THEN, f"{store.names}/{key}")]
    store.ensure_month(THEN)
    store.create(documents(made, store.names, key, kind=kind))
    if refresh:
        store.client.indices.refresh(index=store.names.alias)


def _stored(store: OpenSearchStore) -> list[dict[str, Any]]:
    index = store.names.matches
    store.client.indices.refresh(index=index)
    hits = store.client.search(index=index, body={"size": 100, "sort": ["first"]})["hits"]["hits"]
    return [hit["_source"] for hit in hits]


def test_opensearch_takes_every_search_of_the_pack(store: OpenSearchStore) -> None:
    _load(store, "one", {"eventType": "user.session.end"}, 1, "scheduled")
    pack = load_detections(include_dir() / "detections")
    found = replay(store.client, store.names, pack, Span(DAY), run_id="r")
    # Sums of findings come last: they add up what the others find.
    assert sorted(item.detection.name for item in found) == sorted(detection.name for detection in pack)
    assert not [item.detection.name for item in found if item.matches]


def test_a_search_that_opensearch_refuses_stops_no_other_rule(store: OpenSearchStore) -> None:
    _load(store, "tokens", TOKENS, 2, "scheduled")
    counted = Threshold(counted="oktalogger.debug.risk", group_by=("actor.id",), seconds=600, at_least=2)
    bad = replace(GUESS, threshold=counted)
    with pytest.raises(ReplayIncompleteError, match="1 of 2 rules could not be run") as raised:
        replay(store.client, store.names, [bad, TOKEN], Span(DAY), run_id="r")
    assert list(raised.value.refusals) == [GUESS.name]
    assert [len(found.new) for found in raised.value.found] == [2]
    assert len(_stored(store)) == 2


def test_what_was_stored_a_moment_ago_is_seen(store: OpenSearchStore) -> None:
    _load(store, "tokens", TOKENS, 2, "scheduled", refresh=False)
    (found,) = replay(store.client, store.names, [TOKEN], Span(DAY), run_id="r")
    assert len(found.matches) == 2


def test_matches_are_kept_once(store: OpenSearchStore) -> None:
    _load(store, "tokens", TOKENS, 3, "backfill")
    _load(store, "guesses", {"eventType": "user.session.start", "outcome": {"result": "FAILURE"}}, 12, "backfill")
    first = replay(store.client, store.names, [TOKEN, GUESS], Span(DAY), run_id="r1")
    again = replay(store.client, store.names, [TOKEN, GUESS], Span(DAY), run_id="r2")

    assert [(len(found.matches), len(found.new)) for found in first] == [(3, 3), (1, 1)]
    assert [(len(found.matches), len(found.new)) for found in again] == [(3, 0), (1, 0)]
    kept = _stored(store)
    assert len(kept) == 4
    assert {match["run_id"] for match in kept} == {"r1"}
    (guess,) = (match for match in kept if match["detection"]["name"] == GUESS.name)
    assert guess["events"] == 12
    assert guess["group"] == ["actor.alternateId=ordinary.user@acme.example"]
    assert guess["last"] > guess["first"]
    assert "user.session.start FAILURE by ordinary.user@acme.example from 198.51.100.20" in guess["example"]


def test_events_of_one_actor_in_one_hour_are_one_match(store: OpenSearchStore) -> None:
    name = 'o"dd (one):2026-11-29 \\ %'
    odd = {"eventType": "system.api_token.create", "actor": {"alternateId": name}}
    _load(store, "many", {"eventType": "system.api_token.create"}, 300, "scheduled")
    _load(store, "odd", odd, 2, "scheduled")
    (found,) = replay(store.client, store.names, [TOKEN], Span(DAY), run_id="r")
    events = {match.group["actor.alternateId"]: match.events for match in found.matches}
    assert events == {"ordinary.user@acme.example": 300, name: 2}


def test_a_flood_is_as_many_matches_as_there_are_cells(store: OpenSearchStore) -> None:
    _load(store, "flood", TOKENS, 200, "scheduled")
    (found,) = replay(store.client, store.names, [replace(TOKEN, cells=16)], Span(DAY), run_id="r")
    assert len(found.matches) == 16
    assert sum(match.events for match in found.matches) == 200
    (again,) = replay(store.client, store.names, [replace(TOKEN, cells=16)], Span(DAY), run_id="r")
    assert again.new == ()


def test_an_event_without_what_it_is_grouped_by_is_found(store: OpenSearchStore) -> None:
    _load(store, "one", {"eventType": "system.api_token.create", "actor": {"alternateId": None}}, 1, "scheduled")
    (found,) = replay(store.client, store.names, [TOKEN], Span(DAY), run_id="r")
    assert [match.group for match in found.matches] == [{"actor.alternateId": "-"}]


def test_the_key_of_a_group_is_the_query_that_finds_its_events(store: OpenSearchStore) -> None:
    odd = {"actor": {"alternateId": 'o"dd (one):+2026 \\ %'}, "client": {"ipAddress": "2001:db8::1"}}
    guess = {"eventType": "user.session.start", "outcome": {"result": "FAILURE"}}
    _load(store, "odd", guess | odd, 10, "scheduled")
    _load(store, "other", guess, 10, "scheduled")
    fields = ("actor.alternateId", "client.ipAddress")
    rule = replace(GUESS, threshold=Threshold(counted=None, group_by=fields, seconds=600, at_least=10))
    keys = firing_groups(store.client, store.names, rule, MonitorSettings(), None, NOW)
    assert len(keys) == 2
    for key in keys:
        # As a browser takes it out of an address.
        query = unquote(key["okta_group"])
        body = {"size": 0, "query": {"query_string": {"query": query}}}
        assert store.client.search(index=store.names.alias, body=body)["hits"]["total"]["value"] == 10, query
        assert not set(key["okta_group"]) & set(' "<>\\`')


def test_history_is_found_by_replay_and_by_nothing_else(store: OpenSearchStore) -> None:
    _load(store, "history", TOKENS | {"actor": {"alternateId": "history@acme.example"}}, 1, "backfill")
    _load(store, "live", TOKENS | {"actor": {"alternateId": "live@acme.example"}}, 1, "scheduled")

    def count(span: Span) -> int:
        (found,) = replay(store.client, store.names, [TOKEN], span, run_id="r")
        return len(found.matches)

    assert count(Span(DAY)) == 2
    assert count(Span(DAY, historical=False)) == 1
    just_now = Window(NOW - timedelta(minutes=1), NOW + timedelta(minutes=1))
    assert count(Span(just_now, by="loaded", historical=False)) == 1
    assert count(Span(Window(DAY.end, NOW))) == 0


def test_after_each_load_only_what_is_new_is_told(store: OpenSearchStore) -> None:
    failed = {"eventType": "user.session.start", "outcome": {"result": "FAILURE"}}
    just_now = Span(Window(NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)), by="loaded", historical=False)
    _load(store, "first", failed, 12, "scheduled")
    (found,) = replay(store.client, store.names, [GUESS], just_now, run_id="r1")
    assert len(found.new) == 1
    _load(store, "second", failed, 3, "scheduled")
    (found,) = replay(store.client, store.names, [GUESS], just_now, run_id="r2")
    assert (len(found.matches), len(found.new)) == (1, 0)


def test_the_table_names_rule_matches_first_last_and_an_example(store: OpenSearchStore) -> None:
    _load(store, "tokens", TOKENS, 2, "scheduled")
    found = replay(store.client, store.names, [TOKEN, GUESS], Span(DAY), run_id="r")
    text = rows_text([one.as_dict() for one in found])
    head, token, guess = text.splitlines()
    assert head.split() == ["rule", "severity", "matches", "new", "first", "last", "example"]
    assert token.split()[:4] == ["okta_api_token_created", "medium", "2", "2"]
    assert "system.api_token.create SUCCESS by user" in token
    assert guess.split() == ["okta_account_guessed", "high", "0", "0", "-", "-", "-"]


def test_before_the_first_load_there_is_nothing_to_find(client: OpenSearch) -> None:
    names = IndexNames(f"oktalogger-test-{uuid.uuid4().hex[:10]}")
    try:
        found = replay(client, names, [TOKEN, GUESS], Span(DAY), run_id="r")
        assert [len(item.matches) for item in found] == [0, 0]
    finally:
        client.indices.delete(index=names.matches)
        client.indices.delete_index_template(name=names.matches_template)


def test_an_index_of_somebody_else_is_left_alone(client: OpenSearch) -> None:
    names = IndexNames(f"oktalogger-test-{uuid.uuid4().hex[:10]}")
    client.indices.create(index=names.matches)
    try:
        with pytest.raises(IndexConflictError, match="was not made by oktalogger"):
            ensure_matches_index(client, names)
        client.indices.delete(index=names.matches)
        client.indices.create(index=f"{names.prefix}-other", body={"aliases": {names.matches: {}}})
        with pytest.raises(IndexConflictError, match=f"There is an alias named {names.matches}, of {names.prefix}-oth"):
            ensure_matches_index(client, names)
    finally:
        client.indices.delete(index=f"{names.prefix}*")


def test_two_tasks_that_tell_two_channels_at_once_are_both_remembered(store: OpenSearchStore) -> None:
    _load(store, "tokens", TOKENS, 50, "scheduled")
    (found,) = replay(store.client, store.names, [TOKEN], Span(DAY), run_id="r")
    channels = [f"channel-{number}" for number in range(6)]
    at_once = threading.Barrier(len(channels))

    def tell(channel: str) -> None:
        at_once.wait()
        mark_notified(store.client, store.names.matches, Alert(TOKEN, channel, found.matches))

    with ThreadPoolExecutor(len(channels)) as tasks:
        list(tasks.map(tell, channels))
    heard = [match["notified"] for match in _stored(store)]
    assert heard == [channels] * 50
    now = datetime.now(UTC)
    assert pending_alerts(store.client, store.names.matches, TOKEN, found.matches, channels, quiet_since=now) == []


def test_a_match_that_was_deleted_ends_nothing(store: OpenSearchStore) -> None:
    _load(store, "tokens", TOKENS, 2, "scheduled")
    (found,) = replay(store.client, store.names, [TOKEN], Span(DAY), run_id="r")
    store.client.delete(index=store.names.matches, id=found.matches[0].id)
    mark_notified(store.client, store.names.matches, Alert(TOKEN, "soc", found.matches))
    assert [match["notified"] for match in _stored(store)] == [["soc"]]


def _mark_of(client: OpenSearch, names: IndexNames) -> dict[str, Any]:
    mappings: dict[str, Any] = client.indices.get_mapping(index=names.matches)[names.matches]["mappings"]
    return mappings


def test_the_index_of_matches_comes_from_its_template(store: OpenSearchStore, monkeypatch: pytest.MonkeyPatch) -> None:
    client, names = store.client, store.names
    ensure_matches_index(client, names)
    template = matches_template(names)
    assert _mark_of(client, names)["_meta"] == {"managed_by": "oktalogger", "version": template.version}
    assert client.indices.exists_index_template(name=names.matches_template)
    requests = Requests(client, monkeypatch)
    ensure_matches_index(client, names)
    assert requests.sent == [f"GET /{names.matches}/_mapping"]
    # Deleted under a task that then stores a match: OpenSearch makes it, with our mapping all the same.
    client.indices.delete(index=names.matches)
    store_matches(client, names.matches, TOKEN, [_match()], run_id="r", found_at=NOW)
    assert _mark_of(client, names)["properties"]["notified"] == {"type": "keyword", "ignore_above": 8191}


def _made_by_version_1(client: OpenSearch, names: IndexNames) -> None:
    """Make the index as it was before it had a template."""
    keyword, date, number = {"type": "keyword"}, {"type": "date"}, {"type": "long"}
    fields: dict[str, Any] = {
        "detection": {"properties": dict.fromkeys(("id", "name", "title", "severity", "attack"), keyword)},
        **dict.fromkeys(("org", "group", "event_id", "run_id", "notified"), keyword),
        **dict.fromkeys(("first", "last", "found_at"), date),
        **dict.fromkeys(("events", "values"), number),
        "example": {"type": "keyword", "ignore_above": 2048},
    }
    meta = {"managed_by": "oktalogger", "version": 1}
    client.indices.create(
        index=names.matches, body={"mappings": {"_meta": meta, "dynamic": False, "properties": fields}}
    )


def test_an_index_of_version_1_is_upgraded_with_its_matches(store: OpenSearchStore) -> None:
    client, names = store.client, store.names
    _made_by_version_1(client, names)
    store_matches(client, names.matches, TOKEN, [_match()], run_id="r", found_at=NOW)
    ensure_matches_index(client, names)
    assert _mark_of(client, names) == client.indices.get_index_template(name=names.matches_template)["index_templates"][
        0
    ]["index_template"]["template"]["mappings"] | {"dynamic": "false"}
    long = replace(_match(), id="long", group={"actor.alternateId": "x" * 40_000})
    assert store_matches(client, names.matches, TOKEN, [_match(), long], run_id="r2", found_at=NOW) == [long]
    assert len(_stored(store)) == 2


def test_a_newer_mapping_is_never_downgraded(store: OpenSearchStore) -> None:
    client, names = store.client, store.names
    ensure_matches_index(client, names)
    newer = {"_meta": {"managed_by": "oktalogger", "version": 99}}
    client.indices.put_mapping(index=names.matches, body=newer)
    ensure_matches_index(client, names)
    assert _mark_of(client, names)["_meta"]["version"] == 99


def test_two_tasks_may_make_the_index_of_matches_at_once(store: OpenSearchStore) -> None:
    at_once = threading.Barrier(4)

    def make(_: int) -> None:
        at_once.wait()
        ensure_matches_index(store.client, store.names)

    with ThreadPoolExecutor(4) as tasks:
        list(tasks.map(make, range(4)))
    assert _mark_of(store.client, store.names)["_meta"]["managed_by"] == "oktalogger"


def _match() -> Match:
    return Match(
        id="m", org="o", first=NOW, last=NOW, events=1, values=None, group={}, event_id="e", example="an example"
    )


def test_messages_come_out_as_text_that_can_be_read(client: OpenSearch) -> None:
    # The server's own Mustache, with what Alerting gives to a message of a grouped monitor.
    settings = MonitorSettings(dashboards_url="https://dashboards.example", okta_orgs=("acme.okta.com",))
    case = Case("one", True, (CaseEvents({"eventType": "system.api_token.create"}),), 0)
    (sample,) = samples(case, THEN, "message")
    sample.event["target"] = [{"id": str(number), "type": "Token", "displayName": f"ci{number}"} for number in (1, 2)]
    (document,) = documents([sample], IndexNames(), "r")
    source = json.loads(document.source)
    alert = {
        "start_time": "2026-11-29T10:00:00Z",
        "bucket_keys": "acme",
        "sample_documents": [{"_id": source["uuid"], "_source": source}],
    }
    params = {"ctx": {"newAlerts": [alert]}}
    answer = client.render_search_template(
        body={"source": json.dumps({"text": messages.body(TOKEN, settings)}), "params": params}
    )
    text = answer["template_output"]["text"]
    assert "Actor: Ordinary User (ordinary.user@acme.example)" in text
    assert "From: 198.51.100.20 Denver United States" in text
    assert "Outcome: SUCCESS" in text
    assert "Targets: ci1; ci2; \n" in text
    assert f"search=uuid+eq+%22{source['uuid']}%22" in text
    assert "{{" not in text
    assert f"query:'uuid:({source['uuid']}%20)'" in text
    assert "The monitor failed" not in text


def test_no_name_acts_in_a_message(client: OpenSearch) -> None:
    case = Case("one", True, (CaseEvents({"eventType": "system.api_token.create"}),), 0)
    (sample,) = samples(case, THEN, "message")
    link = "<https://evil.example|Okta: confirm>"
    hostile = {
        "displayMessage": f"Create API token {link}",
        "actor": {
            "id": "1",
            "type": "User",
            "displayName": "<!channel>\nOutcome: SUCCESS",
            "alternateId": "a@b.example",
        },
        "outcome": {"result": "FAILURE", "reason": "[Okta](https://evil.example) {{ctx}} \x1b[31m"},
        "target": [{"id": "1", "type": "Token", "displayName": f"\u202e{link}"}, {"id": "2", "displayName": "ci"}],
    }
    sample.event.update(hostile)
    sample.event["client"]["geographicalContext"]["city"] = "@channel"
    (document,) = documents([sample], IndexNames(), "r")
    alert = {
        "start_time": "2026",
        "bucket_keys": "acme",
        "sample_documents": [{"_source": json.loads(document.source)}],
    }
    answer = client.render_search_template(
        body={
            "source": json.dumps({"text": messages.body(TOKEN, MonitorSettings())}),
            "params": {"ctx": {"newAlerts": [alert]}},
        }
    )
    text = answer["template_output"]["text"]
    assert (
        "Event: system.api_token.create (Create API token \u2039https[:]//evil.example|Okta: confirm\u203a)\n" in text
    )
    assert "Actor: \u2039!channel\u203a\\nOutcome: SUCCESS / a@b.example\n" in text
    assert "Outcome: FAILURE [Okta] (https[:]//evil.example) { {ctx}} \\x1b[31m\n" in text
    assert "From: 198.51.100.20 / \uff20channel / United States\n" in text
    assert "Targets: \\u202e\u2039https[:]//evil.example|Okta: confirm\u203a; ci; \n" in text
    for acting in ("<", "://evil", "\x1b", "\u202e", "](", "{{"):
        assert acting not in text


def test_the_key_of_a_group_acts_nowhere(client: OpenSearch) -> None:
    names = ["<!channel>", "x\u202ey", "[a](https://evil.example)", "two\nlines"]
    case = Case("many", True, (CaseEvents({"eventType": "system.api_token.create"}),), 0)
    with scratch_store(client) as store:
        store.ensure_month(THEN)
        for name in names:
            (sample,) = samples(case, THEN, name)
            sample.event["actor"] = {"alternateId": name}
            store.create(documents([sample], store.names, "r"))
        client.indices.refresh(index=store.names.alias)
        body = search_body(TOKEN, query=TOKEN.selection, looked_at={"match_all": {}})
        buckets = client.search(index=store.names.alias, body=body)["aggregations"]["composite_agg"]["buckets"]
        keys = [bucket["key"]["okta_actor"] for bucket in buckets]
        # The key is a query that still finds the event.
        for key in keys:
            query = {"query_string": {"query": unquote(key)}}
            assert client.count(index=store.names.alias, body={"query": query})["count"] == 1, key
    assert len(keys) == len(names)
    for acting in ("<", ">", "\u202e", "](", "://", "\n", " "):
        assert not any(acting in key for key in keys), keys
