"""The pack on a real OpenSearch: every rule finds what it must and nothing else, whichever way it is run."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sigma")

from opensearchpy import OpenSearch

from oktalogger.detections.engine import refusals
from oktalogger.detections.grouped_search import group_values
from oktalogger.detections.model import MonitorSettings
from oktalogger.detections.monitors.render import render_monitor
from oktalogger.detections.monitors.trial import AnyChannel, monitor_refusals, refused_detections
from oktalogger.detections.replay.search import find
from oktalogger.detections.replay.span import Span
from oktalogger.detections.rules.cases import Case, CaseEvents
from oktalogger.detections.rules.compiler import compile_folder
from oktalogger.detections.testing.run import (
    LoadedCase,
    event_fires,
    firing_groups,
    load_cases,
    nearest_miss,
    run_cases,
    scratch_store,
    threshold_fires,
)
from oktalogger.detections.testing.samples import documents, samples
from oktalogger.resources import include_dir
from oktalogger.window import Window
from tests.integration.public_rules import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.detections.rules.compiler import Compiled
    from oktalogger.opensearch.names import IndexNames

pytestmark = pytest.mark.opensearch

SETTINGS = MonitorSettings()


@dataclass(frozen=True, slots=True)
class Loaded:
    """The events of all cases of all rules, in one index."""

    client: OpenSearch
    names: IndexNames
    compiled: Compiled
    cases: list[LoadedCase]

    def everything(self) -> Window:
        """A window around all of it."""
        first = min(case.end for case in self.cases) - timedelta(hours=6)
        return Window(first, max(case.end for case in self.cases) + timedelta(hours=1))

    @property
    def of_events(self) -> list[CompiledDetection]:
        return [
            detection
            for detection in self.compiled.detections
            if detection.threshold is None and detection.is_monitored
        ]

    @property
    def of_thresholds(self) -> list[CompiledDetection]:
        return [detection for detection in self.compiled.detections if detection.threshold is not None]


@pytest.fixture(scope="module")
def client(opensearch_url: str) -> Iterator[OpenSearch]:
    client = OpenSearch(opensearch_url, timeout=60)
    yield client
    client.close()


@pytest.fixture(scope="module")
def loaded(client: OpenSearch) -> Iterator[Loaded]:
    compiled = compile_folder(include_dir() / "detections")
    with scratch_store(client) as store:
        yield Loaded(client, store.names, compiled, load_cases(store, compiled))


def test_every_case_of_every_rule_has_its_verdict(client: OpenSearch) -> None:
    before = set(client.indices.get(index="oktalogger-test-*"))
    results, problems = run_cases(client, compile_folder(include_dir() / "detections"))
    assert problems == []
    assert [str(result) for result in results if not result.passed] == []
    assert len(results) >= 100
    assert set(client.indices.get(index="oktalogger-test-*")) <= before, "the tests leave nothing behind"


def test_every_threshold_has_a_case_that_is_one_below(loaded: Loaded) -> None:
    for detection in loaded.of_thresholds:
        lower = nearest_miss(detection)
        assert lower is not None, detection.name
        near = [
            case
            for case in loaded.cases
            if case.detection is detection
            and not case.case.match
            and threshold_fires(loaded.client, loaded.names, lower, SETTINGS, case.run_id, case.end)
        ]
        assert near, detection.name


def test_replay_and_monitors_of_single_events_agree_on_every_group(loaded: Loaded) -> None:
    # One long look back, in which the hour of loading is all that keeps groups of one actor apart.
    settings = MonitorSettings(window_hours=24 * 30)
    span = Span(Window(loaded.everything().start - timedelta(days=20), loaded.everything().end), "loaded", False)
    for detection in loaded.of_events:
        matches, is_cut = find(loaded.client, loaded.names, detection, span, settings)
        groups = firing_groups(loaded.client, loaded.names, detection, settings, None, loaded.everything().end)
        assert matches
        assert not is_cut
        assert len(matches) == len(groups)
        found = {(match.org, *match.group.values()) for match in matches}
        assert found == {tuple(group_values(group).values()) for group in groups}, detection.name
        body = {"size": 0, "track_total_hits": True, "query": {"query_string": {"query": detection.query}}}
        events = loaded.client.search(index=loaded.names.alias, body=body)["hits"]["total"]["value"]
        assert sum(match.events for match in matches) == events, detection.name


def _orgs(loaded: Loaded, detection: CompiledDetection, span: Span) -> set[str]:
    matches, _ = find(loaded.client, loaded.names, detection, span, SETTINGS)
    return {match.org for match in matches}


def test_replay_of_history_and_monitors_of_thresholds_agree_on_every_case(loaded: Loaded) -> None:
    for detection in loaded.of_thresholds:
        orgs = _orgs(loaded, detection, Span(loaded.everything(), historical=False))
        for case in loaded.cases:
            if case.detection is detection or case.org in orgs:
                fires = threshold_fires(loaded.client, loaded.names, detection, SETTINGS, case.run_id, case.end)
                assert fires is (case.org in orgs), (detection.name, case.case.name)


def test_replay_after_a_load_and_monitors_of_thresholds_agree_on_every_case(loaded: Loaded) -> None:
    for case in loaded.cases:
        if case.detection.threshold is not None:
            window = Window(case.end - timedelta(minutes=15), case.end + timedelta(seconds=1))
            orgs = _orgs(loaded, case.detection, Span(window, by="loaded", historical=False))
            assert (case.org in orgs) is case.case.match, (case.detection.name, case.case.name)


def test_no_rule_fires_on_most_of_what_there_is(loaded: Loaded) -> None:
    for detection in loaded.of_events:
        fired = event_fires(loaded.client, loaded.names, detection, SETTINGS)
        assert len(fired) < len(loaded.cases) / 10, detection.name


@pytest.mark.parametrize(
    "selection",
    ["actor.alternateId:/.{0,60}!.{0,60}/", "actor.alternateId:/(/", "eventType:(a OR", "client.ipAddress:nonsense"],
)
def test_a_query_that_opensearch_would_quietly_never_match_is_found(loaded: Loaded, selection: str) -> None:
    detection = replace(loaded.of_events[0], selection=selection)
    said = refused_detections(loaded.client, loaded.names, [detection, loaded.of_events[1]], SETTINGS)
    assert list(said) == [detection.id]


def test_public_rules_work_as_they_are(client: OpenSearch, tmp_path: Path) -> None:
    """Every public rule that names Okta in its log source, where SIGMA_RULES names a folder with them."""
    folder = os.environ.get("SIGMA_RULES")
    if not folder:
        pytest.skip("SIGMA_RULES names no checkout of the public Sigma rules")
    files = list(Path(folder).rglob("*okta*.yml"))
    for path in files:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "variables.yml").write_bytes((include_dir() / "detections" / "variables.yml").read_bytes())
    compiled = compile_folder(tmp_path)
    assert [str(problem) for problem in compiled.errors] == []
    assert len(compiled.detections) == len(files) > 0
    now = datetime.now(UTC)
    with scratch_store(client) as store:
        store.ensure_month(now)
        assert refused_detections(client, store.names, compiled.detections, SETTINGS) == {}
        for name, pair in EVENTS.items():
            for verdict, event in zip(("match", "miss"), pair, strict=True):
                made = samples(
                    Case(name, True, (CaseEvents(event),), 0), now - timedelta(minutes=5), f"{name}/{verdict}"
                )
                store.create(documents(made, store.names, f"{name}/{verdict}"))
        client.indices.refresh(index=store.names.alias)
        for detection in compiled.detections:
            fired = event_fires(client, store.names, detection, SETTINGS)
            if detection.name in EVENTS:
                assert f"{detection.name}/match" in fired
                assert f"{detection.name}/miss" not in fired
    assert EVENTS.keys() <= {detection.name for detection in compiled.detections}


HUNDREDS = " OR ".join(f"e{number}" for number in range(300))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("eventType:a AND NOT actor.displayName:/.{0,60}!.{0,60}/", "too complex"),
        ("eventType:a OR actor.displayName:/.*(foo|bar|baz).{0,40}(qux|zap).*/", "too complex"),
        ("eventType:a OR nosuch.field:x", "correct its name"),
        ("eventType:a OR client.ipAddress:nonsense", "not an IP string literal"),
        (" OR ".join(f"(eventType:({HUNDREDS}) AND outcome.result:R{number})" for number in range(5)), "in two"),
        (f'actor.displayName:"{"a" * 32_000}"', "in two"),
        ("eventType:(a OR", "Failed to parse query"),
    ],
)
def test_opensearch_says_what_it_cannot_run(loaded: Loaded, query: str, words: str) -> None:
    search = {"size": 0, "query": {"bool": {"filter": [{"query_string": {"query": query}}]}}}
    said = refusals(loaded.client, loaded.names.alias, search, title="Rule")
    assert words in " ".join(said)


def test_opensearch_compiles_a_triggers_script(loaded: Loaded) -> None:
    detection = loaded.of_thresholds[0]
    monitor = render_monitor(detection, names=loaded.names, channel_ids=AnyChannel(), settings=SETTINGS).body
    assert monitor_refusals(loaded.client, monitor) == ()
    monitor["triggers"][0]["bucket_level_trigger"]["condition"]["script"] = {"source": "params.slots >"}
    (said,) = monitor_refusals(loaded.client, monitor)
    assert "params.slots >" in said
