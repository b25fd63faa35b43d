"""Replay, and detections after each load, on a real OpenSearch without the Alerting plugin."""

from __future__ import annotations

import json
import logging
import re
import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from opensearchpy import OpenSearch

from oktalogger.compat import AIRFLOW_3, AirflowFailException, AirflowSkipException
from oktalogger.detections.model import Threshold
from oktalogger.notifications.channels import make_notifier
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.operators.detection_replay import (
    DetectionAlertOperator,
    DetectionFindingOperator,
    DetectionReplayOperator,
    DetectionReplayReportOperator,
    DetectionReplayUnitsOperator,
    loaded_range,
)
from oktalogger.pipeline.document import Built, DocumentBuilder, Stamp
from oktalogger.pipeline.window import Window, format_instant
from oktalogger.settings import SettingsError
from tests.airflow.test_dags import load_dags
from tests.airflow.test_detection_operators import execute, logged
from tests.standin.alerting import AlertingStandIn
from tests.standin.notifier import RecordingNotifier
from tests.standin.transport import serve
from tests.unit.detections.builders import detection_id
from tests.unit.detections.bundles import counting, detection, write_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oktalogger.detections.model import CompiledDetection

NOTIFIER = "tests.standin.notifier.RecordingNotifier"


class Cluster:
    """A deployment of its own on the cluster of the tests."""

    def __init__(self, url: str, folder: Path) -> None:
        self.client = OpenSearch(url, timeout=60)
        self.names = IndexNames(f"test-{uuid.uuid4().hex[:12]}")
        self.folder = folder
        self.store = OpenSearchStore(self.client, self.names, replicas=0)
        self.store.prepare()

    def rules(self, *rules: CompiledDetection) -> None:
        write_folder(self.folder, rules)

    def load(
        self, *numbers: int, ago: timedelta = timedelta(minutes=10), historical: bool = False, **more: Any
    ) -> None:
        """Load an event of the type of each number, as the real loader does."""
        now = datetime.now(UTC)
        published = now - ago
        window = Window(published - timedelta(minutes=5), published + timedelta(minutes=5))
        horizon = timedelta(0) if historical else timedelta(days=1)
        stamp = Stamp("example.okta.com", window, "run", "backfill" if historical else "scheduled", horizon)
        builder = DocumentBuilder(stamp, self.names)
        documents = []
        for number in numbers:
            event = {
                "uuid": str(uuid.uuid4()),
                "published": format_instant(published),
                "eventType": f"test.rule.{number}",
                "actor": {"alternateId": "ada@example.com"},
                "outcome": {"result": "SUCCESS"},
                **more,
            }
            built = builder.build(json.dumps(event).encode(), now)
            assert isinstance(built, Built)
            documents.append(built.document)
        self.store.ensure_month(published)
        # No refresh: what a load has just stored has to be seen all the same.
        assert self.store.create(documents).created == len(numbers)

    def context(self, loads: tuple[datetime, ...] = (), **params: Any) -> Any:
        ti = SimpleNamespace(xcom_push=lambda **_: None)
        events = [SimpleNamespace(timestamp=at, extra={"seconds": 3.0}) for at in loads]
        key = "triggering_asset_events" if AIRFLOW_3 else "triggering_dataset_events"
        started_by = {key: {"asset": events} if events else {}}
        return {"run_id": "manual__1", "dag": None, "ti": ti, "params": params, **started_by}

    def run(self, operator: type[Any], context: Any = None, **arguments: Any) -> Any:
        task = logged(operator)(task_id="task", folder=str(self.folder), **arguments)
        return execute(task, context or self.context())

    def matches(self) -> list[dict[str, Any]]:
        index = f"{self.names.prefix}-detection-matches"
        self.client.indices.refresh(index=index)
        return [hit["_source"] for hit in self.client.search(index=index, body={"size": 100})["hits"]["hits"]]


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
    for index in cluster.client.indices.get(index=f"{cluster.names.prefix}*", expand_wildcards="all"):
        cluster.client.indices.delete(index=index)
    for template in (cluster.names.template, *cluster.names.side_indices):
        cluster.client.indices.delete_index_template(name=template, ignore=[404])
    cluster.client.close()


