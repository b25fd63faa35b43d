"""Running the tests that rules carry: on a real OpenSearch, through the real builder, store and mapping.

What is judged is what the monitor carries: the whole of its search with its trigger's condition, evaluated by
OpenSearch itself. Test events of single-event rules may be older than a monitor looks back, so their range is left out.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.grouped_search import GROUPS, ORG_FIELD
from oktalogger.detections.model import MonitorSettings
from oktalogger.detections.monitors.render import render_monitor
from oktalogger.detections.monitors.trial import AnyChannel, refused_detections, trial_search
from oktalogger.detections.replay.search import find
from oktalogger.detections.replay.span import Span
from oktalogger.detections.rules.problems import Problem
from oktalogger.detections.testing.samples import documents, length, samples, start_before
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.request import call
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.detections.rules.cases import Case
    from oktalogger.detections.rules.compiler import Compiled
    from oktalogger.opensearch.documents import Document
    from oktalogger.privacy.redactor import Redactor

_RUN_ID: Final = "oktalogger.run_id"
_RUN: Final = "okta_run"


class CaseError(ValueError):
    """A test case cannot be run; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What one test case showed.

    :param file: the rule's file
    :param line: where the case stands in it
    :param rule: the rule's name
    :param case: the case's name
    :param expected: whether the rule must fire
    :param fired: whether it did
    :param severities: with which severities it did, where it had to with another
    """

    file: str
    line: int
    rule: str
    case: str
    expected: bool
    fired: bool
    severities: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it did what it must."""
        return self.expected is self.fired and not self.severities

    def __str__(self) -> str:
        said = "fired, and must not" if self.fired else "did not fire, and must"
        if self.severities:
            said = f"fired as {' and '.join(self.severities)}, and must with another severity"
        return f"{self.file}:{self.line}: {self.rule} {said}: {self.case}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "passed": self.passed}


@dataclass(frozen=True, slots=True)
class LoadedCase:
    """A test case whose events are in OpenSearch.

    :param detection: whose case it is
    :param case: the case
    :param run_id: what its documents say in ``oktalogger.run_id``
    :param org: of the events; another for each case, so that no threshold counts those of two
    :param start: when the first of them was published
    :param last_published: when the last of them was published
    :param end: when the last of them was loaded
    """

    detection: CompiledDetection
    case: Case
    run_id: str
    org: str
    start: datetime
    last_published: datetime
    end: datetime


@contextmanager
def scratch_store(client: OpenSearch) -> Iterator[OpenSearchStore]:
    """Make indices that nobody else uses, and remove them at the end.

    :param client: the client
    """
    names = IndexNames(f"oktalogger-test-{secrets.token_hex(5)}")
    try:
        store = OpenSearchStore(client, names, replicas=0)
        store.prepare()
        yield store
    finally:
        doing = "while removing the indices of the tests"
        indices = call(client, "GET", f"/_cat/indices/{names.prefix}-*", doing=doing, params={"format": "json"})
        for index in indices:
            call(client, "DELETE", f"/{index['index']}", doing=doing)
        for template in names.templates:
            client.indices.delete_index_template(name=template, ignore=[404])


def load_cases(
    store: OpenSearchStore, compiled: Compiled, *, now: datetime | None = None, redactor: Redactor | None = None
) -> list[LoadedCase]:
    """Load the events of every case of every rule.

    :param store: where to
    :param compiled: the rules
    :param now: the present
    :param redactor: redacts the events as a load does
    :raises CaseError: if an event cannot be stored
    """
    now = now or datetime.now(UTC)
    loaded: list[LoadedCase] = []
    built: list[Document] = []
    for detection in (one for one in compiled.detections if not one.form_of):
        for number, case in enumerate(compiled.rules[detection.id].own.cases):
            slot = detection.threshold.timespan if detection.threshold else timedelta(minutes=1)
            run_id = f"{detection.id}/{number}"
            made = samples(case, start_before(now, length(case), slot), f"{store.names.prefix}/{run_id}")
            for month in {(sample.published.year, sample.published.month): sample for sample in made}.values():
                store.ensure_month(month.published)
            org = f"case-{len(loaded)}.okta.com"
            try:
                built += documents(made, store.names, run_id, org=org, redactor=redactor)
            except ValueError as error:
                raise CaseError(f"{detection.file}:{case.line}: in the test case {case.name!r} {error}") from None
            moments = [sample.published for sample in made]
            loaded.append(LoadedCase(detection, case, run_id, org, min(moments), max(moments), made[-1].loaded))
    result = store.create(built)
    if result.rejected:
        raise CaseError(f"OpenSearch refused the event of a test case: {result.rejected[0].reason}")
    store.client.indices.refresh(index=store.names.alias)
    return loaded


def run_cases(
    client: OpenSearch,
    compiled: Compiled,
    *,
    settings: MonitorSettings | None = None,
    redactor: Redactor | None = None,
) -> tuple[list[CaseResult], list[Problem]]:
    """Run every test case of every rule.

    :param client: a client of the OpenSearch to test on; nothing but indices of the tests' own is touched
    :param compiled: the rules
    :param settings: as of the monitors
    :param redactor: redacts the events as a load does
    :return: the results, and the rules whose query OpenSearch does not take
    """
    settings = settings or MonitorSettings()
    with scratch_store(client) as store:
        loaded = load_cases(store, compiled, redactor=redactor)
        refused = refused_detections(client, store.names, compiled.detections, settings)
        problems = [
            Problem(detection.file, detection.line, said)
            for detection in compiled.detections
            for said in refused.get(detection.id, ())
        ]
        verdicts = _Verdicts(client, store.names, settings)
        results = []
        for test in loaded:
            forms = [form for form in compiled.detections if test.detection.id in (form.id, form.form_of)]
            if any(form.id in refused for form in forms):
                continue
            fired = tuple(form.severity for form in forms if verdicts.fires(replace(test, detection=form)))
            case, rule = test.case, test.detection
            wrong = fired if fired and case.severity and fired != (case.severity,) else ()
            results.append(CaseResult(rule.file, case.line, rule.name, case.name, case.match, bool(fired), wrong))
    return results, problems


