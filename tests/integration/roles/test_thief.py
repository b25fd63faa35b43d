"""What a thief of the loader's role can do is noticed, on a real OpenSearch with the security plugin.

Each row of the table in docs/security.md that says ``yes`` and names who notices has its test here; what the role
refuses is in test_permissions.py.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.okta.system_log import SystemLogQuery
from oktalogger.opensearch.errors import IndexConflictError, OpenSearchLoadError
from oktalogger.opensearch.inventory import OpenSearchCensus
from oktalogger.opensearch.request import call
from oktalogger.opensearch.setup.apply import apply_setup, plan_setup
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.pipeline.comparison import Comparison, compare_with
from oktalogger.pipeline.coverage import coverage
from oktalogger.pipeline.ledger import LedgerKey
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.window import Window, format_instant
from tests.integration.people import People
from tests.integration.roles.loading import HOUR, host, load, okta_of
from tests.integration.roles.permissions import LOADER
from tests.integration.roles.thefts import MONTHS, MonthMadeOtherwise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opensearchpy import OpenSearch

    from local.simulator.process import Simulator
    from oktalogger.opensearch.setup.steps import SetupPlan
    from oktalogger.pipeline.coverage import HourCoverage

pytestmark = pytest.mark.opensearch


@pytest.fixture
def thief(clients: dict[str, OpenSearch]) -> OpenSearch:
    return clients[LOADER]


@pytest.fixture
def month(team: People) -> Iterator[str]:
    """The month that no load has made yet."""
    index = f"{team.names.prefix}-2027-05"
    yield index
    team.admin.indices.delete(index=index, ignore_unavailable=True)


def planned(team: People) -> SetupPlan:
    return plan_setup(team.admin, team.names, team.documents(), retention_days=365)


def steps_about(plan: SetupPlan, index: str) -> list[tuple[str, str]]:
    steps = (*plan.changes, *plan.by_hand)
    return [(step.action, " ".join(step.changes)) for step in steps if step.name == index]


def troubles_of(client: OpenSearch, team: People, index: str) -> list[str]:
    """Return what a load's preparation says of an index."""
    return [sentence for sentence in OpenSearchStore(client, team.names).prepare().troubles if index in sentence]


@pytest.mark.parametrize("theft", MONTHS, ids=lambda theft: theft.said)
def test_a_month_made_otherwise_is_named_by_each_load_and_put_right_by_the_setup(
    team: People, thief: OpenSearch, month: str, theft: MonthMadeOtherwise
) -> None:
    call(thief, "PUT", f"/{month}", doing="to make it first", body=theft.body)
    assert any(theft.said in sentence for sentence in troubles_of(thief, team, month))
    plan = planned(team)
    assert any(theft.said in said for _, said in steps_about(plan, month))
    assert {action for action, _ in steps_about(plan, month)} == {"change"}
    apply_setup(team.admin, plan)
    assert troubles_of(thief, team, month) == []
    assert steps_about(planned(team), month) == []


