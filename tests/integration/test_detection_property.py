"""Random rules over random events of real shapes: the compiled query on a real OpenSearch, and an evaluator apart."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

pytest.importorskip("sigma")

import yaml
from opensearchpy import OpenSearch

from oktalogger.detections.rules.cases import Case, CaseEvents
from oktalogger.detections.rules.compiler import compile_folder
from oktalogger.detections.testing.run import scratch_store
from oktalogger.detections.testing.samples import documents, samples
from oktalogger.resources import include_dir
from tests.integration.sigma_evaluator import EXACT, matches, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oktalogger.detections.testing.samples import Sample

pytestmark = pytest.mark.opensearch

RULES, EVENTS, LEAST_PAIRS = 400, 300, 2_000
TEXTS = [
    "eventType",
    "displayMessage",
    "severity",
    "outcome.result",
    "outcome.reason",
    "actor.id",
    "actor.alternateId",
    "actor.displayName",
    "client.device",
    "client.zone",
    "client.userAgent.rawUserAgent",
    "client.geographicalContext.city",
    "client.geographicalContext.country",
    "securityContext.asOrg",
    "authenticationContext.externalSessionId",
    "transaction.id",
    "target.id",
    "target.alternateId",
    "target.displayName",
    "debugContext.debugData.factor",
    "debugContext.debugData.requestUri",
    "debugContext.debugData.url",
    "debugContext.debugData.dtHash",
    "debugContext.debugData.pushOnlyResponseType",
]
CODES = {"eventType", "severity", "outcome.result"}
MESSAGES = ["User login to Okta", "Evaluation of sign-on policy", 'A "quoted" word', "50% \\ *?", ""]
NETWORKS = ["198.51.100.0/24", "203.0.113.0/25", "0.0.0.0/1", "10.0.0.0/8"]
ADDRESS, NUMBER, FLAG = "client.ipAddress", "securityContext.asNumber", "securityContext.isProxy"


@pytest.fixture(scope="module")
def client(opensearch_url: str) -> Iterator[OpenSearch]:
    client = OpenSearch(opensearch_url, timeout=60)
    yield client
    client.close()


def random_events(chance: random.Random) -> list[Sample]:
    """Events of the test cases of the pack, which follow Okta's catalogue, with parts of one another."""
    compiled = compile_folder(include_dir() / "detections")
    shapes = [step.event for rule in compiled.rules.values() for case in rule.own.cases for step in case.steps]
    made = []
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    for number in range(EVENTS):
        event = json.loads(json.dumps(chance.choice(shapes)))
        other = chance.choice(shapes)
        for key in chance.sample(sorted(other), k=min(len(other), chance.randrange(3))):
            if key != "eventType":
                event[key] = json.loads(json.dumps(other[key]))
        for key, values in (
            (
                "displayMessage",
                ["User login to Okta", "Evaluation of sign-on policy", 'A "quoted" word', "50% \\ *?", ""],
            ),
            ("severity", ["INFO", "WARN", "ERROR", "DEBUG"]),
        ):
            if chance.random() < 0.5:
                event[key] = chance.choice(values)
        case = Case("random", True, (CaseEvents(event),), 1)
        made += samples(case, start + timedelta(seconds=number), f"property/{number}")
    return made