def told() -> list[str]:
    """Who was told what, in short."""
    return [f"{name}: {text.splitlines()[0]}" for name, text in RecordingNotifier.told]


@pytest.mark.opensearch
class TestAfterLoad:
    def test_tells_each_channel_once(self, cluster: Cluster) -> None:
        cluster.rules(detection(1, channels=("soc", "oncall")), detection(2, channels=("soc",)))
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
        cluster.rules(detection(1))
        cluster.load(1, 1)
        [finding] = cluster.run(DetectionAlertOperator)
        task = logged(DetectionFindingOperator)(task_id="finding", folder=str(cluster.folder), finding=finding)
        assert task.label == "high: Rule 1 (2)"
        with caplog.at_level(logging.INFO):
            execute(task, cluster.context())
        for words in ("2 matches", "ada@example.com", "What rule 1 finds.", "Ask the person.", "detection.name:rule_1"):
            assert words in caplog.text

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
        assert "{{ 1 / 0 }}{% raw %}" in RecordingNotifier.told[0][1]

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
        cluster.rules(detection(1, channels=("soc",)))
        cluster.load(*[1] * 40)
        cluster.run(DetectionAlertOperator)
        [(_, text)] = RecordingNotifier.told
        assert "(40 matches)" in text
        assert "and 30 more" in text


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
        cluster.rules(detection(1), detection(2, enabled=False), detection(3))
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
    now = datetime.now(UTC)
    ends = (now - timedelta(minutes=20), now - timedelta(minutes=40), now + timedelta(hours=1))
    events = [SimpleNamespace(timestamp=at, extra={"seconds": 60.0}) for at in ends]
    key = "triggering_asset_events" if AIRFLOW_3 else "triggering_dataset_events"
    context: Any = {"params": {}, key: {"one": events[:1], "other": events[1:]}}
    window = loaded_range(context)
    assert window.start == now - timedelta(minutes=43), "the earliest, less its length and a margin"
    assert now <= window.end <= datetime.now(UTC)
    context[key] = {"one": events[2:]}
    assert loaded_range(context).duration < timedelta(minutes=3), "clocks differ"


def test_with_the_plugin_it_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(AlertingStandIn()) as url:
        where = urlsplit(url)
        connection = {"conn_type": "opensearch", "host": where.hostname, "port": where.port, "schema": "http"}
        monkeypatch.setenv("AIRFLOW_CONN_OPENSEARCH_DEFAULT", json.dumps(connection))
        with pytest.raises(AirflowSkipException, match="has the Alerting plugin"):
            execute(DetectionAlertOperator(task_id="detect"), {"run_id": "1", "params": {}})


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ({"class": "no.such.Notifier"}, "ModuleNotFoundError"),
        ({"class": "oktalogger.notifications.webhook.Other"}, "AttributeError"),
        ({"class": "oktalogger.notifications.webhook.WebhookNotifier", "colour": "red"}, "TypeError"),
        ({"class": "oktalogger.pipeline.window.WindowError"}, "is no notifier"),
    ],
)
def test_a_notifier_that_cannot_be_made_is_named(definition: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=f"{definition['class']}.*'soc'.*{why}") as raised:
        make_notifier("soc", definition)
    assert "red" not in str(raised.value)


def test_the_notifier_of_the_documentation_can_be_made() -> None:
    documented = re.search(r"`(\{\"soc\".*?\}\})`", str(load_dags()["okta_detections_after_load"].doc_md), re.DOTALL)
    assert documented is not None
    notifier = make_notifier("soc", json.loads(documented[1])["soc"])
    assert type(notifier).__name__ == "SnsNotifier"
    assert "message" in notifier.template_fields
