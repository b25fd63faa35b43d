from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.pipeline.added_fields import ADDED, DEBUG_NAMES, LIFTED, LONGEST_KEYWORD
from oktalogger.pipeline.dialects import parse_behaviours, parse_pairs
from oktalogger.pipeline.lift import lift

LIFTED_TYPES = {field.path: field.type for field in LIFTED}


def debug(**data: Any) -> dict[str, Any]:
    return {"debugContext": {"debugData": data}}


def paths(value: dict[str, Any], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for key, item in value.items():
        found |= paths(item, f"{prefix}{key}.") if isinstance(item, dict) else {f"{prefix}{key}"}
    return found


@pytest.mark.parametrize("target", [None, [], {}, "null", [None], ["x"]])
def test_a_target_that_says_nothing_gives_nothing(target: Any) -> None:
    assert lift({"target": target}) == {}


def test_an_event_without_anything_gives_nothing() -> None:
    assert lift({}) == {}


def test_targets_are_sorted_by_kind() -> None:
    lifted = lift(
        {
            "actor": {"id": "00u1"},
            "target": [
                {"id": "00u2", "type": "User", "alternateId": "b@example.com", "displayName": "B"},
                {"id": "00g1", "type": "UserGroup", "alternateId": "unknown", "displayName": "Admins"},
                {"id": "00g2", "type": "UserGroup", "displayName": "Admins"},
                {"id": "x", "type": "SomethingNew", "displayName": None},
            ],
        }
    )
    assert lifted["target"]["user"] == {
        "id": ["00u2"],
        "type": ["User"],
        "alternate_id": ["b@example.com"],
        "display_name": ["B"],
    }
    assert lifted["target"]["group"]["id"] == ["00g1", "00g2"]
    assert lifted["target"]["group"]["display_name"] == ["Admins"]
    assert lifted["target"]["other"] == {"id": ["x"], "type": ["SomethingNew"]}
    assert lifted["target"]["any"]["type"] == ["User", "UserGroup", "SomethingNew"]
    assert lifted["actor_is_target"] is False
    assert lifted["is_admin_console"] is False


def test_an_actor_among_several_targets_is_seen() -> None:
    users = [{"id": "00u1", "type": "User"}, {"id": "00u2", "type": "User"}]
    assert lift({"actor": {"id": "00u1"}, "target": users})["actor_is_target"] is True


@pytest.mark.parametrize(
    "event",
    [
        {"eventType": "user.session.access_admin_app"},
        {"target": [{"type": "AppInstance", "displayName": "Okta Admin Console"}]},
    ],
)
def test_the_admin_console_is_recognised(event: dict[str, Any]) -> None:
    assert lift(event)["is_admin_console"] is True


@pytest.mark.parametrize(
    ("risk", "level", "reasons"),
    [
        (
            "{reasons=Anomalous Location, Anomalous Device, level=HIGH}",
            "HIGH",
            ["Anomalous Location", "Anomalous Device"],
        ),
        ("{level=LOW}", "LOW", None),
        ('{"level":"MEDIUM","reasons":"Anomalous Device"}', "MEDIUM", ["Anomalous Device"]),
        ({"level": "high"}, "HIGH", None),
    ],
)
def test_the_dialects_of_risk_are_read(risk: Any, level: str, reasons: list[str] | None) -> None:
    found = lift(debug(risk=risk))["risk"]
    assert found["level"] == level
    assert found.get("reasons") == reasons


def test_risk_in_the_security_context_comes_first() -> None:
    event = {
        "securityContext": {"risk": {"level": "MEDIUM", "previousLevel": "LOW", "reasons": ["A", "B, C"]}},
        **debug(risk="{level=HIGH}"),
    }
    assert lift(event)["risk"] == {"level": "MEDIUM", "previous_level": "LOW", "reasons": ["A", "B, C"]}


def test_risk_and_behaviours_are_found_in_the_log_only_data() -> None:
    text = json.dumps({"risk": {"level": "HIGH"}, "behaviors": {"New IP": "POSITIVE", "New City": "NEGATIVE"}})
    lifted = lift(debug(logOnlySecurityData=text))
    assert lifted["risk"] == {"level": "HIGH"}
    assert lifted["behaviors_positive"] == ["New IP"]
    assert lifted["behaviors_negative"] == ["New City"]


def test_behaviours_of_all_three_places_are_joined() -> None:
    event = {
        "securityContext": {"userBehaviors": [{"id": "b", "name": "New State", "result": "POSITIVE"}, "odd"]},
        **debug(behaviors="{New Geo-Location=POSITIVE, New Device=NEGATIVE, Velocity=UNKNOWN, New IP=POSITIVE}"),
    }
    assert lift(event)["behaviors_positive"] == ["New Geo-Location", "New IP", "New State"]


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), (True, True)])
def test_threat_suspected_becomes_a_boolean(text: Any, value: bool) -> None:
    assert lift(debug(threatSuspected=text))["threat_suspected"] is value


