"""What is redacted, and that nothing of it is left anywhere in an event."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oktalogger.privacy.places import CLASSES
from oktalogger.privacy.policy import ACTIONS, Policy, read_policy
from oktalogger.privacy.redactor import Redacted, Redactor, make_redactor
from oktalogger.privacy.replacements import RedactionKeyError
from tests.unit.privacy import events

KEY = "a key that nobody can guess"


def redact(policy: str, key: str | None = KEY, **fields: Any) -> dict[str, Any]:
    made = Redactor(read_policy(policy), key).redact(events.raw(**fields))
    decoded: dict[str, Any] = json.loads(made.event)
    return decoded


def left_of(kind: str, text: str) -> list[str]:
    forms = [
        (value, form)
        for value in events.PLANTED[kind]
        for form in (value, json.dumps(value)[1:-1], json.dumps(json.dumps(value)[1:-1])[1:-1])
    ]
    return [value for value, form in forms if form.lower() in text.lower()]


@pytest.mark.parametrize("policy", ["all=drop", "all=hash", "all=hash,free_text=drop", "all=drop,addresses=network"])
def test_with_every_class_redacted_nothing_planted_is_left(policy: str) -> None:
    made = Redactor(read_policy(policy), KEY).redact(events.raw())
    whole = made.event.decode() + " ".join(made.done)
    assert {kind: left_of(kind, whole) for kind in events.PLANTED} == {kind: [] for kind in events.PLANTED}
    assert all(left_of(kind, events.raw().decode()) for kind in events.PLANTED), "they were there"


@pytest.mark.parametrize("kind", CLASSES)
def test_each_class_by_itself(kind: str) -> None:
    text = json.dumps(redact(f"{kind}=drop"), ensure_ascii=False)
    if kind != "free_text":  # what nobody knows is searched for known names all the same, and left otherwise
        free = json.dumps(events.event()["target"][3])
        assert left_of(kind, text) == [], free
    else:
        assert left_of(kind, text) == []


def test_what_is_not_redacted_stays_as_it_was() -> None:
    before, after = events.event(), redact("all=drop")
    for path in ("uuid", "published", "eventType", "severity", "securityContext"):
        assert after[path] == before[path]
    assert after["actor"] == {"id": "00u1", "type": "User"}
    assert after["outcome"]["result"] == "FAILURE"
    assert after["client"]["userAgent"] == {"os": "Planted OS", "browser": "CHROME"}
    assert after["target"][1] == before["target"][1], "a group is not a person"
    assert after["debugContext"]["debugData"]["risk"] == "{level=HIGH}"
    assert after["target"][3]["detailEntry"] == {"methodTypeUsed": "Push"}
    assert redact("names=keep") == before


def test_a_hash_joins_and_counts_as_the_value_did() -> None:
    first, again = redact("all=hash"), redact("all=hash", uuid="another")
    assert first["actor"] == again["actor"]
    assert first["actor"]["alternateId"] != first["target"][0]["alternateId"]
    assert first["actor"]["alternateId"] in first["outcome"]["reason"], "upper and lower case give one hash"
    assert first["actor"]["displayName"] in first["displayMessage"]
    assert first["client"]["ipAddress"] == first["request"]["ipChain"][0]["ip"]
    assert ipaddress.ip_address(first["client"]["ipAddress"]) in ipaddress.ip_network("fd00::/8")
    other = redact("all=hash", "another key of this test")
    assert other["actor"]["alternateId"] != first["actor"]["alternateId"]


def test_an_address_keeps_its_network() -> None:
    made = redact("addresses=network")
    assert made["client"]["ipAddress"] == "203.0.113.0"
    assert [hop["ip"] for hop in made["request"]["ipChain"]] == ["203.0.113.0", "2001:db8:77::"]
    assert made["displayMessage"].endswith("from 203.0.113.0")
    assert made["client"]["userAgent"]["rawUserAgent"] == events.AGENT, "a version is not an address"


def test_a_field_counts_before_its_class() -> None:
    made = redact(
        "locations=drop,client.geographicalContext.country=keep,actor.id=hash,displayMessage=drop,device.managed=drop,request=drop"
    )
    assert made["client"]["geographicalContext"] == {"country": "Plantedland"}
    assert made["actor"]["id"].startswith("redacted-")
    assert "managed" not in made["device"]
    assert {"displayMessage", "request"}.isdisjoint(made)


def test_okta_itself_and_nobody_are_not_people() -> None:
    system = {"id": "okta", "type": "SystemPrincipal", "alternateId": "system@okta.com", "displayName": "Okta System"}
    assert redact("all=drop", actor=system)["actor"] == system
    nobody = {"id": "unknown", "type": "User", "alternateId": "unknown", "displayName": "unknown"}
    assert redact("all=drop", actor=nobody)["actor"] == nobody


def test_threat_insight_s_actor_is_an_address() -> None:
    actor = {"id": "x", "type": "User", "alternateId": "unknown", "displayName": "198.51.100.7"}
    assert redact("names=hash,addresses=network", actor=actor)["actor"]["displayName"] == "198.51.100.0"


def test_a_short_name_is_found_as_a_word_only() -> None:
    actor = {"id": "1", "type": "User", "alternateId": "x@y.example", "displayName": "Ed"}
    assert redact("names=drop", actor=actor, displayMessage="Ed edited it")["displayMessage"] == "Ed edited it"
    actor["displayName"] = "Edi"
    assert redact("names=drop", actor=actor, displayMessage="Edi edited")["displayMessage"] == "[redacted] edited"


def test_okta_s_own_words_stay_whatever_people_are_called() -> None:
    actor = {"id": "1", "type": "User", "alternateId": "user@y.example", "displayName": "user"}
    made = redact("all=drop", actor=actor)
    assert made["eventType"] == "user.session.start"
    assert made["actor"]["type"] == "User"


@pytest.mark.parametrize("body", [b"not json", b"[1]", b'{"a":"\xff"}', b'"x"', b"{" * 2000])
def test_an_event_that_cannot_be_read_is_not_kept(body: bytes) -> None:
    redactor = Redactor(read_policy("names=hash"), KEY)
    kept = redactor.redact(body).event
    assert json.loads(kept).startswith("redacted: an event that cannot be read")
    assert redactor.redact(body).event == kept
    assert redactor.redact(body + b" ").event != kept


@pytest.mark.parametrize("value", [1, 2.5, True, ["a", 1], {"deep": [{"x": events.NAME}]}, [[events.MAIL]], [None]])
def test_a_value_of_another_type_does_no_harm(value: Any) -> None:
    for fields in ({"actor": value}, {"client": value}, {"target": value}, {"actor": {"displayName": value}}):
        body = json.dumps({"uuid": "1", **fields}, ensure_ascii=False).encode()
        text = Redactor(read_policy("all=hash,free_text=drop"), KEY).redact(body).event.decode()
        assert events.NAME not in text
        assert events.MAIL not in text


def test_it_says_what_was_done() -> None:
    done = Redactor(read_policy("names=hash,addresses=network"), KEY).redact(events.raw()).done
    assert {"actor.displayName=hash", "client.ipAddress=network", "displayMessage=text"} <= set(done)
    quiet = {"uuid": "1", "eventType": "x"}
    assert Redactor(read_policy("names=drop")).redact(json.dumps(quiet).encode()) == Redacted(
        b'{"uuid":"1","eventType":"x"}'
    )


def test_hashing_takes_a_key_that_nobody_guesses() -> None:
    for key in (None, "", "short"):
        with pytest.raises(RedactionKeyError, match="redaction_key"):
            Redactor(read_policy("names=hash"), key)
    Redactor(read_policy("names=drop"), None)
    assert make_redactor(Policy(), None) is None
    assert make_redactor(read_policy("names=keep"), None) is None


def test_the_setting() -> None:
    policy = read_policy(" all=hash , free_text=drop,addresses=network, actor.id=hash,names=keep")
    assert policy.of("mail") == "hash"
    assert (policy.of("free_text"), policy.of("addresses"), policy.of("names")) == ("drop", "network", "keep")
    assert policy.at("actor.id", None) == "hash"
    assert read_policy(str(policy)) == policy
    assert not read_policy("").redacts


@pytest.mark.parametrize(
    "text", ["names", "names=mask", "nmes=drop", "names=network", "uuid=drop", "published=hash", "a b.c=drop", "=drop"]
)
def test_a_setting_that_cannot_be_used_says_what_is_taken(text: str) -> None:
    with pytest.raises(ValueError, match="a list like") as raised:
        read_policy(text)
    assert all(word in str(raised.value) for word in (*CLASSES, *ACTIONS))


POLICIES = st.sampled_from(["all=drop", "all=hash", "mail=drop,addresses=network"])
KEYS = st.sampled_from(
    ["actor", "target", "client", "displayName", "alternateId", "id", "type", "debugContext", "debugData", "ipAddress",
     "device", "request", "ipChain", "ip", "userAgent", "rawUserAgent", "outcome", "reason", "x", "", "detailEntry"]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=8),
    st.builds("{}{}{}".format, st.text(max_size=4), st.sampled_from([events.MAIL, events.MAIL.upper()]), st.just(" ")),
    st.just(json.dumps({"who": events.MAIL})),
    st.sampled_from(["User", "Device", "UserGroup", events.ADDRESS, events.ADDRESS6, "unknown"]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=25,
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(KEYS, VALUES, max_size=6), POLICIES)
def test_whatever_an_event_looks_like_no_mail_address_is_left(event: dict[str, Any], policy: str) -> None:
    redactor = Redactor(read_policy(policy), KEY)
    made = redactor.redact(json.dumps(event).encode())
    assert events.MAIL not in made.event.decode().lower()
    assert events.ADDRESS not in made.event.decode()
    assert type(json.loads(made.event)) is dict
    assert redactor.redact(json.dumps(event).encode()) == made


def test_an_actor_of_an_odd_type_is_a_person() -> None:
    redactor = Redactor(read_policy("all=drop"), KEY)
    made = redactor.redact(json.dumps({"actor": {"type": [], "displayName": events.NAME}}).encode())
    assert events.NAME not in made.event.decode()
    assert type(json.loads(made.event)) is dict


def test_a_mistake_of_ours_costs_one_event_its_place(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise TypeError(events.MAIL)

    redactor = Redactor(read_policy("all=drop"), KEY)
    monkeypatch.setattr(redactor, "_walk", broken)
    made = redactor.redact(json.dumps({"actor": {"displayName": events.NAME}}).encode())
    assert type(json.loads(made.event)) is str, "which the document builder rejects"
    assert events.NAME not in made.event.decode()
    assert "could not redact an event" in caplog.text
    assert events.MAIL not in caplog.text
