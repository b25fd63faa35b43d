"""Each story holds what a detection looks for, and is the same each time it is told."""

from __future__ import annotations

import collections
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.simulator import world
from local.simulator.world.stories import STORIES, Story

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)


def tell(name: str) -> list[dict[str, Any]]:
    return [event.json() for event in world.events(2, 0, TEN, TEN + timedelta(hours=1), stories=[(name, TEN)])]


def count(told: list[dict[str, Any]], kind: str, result: str) -> int:
    return sum(body["eventType"] == kind and body["outcome"]["result"] == result for body in told)


@pytest.mark.parametrize("name", list(STORIES))
def test_a_story_is_the_same_each_time_and_begins_when_it_should(name: str) -> None:
    told = tell(name)
    assert told == tell(name)
    assert told[0]["published"] == "2026-11-23T10:00:00.000Z"
    assert told == sorted(told, key=lambda body: body["published"])


def test_somebody_without_rights_tries_the_admin_console() -> None:
    told = tell("admin-probe")
    assert count(told, "user.session.access_admin_app", "FAILURE") == 3
    assert count(told, "app.generic.unauth_app_access_attempt", "FAILURE") == 3
    assert len({body["actor"]["id"] for body in told}) == 1
    attempts = [body for body in told if body["outcome"]["result"] == "FAILURE"]
    assert all(body["target"][0]["displayName"] == "Okta Admin Console" for body in attempts)
    assert all("admin" in body["debugContext"]["debugData"]["requestUri"] for body in attempts)


def test_somebody_joins_admins() -> None:
    (joined,) = [body for body in tell("admin-group") if body["eventType"] == "group.user_membership.add"]
    assert [(target["type"], target["displayName"]) for target in joined["target"]][1] == ("UserGroup", "Admins")
    assert joined["target"][0]["type"] == "User"
    assert joined["actor"]["id"] != joined["target"][0]["id"]


def test_a_spray_is_one_address_many_users_and_one_success() -> None:
    told = tell("password-spray")
    failed = [body for body in told if body["outcome"]["reason"] == "INVALID_CREDENTIALS"]
    by_user = collections.Counter(body["actor"]["alternateId"] for body in failed)
    assert len(by_user) == 24
    assert set(by_user.values()) == {2}
    assert len({body["client"]["ipAddress"] for body in told}) == 1
    assert all(body["securityContext"]["isProxy"] for body in told)
    assert told[-1]["eventType"] == "user.session.start"
    assert told[-1]["outcome"]["result"] == "SUCCESS"
    assert count(told, "security.threat.detected", "ALLOW") == 1
    assert told[-1]["published"] < "2026-11-23T10:05:00"


def test_fatigue_is_many_refusals_then_one_yes() -> None:
    told = tell("mfa-fatigue")
    assert count(told, "user.mfa.okta_verify.deny_push", "FAILURE") == 11
    assert count(told, "user.authentication.auth_via_mfa", "FAILURE") == 11
    assert count(told, "system.push.send_factor_verify_push", "SUCCESS") == 12
    assert told[-2]["eventType"] == "user.authentication.auth_via_mfa"
    assert told[-2]["outcome"]["result"] == "SUCCESS"
    debug = told[-1]["debugContext"]["debugData"]
    assert "New Device=POSITIVE" in debug["behaviors"]
    assert "level=HIGH" in debug["risk"]
    assert told[-1]["published"] < "2026-11-23T10:10:00"


def test_an_unknown_story_is_refused() -> None:
    with pytest.raises(ValueError, match="admin-probe"):
        Story("nonsense", 0)
