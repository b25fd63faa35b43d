"""The risk of an actor on a real OpenSearch: the findings of different rules of a day add up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from oktalogger.detections.criteria import RiskSum
from oktalogger.detections.model import Exclusion
from oktalogger.detections.replay.search import replay
from oktalogger.detections.replay.span import Span
from oktalogger.window import Window
from tests.integration.test_detection_kinds import BASE, DAY, HOUR, NOW, client, loaded, put, store
from tests.unit.detections.bundles import detection

if TYPE_CHECKING:
    from typing import Any

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.detections.replay.search import Found
    from oktalogger.opensearch.store import OpenSearchStore

__all__ = ["client", "store"]

pytestmark = pytest.mark.opensearch

NOON = NOW.replace(hour=12) - DAY
RULES = [detection(number, severity="medium", selection=f"eventType:e{number}") for number in (1, 2, 3)]
RISKY = replace(BASE, id=detection(9).id, name="risky", selection="", risk_sum=RiskSum(at_least=120, rules=3))
SPAN = Span(Window(NOON - 12 * HOUR, NOON + 12 * HOUR))


def events(actor: str, *numbers: int, hours: float = 0) -> list[tuple[Any, dict[str, Any]]]:
    return [(NOON + hours * HOUR, {"eventType": f"e{number}", "actor": {"alternateId": actor}}) for number in numbers]


def run(store: OpenSearchStore, *rules: CompiledDetection, span: Span = SPAN) -> dict[str, Found]:
    found = replay(store.client, store.names, rules, span, run_id="1")
    return {item.detection.name: item for item in found}


def test_findings_of_different_rules_about_one_actor_add_up(store: OpenSearchStore) -> None:
    put(store, [*events("ada", 1, 2, 3), *events("bob", 1, 2), *events("bob", 1, 2, hours=3)])
    # First in the list, and run last.
    found = run(store, RISKY, *RULES)
    (match,) = found["risky"].matches
    assert match.group == {"actor.alternateId": "ada"}
    assert (match.values, match.events) == (120, 3)
    assert match.example == "3 rules: rule_1, rule_2, rule_3"
    assert len(found["rule_1"].matches) == 3
    again = run(store, RISKY)["risky"]
    assert (again.matches, again.new) == ((match,), ()), "the same finding, and its own does not add to it"


def test_a_day_is_one_day_and_one_rule_counts_once(store: OpenSearchStore) -> None:
    put(store, [*events("ada", 1, 2), *events("ada", 3, hours=13), *events("bob", 1, 1, hours=2), *events("bob", 1, 2)])
    assert run(store, *RULES, replace(RISKY, risk_sum=RiskSum(at_least=80, rules=2)))["risky"].matches[0].values == 80
    assert run(store, *RULES, RISKY, span=Span(Window(NOON - DAY, NOON + DAY)))["risky"].matches == ()


def test_a_rule_may_weigh_more_or_less(store: OpenSearchStore) -> None:
    put(store, events("ada", 1, 2, 3))
    light = [replace(RULES[0], risk=1), *RULES[1:]]
    assert run(store, *light, RISKY)["risky"].matches == ()
    assert run(store, *light, replace(RISKY, risk_sum=RiskSum(at_least=81, rules=3)))["risky"].matches[0].values == 81


def test_what_is_excepted_does_not_count(store: OpenSearchStore) -> None:
    exception = Exclusion("r", (), "actor.alternateId:ada", owner="me", until=(NOON + DAY).date().isoformat())
    put(store, events("ada", 1, 2, 3))
    found = run(store, replace(RULES[0], exceptions=(exception,)), *RULES[1:], RISKY)
    assert len(found["rule_1"].excepted) == 1
    assert found["risky"].matches == ()


def test_after_a_load_only_sums_with_a_new_finding_count(store: OpenSearchStore) -> None:
    put(store, events("ada", 1, 2, 3))
    now = NOW + timedelta(minutes=5)
    assert len(run(store, *RULES, RISKY, span=loaded(NOON - HOUR, now))["risky"].matches) == 1
    later = loaded(NOW + 365 * DAY, NOW + 365 * DAY + HOUR)
    assert run(store, RISKY, span=later)["risky"].matches == ()
