"""Replay, and detections after each load, on a real OpenSearch without the Alerting plugin."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from local.standins.monitors import detection_id
from local.standins.notifier import RecordingNotifier
from oktalogger.compat import AIRFLOW_3, AirflowFailException
from oktalogger.detections.criteria import Threshold
from oktalogger.detections.replay.alerts import Alert, mark_notified
from oktalogger.okta.errors import OktaError
from oktalogger.okta.retry import RetrySettings
from oktalogger.opensearch.errors import IndexConflictError, OpenSearchUnavailableError
from oktalogger.operators.detection_replay import (
    DetectionAlertOperator,
    DetectionFindingOperator,
    DetectionReplayOperator,
    DetectionReplayReportOperator,
    DetectionReplayUnitsOperator,
    loaded_range,
)
from oktalogger.operators.detection_verdict import DetectionVerdictOperator
from oktalogger.pipeline.ledger_store import StoredEntry
from oktalogger.window import Window, format_instant
from tests.airflow.cluster import Cluster
from tests.airflow.task import Task, five_minutes
from tests.airflow.test_detection_operators import execute, logged
from tests.unit.detections.bundles import counting, detection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.simulator.process import Simulator

NOTIFIER = "local.standins.notifier.RecordingNotifier"


@pytest.fixture
def cluster(opensearch_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    cluster = Cluster(opensearch_url, tmp_path / "detections")
    where = urlsplit(opensearch_url)
    connection = {"conn_type": "opensearch", "host": where.hostname, "port": where.port, "schema": "http"}
    notifiers = {name: {"class": NOTIFIER, "name": name} for name in ("soc", "oncall")}
    monkeypatch.setenv("AIRFLOW_CONN_OPENSEARCH_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("OKTALOGGER_INDEX_PREFIX", cluster.names.prefix)
    monkeypatch.setenv("OKTALOGGER_DETECTION_NOTIFIERS", json.dumps(notifiers))
    monkeypatch.setattr(RecordingNotifier, "told", [])
    monkeypatch.setattr(RecordingNotifier, "broken", set())
    yield cluster
    cluster.remove()


def told() -> list[str]:
    """Who was told what, in short."""
    return [f"{name}: {text.splitlines()[0]}" for name, text in RecordingNotifier.told]


@pytest.mark.opensearch
class TestAfterLoad:
    def test_tells_each_channel_once(self, cluster: Cluster) -> None:
        cluster.rules(detection(1, channels=("soc", "oncall"), dedup=("uuid",)), detection(2, channels=("soc",)))
        cluster.load(1, 3)
        found = cluster.run(DetectionAlertOperator)
        assert [(row["rule"], row["matches"], row["new"]) for row in found] == [("rule_1", 1, 1)]
        assert told() == ["soc: [Okta, high] Rule 1", "oncall: [Okta, high] Rule 1"]
        assert "ada@example.com" in RecordingNotifier.told[0][1]
        assert "Ask the person." in RecordingNotifier.told[0][1]
        # A retry says the same, and another run that looks at the same loads nothing new.
        assert [(row["rule"], row["matches"]) for row in cluster.run(DetectionAlertOperator)] == [("rule_1", 1)]
        assert cluster.run(DetectionAlertOperator, {**cluster.context(), "run_id": "manual__2"}) == []
        assert len(told()) == 2
        cluster.load(1, 1)
        cluster.run(DetectionAlertOperator)
        assert told()[2:] == ["soc: [Okta, high] Rule 1 (2 matches)", "oncall: [Okta, high] Rule 1 (2 matches)"]

    def test_tries_again_what_did_not_go_out_and_only_that(self, cluster: Cluster) -> None:
        cluster.rules(detection(1, channels=("soc", "oncall")), detection(2, channels=("oncall",)))
        cluster.load(1, 2)
        RecordingNotifier.broken.add("soc")
        with pytest.raises(ConnectionError):
            cluster.run(DetectionAlertOperator)
        assert told() == ["oncall: [Okta, high] Rule 1", "oncall: [Okta, high] Rule 2"]
        RecordingNotifier.broken.clear()
        cluster.run(DetectionAlertOperator)
        assert told()[2:] == ["soc: [Okta, high] Rule 1"]

    def test_a_channel_that_cannot_be_remembered_keeps_no_other_from_being_told(
        self, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cluster.rules(detection(1, channels=("soc", "oncall")))
        cluster.load(1)

        def remember(client: Any, index: str, alert: Alert, **options: Any) -> None:
            if alert.channel == "soc":
                raise IndexConflictError("refused for good")
            mark_notified(client, index, alert, **options)

        monkeypatch.setattr("oktalogger.operators.detection_replay.mark_notified", remember)
        with pytest.raises(AirflowFailException, match="refused for good"):
            cluster.run(DetectionAlertOperator)
        assert told() == ["soc: [Okta, high] Rule 1", "oncall: [Okta, high] Rule 1"]
        assert [row["notified"] for row in cluster.matches()] == [["oncall"]]

    def test_tells_of_what_a_replay_by_hand_found_first(self, cluster: Cluster) -> None:
        cluster.rules(detection(1, channels=("soc",)))
        cluster.load(1)
        now = datetime.now(UTC)
        span = {"since": format_instant(now - timedelta(hours=1)), "until": format_instant(now + timedelta(minutes=1))}
        row = cluster.run(DetectionReplayOperator, detection_id=detection_id(1), **span)
        assert (row["matches"], row["new"], told()) == (1, 1, [])
        cluster.run(DetectionAlertOperator)
        assert told() == ["soc: [Okta, high] Rule 1"]

    def test_leaves_out_what_a_backfill_loaded_and_rules_that_are_disabled(self, cluster: Cluster) -> None:
        cluster.rules(detection(1, channels=("soc",)), detection(2, channels=("soc",), enabled=False))
        cluster.load(1, historical=True, ago=timedelta(days=3))
        cluster.load(2)
        assert cluster.run(DetectionAlertOperator) == []
        assert told() == []

    def test_counts(self, cluster: Cluster) -> None:
        cluster.rules(counting(1, 3, channels=("soc",)))
        cluster.load(1, 1)
        assert cluster.run(DetectionAlertOperator) == []
        cluster.load(1)  # what the next load brings completes it
        cluster.run(DetectionAlertOperator)
        assert len(told()) == 1
        assert "3 events" in RecordingNotifier.told[0][1]
        assert "actor.alternateId=ada@example.com" in RecordingNotifier.told[0][1]

    def test_what_one_actor_does_within_the_hour_is_told_once(self, cluster: Cluster) -> None:
        cluster.rules(detection(1, channels=("soc",), throttle_minutes=1440))
        cluster.load(1, 1)
        cluster.run(DetectionAlertOperator)
        cluster.load(1)
        assert cluster.run(DetectionAlertOperator, {**cluster.context(), "run_id": "manual__2"}) == []
        assert len(told()) == 1
        assert "2 events" in RecordingNotifier.told[0][1]
        cluster.load(1, actor={"alternateId": "bob@example.com"})
        cluster.run(DetectionAlertOperator)
        assert len(told()) == 2
        assert "bob@example.com" in RecordingNotifier.told[1][1]

    def test_a_group_that_goes_on_is_told_once_and_another_by_itself(self, cluster: Cluster) -> None:
        cluster.rules(counting(1, 3, channels=("soc",), throttle_minutes=60))
        for minutes in (50, 30, 10):
            cluster.load(1, 1, 1, ago=timedelta(minutes=minutes))
            [row] = cluster.run(DetectionAlertOperator)
        assert row["matches"] == 3
        assert len(told()) == 1
        cluster.load(1, 1, 1, ago=timedelta(minutes=10), actor={"alternateId": "bob@example.com"})
        cluster.run(DetectionAlertOperator)
        assert len(told()) == 2
        assert "bob@example.com" in RecordingNotifier.told[1][1]
        assert "ada@example.com" not in RecordingNotifier.told[1][1]

    def test_what_a_rule_found_is_shown_in_a_task_named_after_it(
        self, cluster: Cluster, caplog: pytest.LogCaptureFixture
    ) -> None:
        cluster.rules(detection(1, dedup=("uuid",)))
        cluster.load(1, 1)
        [finding] = cluster.run(DetectionAlertOperator)
        task = logged(DetectionFindingOperator)(task_id="finding", folder=str(cluster.folder), finding=finding)
        assert task.label == "high: Rule 1 (2)"
        with caplog.at_level(logging.INFO):
            execute(task, cluster.context())
        for words in ("2 matches", "ada@example.com", "What rule 1 finds.", "Ask the person.", "detection.name:rule_1"):
            assert words in caplog.text

    def test_without_the_plugin_the_verdict_is_fine(self, cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
        cluster.rules(detection(1))
        with caplog.at_level(logging.INFO):
            cluster.run(DetectionVerdictOperator)
        assert "This cluster has no Alerting plugin" in caplog.text

    def test_looks_at_the_range_that_a_person_gave(self, cluster: Cluster) -> None:
        cluster.rules(detection(1, channels=("soc",)))
        cluster.load(1)
        now = datetime.now(UTC)
        before = cluster.context(
            since=format_instant(now - timedelta(hours=2)), until=format_instant(now - timedelta(hours=1))
        )
        assert cluster.run(DetectionAlertOperator, before) == []
        with pytest.raises(AirflowFailException, match="until"):
            cluster.run(DetectionAlertOperator, cluster.context(since="2026-11-01T00:00:00Z"))

    def test_a_rule_that_opensearch_will_not_run_stops_no_other(self, cluster: Cluster) -> None:
        bad = Threshold(counted="oktalogger.debug.risk", group_by=("actor.id",), seconds=600, at_least=2)
        cluster.rules(detection(1, channels=("soc",), threshold=bad), detection(2, channels=("soc",)))
        cluster.load(1, 2)
        with pytest.raises(
            AirflowFailException, match=r"1 of 2 rules could not be run.*rule_1.*oktalogger\.debug\.risk"
        ):
            cluster.run(DetectionAlertOperator)
        assert told() == ["soc: [Okta, high] Rule 2"]

    def test_an_event_is_never_a_template(self, cluster: Cluster) -> None:
        cluster.rules(detection(1, channels=("soc",)))
        cluster.load(1, actor={"alternateId": "{{ 1 / 0 }}{% raw %}"})
        cluster.run(DetectionAlertOperator)
        assert "{ { 1 / 0 }}{% raw %}" in RecordingNotifier.told[0][1]

    def test_a_channel_without_a_notifier_is_told_by_the_log(
        self, cluster: Cluster, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("OKTALOGGER_DETECTION_NOTIFIERS")
        cluster.rules(detection(1, channels=("soc",)))
        cluster.load(1)
        with caplog.at_level(logging.INFO):
            cluster.run(DetectionAlertOperator)
        assert "This cluster has no Alerting plugin" in caplog.text
        assert "'soc' has no notifier" in caplog.text
        assert "Rule 1" in caplog.text

    def test_a_flood_is_one_message(self, cluster: Cluster) -> None:
        cluster.rules(detection(1, channels=("soc",), dedup=("uuid",)))
        cluster.load(*[1] * 40)
        cluster.run(DetectionAlertOperator)
        [(_, text)] = RecordingNotifier.told
        assert "(40 matches)" in text
        assert "and 30 more" in text


@pytest.fixture
def paged(quiet_okta: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """An org that is read in pages of ten, by a client that gives up soon."""
    connection = {"conn_type": "okta", "host": quiet_okta.url, "password": quiet_okta.token}
    monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps(connection | {"extra": {"page_limit": 10}}))
    monkeypatch.setattr("oktalogger.okta.client.RetrySettings", partial(RetrySettings, max_attempts=2))
    quiet_okta.control.post("/limits", per_minute=100_000)
    return quiet_okta


def clock_behind(monkeypatch: pytest.MonkeyPatch, behind: timedelta) -> None:
    """Let loads take the time from a clock that is behind by so much."""
    clock = SimpleNamespace(now=lambda zone: datetime.now(zone) - behind)
    for module in ("oktalogger.pipeline.recorded_load", "oktalogger.pipeline.ledger_store"):
        monkeypatch.setattr(f"{module}.datetime", clock)


@pytest.mark.opensearch
class TestAfterTries:
    """An attack on the first page of a load whose first try, half an hour ago, did not come to its end."""

    def window(self, okta: Simulator) -> Window:
        window = five_minutes(timedelta(hours=2))
        attack = {"eventType": "test.rule.1", "actor": {"alternateId": "ada@example.com"}}
        okta.control.post("/events", event=attack, published=format_instant(window.start + timedelta(milliseconds=1)))
        # What the org did by itself may fit on the first page.
        later = format_instant(window.start + timedelta(minutes=1))
        okta.control.post("/events", event={"eventType": "test.rule.2"}, published=later, count=20)
        return window

    def detect(self, cluster: Cluster, task: Task, read: dict[str, Any]) -> None:
        context = cluster.context((datetime.now(UTC),))
        [[event]] = context["triggering_asset_events" if AIRFLOW_3 else "triggering_dataset_events"].values()
        event.extra = task.events[task.asset].extra
        assert event.extra == read
        cluster.run(DetectionAlertOperator, context)
        assert told() == ["soc: [Okta, high] Rule 1"]

    def test_one_that_okta_ended(self, cluster: Cluster, paged: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
        cluster.rules(detection(1, channels=("soc",)))
        task, window = Task(cluster.names.prefix), self.window(paged)
        paged.control.fault("503", times=2, on="next")
        with monkeypatch.context() as patch:
            clock_behind(patch, timedelta(minutes=30))
            with pytest.raises(OktaError):
                task.run(window, arguments={"overlap": timedelta(0)})
        counts = task.run(window, arguments={"overlap": timedelta(0)})
        assert counts["existing"] == 0, "the second one goes on after the page with the attack"
        assert counts["created"] > 0
        self.detect(cluster, task, counts)

    def test_one_that_could_not_write_down_its_end(
        self, cluster: Cluster, paged: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cluster.rules(detection(1, channels=("soc",)))
        task, window = Task(cluster.names.prefix), self.window(paged)
        with monkeypatch.context() as patch:
            clock_behind(patch, timedelta(minutes=30))
            patch.setattr(StoredEntry, "complete", unavailable)
            patch.setattr(StoredEntry, "fail", lambda *_: None)
            patch.setattr(StoredEntry, "checkpoint", lambda *_: None)
            with pytest.raises(OpenSearchUnavailableError):
                task.run(window, arguments={"overlap": timedelta(0)})
        counts = task.run(window, arguments={"overlap": timedelta(0)})
        assert (counts["created"], counts["existing"]) == (counts["read"], 0), (
            "what the first one stored is this load's"
        )
        self.detect(cluster, task, counts)


def unavailable(*_: Any) -> None:
    raise OpenSearchUnavailableError("OpenSearch is out of reach.")


@pytest.mark.opensearch
class TestReplay:
    def parts(self, cluster: Cluster, days: int, **arguments: Any) -> list[dict[str, Any]]:
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        since, until = format_instant(today - timedelta(days=days - 1)), format_instant(today + timedelta(days=1))
        found: list[dict[str, Any]] = cluster.run(DetectionReplayUnitsOperator, since=since, until=until, **arguments)
        return found

    def test_finds_history_by_rule_and_day_and_stores_it_once(
        self, cluster: Cluster, caplog: pytest.LogCaptureFixture
    ) -> None:
        cluster.rules(detection(1, dedup=("uuid",)), detection(2, enabled=False), detection(3))
        cluster.load(1, 1, 2, ago=timedelta(days=2), historical=True)
        cluster.load(1, ago=timedelta(0))
        cut = self.parts(cluster, 3)
        assert len(cut) == 9
        rows = [cluster.run(DetectionReplayOperator, **part) for part in cut]
        assert sum(row["new"] for row in rows) == 4
        again = [cluster.run(DetectionReplayOperator, **part) for part in cut]
        assert sum(row["matches"] for row in again) == 4
        assert sum(row["new"] for row in again) == 0
        assert len(cluster.matches()) == 4
        assert told() == []
        with caplog.at_level(logging.INFO):
            merged = cluster.run(DetectionReplayReportOperator, rows=rows)
        assert [(row["rule"], row["matches"]) for row in merged] == [("rule_1", 3), ("rule_2", 1), ("rule_3", 0)]
        assert merged[0]["first"] < merged[0]["last"]
        assert "test.rule.1 SUCCESS by ada@example.com" in caplog.text
        assert json.loads(json.dumps(merged)) == merged

    def test_takes_rules_by_pattern(self, cluster: Cluster) -> None:
        cluster.rules(*(detection(number) for number in range(1, 12)))
        assert len(self.parts(cluster, 1, rules="rule_1*")) == 3
        assert len(self.parts(cluster, 1, rules=["rule_1", detection_id(2)])) == 2
        assert len(self.parts(cluster, 1, rules="")) == 11
        with pytest.raises(AirflowFailException, match="no rule 'other'"):
            self.parts(cluster, 1, rules="other")

    def test_says_what_is_wrong_with_the_range(self, cluster: Cluster) -> None:
        cluster.rules(detection(1))
        with pytest.raises(AirflowFailException, match="from='yesterday'"):
            cluster.run(DetectionReplayUnitsOperator, since="yesterday", until="2026-11-23T00:00:00Z")


def test_what_was_loaded_is_what_the_loads_say_that_started_the_run() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    ends = (now - timedelta(minutes=20), now - timedelta(minutes=40), now + timedelta(hours=1))
    events = [SimpleNamespace(timestamp=at, extra={"seconds": 60.0}) for at in ends]
    key = "triggering_asset_events" if AIRFLOW_3 else "triggering_dataset_events"
    context: Any = {"params": {}, key: {"one": events[:1], "other": events[1:]}}
    window = loaded_range(context)
    assert window.start == now - timedelta(minutes=43), "the earliest, less its length and a margin"
    assert now <= window.end <= datetime.now(UTC) + timedelta(milliseconds=1), "in whole milliseconds"
    context[key] = {"one": events[2:]}
    assert loaded_range(context).duration < timedelta(minutes=3), "clocks differ"


def test_what_was_loaded_begins_with_the_first_try_of_each_load() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    first, second, ahead = (now - timedelta(minutes=minutes) for minutes in (90, 50, 5))
    events = [
        SimpleNamespace(timestamp=now - timedelta(minutes=20), extra={"seconds": 60.0, "loading_since": since})
        for since in map(format_instant, (first, second, ahead))
    ]
    key = "triggering_asset_events" if AIRFLOW_3 else "triggering_dataset_events"
    context: Any = {"params": {}, key: {"one": events[:1], "other": events[1:]}}
    margin = timedelta(minutes=2)
    assert loaded_range(context).start == first - margin
    context[key] = {"one": events[1:]}
    assert loaded_range(context).start == second - margin
    context[key] = {"one": events[2:]}
    assert loaded_range(context).start == now - timedelta(minutes=21) - margin, "a clock that was ahead hides nothing"
