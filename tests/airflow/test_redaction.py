"""With every class redacted, nothing planted is found: in no index, log, XCom, match or alert."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from opensearchpy import OpenSearch

from oktalogger.detections.model import CompiledDetection
from oktalogger.detections.replay.alerts import Alert
from oktalogger.detections.replay.search import replay
from oktalogger.detections.replay.span import Span
from oktalogger.hooks.okta import OktaHook
from oktalogger.okta.system_log import SystemLogQuery
from oktalogger.opensearch.inventory import OpenSearchCensus
from oktalogger.opensearch.names import IndexNames
from oktalogger.pipeline.comparison import compare_with
from oktalogger.privacy.policy import read_policy
from oktalogger.privacy.redactor import Redactor
from oktalogger.settings import load_settings
from oktalogger.window import format_instant
from tests.airflow.planted import Planted, listening
from tests.airflow.task import Search, Task, five_minutes
from tests.unit.privacy import events

if TYPE_CHECKING:
    from local.simulator.process import Simulator

pytestmark = pytest.mark.opensearch

KEY = "a key that nobody can guess"
POLICY = "all=hash,free_text=drop"
RULE = CompiledDetection(
    id="11111111-1111-4111-8111-111111111111",
    name="okta_sign_in",
    title="Somebody signed in",
    description="",
    severity="medium",
    selection="eventType:user.session.start",
    dedup=("actor.alternateId", "client.ipAddress"),
)


@pytest.fixture
def prefix(opensearch_url: str) -> Iterator[str]:
    made = f"oktalogger-redacted-{uuid.uuid4().hex[:8]}"
    yield made
    for path in (f"/{made}*?expand_wildcards=all", f"/_index_template/{made}*"):
        with suppress(httpx.HTTPStatusError):
            Search(opensearch_url).call("DELETE", path)


def connect(monkeypatch: pytest.MonkeyPatch, okta: Simulator, url: str) -> None:
    org = {"conn_type": "okta", "host": okta.url, "password": okta.token, "extra": {"redaction_key": KEY}}
    monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps(org))
    there = httpx.URL(url)
    search = {"conn_type": "opensearch", "host": there.host, "port": there.port, "extra": {"use_ssl": False}}
    monkeypatch.setenv("AIRFLOW_CONN_OPENSEARCH_DEFAULT", json.dumps(search))


@pytest.mark.parametrize("policy", [POLICY, ""], ids=["redacted", "in full"])
def test_nothing_planted_is_found_anywhere(
    policy: str, okta: Simulator, opensearch_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, okta, opensearch_url)
    monkeypatch.setenv("OKTALOGGER_REDACT", policy)
    window = five_minutes()
    published = window.start + timedelta(minutes=2)
    changed: tuple[dict[str, Any], ...] = (
        {},
        {"uuid": "x" * 600},
        {"securityContext": {"isProxy": events.NAME}},
    )
    for number, changes in enumerate(changed):
        at = format_instant(published + timedelta(seconds=number))
        body = events.event(**{"uuid": str(uuid.uuid4()), "published": at, **changes})
        okta.control.post("/events", event=body, published=at)
    planted = Planted()
    for kind, values in events.PLANTED.items():
        for value in values:
            planted.add(kind, value)
            planted.add(kind, json.dumps(json.dumps(value)[1:-1])[1:-1])
    task = Task(prefix)
    names = IndexNames(prefix)
    client = OpenSearch(opensearch_url)
    with listening(planted) as seen:
        counts = task.run(window)
        [found] = replay(client, names, [RULE], Span(window), run_id="r")
        seen.note("XComs", json.dumps([counts, task.xcoms, found.as_dict()]))
        seen.note("task's log", repr(task.log.lines))
        seen.note("alert", json.dumps(Alert(RULE, "soc", found.matches).as_dict(), ensure_ascii=False))
    assert counts["rejected"] == 1
    assert found.matches
    seen.texts = [(where, text) for where, text in seen.texts if not where.startswith("log of http")]
    Search(opensearch_url).call("POST", f"/{prefix}*/_refresh")
    for index in (prefix, names.rejected, names.ledger, names.matches):
        hits = Search(opensearch_url).call("GET", f"/{index}/_search?size=1000")["hits"]["hits"]
        assert hits
        for hit in hits:
            seen.note(f"document of {hit['_index']}", json.dumps(hit, ensure_ascii=False))
    leaks = {kind for _, kinds, _ in seen.leaks() for kind in kinds}
    assert leaks == (set() if policy else set(events.PLANTED)), seen.leaks()
    _still_the_same(client, names, window, policy)
    client.close()


def _still_the_same(client: OpenSearch, names: IndexNames, window: Any, policy: str) -> None:
    """Compare with Okta again, as ``coverage --verify`` does."""
    hook = OktaHook()
    redactor = Redactor(read_policy(policy), KEY) if policy else None
    with hook.client as okta:
        query = SystemLogQuery(since=window.start, until=window.end)
        compared = compare_with(okta, OpenSearchCensus(client, names), hook.settings.org, query, redactor)
    assert compared.exact, compared
    assert compared.in_okta > 2
    assert (compared.rejected, compared.unredacted) == (1, 0)


def test_a_load_that_is_to_hash_without_a_key_fails_before_it_reads(
    okta: Simulator, opensearch_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, okta, opensearch_url)
    org = {"conn_type": "okta", "host": okta.url, "password": okta.token}
    monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps(org))
    monkeypatch.setenv("OKTALOGGER_REDACT", "names=hash")
    before = okta.control.counters()
    with pytest.raises(Exception, match="redaction_key"):
        Task(prefix).run(five_minutes())
    assert okta.control.counters() == before
    assert load_settings().redact.needs_key