class _Verdicts:
    """Tells whether a rule fires on the events of a case; rules of single events are asked once for all cases."""

    def __init__(self, client: OpenSearch, names: IndexNames, settings: MonitorSettings) -> None:
        self._client = client
        self._names = names
        self._settings = settings
        self._of_events: dict[str, set[str]] = {}

    def fires(self, test: LoadedCase) -> bool:
        detection = test.detection
        if not detection.is_monitored:
            return replay_finds(self._client, self._names, test, self._settings)
        if detection.threshold is not None:
            return threshold_fires(self._client, self._names, detection, self._settings, test.run_id, test.end)
        if detection.id not in self._of_events:
            self._of_events[detection.id] = event_fires(self._client, self._names, detection, self._settings)
        return test.run_id in self._of_events[detection.id]


def replay_finds(client: OpenSearch, names: IndexNames, test: LoadedCase, settings: MonitorSettings) -> bool:
    """Ask whether a rule that no monitor can run finds something in the events of a case.

    What is missing is missing up to the moment of the case's last event.
    """
    span = Span(Window(test.start - timedelta(seconds=1), test.last_published + timedelta(milliseconds=1)))
    found, _ = find(client, names, replace(test.detection, selection=_of_org(test)), span, settings)
    return bool(found)


def _of_org(test: LoadedCase) -> str:
    return f'({test.detection.selection}) AND {ORG_FIELD}:"{test.org}"'


def event_fires(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, settings: MonitorSettings
) -> set[str]:
    """Ask for which loads of the index the monitor of a rule of single events would alert.

    :return: values of ``oktalogger.run_id``
    """
    body = _monitor_search(detection, names, settings, datetime.now(UTC))
    filters = body["query"]["bool"]["filter"]
    body["query"]["bool"]["filter"] = [clause for clause in filters if "range" not in clause]
    body["aggregations"][GROUPS]["composite"]["sources"].append({_RUN: {"terms": {"field": _RUN_ID}}})
    return {key[_RUN] for key in _keys(client, names, detection, body)}


def threshold_fires(
    client: OpenSearch,
    names: IndexNames,
    detection: CompiledDetection,
    settings: MonitorSettings,
    run_id: str | None,
    period_end: datetime,
) -> bool:
    """Ask whether the monitor of a threshold would alert.

    :param run_id: look at this load alone
    :param period_end: when the monitor runs, which is the end of its period
    """
    return bool(firing_groups(client, names, detection, settings, run_id, period_end))


def firing_groups(
    client: OpenSearch,
    names: IndexNames,
    detection: CompiledDetection,
    settings: MonitorSettings,
    run_id: str | None,
    period_end: datetime,
) -> list[dict[str, Any]]:
    """Run a monitor's search with its trigger's condition, as OpenSearch Alerting does.

    :return: the keys of the groups that fire
    """
    body = _monitor_search(detection, names, settings, period_end + timedelta(seconds=1))
    if run_id is not None:
        body["query"]["bool"]["filter"].append({"term": {_RUN_ID: run_id}})
    return list(_keys(client, names, detection, body))


def _monitor_search(
    detection: CompiledDetection, names: IndexNames, settings: MonitorSettings, period_end: datetime
) -> dict[str, Any]:
    monitor = render_monitor(detection, names=names, channel_ids=AnyChannel(), settings=settings).body
    return trial_search(monitor, period_end)


def _keys(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, body: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    while True:
        found = _search(client, names, detection, body)["aggregations"][GROUPS]
        yield from (bucket["key"] for bucket in found["buckets"])
        if "after_key" not in found:
            return
        body["aggregations"][GROUPS]["composite"]["after"] = found["after_key"]


def nearest_miss(detection: CompiledDetection) -> CompiledDetection | None:
    """Return the detection with its threshold lowered by one, or one demand less; ``None`` if that cannot be.

    What a measure must reach is halved.
    """
    found = detection.threshold
    if found is None:
        return None
    if found.in_order:
        return replace(detection, threshold=replace(found, in_order=False))
    if found.parts:
        return replace(detection, threshold=replace(found, parts=found.parts[:-1]))
    if found.measure != "count":
        return replace(detection, threshold=replace(found, at_least=found.at_least / 2))
    if found.at_least < 2:
        return None
    return replace(detection, threshold=replace(found, at_least=found.at_least - 1))


def _search(
    client: OpenSearch, names: IndexNames, detection: CompiledDetection, body: Mapping[str, Any]
) -> dict[str, Any]:
    answer: dict[str, Any] = call(
        client, "POST", f"/{names.alias}/_search", doing=f"while testing {detection.title}", body=body
    )
    if answer["_shards"]["failed"]:
        reason = answer["_shards"]["failures"][0]["reason"]
        raise CaseError(f"OpenSearch could not run the search of {detection.title}: {reason}")
    return answer