def test_an_unknown_word_for_threat_suspected_is_no_boolean() -> None:
    assert "threat_suspected" not in lift(debug(threatSuspected="perhaps"))


def test_debug_values_that_are_objects_become_text() -> None:
    lifted = lift(debug(originalPrincipal={"id": "1", "type": "User"}, url="/x", threshold=15, requestUri=None))
    assert lifted["debug"] == {"original_principal": '{"id":"1","type":"User"}', "url": "/x", "threshold": "15"}


def test_what_is_longer_than_a_keyword_term_is_cut_and_not_left_out() -> None:
    text = lift(debug(url="é" * 40_000))["debug"]["url"]
    assert len(text) == LONGEST_KEYWORD
    assert len(("\U0001f600" * LONGEST_KEYWORD).encode()) <= 32_766


def test_the_address_null_is_no_address() -> None:
    assert lift({"client": {"ipAddress": "null"}, "request": {"ipChain": [{"ip": "null"}]}}) == {}


def test_addresses_are_collected() -> None:
    event = {
        "client": {"ipAddress": "203.0.113.7"},
        "request": {"ipChain": [{"ip": "203.0.113.7", "ipDetails": {"ipServiceCategories": [{"type": "Tor"}]}}]},
        "securityContext": {"ipDetails": {"ipServiceCategories": [{"type": "VPN"}, {"type": "Tor"}]}},
    }
    lifted = lift(event)
    assert lifted["source_ip"] == "203.0.113.7"
    assert lifted["request_ips"] == ["203.0.113.7"]
    assert lifted["ip_services"] == ["VPN", "Tor"]


def test_threat_insight_names_the_address_as_the_actor() -> None:
    event = {"eventType": "security.threat.detected", "actor": {"displayName": "198.51.100.9"}, "client": {}}
    assert lift(event)["source_ip"] == "198.51.100.9"


def test_changes_and_methods_of_targets_are_lifted() -> None:
    target = {
        "type": "PolicyRule",
        "changeDetails": {"from": {"factorMode": "2FA"}, "to": {"factorMode": "1FA"}},
        "detailEntry": {"methodTypeUsed": "Password"},
    }
    lifted = lift({"target": [target]})
    assert lifted["change_details"] == ['{"from":{"factorMode":"2FA"},"to":{"factorMode":"1FA"}}']
    assert lifted["method_types"] == ["Password"]


def test_pairs_keep_commas_inside_values() -> None:
    assert parse_pairs("{reasons=A, B, level=HIGH, previousLevel=LOW}") == {
        "reasons": "A, B",
        "level": "HIGH",
        "previousLevel": "LOW",
    }


@pytest.mark.parametrize("text", ["", "{}", "x", "=", "[" * 5000])
def test_text_without_pairs_gives_none(text: str) -> None:
    assert parse_pairs(text) == {}


def test_every_field_is_declared_once() -> None:
    assert len({field.path for field in ADDED}) == len(ADDED)