class RuleMaker:
    """Makes rules of fields, values and modifiers, most of them of what the events hold."""

    def __init__(self, chance: random.Random, events: list[dict[str, Any]]) -> None:
        self._chance = chance
        self._events = events

    def make(self, number: int) -> dict[str, Any]:
        names = [f"part_{letter}" for letter in "abc"[: self._chance.randrange(1, 4)]]
        detection: dict[str, Any] = {name: self._selection() for name in names}
        detection["condition"] = self._condition(names)
        return {
            "title": f"Rule {number}",
            "id": str(UUID(int=number + 1)),
            "logsource": {"product": "okta", "service": "okta"},
            "detection": detection,
            "level": "low",
        }

    def _condition(self, names: list[str]) -> str:
        short = self._chance.random()
        if short < 0.15:
            return "1 of part_*"
        if short < 0.3:
            return "all of part_*"
        words = [("not " if self._chance.random() < 0.25 else "") + name for name in names]
        text = words[0]
        for word in words[1:]:
            text = f"({text}) {self._chance.choice(['and', 'or'])} {word}"
        return text

    def _selection(self) -> Any:
        if self._chance.random() < 0.2:
            return [self._fields() for _ in range(2)]
        return self._fields()

    def _fields(self) -> dict[str, Any]:
        return dict(self._field() for _ in range(self._chance.randrange(1, 3)))

    def _field(self) -> tuple[str, Any]:
        kind = self._chance.random()
        if kind < 0.08:
            return f"{ADDRESS}|cidr", self._chance.choice(NETWORKS)
        if kind < 0.16:
            modifier = self._chance.choice(["lt", "lte", "gt", "gte"])
            return f"{NUMBER}|{modifier}", self._chance.choice([0, 9009, 64500, 64501, 70_000])
        if kind < 0.2:
            return FLAG, self._chance.choice([True, False])
        field = self._chance.choice(TEXTS)
        if kind < 0.26:
            return f"{field}|exists", self._chance.choice([True, False])
        if kind < 0.3:
            return field, None
        values = [self._value(field) for _ in range(self._chance.choice([1, 1, 2, 3]))]
        return self._compared(field, values)

    def _value(self, field: str) -> str:
        tries = (values_of(self._chance.choice(self._events), field) for _ in range(3))
        found = next((values for values in tries if values), [])
        value = str(self._chance.choice(found)) if found else "nothing of the kind"
        if field not in EXACT and self._chance.random() < 0.3:
            value = value.swapcase()
        return value

    def _compared(self, field: str, values: list[str]) -> tuple[str, Any]:
        literal = [_literal(value) for value in values]
        modifier = self._chance.choice(["", "", "", "contains", "startswith", "endswith", "wild", "cased", "all", "re"])
        one_or_all = literal if len(literal) > 1 else literal[0]
        if modifier in ("contains", "startswith", "endswith"):
            return f"{field}|{modifier}", [_literal(self._piece(value)) for value in values]
        if modifier == "wild":
            return field, [f"*{_literal(self._piece(value))}*" for value in values]
        if modifier == "cased" and field not in CODES:
            return f"{field}|cased", one_or_all
        if modifier == "all":
            return f"{field}|contains|all", [_literal(self._piece(value)) for value in values]
        if modifier == "re" and field not in CODES:
            letters = "".join(character for character in self._piece(values[0]) if character.isalnum()) or "x"
            flags = "|i" if field not in EXACT and self._chance.random() < 0.5 else ""
            return f"{field}|re{flags}", self._chance.choice([f"{letters}.*", f"^{letters}", f"[^!]{letters}$"])
        return field, one_or_all

    def _piece(self, value: str) -> str:
        start = self._chance.randrange(max(1, len(value) // 2))
        return value[start : start + self._chance.randrange(1, 12)] or "x"


def _literal(value: str) -> str:
    return "".join(f"\\{character}" if character in "*?\\" else character for character in value)


def test_random_rules_find_just_the_events_that_an_evaluator_apart_finds(client: OpenSearch, tmp_path: Path) -> None:
    chance = random.Random("two thousand pairs")
    made = random_events(chance)
    events = {sample.event["uuid"]: sample.event for sample in made}
    maker = RuleMaker(chance, list(events.values()))
    rules = {str(UUID(int=number + 1)): maker.make(number) for number in range(RULES)}
    for rule_id, rule in rules.items():
        (tmp_path / f"r{rule_id}.yml").write_text(yaml.safe_dump(rule, sort_keys=False), encoding="utf-8")
    compiled = compile_folder(tmp_path)
    refused = {problem.message.split(";")[0] for problem in compiled.errors}
    assert len(compiled.detections) > RULES * 0.9, refused
    with scratch_store(client) as store:
        for month in {(one.published.year, one.published.month): one.published for one in made}.values():
            store.ensure_month(month)
        result = store.create(documents(made, store.names, "property"))
        assert (result.created, result.rejected) == (len(made), ())
        client.indices.refresh(index=store.names.alias)
        wrong, pairs, found_at_all = [], 0, 0
        for detection in compiled.detections:
            body = {"size": EVENTS + 1, "_source": False, "query": {"query_string": {"query": detection.selection}}}
            hits = {hit["_id"] for hit in client.search(index=store.names.alias, body=body)["hits"]["hits"]}
            expected = {uuid for uuid, event in events.items() if matches(rules[detection.id], event)}
            pairs += len(events)
            found_at_all += bool(expected)
            for uuid in sorted(hits ^ expected)[:1]:
                fields = {key: values_of(events[uuid], key.split("|")[0]) for key in _keys(rules[detection.id])}
                said = "found" if uuid in hits else "not found"
                wrong.append(f"{said}: {rules[detection.id]['detection']}\n  {fields}\n  {detection.selection}")
    assert wrong == [], f"{len(wrong)} of {len(compiled.detections)} rules:\n" + "\n".join(wrong[:10])
    assert pairs >= LEAST_PAIRS
    assert found_at_all > RULES / 2, "most rules must find something"


def _keys(rule: dict[str, Any]) -> Iterator[str]:
    for name, given in rule["detection"].items():
        if name != "condition":
            for one in given if isinstance(given, list) else [given]:
                yield from one
