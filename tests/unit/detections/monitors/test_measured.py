"""What was measured on the real plugin of 2.19: the stand-in answers so, and what follows from it is done.

``so`` in a test's name marks a conclusion that the measurements draw.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.standins.alerting import BASE, DESTINATIONS, STATS, AlertingStandIn, NeverAnswersError
from local.standins.monitors import document_level_body, event_body
from oktalogger.detections.grouped_search import CELLS, JOINED
from oktalogger.detections.model import MonitorSettings
from oktalogger.detections.monitors.compare import dropped
from oktalogger.detections.monitors.handover import is_document_level
from oktalogger.detections.monitors.health import check_health, not_running
from oktalogger.detections.monitors.render import render_monitor
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.monitors.sync import SyncIncompleteError, apply_sync
from oktalogger.detections.rules.fields import FieldError, FieldTable, field_table
from oktalogger.opensearch.names import IndexNames
from oktalogger.resources import resource
from tests.unit.detections.compiled import EVENT, THRESHOLD
from tests.unit.detections.faults import client_of

CONFIG = "[.opendistro-alerting-config]"
FRESH_CLUSTER = {
    "error": {
        "root_cause": [{"type": "alerting_exception", "reason": f"Configured indices are not found: {CONFIG}"}],
        "type": "alerting_exception",
        "reason": f"Configured indices are not found: {CONFIG}",
        "caused_by": {
            "type": "exception",
            "reason": f"org.opensearch.index.IndexNotFoundException: no such index {CONFIG}",
        },
    },
    "status": 404,
}


def made(standin: AlertingStandIn, body: dict[str, Any]) -> str:
    status, answer = standin.handle("POST", BASE, body)
    assert status == 201, answer
    return str(answer["_id"])


def reason(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["error"]["reason"]


class TestClusterWithoutMonitors:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", f"{BASE}/_search"),
            ("GET", f"{BASE}/anything"),
            ("DELETE", f"{BASE}/anything"),
            ("POST", f"{BASE}/anything/_execute"),
            ("GET", DESTINATIONS),
        ],
    )
    def test_it_answers_that_its_configuration_is_not_there(self, method: str, path: str) -> None:
        assert AlertingStandIn(is_untouched=True).handle(method, path, {}) == (404, FRESH_CLUSTER)

    def test_alerts_and_findings_are_empty(self) -> None:
        standin = AlertingStandIn(is_untouched=True)
        assert standin.handle("GET", f"{BASE}/alerts") == (200, {"alerts": [], "totalAlerts": 0})
        assert standin.handle("GET", "/_plugins/_alerting/findings/_search")[0] == 200

    def test_a_put_makes_the_configuration_and_finds_nothing(self) -> None:
        standin = AlertingStandIn(is_untouched=True)
        answer = standin.handle("PUT", f"{BASE}/anything", event_body(1))
        assert reason(answer) == (404, "Monitor with anything is not found")
        status, found = standin.handle("POST", f"{BASE}/_search", {})
        assert (status, found["hits"]["total"]["value"]) == (200, 0)

    def test_an_acknowledgement_never_answers(self) -> None:
        standin = AlertingStandIn(is_untouched=True)
        with pytest.raises(NeverAnswersError):
            standin.handle("POST", f"{BASE}/anything/_acknowledge/alerts", {"alerts": ["a"]})


class TestAcknowledge:
    def test_once_then_already_and_an_unknown_alert_is_harmless(self) -> None:
        standin = AlertingStandIn()
        monitor = made(standin, event_body(1))
        standin.alerts = [{"id": "id", "monitor_id": monitor, "state": "ACTIVE"}]
        path = f"{BASE}/{monitor}/_acknowledge/alerts"
        assert standin.handle("POST", path, {"alerts": ["id"]}) == (200, {"success": ["id"], "failed": []})
        again = {"success": [], "failed": [{"id": {"failed_reason": "Alert has already been acknowledged."}}]}
        assert standin.handle("POST", path, {"alerts": ["id"]}) == (200, again)
        unknown = "Alert: nope does not exist (it may have already completed)."
        answer = {"success": [], "failed": [{"nope": {"failed_reason": unknown}}]}
        assert standin.handle("POST", path, {"alerts": ["nope"]}) == (200, answer)

    def test_after_an_unknown_monitor_no_acknowledgement_is_answered_any_more(self) -> None:
        standin = AlertingStandIn()
        monitor = made(standin, event_body(1))
        standin.alerts = [{"id": "id", "monitor_id": monitor, "state": "ACTIVE"}]
        for path in (f"{BASE}/gone/_acknowledge/alerts", f"{BASE}/{monitor}/_acknowledge/alerts"):
            with pytest.raises(NeverAnswersError):
                standin.handle("POST", path, {"alerts": ["id"]})
        assert standin.handle("GET", f"{BASE}/{monitor}")[0] == 200, "everything else goes on"


class TestRefusals:
    def test_eleven_triggers(self) -> None:
        body = event_body(1)
        answer = AlertingStandIn().handle("POST", BASE, body | {"triggers": body["triggers"] * 11})
        assert reason(answer) == (400, "Monitors can only support up to 10 triggers.")

    def test_an_index_of_alerts_of_our_own(self) -> None:
        answer = AlertingStandIn().handle("POST", BASE, event_body(1) | {"data_sources": {"alerts_index": "mine"}})
        assert reason(answer) == (400, "Custom Data Sources are not allowed.")

    @pytest.mark.parametrize(
        ("index", "status", "said"),
        [
            ("okta-system-log-*", 400, "Index patterns are not supported for doc level monitors."),
            ("okta-system-log-2026-12", 404, "Configured indices are not found: [okta-system-log-2026-12]"),
        ],
    )
    def test_a_list_of_a_document_level_monitor(self, index: str, status: int, said: str) -> None:
        answer = AlertingStandIn().handle("POST", BASE, document_level_body(1, index=index))
        assert reason(answer) == (status, said)

    def test_an_old_sequence_number(self) -> None:
        standin = AlertingStandIn()
        monitor = made(standin, event_body(1))
        path = f"{BASE}/{monitor}?if_seq_no={standin.jobs[monitor].seq_no}&if_primary_term=1"
        assert standin.handle("PUT", path, event_body(1))[0] == 200
        assert standin.handle("PUT", path, event_body(1))[0] == 409


class TestDryRun:
    def test_an_index_that_is_gone_is_named(self) -> None:
        standin = AlertingStandIn(indices={"okta-system-log", "lg-gone"})
        monitor = made(standin, event_body(1, index="lg-gone"))
        standin.indices.remove("lg-gone")
        _, answer = standin.handle("POST", f"{BASE}/{monitor}/_execute?dryrun=true", {})
        assert answer["input_results"]["error"] == "no such index [lg-gone]"
        assert "no such index [lg-gone]" in client_of(standin).try_stored(monitor)[0]

    def test_a_script_that_does_not_compile_leaves_no_word(self) -> None:
        standin = AlertingStandIn()
        body = event_body(1)
        body["triggers"][0]["bucket_level_trigger"]["condition"]["script"]["source"] = "params.n > ("
        _, answer = standin.handle("POST", f"{BASE}/{made(standin, body)}/_execute?dryrun=true", {})
        (result,) = answer["trigger_results"].values()
        assert (answer["input_results"]["error"], result["error"]) == (
            "",
            "Empty list doesn't contain element at index 0.",
        )


class TestStored:
    """What a monitor is after the plugin has written its search anew."""

    def stored(self, body: dict[str, Any]) -> dict[str, Any]:
        standin = AlertingStandIn()
        return standin.jobs[made(standin, body)].content

    def test_a_scripted_source_keeps_its_parameters(self) -> None:
        for rule in (EVENT, THRESHOLD):
            body = render_monitor(rule, names=IndexNames(), channel_ids={}, settings=MonitorSettings()).body
            text = json.dumps(self.stored(body))
            assert '"missing_bucket": false, "order": "asc"' in text
            assert '"params": {"fields"' in text

    def test_so_what_the_server_drops_is_found_by_reading_back(self) -> None:
        body = event_body(1)
        sources = body["inputs"][0]["search"]["query"]["aggregations"]["composite_agg"]["composite"]["sources"]
        sources[1]["okta_hour"]["date_histogram"]["offset"] = "5m"
        (lost,) = dropped(body, self.stored(body))
        assert (lost.path.rpartition(".")[2], lost.files, lost.server) == ("offset", "5m", None)
        rendered = render_monitor(EVENT, names=IndexNames(), channel_ids={}, settings=MonitorSettings())
        changed = json.loads(json.dumps(rendered.body))
        composite = changed["inputs"][0]["search"]["query"]["aggregations"]["composite_agg"]["composite"]
        composite["sources"][-1]["okta_hour"]["date_histogram"]["offset"] = "5m"
        object.__setattr__(rendered, "body", changed)
        with pytest.raises(SyncIncompleteError, match="offset"):
            apply_sync(client_of(AlertingStandIn()), [rendered], Owner())

    def test_no_script_uses_what_painless_does_not_allow(self) -> None:
        assert "floorMod" not in CELLS + JOINED


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("request.ipChain.version", "an array of objects"),
        ("debugContext.debugData.noSuchKey", "is not indexed"),
        ("actor.alternateId.keyword", "a second form"),
        ("no.such.field", "is not a field"),
    ],
)
def test_so_a_rule_looks_only_at_what_a_monitor_sees(name: str, said: str) -> None:
    with pytest.raises(FieldError, match=said):
        field_table().resolve(name)


def test_so_parts_of_a_flat_object_are_no_fields() -> None:
    table = FieldTable({"debugContext": {"properties": {"debugData": {"type": "flat_object"}}}})
    with pytest.raises(FieldError):
        table.resolve("debugContext.debugData.risk")


def test_so_no_monitor_of_ours_lists_months_that_would_have_to_be_empty() -> None:
    for rule in (EVENT, THRESHOLD):
        body = render_monitor(rule, names=IndexNames(), channel_ids={}, settings=MonitorSettings()).body
        assert not is_document_level(body)
        assert body["inputs"][0]["search"]["indices"] == ["okta-system-log"]


class TestScheduler:
    def test_its_answer_has_the_last_run_of_each_monitor_on_its_node(self) -> None:
        standin = AlertingStandIn()
        monitor = made(standin, event_body(1))
        _, answer = standin.handle("GET", STATS)
        (node,) = answer["nodes"].values()
        assert answer["plugins.scheduled_jobs.enabled"] is True
        assert set(node["jobs_info"][monitor]) == {"last_execution_time", "running_on_time"}
        standin.is_scheduling = False
        _, answer = standin.handle("GET", STATS)
        assert answer["plugins.scheduled_jobs.enabled"] is False
        assert all(node["jobs_info"] == {} for node in answer["nodes"].values())

    def test_so_a_monitor_that_no_node_knows_or_that_missed_three_runs_does_not_run(self) -> None:
        standin = AlertingStandIn()
        made(standin, event_body(1))
        client = client_of(standin)
        (monitor,) = client.monitors()
        runs = client.last_runs()
        now = datetime.now(UTC)
        assert not_running(monitor, runs, now) is None
        assert not_running(monitor, runs, now + timedelta(minutes=2.9)) is None
        assert "has not run since" in str(not_running(monitor, runs, now + timedelta(minutes=3.1)))
        standin.idle.add(monitor.id)
        later = now + timedelta(minutes=3.1)
        assert "never run" in str(not_running(monitor, client.last_runs(), later))
        assert monitor.name in check_health(client, [monitor], now=later).ailing


def test_so_the_analyst_may_acknowledge() -> None:
    role = json.loads(resource("opensearch/roles/oktalogger_analyst.json").read_text(encoding="utf-8"))
    assert "cluster:admin/opendistro/alerting/alerts/ack" in role["cluster_permissions"]
