"""Exceptions on a real OpenSearch: their events are kept, raise no alert, and alert again after the last day."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from oktalogger.detections.model import Exclusion, MonitorSettings
from oktalogger.detections.replay.search import keep_excepted, replay
from oktalogger.detections.testing.run import firing_groups
from tests.integration.test_detection_kinds import BASE, HOUR, NOW, client, loaded, put, store
from tests.unit.detections.bundles import counting

if TYPE_CHECKING:
    from typing import Any

    from oktalogger.opensearch.store import OpenSearchStore

__all__ = ["client", "store"]

pytestmark = pytest.mark.opensearch

TODAY = (NOW - HOUR).date()
ROBOT = Exclusion("Nightly job.", ("kind",), "actor.alternateId:robot", owner="me", until=TODAY.isoformat())
RULE = replace(BASE, exceptions=(ROBOT,))
SPAN = loaded(NOW - 2 * HOUR, NOW + HOUR)


def event(actor: str) -> dict[str, Any]:
    return {"eventType": "a", "actor": {"alternateId": actor}}


def stored(store: OpenSearchStore) -> list[dict[str, Any]]:
    store.client.indices.refresh(index=store.names.matches)
    hits = store.client.search(index=store.names.matches, body={"size": 100})["hits"]["hits"]
    return [hit["_source"] for hit in hits]


def test_excepted_events_are_kept_with_owner_reason_and_end_and_raise_nothing(store: OpenSearchStore) -> None:
    put(store, [(NOW - HOUR, event("robot")), (NOW - HOUR, event("ada"))])
    (found,) = replay(store.client, store.names, [RULE], SPAN, run_id="1")
    assert [match.group["actor.alternateId"] for match in found.matches] == ["ada"]
    assert [match.group["actor.alternateId"] for match in found.excepted] == ["robot"]
    assert found.as_dict()["excepted"] == 1
    kept = {row["group"][0]: row.get("excepted") for row in stored(store)}
    why = {"owner": "me", "reason": "Nightly job.", "until": TODAY.isoformat()}
    assert kept == {"actor.alternateId=ada": None, "actor.alternateId=robot": why}
    groups = firing_groups(store.client, store.names, RULE, MonitorSettings(window_hours=5), None, NOW + HOUR)
    assert len(groups) == 1


def test_after_the_last_day_they_alert_again(store: OpenSearchStore) -> None:
    over = replace(ROBOT, until=(TODAY - timedelta(days=1)).isoformat())
    put(store, [(NOW - HOUR, event("robot"))])
    (found,) = replay(store.client, store.names, [replace(RULE, exceptions=(over,))], SPAN, run_id="1")
    assert (len(found.matches), found.excepted) == (1, ())


def test_a_threshold_does_not_count_them(store: OpenSearchStore) -> None:
    rule = counting(1, 3, exceptions=(replace(ROBOT, query="client.ipAddress:198.51.100.99"),))
    rule = replace(rule, selection="eventType:a")
    away = {**event("ada"), "client": {"ipAddress": "198.51.100.99"}}
    put(store, [(NOW - HOUR + timedelta(seconds=n), away) for n in range(3)])
    put(store, [(NOW - HOUR + timedelta(seconds=n), event("ada")) for n in range(2)])
    (found,) = replay(store.client, store.names, [rule], SPAN, run_id="1")
    assert (found.matches, [match.events for match in found.excepted]) == ((), [3])


def test_where_monitors_run_the_rule_only_what_is_excepted_is_kept(store: OpenSearchStore) -> None:
    put(store, [(NOW - HOUR, event("robot")), (NOW - HOUR, event("ada"))])
    for run in ("1", "2"):
        keep_excepted(store.client, store.names, [RULE], SPAN, run_id=run)
    (row,) = stored(store)
    assert (row["excepted"]["owner"], row["run_id"]) == ("me", "1")