PLAIN: list[Any] = [None, True, 0, -7, 1.5, 2**70, "", "null", "{", "{level=HIGH}", '{"level":1}', "é" * 9000]
NESTED: list[Any] = [[], [[]], [None, {}], {}, {"id": "00u1", "level": {"x": 1}}, {"reasons": [None, 1]}, [{"ip": 1}]]
JSON = st.sampled_from([*PLAIN, *NESTED])
PLACES = {
    "actor": JSON,
    "client": st.fixed_dictionaries({}, optional={"ipAddress": JSON}) | JSON,
    "eventType": st.sampled_from(["security.threat.detected", "user.session.start"]) | JSON,
    "target": st.lists(
        st.fixed_dictionaries(
            {},
            optional=dict.fromkeys(("id", "type", "alternateId", "displayName", "changeDetails", "detailEntry"), JSON),
        )
        | JSON,
        max_size=3,
    )
    | JSON,
    "debugContext": st.fixed_dictionaries(
        {"debugData": st.dictionaries(st.sampled_from(sorted(DEBUG_NAMES)), JSON, max_size=5) | JSON}
    )
    | JSON,
    "securityContext": st.fixed_dictionaries(
        {}, optional={"risk": st.fixed_dictionaries({}, optional={"level": JSON, "reasons": JSON}) | JSON,
                      "userBehaviors": st.lists(st.fixed_dictionaries({"name": JSON, "result": JSON})) | JSON,
                      "ipDetails": st.fixed_dictionaries({"ipServiceCategories": JSON}) | JSON}
    )
    | JSON,
    "request": st.fixed_dictionaries({"ipChain": st.lists(st.fixed_dictionaries({"ip": JSON})) | JSON}) | JSON,
}  # fmt: skip


@pytest.mark.parametrize("key", DEBUG_NAMES)
def test_no_value_of_a_debug_key_breaks_it(key: str) -> None:
    for value in (*PLAIN, *NESTED, "x", "{}", "=", "a=", ", a=1", "{reasons=", "["):
        lift({"debugContext": {"debugData": {key: value}}})


@given(st.fixed_dictionaries({}, optional=PLACES))
def test_no_event_however_odd_breaks_it_or_makes_a_field_that_is_not_mapped(event: dict[str, Any]) -> None:
    lifted = lift(event)
    assert paths(lifted) <= set(LIFTED_TYPES)
    for path in paths(lifted):
        value: Any = lifted
        for part in path.split("."):
            value = value[part]
        kind = LIFTED_TYPES[path]
        values = value if isinstance(value, list) else [value]
        assert values
        assert all(isinstance(item, bool) if kind == "boolean" else isinstance(item, str) for item in values)


def test_an_event_of_forty_thousand_targets_is_no_burden() -> None:
    # Looking each value up in a list would take half an hour.
    targets = [{"id": f"00u{number}", "type": "User", "alternateId": f"{number}@x"} for number in range(40_000)]
    lifted = lift({"target": [*targets, targets[0]]})
    assert lifted["target"]["user"]["id"] == [target["id"] for target in targets]
    assert lifted["target"]["any"]["type"] == ["User"]


@pytest.mark.parametrize("text", ["{" + "," + " " * 8000, "{" + ", " * 4000, "{" + "a" * 8000, ("," + " " * 90) * 85])
def test_a_text_made_to_be_searched_for_long_is_no_burden(text: str) -> None:
    for number in range(100):
        parse_behaviours(f"{text[:-4]}{number}")


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("203.0.113.5:443", "203.0.113.5"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("203.0.113.5", "203.0.113.5"),
    ],
)
def test_the_port_behind_an_address_is_left_out(written: str, address: str) -> None:
    event = {"client": {"ipAddress": written}, "request": {"ipChain": [{"ip": written}]}}
    lifted = lift(event)
    assert (lifted["source_ip"], lifted["request_ips"]) == (address, [address])


@pytest.mark.parametrize("written", ["[]:443", "unknown", "[host]:443", "203.0.113.5:https", 443])
def test_what_is_no_address_is_not_lifted(written: object) -> None:
    assert "source_ip" not in lift({"client": {"ipAddress": written}})
