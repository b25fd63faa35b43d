"""The shapes in which Okta writes what rules look at."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oktalogger.pipeline.dialects import parse_behaviours, parse_pairs, what_changed
from oktalogger.pipeline.lift import lift


def rule_action(**method: Any) -> str:
    return json.dumps({"appSignOn": {"access": "ALLOW", "verificationMethod": method}})


@pytest.mark.parametrize("inside", [lambda text: text, json.loads], ids=["JSON text", "object"])
def test_only_what_differs_is_said(inside: Any) -> None:
    before = {"policyRuleActionJson": inside(rule_action(factorMode="2FA", reauthenticateIn="PT2H")), "priority": 1}
    after = {"policyRuleActionJson": inside(rule_action(factorMode="1FA", reauthenticateIn="PT2H")), "priority": 2}
    assert what_changed({"from": before, "to": after}) == [
        "policyRuleActionJson.appSignOn.verificationMethod.factorMode: 2FA -> 1FA",
        "priority: 1 -> 2",
    ]


def test_a_key_that_comes_or_goes_is_a_change() -> None:
    assert what_changed({"from": {"risk": "HIGH"}, "to": {"requireFactor": False, "constraint": None}}) == [
        "requireFactor: null -> false",
        "risk: HIGH -> null",
    ]
    assert what_changed({"to": {"factorMode": "1FA"}}) == ["factorMode: null -> 1FA"]


@pytest.mark.parametrize("details", [None, 7, [], "x", "{", {}, {"from": "a", "to": "b"}, {"from": [1], "to": None}])
def test_what_has_no_two_sides_says_nothing(details: Any) -> None:
    assert what_changed(details) == []


def test_a_long_text_hides_nothing_behind_it() -> None:
    target = {
        "type": "PolicyRule",
        "changeDetails": {"from": {"a": "x" * 9_000, "factorMode": "2FA"}, "to": {"a": "y", "factorMode": "1FA"}},
    }
    assert lift({"target": [target]})["changes"] == [f"a: {'x' * 512} -> y", "factorMode: 2FA -> 1FA"]


def test_a_target_has_at_most_two_hundred_changes() -> None:
    many = {f"k{number:03}": number for number in range(300)}
    assert len(what_changed({"from": {}, "to": many})) == 200


def test_every_target_says_its_own_changes() -> None:
    targets = [
        {"changeDetails": {"from": {"factorMode": "1FA"}, "to": {"factorMode": "1FA"}}},
        {"changeDetails": {"from": {"factorMode": "2FA"}, "to": {"factorMode": "1FA"}}},
    ]
    assert lift({"target": targets})["changes"] == ["factorMode: 2FA -> 1FA"]


def test_depth_has_an_end() -> None:
    deep: Any = "v"
    for _ in range(40):
        deep = {"k": deep}
    assert len(what_changed({"from": {}, "to": deep})) == 1


def test_risk_may_name_its_class() -> None:
    assert parse_pairs("Risk{level=HIGH}") == {"level": "HIGH"}
    assert lift({"debugContext": {"debugData": {"risk": "Risk{level=HIGH}"}}})["risk"] == {"level": "HIGH"}


@pytest.mark.parametrize(
    "value",
    [
        ["New Device=POSITIVE", "New IP=NEGATIVE"],
        ["{New Device=POSITIVE, New IP=NEGATIVE}"],
        [{"name": "New Device", "result": "POSITIVE"}, {"name": "New IP", "result": "NEGATIVE"}],
        '[{"name": "New Device", "result": "POSITIVE"}, {"name": "New IP", "result": "NEGATIVE"}]',
    ],
)
def test_behaviours_may_be_a_list(value: Any) -> None:
    assert parse_behaviours(value) == (("New Device", "POSITIVE"), ("New IP", "NEGATIVE"))
    lifted = lift({"debugContext": {"debugData": {"behaviors": value}}})
    assert (lifted["behaviors_positive"], lifted["behaviors_negative"]) == (["New Device"], ["New IP"])


def test_a_list_of_other_things_says_nothing() -> None:
    assert parse_behaviours([7, None, {"result": "POSITIVE"}, "New Device"]) == ()


def test_tunnels_are_services_too() -> None:
    tunnels = [{"anonymous": True, "operator": "NORD_VPN", "type": "VPN"}, {"anonymous": False, "type": "PROXY"}, 7]
    for value in (tunnels, json.dumps(tunnels)):
        lifted = lift({"debugContext": {"debugData": {"tunnels": value}}})
        assert lifted["ip_services"] == ["VPN", "NORD_VPN", "PROXY"]
        assert lifted["anonymizers"] == ["VPN", "NORD_VPN"]


def test_only_anonymous_services_are_anonymizers() -> None:
    services = [{"type": "VPN", "isAnonymous": False}, {"type": "TOR", "isAnonymous": True}]
    lifted = lift({"securityContext": {"ipDetails": {"ipServiceCategories": services}}})
    assert (lifted["ip_services"], lifted["anonymizers"]) == (["VPN", "TOR"], ["TOR"])


@pytest.mark.parametrize("name", ["Okta Admin Console", "Okta Administration"])
def test_the_admin_console_has_two_names(name: str) -> None:
    assert lift({"target": [{"type": "AppInstance", "displayName": name}]})["is_admin_console"] is True
    assert lift({"target": [{"type": "AppInstance", "displayName": f"{name}s"}]})["is_admin_console"] is False


def test_what_used_okta_verify_is_lifted() -> None:
    context = {"binaryIdentifier": "com.google.Chrome", "bindingMethod": "LOOPBACK", "validationStatus": "VALID"}
    event = {"authenticationContext": {"authenticatorContext": context}}
    assert lift(event)["authenticator"] == {
        "binary": "com.google.Chrome",
        "binding": "LOOPBACK",
        "validation": "VALID",
    }
    for odd in (None, 7, {}, {"authenticatorContext": None}, {"authenticatorContext": {"bindingMethod": ""}}):
        assert lift({"authenticationContext": odd}) == {}


def test_the_devices_of_targets_are_lifted() -> None:
    targets = [{"type": "User", "detailEntry": {"oktaDeviceId": "guo1"}}, {"detailEntry": {"oktaDeviceId": "guo1"}}]
    assert lift({"target": targets})["device_ids"] == ["guo1"]
