"""The monitors that detections become, and their messages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.detections import messages
from oktalogger.detections.model import CompiledDetection, MonitorSettings, source_hash
from oktalogger.detections.monitors.render import render_monitor
from oktalogger.opensearch.names import IndexNames
from tests.unit.detections.compiled import EVENT, THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = IndexNames()
SETTINGS = MonitorSettings(
    default_channels=("security",), dashboards_url="https://dashboards.example/", okta_orgs=("acme.okta.com",)
)


def rendered(detection: CompiledDetection, settings: MonitorSettings = SETTINGS) -> dict[str, Any]:
    return render_monitor(detection, names=NAMES, channel_ids={"security": "c1", "soc": "c2"}, settings=settings).body


def trigger_of(body: dict[str, Any]) -> dict[str, Any]:
    ((_, trigger),) = body["triggers"][0].items()
    return dict(trigger)


def search_of(body: dict[str, Any]) -> dict[str, Any]:
    search: dict[str, Any] = body["inputs"][0]["search"]["query"]
    return search


def composite_of(body: dict[str, Any]) -> dict[str, Any]:
    groups: dict[str, Any] = search_of(body)["aggregations"]["composite_agg"]["composite"]
    return {name: source for sources in groups["sources"] for name, source in sources.items()}


@pytest.mark.parametrize("detection", [EVENT, THRESHOLD])
def test_every_rule_becomes_one_grouped_search_on_the_alias(detection: CompiledDetection) -> None:
    body = rendered(detection)
    assert body["monitor_type"] == "bucket_level_monitor"
    assert body["inputs"][0]["search"]["indices"] == ["okta-system-log"]
    condition = trigger_of(body)["condition"]
    assert list(search_of(body)["aggregations"]) == [condition["parent_bucket_path"]] == ["composite_agg"]
    inside = search_of(body)["aggregations"]["composite_agg"]["aggregations"]
    for path in condition["buckets_path"].values():
        assert path == "_count" or path.partition(".")[0] in inside


def test_a_rule_of_single_events_groups_by_org_actor_and_hour_of_loading() -> None:
    body = rendered(EVENT)
    sources = composite_of(body)
    assert list(sources) == ["okta_org", "okta_actor", "okta_hour"]
    assert sources["okta_org"] == {"terms": {"field": "oktalogger.org"}}
    params = sources["okta_actor"]["terms"]["script"]["params"]
    assert params == {"fields": ["actor.alternateId"], "absent": "-"}
    hour = {"field": "oktalogger.ingested_at", "fixed_interval": "1h"}
    assert sources["okta_hour"] == {"date_histogram": hour}
    assert trigger_of(body)["condition"]["buckets_path"] == {"n": "_count"}
    query, window = search_of(body)["query"]["bool"]["filter"]
    assert query["query_string"]["query"] == "(eventType:system.api_token.create) AND NOT oktalogger.historical:true"
    assert window["range"]["oktalogger.ingested_at"]["gt"] == "{{period_end}}||-120m"


def test_a_rule_says_what_one_alert_is_about_and_for_how_long() -> None:
    body = rendered(replace(EVENT, dedup=("client.ipAddress", "uuid"), throttle_minutes=240))
    sources = composite_of(body)
    assert sources["okta_actor"]["terms"]["script"]["params"]["fields"] == ["client.ipAddress", "uuid"]
    assert sources["okta_hour"]["date_histogram"]["fixed_interval"] == "4h"
    # An alert ends when none of its events is looked at any more, and its group would raise another.
    assert "{{period_end}}||-300m" in json.dumps(search_of(body))
    assert list(composite_of(rendered(replace(EVENT, dedup=())))) == ["okta_org", "okta_hour"]


def test_a_flood_is_held_to_a_number_of_cells() -> None:
    # 500 alerts of a monitor are read back; above, each run doubles what is above.
    sources = composite_of(rendered(replace(EVENT, cells=16)))
    assert list(sources) == ["okta_org", "okta_cell", "okta_hour"]
    assert sources["okta_cell"]["terms"]["script"]["params"] == {"fields": ["actor.alternateId"], "cells": 16}


def names_in(aggregations: dict[str, Any]) -> Iterator[str]:
    for name, inner in aggregations.items():
        yield name
        for sources in inner.get("composite", {}).get("sources", ()):
            yield from sources
        yield from names_in(inner.get("aggregations", {}))


@pytest.mark.parametrize("detection", [EVENT, replace(EVENT, cells=4), THRESHOLD])
def test_no_name_of_ours_can_meet_a_name_of_others_in_the_index_of_alerts(detection: CompiledDetection) -> None:
    # Names of sources and of sub-aggregations share one mapping over all monitors of the cluster.
    body = rendered(detection)
    names = [name for name in names_in(search_of(body)["aggregations"]) if name != "composite_agg"]
    assert names
    assert all(name.startswith("okta_") for name in names)
    # Every key but the hour is text: a keyword field, or a script that writes text.
    for name, source in composite_of(body).items():
        if name != "okta_hour":
            assert source["terms"].get("field") == "oktalogger.org" or "script" in source["terms"]


@pytest.mark.parametrize("detection", [EVENT, THRESHOLD])
def test_no_key_may_be_missing_the_way_that_breaks_a_monitor(detection: CompiledDetection) -> None:
    assert "missing_bucket" not in json.dumps(rendered(detection))


def test_nothing_hides_the_documents_of_a_message() -> None:
    # Only a composite of this name at the top, and sub-aggregations that are a field alone.
    inside = search_of(rendered(EVENT))["aggregations"]["composite_agg"]["aggregations"]
    assert inside == {"okta_last": {"max": {"field": "published"}}}


def test_a_threshold_looks_at_what_was_loaded_of_late_and_only_in_a_filter() -> None:
    # Alerting narrows an alias down to indices by their age when it finds a range under `must` or `should`.
    query = rendered(THRESHOLD)["inputs"][0]["search"]["query"]["query"]
    assert list(query) == ["bool"]
    assert list(query["bool"]) == ["filter"]
    (window,) = (clause["range"] for clause in query["bool"]["filter"] if "range" in clause)
    assert "{{period_end}}" in window["oktalogger.ingested_at"]["gt"]


@pytest.mark.parametrize("detection", [EVENT, THRESHOLD])
def test_nothing_of_a_composite_is_lost_when_it_is_stored(detection: CompiledDetection) -> None:
    # `offset` is lost inside the composite, and kept below it.
    assert "offset" not in json.dumps(composite_of(rendered(detection)))


def test_a_throttle_is_how_long_a_group_stays_quiet() -> None:
    text = json.dumps(rendered(THRESHOLD))
    assert "{{period_end}}||-60m" in text
    assert "{{period_end}}||-15m" in json.dumps(rendered(replace(THRESHOLD, throttle_minutes=None)))


def test_the_same_detection_always_becomes_the_same_monitor() -> None:
    for detection in (EVENT, THRESHOLD):
        first = render_monitor(detection, names=NAMES, channel_ids={"security": "c1"}, settings=SETTINGS)
        second = render_monitor(detection, names=NAMES, channel_ids={"security": "c1"}, settings=SETTINGS)
        assert first == second
        assert first.source_hash == source_hash(first.body)


def test_ids_of_triggers_and_actions_survive_an_edit_of_the_rule() -> None:
    before, after = rendered(EVENT), rendered(replace(EVENT, title="Another title", severity="high", selection="x:y"))
    assert trigger_of(before)["id"] == trigger_of(after)["id"]
    assert [a["id"] for a in trigger_of(before)["actions"]] == [a["id"] for a in trigger_of(after)["actions"]]
    assert trigger_of(before)["id"] != trigger_of(rendered(THRESHOLD))["id"]
    assert (trigger_of(before)["severity"], trigger_of(after)["severity"]) == ("3", "2")


def test_the_name_says_whose_monitor_it_is() -> None:
    assert rendered(EVENT)["name"] == "oktalogger: An API token was made [11111111-1111-4111-8111-111111111111]"


@pytest.mark.parametrize(
    ("detection", "channels"),
    [
        (EVENT, ("security",)),
        (replace(EVENT, severity="low"), ()),
        (replace(EVENT, severity="low", channels=("soc",)), ("soc",)),
        (replace(EVENT, channels=()), ()),
    ],
)
def test_who_is_told(detection: CompiledDetection, channels: tuple[str, ...]) -> None:
    monitor = render_monitor(detection, names=NAMES, channel_ids={"security": "c1", "soc": "c2"}, settings=SETTINGS)
    assert monitor.channels == channels
    actions = trigger_of(monitor.body)["actions"]
    assert [action["destination_id"] for action in actions] == [{"security": "c1", "soc": "c2"}[c] for c in channels]


def test_a_channel_without_an_id_is_an_error() -> None:
    with pytest.raises(KeyError):
        render_monitor(EVENT, names=NAMES, channel_ids={}, settings=SETTINGS)


def test_each_alert_is_told_once() -> None:
    for detection in (EVENT, THRESHOLD):
        (action,) = trigger_of(rendered(detection))["actions"]
        assert action["action_execution_policy"]["action_execution_scope"] == {
            "per_alert": {"actionable_alerts": ["NEW"]}
        }
        # Throttling is not taken together with all policies, and not needed.
        assert action["throttle_enabled"] is False


def test_a_message_says_everything_that_the_rule_says() -> None:
    text = messages.body(EVENT, SETTINGS)
    for part in (
        EVENT.title,
        "medium",
        EVENT.runbook,
        "A new integration.",
        "T1098.001",
        EVENT.references[0],
        EVENT.id,
    ):
        assert part in text
    assert "https://attack.mitre.org/techniques/T1098/001/" in text


def test_a_rules_own_braces_are_no_template() -> None:
    assert "{{of them}}" not in messages.body(EVENT, SETTINGS)
    tags = {tag.lstrip("#^/") for tag in re.findall(r"\{\{([^}]*)\}\}", messages.body(EVENT, SETTINGS))}
    known = {"ctx.error", "ctx.newAlerts", "sample_documents", "start_time", "never", "."}
    assert all(tag in known or tag.startswith("_source.") for tag in tags)


def test_alerting_finds_the_fields_that_a_message_shows() -> None:
    # It fetches those between exactly these tags, and none with an index or a section in their name.
    text = messages.body(EVENT, SETTINGS)
    inside = "".join(re.findall(r"\{\{#sample_documents\}\}.*?\{\{/sample_documents\}\}", text, re.DOTALL))
    tags = [tag for tag in re.findall(r"\{\{([^{}]+)\}\}", inside) if "sample_documents" not in tag]
    fetched = {tag for tag in tags if tag.startswith("_source.")}
    shown = {tag.lstrip("#^/") for tag in tags if "_source." in tag}
    assert shown == fetched
    assert {"_source.actor.alternateId", "_source.oktalogger.target.any.display_name"} <= fetched
    assert "_source." not in re.sub(r"\{\{#sample_documents\}\}.*?\{\{/sample_documents\}\}", "", text, flags=re.DOTALL)


def test_a_threshold_says_how_many_who_and_when_and_links_to_the_group() -> None:
    text = messages.body(THRESHOLD, SETTINGS)
    # Alerting has no documents where slots are below the groups.
    assert "sample_documents" not in text
    assert "at least 10 different values of actor.alternateId within 10 minutes" in text
    loop = text[text.index("{{#ctx.newAlerts}}") : text.index("{{/ctx.newAlerts}}")]
    assert "Who: {{bucket_keys}}" in loop
    assert "{{start_time}}" in loop
    # The key is a query by itself, and holds nothing that an address cannot.
    assert "%20AND%20{{bucket_keys}}'" in loop


def test_messages_link_to_dashboards_and_to_okta() -> None:
    text = messages.body(EVENT, SETTINGS)
    assert "https://acme-admin.okta.com/report/system_log_2?search=uuid+eq+%22{{_source.uuid}}%22" in text
    assert "https://dashboards.example/app/data-explorer/discover#?" in text
    assert "uuid:{{_source.uuid}}" in text
    assert "query:'uuid:({{#sample_documents}}{{_source.uuid}}%20{{/sample_documents}})'" in text
    threshold = messages.body(THRESHOLD, SETTINGS)
    assert "https://acme-admin.okta.com/report/system_log_2" in threshold
    assert "discover#?" in threshold
    assert "Dashboards" not in messages.body(EVENT, MonitorSettings())


def test_detections_survive_the_way_through_the_bundle() -> None:
    for detection in (EVENT, THRESHOLD):
        assert CompiledDetection.from_dict(json.loads(json.dumps(detection.as_dict()))) == detection