def test_a_load_that_meets_such_a_month_first_names_it_too(
    team: People, thief: OpenSearch, month: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = OpenSearchStore(thief, team.names)
    store.prepare()
    call(thief, "PUT", f"/{month}", doing="to make it first", body=MONTHS[0].body)
    store.ensure_month(datetime(2027, 5, 1, tzinfo=UTC))
    assert MONTHS[0].said in caplog.text


def test_a_month_without_our_mark_stops_loads_and_setup(team: People, thief: OpenSearch, month: str) -> None:
    call(thief, "PUT", f"/{month}", doing="to make it first", body={"mappings": {"_meta": {"managed_by": "me"}}})
    with pytest.raises(IndexConflictError, match=month):
        OpenSearchStore(thief, team.names).prepare()
    with pytest.raises(IndexConflictError, match=month):
        planned(team)


def test_events_overwritten_in_a_month_made_for_that_are_left_to_people(
    team: People, thief: OpenSearch, month: str
) -> None:
    call(thief, "PUT", f"/{month}", doing="to make it first", body=MONTHS[0].body)
    for severity in ("WARN", "INFO"):
        call(thief, "PUT", f"/{month}/_doc/1", doing="to overwrite an event", body={"severity": severity})
    (sentence,) = troubles_of(thief, team, month)
    assert "not append-only" in sentence
    plan = planned(team)
    assert [action for action, _ in steps_about(plan, month)] == ["by hand"]
    apply_setup(team.admin, plan)
    assert call(team.admin, "GET", f"/{month}/_doc/1", doing="to read it")["_version"] == 2, "nothing was deleted"


def hour(number: int) -> Window:
    start = HOUR.start.replace(hour=number)
    return Window(start, start + timedelta(hours=1))


def compared(team: People, org: Simulator, window: Window) -> Comparison:
    """Compare with Okta, as ``coverage --verify`` does."""
    census = OpenSearchCensus(team.admin, team.names)
    census.refresh()
    with okta_of(org) as okta:
        return compare_with(okta, census, host(org), SystemLogQuery(since=window.start, until=window.end))


def covered(team: People, org: Simulator, window: Window) -> HourCoverage:
    census = OpenSearchCensus(team.admin, team.names)
    census.refresh()
    (found,) = coverage(LedgerStore(team.admin, team.names), census, host(org), window)
    return found


def stolen(thief: OpenSearch, team: People, source: dict[str, Any]) -> None:
    """Add a document to the month under its uuid."""
    index = team.names.month_index(HOUR.start)
    call(thief, "PUT", f"/{index}/_create/{source['uuid']}", doing="to add an event", body=source)


def added(org: Simulator, window: Window) -> dict[str, Any]:
    """Return what a load would add to an event of that window."""
    start, end = format_instant(window.start), format_instant(window.end)
    return {"org": host(org), "load_kind": "scheduled", "window_start": start, "window_end": end}


def test_an_event_that_was_made_up_is_foreign_to_okta(team: People, thief: OpenSearch, org: Simulator) -> None:
    window = hour(9)
    load(thief, team, org, "scheduled", window=window)
    published = format_instant(window.start + timedelta(minutes=1))
    stolen(thief, team, {"uuid": "made-up", "published": published, "oktalogger": added(org, window)})
    found = compared(team, org, window)
    assert (found.exact, found.foreign) == (False, ("made-up",))


def test_an_event_that_was_stored_otherwise_before_its_load_is_altered(
    team: People, thief: OpenSearch, org: Simulator
) -> None:
    window = hour(8)
    event = org.control.events(format_instant(window.start), format_instant(window.end))[0]
    other = {**event, "severity": "NOTHING", "oktalogger": added(org, window)}
    load(thief, team, org, "scheduled", window=hour(7))
    stolen(thief, team, other)
    load(thief, team, org, "scheduled", window=window)
    found = compared(team, org, window)
    assert (found.exact, found.altered) == (False, (event["uuid"],))
    again = load(thief, team, org, "reconcile", window=window)
    assert (again["created"], again["altered"]) == (0, 1)


def forge(thief: OpenSearch, team: People, org: Simulator, window: Window, fields: dict[str, Any] | None = None) -> str:
    """Write an entry of the ledger that says that a window was loaded."""
    key = LedgerKey(host(org), "scheduled", window)
    at = format_instant(window.end + timedelta(minutes=1))
    entry = {
        "id": key.id,
        "org": key.org,
        "kind": key.kind,
        "window_start": format_instant(window.start),
        "window_end": format_instant(window.end),
        "state": "complete",
        "completed_at": at,
        "stored_at": at,
        "stored": {},
        **(fields or {}),
    }
    path = f"/{team.names.ledger}/_doc/{key.id.replace('/', '%2F')}"
    call(thief, "PUT", path, doing="to forge the ledger", body=entry, params={"refresh": "true"})
    return key.id


def test_a_window_that_the_ledger_calls_loaded_and_was_not_is_found_by_reading_it_again(
    team: People, thief: OpenSearch, org: Simulator
) -> None:
    window = hour(6)
    forge(thief, team, org, window)
    assert covered(team, org, window).state == "complete", "the ledger alone is believed"
    assert not compared(team, org, window).exact
    again = load(thief, team, org, "reconcile", window=window)
    assert again["late"] == again["created"] > 100, "reconcile counts what no load had stored, and raises the alarm"
    assert compared(team, org, window).exact


def test_an_entry_that_says_that_more_was_stored_is_damage(team: People, thief: OpenSearch, org: Simulator) -> None:
    window = hour(5)
    load(thief, team, org, "scheduled", window=window)
    assert covered(team, org, window).state == "complete"
    forge(thief, team, org, window, {"stored": {format_instant(window.start): 10**6}})
    assert covered(team, org, window).state == "damaged"


@pytest.mark.parametrize(
    "fields",
    [
        {"tries": "many"},
        {"org": "another.okta.com"},
        {"kind": "backfill"},
        {"completed_at": "2026-11-16T05:00:00"},
        {"window_end": "2026-11-16T00:00:00Z"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_an_entry_that_nobody_can_have_written_counts_for_nothing(
    team: People, thief: OpenSearch, org: Simulator, fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    window = hour(4)
    entry_id = forge(thief, team, org, window, fields)
    assert covered(team, org, window).state == "not loaded"
    if "org" not in fields and "window_end" not in fields:
        assert f"{entry_id} of the ledger was not written by oktalogger" in caplog.text
    load(thief, team, org, "scheduled", window=window)
    assert covered(team, org, window).state == "complete"


def test_what_the_thief_cannot_do_is_refused_and_nothing_else(team: People, thief: OpenSearch, month: str) -> None:
    """With 0.1 the role had rights on aliases and mappings; the index template brings both now."""
    OpenSearchStore(thief, team.names).ensure_month(datetime(2027, 5, 1, tzinfo=UTC))
    aliases = team.admin.indices.get_alias(index=month)[month]["aliases"]
    assert aliases == {team.names.alias: {"is_write_index": False}, team.names.write_alias(month): {}}
    with pytest.raises(OpenSearchLoadError, match="okta_opensearch_setup"):
        call(thief, "PUT", f"/{month}/_alias/x", doing="to give it a name")
