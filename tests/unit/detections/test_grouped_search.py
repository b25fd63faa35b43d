"""The search of a rule: part for part, because the server says nothing about a part that it understands otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oktalogger.detections.criteria import Threshold
from oktalogger.detections.grouped_search import PAGE_OF_GROUPS, condition, group_fields, group_values, search_body
from oktalogger.detections.model import CompiledDetection
from tests.unit.detections.compiled import EVENT, THRESHOLD

COUNTED = {"range": {"oktalogger.ingested_at": {"gte": "a"}}}
FRESH = {"range": {"oktalogger.ingested_at": {"gte": "b"}}}


def body(detection: CompiledDetection = THRESHOLD, **more: Any) -> dict[str, Any]:
    return search_body(detection, query="eventType:x", looked_at=COUNTED, fresh=FRESH, **more)


def groups(made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = made["aggregations"]["composite_agg"]
    return found


def slots(made: dict[str, Any], name: str = "okta_slots") -> dict[str, Any]:
    found: dict[str, Any] = groups(made)["aggregations"][name]
    return found


def counting(threshold: Threshold) -> CompiledDetection:
    return replace(THRESHOLD, threshold=threshold)


def test_it_counts_each_group_in_slots_and_once_more_in_slots_shifted_by_half() -> None:
    made = body()
    assert made["size"] == 0
    assert made["query"] == {"bool": {"filter": [{"query_string": {"query": "eventType:x"}}, COUNTED]}}
    assert set(made) == {"size", "query", "aggregations"}
    composite = groups(made)["composite"]
    assert composite["size"] == 1000
    [source] = composite["sources"]
    # One text for the whole group: its parts in order, each with its field's name.
    assert source["okta_group"]["terms"]["script"]["params"] == {"fields": ["oktalogger.org", "client.ipAddress"]}
    histogram = {"field": "published", "fixed_interval": "600s", "order": {"_key": "asc"}, "keyed": False}
    assert slots(made)["date_histogram"] == {**histogram, "offset": 0, "min_doc_count": 1}
    assert slots(made, "okta_shifted_slots")["date_histogram"] == {**histogram, "offset": 300_000, "min_doc_count": 1}
    assert slots(made)["aggregations"] == slots(made, "okta_shifted_slots")["aggregations"]
    assert set(groups(made)["aggregations"]) == {"okta_slots", "okta_shifted_slots"}


def test_a_slot_counts_where_the_number_is_reached_with_a_fresh_event() -> None:
    inside = slots(body(least_fresh=3))["aggregations"]
    assert inside == {
        "okta_fresh": {"filter": FRESH},
        "okta_values": {"cardinality": {"field": "actor.alternateId", "precision_threshold": 3000}},
        "okta_reached": {
            "bucket_selector": {
                "buckets_path": {"n": "okta_values", "fresh": "okta_fresh._count"},
                "script": {
                    "source": "params.n >= params.at_least && params.fresh >= params.least_fresh",
                    "lang": "painless",
                    "params": {"at_least": 10, "least_fresh": 3},
                },
                "gap_policy": "skip",
            }
        },
    }
    assert slots(body())["aggregations"]["okta_reached"]["bucket_selector"]["script"]["params"]["least_fresh"] == 1


def test_events_are_counted_where_no_field_is_named() -> None:
    inside = slots(body(counting(Threshold(counted=None, group_by=(), seconds=61, at_least=2))))["aggregations"]
    assert inside["okta_reached"]["bucket_selector"]["buckets_path"]["n"] == "_count"
    assert "okta_values" not in inside


def test_half_a_slot_is_told_in_whole_milliseconds() -> None:
    made = body(counting(Threshold(counted=None, group_by=(), seconds=61, at_least=2)))
    assert slots(made, "okta_shifted_slots")["date_histogram"]["offset"] == 30_500


@pytest.mark.parametrize(
    ("at_least", "precision"), [(1500, 3000), (1501, 3002), (19_999, 39_998), (20_001, 40_000), (90_000, 40_000)]
)
def test_values_are_counted_exactly_as_far_as_the_server_can(at_least: int, precision: int) -> None:
    threshold = Threshold(counted="actor.id", group_by=(), seconds=600, at_least=at_least)
    assert (
        slots(body(counting(threshold)))["aggregations"]["okta_values"]["cardinality"]["precision_threshold"]
        == precision
    )


def test_a_page_goes_on_after_the_one_before_and_more_is_asked_of_each_slot() -> None:
    made = body(after={"okta_group": "g"}, more={"first": {"min": {"field": "published"}}})
    assert groups(made)["composite"]["after"] == {"okta_group": "g"}
    assert slots(made)["aggregations"]["first"] == {"min": {"field": "published"}}


def test_groups_and_their_slots_stay_below_what_the_server_gives_up_at() -> None:
    assert PAGE_OF_GROUPS == 1000


def test_the_org_is_always_counted_apart_and_no_field_twice() -> None:
    threshold = Threshold(counted=None, group_by=("actor.id", "oktalogger.org", "actor.id"), seconds=60, at_least=1)
    assert group_fields(counting(threshold)) == ("oktalogger.org", "actor.id")
    assert group_fields(replace(EVENT, dedup=("uuid", "oktalogger.org"))) == ("oktalogger.org", "uuid")


def test_a_monitor_triggers_where_either_kind_of_slot_is_left() -> None:
    assert condition(THRESHOLD) == {
        "buckets_path": {"slots": "okta_slots._bucket_count", "shifted": "okta_shifted_slots._bucket_count"},
        "script": {"source": "params.slots > 0 || params.shifted > 0", "lang": "painless"},
        "parent_bucket_path": "composite_agg",
        "gap_policy": "skip",
    }
    assert condition(EVENT)["buckets_path"] == {"n": "_count"}


def test_a_threshold_must_be_told_what_is_fresh() -> None:
    with pytest.raises(ValueError, match="what is fresh"):
        search_body(THRESHOLD, query="eventType:x", looked_at=COUNTED)


def test_a_key_tells_the_values_of_its_group() -> None:
    key = {"okta_group": "(oktalogger.org:acme.okta.com)AND(client.ipAddress:2001%5C:db8%5C:%5C:1)"}
    assert group_values(key) == {"oktalogger.org": "acme.okta.com", "client.ipAddress": "2001:db8::1"}
    key = {"okta_actor": "(actor.alternateId:a%5C%20%5C%28b%5C%29%5C%25%5C%22)", "okta_org": "o"}
    assert group_values(key) == {"oktalogger.org": "o", "actor.alternateId": 'a (b)%"'}
    assert group_values({"okta_org": "o", "okta_cell": "cell 3"}) == {"oktalogger.org": "o", "cell": "cell 3"}
