"""A person is taken out of everything that is stored, beside running loads, which lose nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from opensearchpy import helpers

from oktalogger.opensearch import rebuild as rebuilding
from oktalogger.opensearch.errors import OpenSearchLoadError, OpenSearchSettingsError
from oktalogger.opensearch.expiry import delete_expired, expired
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.pipeline.document import Stamp
from oktalogger.pipeline.erase import erase
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.settings import load_settings
from oktalogger.window import Window, format_instant
from tests.unit.pipeline.loading import ScriptedSource
from tests.unit.privacy import events

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames

pytestmark = pytest.mark.opensearch

ORG = "acme.okta.com"
ID = "00uPlantedPerson0001"
TEN = datetime(2026, 11, 16, 10, tzinfo=UTC)
MONTH = "2026-11"
# As the Alerting plugin calls it, which cannot run here.
ALERTS = ".opendistro-alerting-alerts"


def ordinary(number: int, at: datetime) -> dict[str, Any]:
    return {
        "uuid": f"ordinary-{at:%d%H%M}-{number}",
        "published": format_instant(at + timedelta(milliseconds=number)),
        "eventType": "user.session.start",
        "actor": {"id": "00uOther", "type": "User", "alternateId": "other@corp.example", "displayName": "Some Other"},
        "outcome": {"result": "SUCCESS"},
        "n": number,
    }


def of_the_person(number: int, at: datetime) -> dict[str, Any]:
    actor = {"id": ID, "type": "User", "alternateId": events.MAIL, "displayName": events.NAME, "detailEntry": None}
    published = format_instant(at + timedelta(seconds=1, milliseconds=number))
    made = events.event(uuid=f"person-{at:%d%H%M}-{number}", published=published, actor=actor)
    match number % 4:
        case 1:  # somebody does something to the person
            made["actor"], made["target"] = ordinary(0, at)["actor"], [actor]
        case 2:  # a failed login: Okta knows no id
            made["actor"] = {"id": "unknown", "type": "User", "alternateId": events.MAIL, "displayName": "unknown"}
        case 3:  # a field of another type, whose text is kept aside
            made["securityContext"] = f"not an object, {events.MAIL}"
    return made


def load(store: OpenSearchStore, ledger: LedgerStore, at: datetime, some: list[dict[str, Any]]) -> None:
    """Load five minutes, try after try, as Airflow would."""
    plan = LoadPlan(Stamp(ORG, Window(at, at + timedelta(minutes=5)), f"run-{at:%d%H%M}", "scheduled"), threads=2)
    pages = [[msgspec.Raw(json.dumps(one).encode()) for one in some[start : start + 50]] for start in (0, 50, 100)]
    for _ in range(30):
        try:
            store.prepare()
            load_and_record(ScriptedSource(pages), store, ledger, plan)
        except OpenSearchLoadError:
            time.sleep(0.3)
            store = OpenSearchStore(store.client, store.names)
        else:
            return
    pytest.fail(f"the window at {at} was not loaded")


def window_of(number: int, *, with_person: bool) -> tuple[datetime, list[dict[str, Any]]]:
    at = TEN + timedelta(minutes=5 * number)
    some = [ordinary(n, at) for n in range(120)]
    return at, some + [of_the_person(n, at) for n in range(8)] if with_person else some


@contextmanager
def loading(client: OpenSearch, names: IndexNames, first: int, loaded: list[dict[str, Any]]) -> Iterator[None]:
    """Load window after window meanwhile."""
    end = threading.Event()
    failed: list[BaseException] = []

    def go(number: int) -> None:
        try:
            while not end.is_set():
                at, some = window_of(number, with_person=False)
                load(OpenSearchStore(client, names), LedgerStore(client, names), at, some)
                loaded.extend(some)
                number += 2
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=go, args=(first + n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        time.sleep(1)
        end.set()
        for thread in threads:
            thread.join()
    assert not failed


def everything(client: OpenSearch, names: IndexNames) -> dict[str, dict[str, Any]]:
    client.indices.refresh(index=f"{names.prefix}*")
    found = {}
    for index in (names.alias, names.rejected, names.ledger, names.matches):
        if client.indices.exists(index=index):
            for hit in helpers.scan(client, index=index):
                found[f"{hit['_index']}/{hit['_id']}"] = hit["_source"]
    return found


def naming(client: OpenSearch, names: IndexNames) -> list[str]:
    marks = [form.lower() for form in (ID, events.MAIL, events.NAME, json.dumps(events.NAME)[1:-1])]
    found = everything(client, names)
    return [
        key for key, source in found.items() if any(m in json.dumps(source, ensure_ascii=False).lower() for m in marks)
    ]


@pytest.fixture
def filled(client: OpenSearch, names: IndexNames) -> list[dict[str, Any]]:
    """Two windows with the person in documents, a rejected event, a match and an alert."""
    loaded: list[dict[str, Any]] = []
    for number in range(2):
        at, some = window_of(number, with_person=True)
        too_long = {**of_the_person(0, at), "uuid": "x" * 600}
        load(OpenSearchStore(client, names), LedgerStore(client, names), at, [*some, too_long])
        loaded += some
    match = {"example": f"user.session.start by {events.MAIL}", "group": [f"actor.alternateId={events.MAIL}"], "n": 1}
    client.index(index=names.matches, id="m", body=match, refresh=True)
    return loaded


def test_a_person_is_erased_beside_running_loads(
    client: OpenSearch, names: IndexNames, filled: list[dict[str, Any]]
) -> None:
    month = f"{names.prefix}-{MONTH}"
    before = everything(client, names)
    found = erase(client, names, ID)
    assert found.dry_run
    assert set(found.person.logins) == {events.MAIL}
    assert found.found[month] == 16
    assert (found.found[names.rejected], found.found[names.matches]) == (2, 1)
    assert everything(client, names) == before, "a dry run changes nothing"

    old = client.indices.get(index=month)[month]
    alert = {"monitor_name": "m", "agg_alert_content": {"bucket_keys": [f"(actor.alternateId:{events.MAIL})"]}}
    other = {"monitor_name": "m", "agg_alert_content": {"bucket_keys": ["(actor.alternateId:other@corp.example)"]}}
    for id_, body in ((f"{names.prefix}-1", alert), (f"{names.prefix}-2", other)):
        client.index(index=ALERTS, id=id_, body=body, refresh=True)
    with loading(client, names, 2, filled):
        time.sleep(0.5)
        done = erase(client, names, ID, dry_run=False)
    assert (done.left, done.unseen, done.alerts) == ({}, [], 1)
    alerts = client.search(index=ALERTS)["hits"]["hits"]
    assert [hit["_id"] for hit in alerts if hit["_id"].startswith(names.prefix)] == [f"{names.prefix}-2"]
    client.indices.delete(index=ALERTS)
    assert naming(client, names) == []
    now = everything(client, names)
    documents = {key.partition("/")[2]: source for key, source in now.items() if key.startswith(f"{month}/")}
    assert documents.keys() == {one["uuid"] for one in filled}, "nothing is lost, and nothing doubled"
    for key, source in before.items():
        if "person" not in key and key.startswith(month):
            assert now[key] == source, "the events of others are as they were"
    state = client.indices.get(index=month)[month]
    assert state["aliases"] == old["aliases"]
    assert state["mappings"] == old["mappings"]
    assert state["settings"]["index"]["append_only"] == old["settings"]["index"]["append_only"]
    assert "blocks" not in state["settings"]["index"]
    assert not client.indices.exists(index=rebuilding.copy_name(month))
    assert erase(client, names, ID).found == dict.fromkeys(done.found, 0), "doing it again finds nothing"


def test_what_the_event_says_stays_without_the_person(
    client: OpenSearch, names: IndexNames, filled: list[dict[str, Any]]
) -> None:
    month = f"{names.prefix}-{MONTH}"
    erase(client, names, ID, dry_run=False)
    documents = {key.partition("/")[2]: one for key, one in everything(client, names).items() if month in key}
    did, suffered, tried, odd = (documents[f"person-{TEN:%d%H%M}-{number}"] for number in range(4))
    assert did["actor"] == {"id": "erased", "type": "User", "alternateId": "erased", "displayName": "erased"}
    assert did["eventType"] == "user.session.start"
    assert did["outcome"]["result"] == "FAILURE"
    assert "ipAddress" not in did["client"]
    assert did["oktalogger"]["erased"]
    assert "source_ip" not in did["oktalogger"]
    assert did["target"][0]["displayName"] == events.OTHER, "another person is not erased with this one"
    assert suffered["actor"]["alternateId"] == "other@corp.example"
    assert suffered["client"]["ipAddress"] == events.ADDRESS, "it is the other person's"
    assert suffered["oktalogger"]["target"]["user"] == {"id": ["erased"], "type": ["User"], "alternate_id": ["erased"],
                                                        "display_name": ["erased"]}  # fmt: skip
    assert tried["actor"]["alternateId"] == "erased"
    assert odd["oktalogger"]["run_id"] == f"run-{TEN:%d%H%M}"


@pytest.mark.parametrize("step", ["_wait_for_copies", "_remove"])
def test_a_killed_run_is_finished_by_the_next(
    client: OpenSearch,
    names: IndexNames,
    filled: list[dict[str, Any]],
    step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    month = f"{names.prefix}-{MONTH}"
    real: Any = getattr(rebuilding, step)

    def killed(*arguments: Any, **more: Any) -> Any:
        if step == "_remove" and arguments[1] == month:
            real(*arguments, **more)  # the month is gone, and the copy not in its place
        if step != "_remove" or arguments[1] == month:
            raise KeyboardInterrupt
        return real(*arguments, **more)

    monkeypatch.setattr(rebuilding, step, killed)
    if step != "_remove":  # a kill undoes nothing
        monkeypatch.setattr(rebuilding, "_block", _only_blocks(rebuilding._block))
    with pytest.raises(KeyboardInterrupt):
        erase(client, names, ID, dry_run=False)
    monkeypatch.undo()
    with loading(client, names, 2, filled):
        done = erase(client, names, ID, dry_run=False)
    assert done.left == {}
    assert naming(client, names) == []
    documents = [key.partition("/")[2] for key in everything(client, names) if key.startswith(f"{month}/")]
    assert sorted(documents) == sorted(one["uuid"] for one in filled)


def _only_blocks(real: Any) -> Any:
    def block(client: OpenSearch, index: str, *, blocked: bool) -> None:
        if blocked:
            real(client, index, blocked=True)

    return block


def test_what_is_too_old_beside_the_months_is_deleted(
    client: OpenSearch, names: IndexNames, filled: list[dict[str, Any]]
) -> None:
    now = datetime.now(UTC)
    before = everything(client, names)
    settings = load_settings({"OKTALOGGER_REJECTED_DAYS": "30", "OKTALOGGER_LEDGER_DAYS": "100"})
    assert {one.index: one.older for one in expired(client, names, settings, now=now)} == {
        names.rejected: 0,
        names.ledger: 0,
    }
    later = now + timedelta(days=365)
    found = expired(client, names, settings, now=later)
    assert {one.index: one.older for one in found} == {names.rejected: 2, names.ledger: 2}
    delete_expired(client, found, now=later)
    left = everything(client, names)
    assert not [key for key in left if key.startswith((f"{names.rejected}/", f"{names.ledger}/"))]
    assert {key: one for key, one in before.items() if key in left} == left
    state = client.indices.get(index=names.rejected)[names.rejected]
    assert state["settings"]["index"]["append_only"] == {"enabled": "true"}
    load(OpenSearchStore(client, names), LedgerStore(client, names), TEN, [{**filled[0], "uuid": "x" * 600}])
    assert [key for key in everything(client, names) if key.startswith(f"{names.rejected}/")], "it takes events again"
    with pytest.raises(OpenSearchSettingsError, match="OKTALOGGER_LEDGER_DAYS"):
        expired(client, names, load_settings({"OKTALOGGER_LEDGER_DAYS": "10"}), now=now)
