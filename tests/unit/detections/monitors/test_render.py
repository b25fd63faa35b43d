"""The monitors that detections become, and their messages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from oktalogger.detections import messages
from oktalogger.detections.model import CompiledDetection, MonitorSettings, source_hash
from oktalogger.detections.monitors.render import render_monitor
from oktalogger.opensearch.names import IndexNames
from tests.unit.detections.compiled import EVENT, THRESHOLD

NAMES = IndexNames()
SETTINGS = MonitorSettings(
    default_channels=("security",), dashboards_url="https://dashboards.example/", okta_orgs=("acme.okta.com",)
)


def rendered(detection: CompiledDetection, settings: MonitorSettings = SETTINGS) -> dict[str, Any]:
    return render_monitor(detection, names=NAMES, channel_ids={"security": "c1", "soc": "c2"}, settings=settings).body


def trigger_of(body: dict[str, Any]) -> dict[str, Any]:
    ((_, trigger),) = body["triggers"][0].items()
    return dict(trigger)


def test_a_rule_of_single_events_becomes_a_document_level_monitor_on_the_alias() -> None:
    body = rendered(EVENT)
    assert body["monitor_type"] == "doc_level_monitor"
    given = body["inputs"][0]["doc_level_input"]
    assert given["indices"] == ["okta-system-log"]
    assert given["queries"][0]["query"] == "(eventType:system.api_token.create) AND NOT oktalogger.historical:true"
    # The condition names the query, so the name must be free of blanks and brackets.
    assert trigger_of(body)["condition"]["script"]["source"] == f"query[name={given['queries'][0]['name']}]"
    assert re.fullmatch(r"[A-Za-z0-9_]+", given["queries"][0]["name"])
    assert not any(re.search(r"[ \[\]{}()]", tag) for tag in given["queries"][0]["tags"])


def test_a_threshold_becomes_a_bucket_level_monitor_over_a_composite() -> None:
    body = rendered(THRESHOLD)
    assert body["monitor_type"] == "bucket_level_monitor"
    search = body["inputs"][0]["search"]["query"]
    trigger = trigger_of(body)["condition"]
    assert list(search["aggregations"]) == [trigger["parent_bucket_path"]]
    composite = search["aggregations"]["groups"]["composite"]
    fields = [source["terms"]["field"] for sources in composite["sources"] for source in sources.values()]
    assert fields == ["oktalogger.org", "client.ipAddress"]
    for path in trigger["buckets_path"].values():
        assert path.partition(".")[0] in search["aggregations"]["groups"]["aggregations"]


def test_a_threshold_looks_at_what_was_loaded_of_late_and_only_in_a_filter() -> None:
    # Alerting narrows an alias down to indices by their age when it finds a range under `must` or `should`.
    query = rendered(THRESHOLD)["inputs"][0]["search"]["query"]["query"]
    assert list(query) == ["bool"]
    assert list(query["bool"]) == ["filter"]
    (window,) = (clause["range"] for clause in query["bool"]["filter"] if "range" in clause)
    assert "{{period_end}}" in window["oktalogger.ingested_at"]["gt"]


def test_nothing_of_a_composite_is_lost_when_it_is_stored() -> None:
    # `offset` is lost inside the composite, and kept below it.
    text = json.dumps(rendered(THRESHOLD)["inputs"][0]["search"]["query"]["aggregations"]["groups"]["composite"])
    assert "date_histogram" not in text
    assert "offset" not in text


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
    tags = {tag.lstrip("#/") for tag in re.findall(r"\{\{([^}]*)\}\}", messages.body(EVENT, SETTINGS))}
    known = {"ctx.error", "ctx.alerts", "sample_documents", "never", "."}
    assert all(tag in known or tag.startswith("_source.") for tag in tags)


def test_alerting_finds_the_fields_that_a_message_shows() -> None:
    # It fetches those between exactly these tags, and none with an index or a section in their name.
    text = messages.body(EVENT, SETTINGS)
    inside = text[text.index("{{#sample_documents}}") : text.index("{{/sample_documents}}")]
    tags = re.findall(r"\{\{([^{}]+)\}\}", inside)
    fetched = {tag for tag in tags if tag.startswith("_source.")}
    shown = {tag.lstrip("#/") for tag in tags if "_source." in tag}
    assert shown == fetched
    assert {"_source.actor.alternateId", "_source.oktalogger.target.any.display_name"} <= fetched
    assert "_source." not in text.replace(inside, "")


def test_a_threshold_shows_no_documents_because_alerting_cannot() -> None:
    text = messages.body(THRESHOLD, SETTINGS)
    assert "sample_documents" not in text
    assert "At least 10 different values of actor.alternateId within 10 minutes." in text
    assert "{{bucket_keys}}" in text


def test_messages_link_to_dashboards_and_to_okta() -> None:
    text = messages.body(EVENT, SETTINGS)
    assert "https://acme-admin.okta.com/report/system_log_2?search=uuid+eq+%22{{_source.uuid}}%22" in text
    assert "https://dashboards.example/app/data-explorer/discover#?" in text
    assert "uuid:{{_source.uuid}}" in text
    threshold = messages.body(THRESHOLD, SETTINGS)
    assert "https://acme-admin.okta.com/report/system_log_2" in threshold
    assert "discover#?" in threshold
    assert "Dashboards" not in messages.body(EVENT, MonitorSettings())


def test_detections_survive_the_way_through_the_bundle() -> None:
    for detection in (EVENT, THRESHOLD):
        assert CompiledDetection.from_dict(json.loads(json.dumps(detection.as_dict()))) == detection
