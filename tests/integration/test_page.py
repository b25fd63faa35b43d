"""The figures of the Okta page, compared with the coverage, the index and what the simulated org says it sent."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from opensearchpy import helpers

from local.simulator.process import Simulator, running
from oktalogger.opensearch.inventory import OpenSearchCensus
from oktalogger.opensearch.request import refresh
from oktalogger.opensearch.schema import ensure_matches_index
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.pipeline.coverage import coverage
from oktalogger.pipeline.ledger import LedgerKey
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.settings import load_settings
from oktalogger.ui.kinds import kind_of
from oktalogger.ui.measure import MeasuredOrg, measure
from oktalogger.ui.packing import unpack
from oktalogger.ui.snapshot import KINDS, Snapshot
from oktalogger.window import Window, format_instant, hour_of, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Deployment

pytestmark = pytest.mark.opensearch

# Yesterday, by the clock of the machine: the ledger's times are of that clock.
NOW = datetime.now(UTC).replace(microsecond=0)
TEN = (NOW - timedelta(days=1)).replace(hour=10, minute=0, second=0)
RULE = "0a1b2c3d-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def org() -> Iterator[Simulator]:
    clock = (TEN + timedelta(hours=5)).isoformat()
    with running("--seed", "page", "--rate", "3", "--clock", clock, "--rate-limit", "100000") as simulator:
        yield simulator


def measured(
    deployment: Deployment, org: Simulator, now: datetime | None = None, previous: Snapshot | None = None
) -> Snapshot:
    settings = load_settings({"OKTALOGGER_INDEX_PREFIX": deployment.names.prefix})
    of = MeasuredOrg(
        client=deployment.client,
        names=deployment.names,
        org=org.url.removeprefix("http://"),
        conn_id="okta_default",
        settings=settings,
    )
    return measure(of, now=now or datetime.now(UTC), previous=previous)


def shown(snapshot: Snapshot, start: datetime = TEN, hours: int = 6) -> dict[int, Any]:
    return {
        (hour.start - start) // timedelta(hours=1): hour
        for hour in snapshot.hours
        if start <= hour.start < start + timedelta(hours=hours)
    }


def after(minutes: int) -> str:
    return format_instant(TEN + timedelta(minutes=minutes))


@pytest.fixture
def loaded(deployment: Deployment, org: Simulator) -> Deployment:
    """Four hours, the second with a hole of a quarter."""
    for since, until in ((0, 75), (90, 240)):
        done = deployment.load(org, "--from", after(since), "--to", after(until))
        assert done.returncode == 0, done.stderr
    return deployment


def test_its_figures_are_those_of_coverage_and_of_the_index(loaded: Deployment, org: Simulator) -> None:
    snapshot = measured(loaded, org)
    census = OpenSearchCensus(loaded.client, loaded.names)
    within = Window(TEN, TEN + timedelta(hours=6))
    found = coverage(LedgerStore(loaded.client, loaded.names), census, snapshot.org, within)
    for hour, one in zip(shown(snapshot).values(), found, strict=True):
        assert (hour.start, hour.events, hour.expected, hour.late, hour.rejected, hour.drifted) == (
            one.window.start,
            one.events,
            one.expected,
            one.late,
            one.rejected,
            one.drifted,
        )
    kinds: dict[datetime, Counter[str]] = {}
    for document in loaded.documents().values():
        hour = hour_of(parse_instant(document["published"], name="published"))
        kinds.setdefault(hour, Counter())[kind_of(document["eventType"])] += 1
    assert kinds, "there is something to compare"
    assert {hour.start: hour.kinds for hour in snapshot.hours if hour.events} == {
        hour: tuple(counts[kind] for kind in KINDS) for hour, counts in kinds.items()
    }
    assert snapshot.standing.newest == TEN + timedelta(hours=4)
    assert len(snapshot.hours) == 90 * 24


def test_a_hole_is_seen_once_scheduled_loads_answer_for_it(loaded: Deployment, org: Simulator) -> None:
    assert [hour.state for hour in shown(measured(loaded, org)).values()][:4] == ["whole"] * 4
    window = Window(TEN, TEN + timedelta(minutes=5))
    LedgerStore(loaded.client, loaded.names).open(
        LedgerKey(org.url.removeprefix("http://"), "scheduled", window), run_id="scheduled__x", run_url="https://a/log"
    )
    refresh(loaded.client, loaded.names.ledger, doing="to see it")
    snapshot = measured(loaded, org)
    hours = shown(snapshot)
    assert [hour.state for hour in hours.values()] == ["whole", "missing", "whole", "whole", "missing", "missing"]
    assert hours[1].missing == (Window(TEN + timedelta(minutes=75), TEN + timedelta(minutes=90)),)
    assert snapshot.asked_since == TEN
    assert {hour.state for hour in snapshot.hours if hour.start < TEN} == {"not asked for"}


def test_a_damaged_hour_is_seen(loaded: Deployment, org: Simulator) -> None:
    month = loaded.names.month_index(TEN)
    kept = [
        {"_index": month, "_id": id, "_source": source}
        for id, source in loaded.documents().items()
        if not after(120) <= source["published"] < after(180)
    ]
    # Months let nobody delete a document, so that losing one takes making the month anew.
    loaded.client.indices.delete(index=month)
    OpenSearchStore(loaded.client, loaded.names).ensure_month(TEN)
    helpers.bulk(loaded.client, [{**one, "_op_type": "create"} for one in kept], refresh=True)
    loaded.client.indices.refresh(index=loaded.names.ledger)
    window = Window(TEN, TEN + timedelta(hours=4))
    entries = LedgerStore(loaded.client, loaded.names).entries(org.url.removeprefix("http://"), window)
    counted_at = max(entry.stored_at for entry in entries if entry.stored_at)
    # Also in the very second in which the load has ended.
    hour = shown(measured(loaded, org, counted_at))[2]
    assert (hour.state, hour.events, hour.kinds) == ("damaged", 0, (0,) * len(KINDS))
    assert hour.expected == len(org.control.events(after(120), after(180)))
    assert hour.missing == (Window(TEN + timedelta(hours=2), TEN + timedelta(hours=3)),)


def test_between_two_counts_of_everything_old_hours_are_taken_over(loaded: Deployment, org: Simulator) -> None:
    first = measured(loaded, org, NOW)
    soon = measured(loaded, org, NOW + timedelta(minutes=5), first)
    assert soon.counted_at == first.counted_at
    assert soon.made_at == NOW + timedelta(minutes=5)
    assert soon.hours == first.hours
    # Two days on these hours are old: an hour's snapshots take them over, and the one after that counts them again.
    later = NOW + timedelta(days=2)
    old = measured(loaded, org, later)
    loaded.client.indices.delete(index=loaded.names.month_index(TEN))
    assert shown(measured(loaded, org, later + timedelta(minutes=30), old))[0].events == shown(old)[0].events
    assert shown(measured(loaded, org, later + timedelta(minutes=56), old))[0].events == 0


def match(number: int, last: datetime, **more: Any) -> dict[str, Any]:
    return {
        "detection": {"id": RULE, "name": "x", "title": "A rule that is gone", "severity": "high", "attack": []},
        "first": (last - timedelta(minutes=1)).isoformat(),
        "last": last.isoformat(),
        "events": number,
        "group": [f"actor.alternateId=person{number}@example.com"],
        "event_id": f"e{number}",
        "example": "user.session.start",
        "run_id": "r",
        "found_at": (last + timedelta(minutes=2)).isoformat(),
        **more,
    }


def test_findings_of_the_org_come_newest_first(loaded: Deployment, org: Simulator) -> None:
    ensure_matches_index(loaded.client, loaded.names)
    name = org.url.removeprefix("http://")
    documents = [
        match(1, NOW - timedelta(days=3), org=name, notified=["soc"]),
        match(2, NOW - timedelta(minutes=30), org=name),
        match(3, NOW - timedelta(days=100), org=name),
        match(4, NOW - timedelta(minutes=20), org="other.okta.com"),
    ]
    helpers.bulk(loaded.client, [{"_index": loaded.names.matches, "_source": one} for one in documents], refresh=True)
    snapshot = measured(loaded, org)
    assert [(one.who, one.events, one.told) for one in snapshot.findings] == [
        (("actor.alternateId=person2@example.com",), 2, ()),
        (("actor.alternateId=person1@example.com",), 1, ("soc",)),
    ]
    assert snapshot.rules[RULE].title == "A rule that is gone"
    assert snapshot.standing.done["detections"] == NOW - timedelta(minutes=28)


def test_the_command_writes_the_report(loaded: Deployment, org: Simulator, tmp_path: Any) -> None:

    file = tmp_path / "report.html"
    command = loaded.command("report", "--html", str(file))
    done = subprocess.run(command, env=loaded.environ(org), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    [text] = re.findall(r'<script type="text/plain">(.*?)</script>', file.read_text())
    snapshot = unpack(text)
    assert {hour.start: hour.events for hour in shown(snapshot).values()} == {
        hour.start: hour.events for hour in shown(measured(loaded, org)).values()
    }
    refused = loaded.command("report", "--html", str(tmp_path / "no" / "such" / "folder.html"))
    done = subprocess.run(refused, env=loaded.environ(org), capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_before_the_first_load_the_page_says_so(deployment: Deployment, org: Simulator) -> None:
    snapshot = measured(deployment, org)
    assert {hour.state for hour in snapshot.hours} <= {"not asked for", "not due"}
    assert snapshot.standing.newest is None
    assert snapshot.findings == ()
