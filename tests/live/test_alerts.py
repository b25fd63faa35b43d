"""Whether monitors alert, on a real cluster: what is loaded after them, and nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.detections.model import MonitorSettings
from oktalogger.detections.monitors.api import MONITORS
from oktalogger.detections.monitors.sync import render_all
from oktalogger.detections.testing.run import LoadedCase, firing_groups, load_cases, run_cases
from oktalogger.opensearch.store import OpenSearchStore
from tests.live.cluster import Place, place
from tests.live.pack import pack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oktalogger.detections.rules.compiler import Compiled

pytestmark = pytest.mark.usefixtures("real_cluster")

# Every minute, so that nobody waits for long; and long enough for the slowest of two runs.
SETTINGS = MonitorSettings(event_interval_minutes=1, threshold_interval_minutes=1)
PATIENCE_SECONDS = 420


@dataclass(frozen=True, slots=True)
class Watched:
    """A cluster whose monitors were there before the events came.

    :param place: where
    :param compiled: the rules
    :param loaded: their test cases
    :param monitor_ids: the id of each rule's monitor
    """

    place: Place
    compiled: Compiled
    loaded: list[LoadedCase]
    monitor_ids: dict[str, str]

    def alerts(self, detection_id: str) -> list[dict[str, Any]]:
        """Read the alerts of one rule's monitor, errors included."""
        params = {"monitorId": self.monitor_ids[detection_id], "size": "1000"}
        answer = self.place.client.transport.perform_request("GET", f"{MONITORS}/alerts", params=params)
        found: list[dict[str, Any]] = answer["alerts"]
        return found

    def groups_of(self, detection_id: str) -> set[tuple[str, ...]]:
        """Return the groups of one rule that raised an alert, by what their keys hold."""
        alerts = self.alerts(detection_id)
        assert not [alert["error_message"] for alert in alerts if alert["error_message"]]
        return {group_of(alert["agg_alert_content"]["bucket"]["key"]) for alert in alerts}


def group_of(key: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a bucket's key holds, in whatever order the plugin wrote it."""
    return tuple(str(value) for _, value in sorted(key.items()))


@pytest.fixture(scope="module")
def watched(real_cluster: None) -> Iterator[Watched]:
    compiled = pack()
    with place() as here:
        store = OpenSearchStore(here.client, here.names, replicas=0)
        # A monitor is refused where its index is not there yet.
        store.ensure_month(datetime.now(UTC))
        here.sync(render_all(here.alerting, compiled.detections, here.names, SETTINGS))
        ids = {here.owner.id_by_name(monitor) or "": monitor.id for monitor in here.monitors()}
        yield Watched(here, compiled, load_cases(store, compiled), ids)


def test_the_rules_tests_pass() -> None:
    with place() as here:
        compiled = pack()
        results, problems = run_cases(here.client, compiled)
    assert not problems
    assert not [str(result) for result in results if not result.passed]


def test_monitors_of_single_events_alert_for_each_group_and_no_others(watched: Watched) -> None:
    rules = [
        rule for rule in watched.compiled.detections if rule.threshold is None and rule.enabled and rule.is_monitored
    ]
    here, end = watched.place, max(test.end for test in watched.loaded)
    expected = {
        rule.id: {group_of(key) for key in firing_groups(here.client, here.names, rule, SETTINGS, None, end)}
        for rule in rules
    }
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = {rule.id: watched.groups_of(rule.id) for rule in rules}
        if found == expected or time.monotonic() > deadline:
            break
        time.sleep(15)
    assert found == expected


def test_bucket_level_monitors_find_the_groups_that_replay_finds(watched: Watched) -> None:
    here = watched.place
    for rule in watched.compiled.detections:
        if rule.threshold is None or not rule.is_monitored:
            continue
        path = f"{MONITORS}/{watched.monitor_ids[rule.id]}/_execute"
        answer = here.client.transport.perform_request("POST", path, params={"dryrun": "true"})
        [result] = answer["trigger_results"].values()
        assert result["error"] is None
        assert answer["input_results"]["error"] is None
        period_end = datetime.fromtimestamp(answer["period_end"] / 1000, UTC)
        groups = firing_groups(here.client, here.names, rule, SETTINGS, None, period_end)
        found = [bucket["agg_alert_content"]["bucket"]["key"] for bucket in result["agg_result_buckets"].values()]
        # The plugin writes the parts of a key in the order of a hash map.
        assert sorted(map(group_of, found)) == sorted(map(group_of, groups)), rule.title


def test_bucket_level_monitors_alert(watched: Watched) -> None:
    monitored = [rule for rule in watched.compiled.detections if rule.is_monitored]
    # The events of cases are not always as of now, and the condition of a severity may hold for none of them.
    rules = [rule for rule in monitored if rule.threshold is not None and rule.enabled and not rule.form_of]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        silent = [rule.title for rule in rules if not watched.alerts(rule.id)]
        if not silent or time.monotonic() > deadline:
            break
        time.sleep(15)
    assert silent == []
