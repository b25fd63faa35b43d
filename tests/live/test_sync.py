"""The sync on a cluster with the Alerting plugin: the stand-in, or with ``make test-live`` a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.standins.monitors import event_body, rendered, threshold_body
from oktalogger.detections.bundle import read_bundle
from oktalogger.detections.model import MonitorSettings
from oktalogger.detections.monitors.api import MONITORS, MonitorConflictError, MonitorRefusedError
from oktalogger.detections.monitors.change import ChangeKind
from oktalogger.detections.monitors.compare import differences
from oktalogger.detections.monitors.sync import SyncIncompleteError, plan_sync, render_all
from oktalogger.resources import include_dir
from tests.live.cluster import Place, place
from tests.live.pack import pack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oktalogger.detections.model import RenderedMonitor


@pytest.fixture
def here() -> Iterator[Place]:
    with place() as found:
        yield found


def rules(here: Place, count: int, query: str = "eventType:x") -> list[RenderedMonitor]:
    """Rules of this place; every third counts."""
    index = here.names.alias
    return [
        rendered(number, body=threshold_body(number, index=index))
        if number % 3 == 0
        else rendered(number, query=query, index=index)
        for number in range(1, count + 1)
    ]


def test_creates_updates_deletes_and_then_writes_nothing(here: Place) -> None:
    assert here.sync(rules(here, 4)).writes == 4
    assert here.sync(rules(here, 4)).writes == 0
    result = here.sync(rules(here, 3, query="eventType:y"))
    assert [step.kind for step in result.done] == [ChangeKind.UPDATE, ChangeKind.UPDATE, ChangeKind.DELETE]
    assert [monitor.version for monitor in here.monitors()].count(2) == 2
    assert here.sync(rules(here, 3, query="eventType:y")).writes == 0


def test_reads_more_than_a_search_returns_by_itself(here: Place) -> None:
    here.sync(rules(here, 13))
    assert len(here.monitors()) == 13
    assert here.sync(rules(here, 13)).writes == 0


def test_what_the_pack_s_monitors_say_is_kept_whole(here: Place) -> None:
    bundle = read_bundle(include_dir() / "detections")
    assert bundle is not None
    pack = render_all(here.alerting, bundle.detections, here.names, MonitorSettings())
    here.sync(pack)
    stored = {monitor.name: monitor for monitor in here.monitors()}
    assert len(stored) == len(pack)
    for monitor in pack:
        own = here.owner.own(monitor)
        assert differences(own.body, stored[own.name].content) == ()


def test_the_pack_is_there_with_its_test_cases() -> None:
    compiled = pack()
    assert len(compiled.detections) >= 32
    with_cases = [detection for detection in compiled.detections if detection.risk_sum is None]
    assert all(compiled.rules[detection.form_of or detection.id].own.cases for detection in with_cases)


@pytest.mark.parametrize("keep_metadata", [False, True])
def test_leaves_alone_what_was_changed_by_hand_until_asked(here: Place, *, keep_metadata: bool) -> None:
    here.sync(rules(here, 1))
    [monitor] = here.monitors()
    here.write_by_hand(monitor, keep_metadata=keep_metadata, enabled=False)
    result = here.sync(rules(here, 1, query="eventType:y"))
    assert result.writes == 0
    [step] = result.plan.of(ChangeKind.EDITED)
    assert "enabled" in [difference.path for difference in step.differences]
    here.sync(rules(here, 1, query="eventType:y"), put_back=frozenset({"all"}))
    [monitor] = here.monitors()
    assert monitor.content["enabled"] is True
    assert here.sync(rules(here, 1, query="eventType:y")).writes == 0


def test_never_touches_what_is_not_ours(here: Place) -> None:
    body = event_body(99, index=here.names.alias) | {"name": f"Somebody's monitor in {here.names.prefix}"}
    monitor_id = here.create_by_hand(body)
    before = here.alerting.get(monitor_id)
    here.sync(rules(here, 2))
    here.sync([], put_back=frozenset({"all"}))
    assert here.alerting.get(monitor_id) == before


def test_mends_duplicates(here: Place) -> None:
    here.sync(rules(here, 1))
    [monitor] = here.monitors()
    here.create_by_hand(here.owner.body_to_send(here.owner.own(rules(here, 1)[0]), version=1))
    assert len(here.monitors()) == 2
    here.sync(rules(here, 1))
    assert [left.id for left in here.monitors()] == [monitor.id]


def test_a_stale_update_is_a_conflict(here: Place) -> None:
    here.sync(rules(here, 1))
    [monitor] = here.monitors()
    here.write_by_hand(monitor, keep_metadata=True)
    with pytest.raises(MonitorConflictError):
        here.alerting.update(monitor, monitor.content)


def test_a_script_that_does_not_compile_is_found_before_it_is_stored(here: Place) -> None:
    body = threshold_body(1, index=here.names.alias)
    body["triggers"][0]["bucket_level_trigger"]["condition"]["script"]["source"] = "params.n >= ("
    with pytest.raises(SyncIncompleteError, match="compile"):
        here.sync([rendered(1, body=body)])
    assert here.monitors() == []


def test_what_the_server_drops_is_found(here: Place) -> None:
    body = threshold_body(1, index=here.names.alias)
    sources = body["inputs"][0]["search"]["query"]["aggs"]["composite_agg"]["composite"]["sources"]
    sources[1] = {"slot": {"date_histogram": {"field": "published", "fixed_interval": "10m", "offset": "5m"}}}
    with pytest.raises(SyncIncompleteError, match="offset"):
        here.sync([rendered(1, body=body)])


def test_a_missing_index_is_explained(here: Place) -> None:
    with pytest.raises(MonitorRefusedError, match="must be there first"):
        here.alerting.create(rendered(1, index=f"{here.names.prefix}-missing").body)


def test_ui_metadata_is_withheld_from_those_who_do_not_ask_as_we_do(here: Place) -> None:
    here.sync(rules(here, 1))
    [monitor] = here.monitors()
    assert here.owner.marker(monitor) is not None
    seen = here.client.transport.perform_request("GET", f"{MONITORS}/{monitor.id}")
    assert "ui_metadata" not in seen["monitor"]


def test_a_plan_writes_nothing(here: Place) -> None:
    assert plan_sync(here.alerting, rules(here, 2), here.owner).counts["create"] == 2
    assert here.monitors() == []
