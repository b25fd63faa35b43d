"""The retention policy, against a stand-in of Index State Management."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from opensearchpy import OpenSearch

from local.standins.ism import IsmStandIn, Managed
from local.standins.transport import in_process_client
from oktalogger.opensearch.errors import OpenSearchUnavailableError, RetentionRefusedError, SetupConflictError
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.setup.apply import apply_setup
from oktalogger.opensearch.setup.retention import plan_retention, retention_policy
from oktalogger.opensearch.setup.steps import SetupPlan
from oktalogger.resources import resource
from oktalogger.settings import Settings

NAMES = IndexNames("okta-system-log")
NOW = datetime(2026, 11, 25, tzinfo=UTC)
OCTOBER, NOVEMBER = "okta-system-log-2026-10", "okta-system-log-2026-11"


@pytest.fixture
def ism() -> IsmStandIn:
    made = {OCTOBER: NOW - timedelta(days=55), NOVEMBER: NOW - timedelta(days=24)}
    return IsmStandIn(
        indices={name: Managed() for name in made},
        created={name: int(at.timestamp() * 1000) for name, at in made.items()},
    )


@pytest.fixture
def client(ism: IsmStandIn) -> OpenSearch:
    return in_process_client(ism)


def set_up(client: OpenSearch, days: int, *, confirmed: bool = False) -> SetupPlan:
    plan = plan_retention(client, NAMES, days, confirmed=confirmed, now=NOW)
    apply_setup(client, plan)
    return plan


def test_the_file_is_the_policy_of_the_default() -> None:
    shipped = json.loads(resource("opensearch/ism-policy.json").read_text())["policy"]
    assert retention_policy(NAMES, Settings().retention_days) == shipped


def test_the_last_event_of_the_longest_month_is_kept_as_long_as_was_asked_for() -> None:
    policy = retention_policy(IndexNames("other"), 90)
    (transition,) = policy["states"][0]["transitions"]
    age = int(transition["conditions"]["min_index_age"].removesuffix("d"))
    made = datetime(2026, 10, 1, tzinfo=UTC)
    last_event = datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)
    assert made + timedelta(days=age) - last_event >= timedelta(days=90)
    assert policy["ism_template"][0]["index_patterns"] == ["other-20*-*"]


def test_for_ever() -> None:
    policy = retention_policy(NAMES, 0)
    assert [state["name"] for state in policy["states"]] == ["kept"]
    assert "delete" not in json.dumps(policy)


def test_a_policy_is_made_and_the_months_that_are_there_get_it(client: OpenSearch, ism: IsmStandIn) -> None:
    plan = set_up(client, 365)
    assert [(step.kind, step.action) for step in plan.steps] == [("retention policy", "create"), ("months", "change")]
    assert {managed.policy_id for managed in ism.indices.values()} == {"okta-system-log"}
    ism.look()
    ism.writes.clear()
    assert set_up(client, 365).changes == ()
    assert ism.writes == []


def test_reading_writes_nothing(client: OpenSearch, ism: IsmStandIn) -> None:
    plan_retention(client, NAMES, 365, now=NOW)
    assert ism.writes == []


def test_another_retention_reaches_the_months_that_have_the_policy(client: OpenSearch, ism: IsmStandIn) -> None:
    set_up(client, 365)
    ism.look()
    plan = set_up(client, 100)
    assert [(step.kind, step.action) for step in plan.steps] == [("retention policy", "change"), ("months", "change")]
    assert any("100 days" in change for change in plan.steps[0].changes)
    assert {managed.seq_no for managed in ism.indices.values()} == {ism.policies["okta-system-log"][0]}
    assert set_up(client, 100).changes == ()


def test_months_that_missed_a_change_get_it_by_the_next_setup(client: OpenSearch, ism: IsmStandIn) -> None:
    set_up(client, 365)
    ism.look()
    ism.stuck = {OCTOBER}
    with pytest.raises(OpenSearchUnavailableError, match=rf"{OCTOBER}: Cannot change policy"):
        set_up(client, 100)
    ism.stuck = set()
    assert [step.name for step in set_up(client, 100).changes] == [OCTOBER]


def test_months_with_another_policy_and_foreign_indices_are_left_alone(client: OpenSearch, ism: IsmStandIn) -> None:
    ism.indices[OCTOBER] = Managed("archive", 1)
    ism.indices["okta-system-log-2026-team"] = Managed()
    plan = set_up(client, 365)
    assert ism.indices[OCTOBER] == Managed("archive", 1)
    assert ism.indices["okta-system-log-2026-team"] == Managed()
    assert plan.notices == (f"{OCTOBER} has another retention policy, archive, and keeps it.",)


def test_a_retention_that_deletes_at_once_wants_a_confirmation(client: OpenSearch, ism: IsmStandIn) -> None:
    with pytest.raises(RetentionRefusedError, match=rf"delete 1 months at once: {OCTOBER}\. Nothing was changed"):
        set_up(client, 20)
    assert ism.writes == []
    set_up(client, 20, confirmed=True)
    assert ism.policies


def test_a_policy_of_somebody_else_is_not_touched(client: OpenSearch, ism: IsmStandIn) -> None:
    ism.policies["okta-system-log"] = (1, {"description": "hot and cold", "states": []})
    with pytest.raises(SetupConflictError, match="did not make"):
        set_up(client, 365)
    assert ism.writes == []


def test_who_changes_the_policy_meanwhile_is_not_overwritten(client: OpenSearch, ism: IsmStandIn) -> None:
    set_up(client, 365)
    plan = plan_retention(client, NAMES, 100, now=NOW)
    seq_no, policy = ism.policies["okta-system-log"]
    ism.policies["okta-system-log"] = (seq_no + 1, policy)
    with pytest.raises(OpenSearchUnavailableError, match="just now"):
        apply_setup(client, plan)


def test_without_the_plugin_there_is_a_notice(client: OpenSearch, ism: IsmStandIn) -> None:
    ism.plugin = False
    plan = set_up(client, 365)
    assert plan.steps == ()
    assert "no Index State Management plugin" in plan.notices[0]
    assert ism.writes == []
