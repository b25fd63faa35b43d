"""Which place of an event a lifted field is read from, which of several comes first, and what is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oktalogger.pipeline.dialects import parse_behaviours, parse_json_object, parse_pairs
from oktalogger.pipeline.lift import lift

# Characters of the longest keyword.
MOST = 8191


def debug(**data: Any) -> dict[str, Any]:
    return {"debugContext": {"debugData": data}}


@pytest.mark.parametrize(
    "event",
    [
        {"debugContext": "x"},
        {"debugContext": {"debugData": ["url"]}},
        {"securityContext": "x"},
        {"transaction": "x"},
        {"transaction": {"detail": "x"}},
        {"transaction": {"detail": {"requestApiTokenId": ""}}},
        {"client": "203.0.113.7"},
        {"request": "203.0.113.7"},
        {"actor": "00u1"},
        debug(url="", requestUri=None, noSuchKey="x"),
    ],
)
def test_what_is_in_no_form_that_okta_sends_is_left_out(event: dict[str, Any]) -> None:
    assert lift(event) == {}


@pytest.mark.parametrize(("given", "kept"), [("00T1", "00T1"), (7, "7"), ("x" * (MOST + 1), "x" * MOST)])
def test_the_token_of_a_request_is_kept_as_text(given: Any, kept: str) -> None:
    assert lift({"transaction": {"detail": {"requestApiTokenId": given}}}) == {"api_token_id": kept}


def test_objects_are_written_with_their_letters_and_without_blanks() -> None:
    assert lift(debug(originalPrincipal={"name": "é", "of": [1, 2]}))["debug"] == {
        "original_principal": '{"name":"é","of":[1,2]}'
    }


class TestTargets:
    def test_one_that_is_no_list_is_a_list_of_one(self) -> None:
        assert lift({"target": {"id": "00u1", "type": "User"}})["target"] == {
            "any": {"id": ["00u1"], "type": ["User"]},
            "user": {"id": ["00u1"], "type": ["User"]},
        }

    def test_what_is_empty_in_one_is_left_out(self) -> None:
        assert lift({"target": [{"id": "", "type": "User", "alternateId": None, "displayName": "B"}]})["target"] == {
            "any": {"type": ["User"], "display_name": ["B"]},
            "user": {"type": ["User"], "display_name": ["B"]},
        }

    @pytest.mark.parametrize(
        ("actor", "users", "expected"),
        [
            ({"id": "00u1"}, ["00u2", "00u1"], True),
            ({"id": "00u1"}, ["00u1", "00u2"], True),
            ({"id": "00u1"}, ["00u2"], False),
            ({"id": "00u1"}, [], None),
            ({}, ["00u1"], None),
            ({"id": None}, ["00u1"], None),
        ],
    )
    def test_an_actor_is_compared_with_users_only(
        self, actor: dict[str, Any], users: list[str], *, expected: bool | None
    ) -> None:
        targets = [{"id": "00u1", "type": "AppUser"}, *({"id": user, "type": "User"} for user in users)]
        assert lift({"actor": actor, "target": targets}).get("actor_is_target") is expected

    @pytest.mark.parametrize(
        ("kind", "name", "expected"),
        [
            ("AppInstance", {"alternateId": "Okta Admin Console"}, True),
            ("AppInstance", {"displayName": "Okta Admin Console"}, True),
            ("AppInstance", {"displayName": "Mail"}, False),
            ("User", {"displayName": "Okta Admin Console"}, False),
        ],
    )
    def test_only_an_application_is_the_admin_console(self, kind: str, name: dict[str, str], *, expected: bool) -> None:
        assert lift({"target": [{"type": kind, **name}]})["is_admin_console"] is expected

    def test_that_it_was_opened_is_enough(self) -> None:
        event = {"eventType": "user.session.access_admin_app", "target": [{"type": "User"}]}
        assert lift(event)["is_admin_console"] is True
        assert "is_admin_console" not in lift({"eventType": "user.session.start"})

    def test_changes_and_methods_that_say_nothing_are_left_out(self) -> None:
        lifted = lift({"target": [{"id": "1", "changeDetails": {}, "detailEntry": {"methodTypeUsed": ""}}]})
        assert not {"change_details", "method_types"} & set(lifted)
        assert "method_types" not in lift({"target": [{"id": "1", "detailEntry": "methodTypeUsed"}]})


class TestRisk:
    def test_each_part_comes_from_the_first_place_that_has_it(self) -> None:
        places = [
            {"level": "low", "reasons": ["a"], "previousLevel": "high", "detectionName": "first"},
            {"level": "medium", "reasons": "b", "previousLevel": "low", "detectionName": "second"},
            {"level": "high", "reasons": ["c"], "previousLevel": "x", "detectionName": "third"},
        ]

        def risk(*present: int) -> Any:
            data = {}
            if 1 in present:
                data["risk"] = json.dumps(places[1])
            if 2 in present:
                data["logOnlySecurityData"] = json.dumps({"risk": places[2]})
            security = {"risk": places[0] if 0 in present else None}
            return lift({"securityContext": security, **debug(**data)})["risk"]

        assert risk(0, 1, 2) == {"level": "LOW", "reasons": ["a"], "previous_level": "HIGH", "detection": "first"}
        assert risk(1, 2) == {"level": "MEDIUM", "reasons": ["b"], "previous_level": "LOW", "detection": "second"}
        assert risk(2) == {"level": "HIGH", "reasons": ["c"]}

    def test_reasons_that_say_nothing_are_left_out(self) -> None:
        assert lift({"securityContext": {"risk": {"level": "LOW", "reasons": ["", None, "a", 7]}}})["risk"] == {
            "level": "LOW",
            "reasons": ["a", "7"],
        }
        assert lift({"securityContext": {"risk": {"reasons": [""]}}}) == {}

    def test_log_only_data_whose_risk_is_no_object_says_nothing(self) -> None:
        assert "risk" not in lift(debug(logOnlySecurityData='{"risk": "HIGH"}'))


class TestBehaviours:
    def test_a_name_counts_once_whatever_names_it(self) -> None:
        event = {
            "securityContext": {"userBehaviors": {"name": "New IP", "result": "POSITIVE"}},
            **debug(
                behaviors="{New IP=POSITIVE, Velocity=NEGATIVE}",
                logOnlySecurityData='{"behaviors": {"New IP": "POSITIVE"}}',
            ),
        }
        lifted = lift(event)
        assert (lifted["behaviors_positive"], lifted["behaviors_negative"]) == (["New IP"], ["Velocity"])

    def test_one_without_a_name_is_none(self) -> None:
        assert lift({"securityContext": {"userBehaviors": [{"name": "", "result": "POSITIVE"}]}}) == {}

    def test_log_only_data_in_another_form_says_nothing(self) -> None:
        assert "behaviors_positive" not in lift(debug(logOnlySecurityData='{"behaviors": ["POSITIVE"]}'))


class TestAddresses:
    THREAT = "security.threat.detected"

    @pytest.mark.parametrize(
        ("kind", "client", "expected"),
        [
            (THREAT, "203.0.113.7", "203.0.113.7"),
            (THREAT, "null", "198.51.100.9"),
            (THREAT, None, "198.51.100.9"),
            ("user.session.start", None, None),
            ("user.session.start", "203.0.113.7", "203.0.113.7"),
        ],
    )
    def test_only_threat_insight_names_it_as_the_actor(
        self, kind: str, client: str | None, expected: str | None
    ) -> None:
        event = {"eventType": kind, "client": {"ipAddress": client}, "actor": {"displayName": "198.51.100.9"}}
        assert lift(event).get("source_ip") == expected
        assert lift({"eventType": self.THREAT, "actor": "198.51.100.9"}) == {}

    @pytest.mark.parametrize(
        ("text", "is_one"),
        [("::1", True), ("::", False), ("f" * 45, True), ("f" * 46, False), (7, False), ("x:1", False)],
    )
    def test_what_has_the_form_of_an_address_is_one(self, text: Any, *, is_one: bool) -> None:
        assert lift({"client": {"ipAddress": text}}) == ({"source_ip": text} if is_one else {})

    def test_hops_without_an_address_are_left_out(self) -> None:
        chain = [{"ip": "203.0.113.7"}, {"ip": None}, {}, "203.0.113.8", {"ip": "198.51.100.9"}]
        assert lift({"request": {"ipChain": chain}}) == {"request_ips": ["203.0.113.7", "198.51.100.9"]}

    def test_services_without_a_type_are_left_out_and_each_is_named_once(self) -> None:
        categories = [{"type": "VPN"}, {"type": ""}, {}, {"type": "VPN"}, {"type": "Tor"}]
        assert lift({"securityContext": {"ipDetails": {"ipServiceCategories": categories}}}) == {
            "ip_services": ["VPN", "Tor"]
        }
        assert lift({"securityContext": {"ipDetails": "VPN"}}) == {}


class TestTexts:
    """Okta's texts that hold more than one value."""

    def test_an_object_is_taken_as_it_is(self) -> None:
        assert parse_pairs({"a": 1}) == parse_json_object({"a": 1}) == {"a": 1}
        assert parse_behaviours({"New IP": "POSITIVE", 7: 8}) == (("New IP", "POSITIVE"), ("7", "8"))

    @pytest.mark.parametrize("value", [None, 7, ["a=1"], "x" * (MOST + 1)])
    def test_what_is_no_text_or_too_long_says_nothing(self, value: Any) -> None:
        assert (parse_pairs(value), parse_json_object(value), parse_behaviours(value)) == ({}, {}, ())

    def test_the_longest_text_is_read(self) -> None:
        filler = "x" * (MOST - len('{"a":""}'))
        assert parse_json_object(f'{{"a":"{filler}"}}') == {"a": filler}
        assert parse_json_object(f'{{"a":"{filler}x"}}') == {"a": f"{filler}x"}
        assert parse_json_object(f'{{"a":"{"x" * (262_144 - len(filler))}{filler}"}}') == {}
        assert parse_pairs(f"a={'x' * (MOST - 2)}") == {"a": "x" * (MOST - 2)}
        assert parse_pairs(f"a={'x' * (MOST - 1)}") == {}
        name = "x" * (MOST - len("{=POSITIVE}"))
        assert parse_behaviours(f"{{{name}=POSITIVE}}") == ((name, "POSITIVE"),)
        assert parse_behaviours(f"{{{name}x=POSITIVE}}") == ()

    @pytest.mark.parametrize("text", ["[1]", "x", "{", "7"])
    def test_json_that_holds_no_object_says_nothing(self, text: str) -> None:
        assert parse_json_object(text) == {}

    def test_pairs_end_where_the_next_one_begins(self) -> None:
        assert parse_pairs(" {reasons=A, B ,  level=HIGH} ") == {"reasons": "A, B", "level": "HIGH"}
        assert parse_pairs("a=1") == {"a": "1"}

    def test_behaviours_are_pairs_too(self) -> None:
        assert parse_behaviours("{ New IP =POSITIVE, New Device=BAD_REQUEST}") == (
            ("New IP", "POSITIVE"),
            ("New Device", "BAD_REQUEST"),
        )
        assert parse_behaviours('{"New IP": "POSITIVE"}') == (("New IP", "POSITIVE"),)
