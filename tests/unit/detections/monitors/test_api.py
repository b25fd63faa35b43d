"""The client of Alerting and of its channels, against the stand-in."""

from __future__ import annotations

import json

import pytest

from local.standins.alerting import AlertingStandIn
from local.standins.monitors import event_body, threshold_body
from oktalogger.detections.monitors.api import (
    AlertingClient,
    AlertingMissingError,
    MonitorConflictError,
    MonitorRefusedError,
)
from oktalogger.detections.monitors.channels import CHANNELS, ChannelError, resolve_channels
from oktalogger.opensearch.errors import OpenSearchPermissionError
from tests.unit.detections.faults import client_of


class TestClient:
    def test_says_whether_the_plugin_is_there(self) -> None:
        assert client_of(AlertingStandIn()).available()
        without = client_of(AlertingStandIn(plugin=False))
        assert not without.available()
        with pytest.raises(AlertingMissingError):
            without.monitors()

    def test_a_cluster_where_nobody_ever_made_a_monitor_has_none(self) -> None:
        standin = AlertingStandIn(is_untouched=True)
        client = client_of(standin)
        client.require()
        assert client.available()
        assert client.monitors() == []
        assert client.get("unknown") is None
        stored = client.create(event_body(1))
        assert [monitor.id for monitor in client.monitors()] == [stored.id]

    def test_a_reading_is_repeated_when_that_can_help(self) -> None:
        standin = AlertingStandIn()
        answers = iter([(500, {"error": {"type": "x", "reason": "y"}}), (503, {}), None, None])
        assert client_of(standin, before=lambda *_: next(answers)).monitors() == []

    def test_what_can_never_work_is_sent_once(self) -> None:
        standin = AlertingStandIn()
        with pytest.raises(MonitorRefusedError, match="unknown query"):
            client_of(standin).create(
                {
                    **threshold_body(1),
                    "inputs": [{"search": {"indices": ["okta-system-log"], "query": {"query": {"no_such_query": {}}}}}],
                }
            )
        assert len(standin.writes) == 1

    def test_a_stale_update_is_a_conflict(self) -> None:
        client = client_of(AlertingStandIn())
        stored = client.create(event_body(1))
        client.update(stored, event_body(1))
        with pytest.raises(MonitorConflictError):
            client.update(stored, event_body(1))

    def test_a_monitor_that_is_gone_can_be_deleted(self) -> None:
        standin = AlertingStandIn()
        client = client_of(standin)
        stored = client.create(event_body(1))
        client.delete(stored)
        client.delete(stored)
        assert client.get(stored.id) is None

    def test_alerts_come_newest_first_page_by_page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("oktalogger.detections.monitors.api.ALERTS_PAGE", 3)
        alerts = [{"id": str(at), "monitor_id": "m", "state": "ACTIVE", "start_time": at} for at in range(8)]
        client = client_of(AlertingStandIn(alerts=alerts))
        assert [one["id"] for one in client.alerts(7)] == ["7", "6", "5", "4", "3", "2", "1"]
        assert len(client.alerts(100)) == 8
        assert client_of(AlertingStandIn()).alerts(100) == []

    @staticmethod
    def refused(reason: str) -> AlertingClient:
        said = {"type": "security_exception", "reason": reason}
        return client_of(AlertingStandIn(), before=lambda *_: (403, {"error": said, "status": 403}))

    def test_permissions_are_explained(self) -> None:
        client = self.refused(
            "no permissions for [cluster:admin/opendistro/alerting/monitor/search] and User [name=airflow, "
            "backend_roles=[], requestedTenant=null]"
        )
        with pytest.raises(Exception, match="Map the user airflow to the role oktalogger_sync"):
            client.monitors()
        assert client.available(), "only a cluster that has the plugin knows its rights"

    def test_another_refusal_says_nothing_about_the_plugin(self) -> None:
        with pytest.raises(OpenSearchPermissionError):
            self.refused(
                "User: arn:aws:iam::123456789012:role/x is not authorized to perform: es:ESHttpPost"
            ).available()


class TestChannels:
    STANDIN = AlertingStandIn(
        channels=[
            {"config_id": "c1", "name": "soc"},
            {"config_id": "c2", "name": "off", "is_enabled": False},
            {"config_id": "c3", "name": "twice"},
            {"config_id": "c4", "name": "twice"},
        ]
    )

    def test_are_found_by_name(self) -> None:
        assert resolve_channels(client_of(self.STANDIN), ["soc", "soc"]) == {"soc": "c1"}

    @pytest.mark.parametrize(
        ("name", "why"), [("no", "does not exist"), ("off", "is disabled"), ("twice", "2 channels")]
    )
    def test_that_cannot_be_used_are_an_error_that_names_them(self, name: str, why: str) -> None:
        with pytest.raises(ChannelError, match=f"'{name}'.*{why}"):
            resolve_channels(client_of(self.STANDIN), ["soc", name])

    def test_are_not_asked_for_when_no_rule_names_one(self) -> None:
        standin = AlertingStandIn(plugin=False)
        assert resolve_channels(client_of(standin), []) == {}
        assert not standin.log

    def test_need_the_plugin(self) -> None:
        with pytest.raises(ChannelError, match="no Notifications plugin"):
            resolve_channels(client_of(AlertingStandIn(plugin=False)), ["soc"])

    def test_never_ask_for_addresses(self) -> None:
        client = client_of(self.STANDIN)
        resolve_channels(client, ["soc"])
        assert self.STANDIN.log[-1] == ("GET", CHANNELS)
        assert "url" not in json.dumps(self.STANDIN.channels)
