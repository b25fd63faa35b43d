"""The lines on detections and Dashboards, in front of stand-ins: neither plugin is among the published artifacts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from local.standins.alerting import AlertingStandIn
from local.standins.transport import in_process_client
from oktalogger.checks import dashboards, detections
from oktalogger.checks.cluster import Cluster
from oktalogger.checks.dashboards import Dashboards, patterns_of
from oktalogger.checks.detections import Detections
from oktalogger.checks.model import run
from oktalogger.checks.sentences import Places
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.saved_objects import DashboardsClient
from oktalogger.settings import Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.standins.alerting_answers import Answer

PLACES = Places(host="the host", login="the login", settings="the connection")
NAMES = IndexNames()
SOC = {"name": "soc", "config_id": "1", "config_type": "slack", "is_enabled": True}


def no_security(standin: AlertingStandIn) -> Any:
    def answer(method: str, target: str, body: Any, headers: dict[str, str]) -> Answer:
        if target.startswith("/_plugins/_security"):
            return 400, {"error": f"no handler found for uri [{target}] and method [{method}]"}
        return standin.handle(method, target, body, headers)

    return answer


def about(standin: AlertingStandIn, **more: Any) -> dict[str, tuple[str, str]]:
    settings: Mapping[str, Any] = more.pop("settings", {})
    values = Settings(**settings)
    client = in_process_client(no_security(standin))
    cluster = Cluster(
        name="opensearch_default", url=lambda: "https://x", client=lambda: client, names=NAMES, settings=values,
        places=PLACES,
    )  # fmt: skip
    subject = Detections(settings=values, cluster=cluster, **more)
    return {line.check: (line.verdict.state, line.verdict.sentence) for line in run(detections.CHECKS, subject)}


def test_without_monitors_the_rules_are_called_idle() -> None:
    lines = about(AlertingStandIn(), settings={"detection_channels": ("soc",)})
    assert lines["alerting"] == ("ok", "The Alerting plugin is there.")
    state, sentence = lines["monitors"]
    assert state == "wrong"
    assert "rules have no monitor at work" in sentence
    assert sentence.endswith("it has no monitor): run the DAG okta_detections, and look at its plan.")


@pytest.mark.parametrize(
    ("channels", "state", "words"),
    [
        ([SOC], "ok", "Each channel exists and is enabled: soc."),
        ([], "wrong", "'soc' does not exist; The cluster has: none."),
        ([SOC | {"is_enabled": False}], "wrong", "'soc' is disabled"),
    ],
)
def test_channels_of_the_plugin(channels: list[Any], state: str, words: str) -> None:
    lines = about(AlertingStandIn(channels=channels), settings={"detection_channels": ("soc",)})
    assert lines["channels"][0] == state
    assert words in lines["channels"][1]


def test_without_the_plugin_a_channel_needs_a_notifier() -> None:
    standin = AlertingStandIn(plugin=False)
    lines = about(standin, settings={"detection_channels": ("soc",)})
    assert lines["alerting"][0] == "note"
    assert lines["channels"][0] == "wrong"
    notifiers = {"soc": {"class": "x.Y"}}
    lines = about(standin, settings={"detection_channels": ("soc",), "detection_notifiers": notifiers})
    assert lines["channels"] == ("ok", "Each channel has a notifier: soc.")
    assert lines["notifiers"][0] == "not asked", "without Airflow nothing can be made"


def test_notifiers_are_made_and_named() -> None:
    def fail(channel: str, definition: Mapping[str, Any]) -> object:
        raise SettingsError(f"The notifier of {channel} cannot be made.")

    standin = AlertingStandIn(plugin=False)
    settings = {"detection_notifiers": {"soc": {"class": "x.Y"}}}
    assert about(standin, settings=settings, make_notifier=fail)["notifiers"] == (
        "wrong",
        "The notifier of soc cannot be made.",
    )
    assert about(standin, settings=settings, make_notifier=lambda *_: object())["notifiers"][0] == "ok"


@pytest.mark.parametrize("name", ["reconcile_channel", "check_channel"])
def test_a_channel_that_no_notifier_has(name: str) -> None:
    state, sentence = about(AlertingStandIn(plugin=False), settings={name: "soc"})["notifiers"]
    assert state == "wrong"
    assert sentence.startswith(f"OKTALOGGER_{name.upper()} is soc, which OKTALOGGER_DETECTION_NOTIFIERS does not name")


class TestDashboards:
    def ask(self, *patterns: str, status: int = 200, answer: Any = None) -> dict[str, tuple[str, str]]:
        def handle(method: str, target: str, body: Any, headers: dict[str, str]) -> Answer:
            if answer is not None or status != 200:
                return status, answer or {}
            assert (method, target) == ("POST", "/api/saved_objects/_bulk_get"), "it only reads"
            missing = {"error": {"statusCode": 404, "message": "Not found"}}
            return 200, {"saved_objects": [one | ({} if one["id"] in patterns else missing) for one in body]}

        subject = Dashboards(
            client=lambda: DashboardsClient(
                in_process_client(handle), url="https://dashboards.example.com", sleep=lambda _: None
            ),
            patterns=patterns_of(NAMES),
            places=replace(PLACES, host="OKTALOGGER_DASHBOARDS_URL"),
        )
        return {line.check: (line.verdict.state, line.verdict.sentence) for line in run(dashboards.CHECKS, subject)}

    def test_all_patterns_are_there(self) -> None:
        assert [state for state, _ in self.ask(*patterns_of(NAMES)).values()] == ["ok", "ok"]

    def test_a_pattern_that_somebody_made_by_hand_has_another_id(self) -> None:
        state, sentence = self.ask("okta-system-log")["index patterns"]
        assert state == "wrong"
        assert "no index pattern with the id okta-system-log-rejected, to which links lead" in sentence

    @pytest.mark.parametrize("status", [302, 401, 403])
    def test_a_login_that_dashboards_does_not_take_leaves_it_open(self, status: int) -> None:
        lines = self.ask(status=status)
        assert lines["dashboards"][0] == "not asked"
        assert lines["index patterns"] == ("not asked", "Not asked, because of `dashboards`.")

    @pytest.mark.parametrize(("status", "answer"), [(200, {"hello": "world"}), (404, {}), (405, {})])
    def test_something_else_answers(self, status: int, answer: Any) -> None:
        state, sentence = self.ask(status=status, answer=answer)["dashboards"]
        assert state == "wrong"
        assert sentence.startswith("What answers at OKTALOGGER_DASHBOARDS_URL is not OpenSearch Dashboards")

    def test_one_that_is_out_of_order(self) -> None:
        state, sentence = self.ask(status=503)["dashboards"]
        assert state == "wrong"
        assert sentence.startswith("The address in OKTALOGGER_DASHBOARDS_URL cannot serve requests now (503")

    def test_no_address(self) -> None:
        subject = Dashboards(client=lambda: None, patterns=(), places=PLACES)
        assert [line.verdict.state for line in run(dashboards.CHECKS, subject)] == ["note", "ok"]
