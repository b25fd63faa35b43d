"""What does not fit the mapping is taken out, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.templates import month_template
from oktalogger.pipeline.drift import Fitted, Part, fit, restored

PROPERTIES = month_template(IndexNames()).mappings["properties"]
BASE = {"uuid": "u", "published": "2026-11-23T10:01:02.003Z", "eventType": "x", "actor": {"id": "1", "type": "User"}}


def fitted(change: dict[str, Any], reason: str = "") -> Fitted | None:
    return fit(json.dumps({**BASE, **change}).encode(), PROPERTIES, reason)


@pytest.mark.parametrize(
    ("change", "path", "field"),
    [
        ({"actor": "system@okta.com"}, "/actor", "actor"),
        ({"actor": ["a", "b"]}, "/actor/0", "actor"),
        ({"outcome": "SUCCESS"}, "/outcome", "outcome"),
        ({"outcome": {"reason": {"code": 1}}}, "/outcome/reason", "outcome.reason"),
        ({"outcome": {"reason": ["x", {"code": 1}]}}, "/outcome/reason/1", "outcome.reason"),
        ({"eventType": {"a": 1}}, "/eventType", "eventType"),
        ({"securityContext": {"isProxy": "null", "asOrg": "x"}}, "/securityContext/isProxy", "securityContext.isProxy"),
        ({"securityContext": {"isProxy": 1}}, "/securityContext/isProxy", "securityContext.isProxy"),
        ({"securityContext": {"asNumber": {}}}, "/securityContext/asNumber", "securityContext.asNumber"),
        ({"securityContext": {"risk": "{}"}}, "/securityContext/risk", "securityContext.risk"),
        ({"client": {"ipAddress": {"v4": "192.0.2.1"}}}, "/client/ipAddress", "client.ipAddress"),
        ({"target": [{"id": "1"}, "x"]}, "/target/1", "target"),
        ({"target": [{"id": {"a/b~": 1}}]}, "/target/0/id", "target.id"),
        ({"actor.id": {"x": 1}}, "/actor.id", "actor.id"),
        ({"eventType.sub": "x"}, "/eventType.sub", "eventType.sub"),
        ({"actor": {"": 1}}, "/actor/", "actor."),
        ({"actor": {"a..b": 1}}, "/actor/a..b", "actor.a..b"),
    ],
)  # fmt: skip
def test_a_part_of_another_type_is_taken_out_and_kept(change: dict[str, Any], path: str, field: str) -> None:
    event = {**BASE, **change}
    found = fitted(change)
    assert found is not None
    (part, *_) = [part for part in found.parts if part.path == path]
    assert part.field == field
    left = json.loads(found.event)
    source = {**left, "oktalogger": {"unmapped": [{"path": one.path, "text": one.text} for one in found.parts]}}
    assert restored(source) == event
    assert left["uuid"] == "u"
    assert fit(found.event, PROPERTIES, "") is None


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"actor": None, "target": None, "outcome": {}},
        {"target": []},
        {"version": 0, "severity": True, "eventType": ["a", ["b"]]},
        {"securityContext": {"isProxy": "true", "asNumber": "none"}},
        {"securityContext": {"isProxy": [True, "false", "", None]}},
        {"client": {"ipAddress": "null", "geographicalContext": {"geolocation": {"lat": 1, "lon": 2}}}},
        {"debugContext": "text", "nobody": {"": {"a..b": [{}]}}},
        {"published": {}},
        {"uuid": []},
    ],
)
def test_what_fits_is_left_alone(change: dict[str, Any]) -> None:
    assert fitted(change) is None


def test_several_parts_at_once_and_no_byte_of_the_others() -> None:
    raw = b'{"uuid":"u", "version":1.10,"actor":{"id":{}, "n":1234567890123456789},"outcome" : [ 1.50 ] ,"x":"\\u00e9"}'
    found = fit(raw, PROPERTIES, "")
    assert found is not None
    assert set(found.parts) == {Part("/actor/id", "actor.id", "{}"), Part("/outcome/0", "outcome", "1.50")}
    assert (
        found.event == b'{"uuid":"u","version":1.10,"actor":{"n":1234567890123456789},"outcome":[null],"x":"\\u00e9"}'
    )
    assert found.fields == ["actor.id", "outcome"]


@pytest.mark.parametrize(
    "reason",
    [
        "failed to parse field [client.geographicalContext.geolocation] of type [geo_point] in document with id 'u'",
        "object mapping for [client.geographicalContext.geolocation] tried to parse field",
    ],
)
def test_a_field_that_opensearch_names_is_taken_out(reason: str) -> None:
    found = fitted({"client": {"geographicalContext": {"geolocation": "odd", "city": "x"}}}, reason)
    assert found is not None
    assert [part.path for part in found.parts] == ["/client/geographicalContext/geolocation"]


@pytest.mark.parametrize(
    "reason", ["failed to parse field [published] of type [date]", "[nosuch] [oktalogger.org]", ""]
)
def test_other_reasons_take_nothing_out(reason: str) -> None:
    assert fitted({}, reason) is None


@pytest.mark.parametrize(
    "raw", [b"[" * 5000 + b"]" * 5000, b"{", b"\xff", b'{"outcome":%b}' % (b"[" * 600 + b"1" + b"]" * 600)]
)
def test_what_cannot_be_told_is_left_to_be_rejected(raw: bytes) -> None:
    found = fit(raw, PROPERTIES, "")
    assert found is None or json.loads(found.event) is not None


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "x", "true", "null"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "type", "isProxy", "risk", "a.b", "x/y~z"]), inner, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["actor", "target", "securityContext", "outcome", "eventType", "odd"]), values))
def test_whatever_is_taken_out_can_be_put_back(change: dict[str, Any]) -> None:
    event = {"uuid": "u", **change}
    found = fit(msgspec.json.encode(event), PROPERTIES, "")
    if found is not None:
        parts = [{"path": part.path, "text": part.text} for part in found.parts]
        assert restored({**json.loads(found.event), "oktalogger": {"unmapped": parts}}) == event
        assert fit(found.event, PROPERTIES, "") is None


@pytest.mark.parametrize(
    "raw", [b'{"outcome":1,"a":1,"a":2}', b'{"outcome":1,"b":{"a":1,"a":2}}', b'{"actor":{"id":{},"x":1,"x":2}}']
)
def test_a_field_that_stands_there_twice_is_not_lost_on_the_way(raw: bytes) -> None:
    assert fit(raw, PROPERTIES, "") is None
