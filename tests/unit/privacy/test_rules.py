"""Which rules need what redaction changes, and the page that says so of the pack."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from oktalogger.detections.bundle import load_detections
from oktalogger.detections.rules.redacted import action_on, class_of, redacted_rules
from oktalogger.privacy.policy import Policy, read_policy
from oktalogger.resources import include_dir
from tests.unit.detections.compiled import EVENT, THRESHOLD

PAGE = Path(__file__).resolve().parents[3] / "docs" / "detections-redacted.md"
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]*) \|$", re.MULTILINE)


@pytest.mark.parametrize(
    ("field", "data"),
    [
        ("actor.displayName", "names"),
        ("actor.alternateId", "mail"),
        ("oktalogger.target.any.display_name", "names"),
        ("oktalogger.target.user.alternate_id", "mail"),
        ("oktalogger.target.device.display_name", "device_ids"),
        ("client.ipAddress", "addresses"),
        ("oktalogger.source_ip", "addresses"),
        ("oktalogger.request_ips", "addresses"),
        ("oktalogger.changes", "free_text"),
        ("oktalogger.debug.dt_hash", "device_ids"),
        ("oktalogger.debug.error_message", "free_text"),
        ("client.userAgent.rawUserAgent", "user_agents"),
        ("client.geographicalContext.country", "locations"),
    ],
)
def test_the_class_of_an_index_field(field: str, data: str) -> None:
    assert action_on(field, Policy({data: "drop"})) == "drop"  # type: ignore[dict-item]
    assert action_on(field, read_policy(f"all=drop,{data}=keep")) == "keep"


@pytest.mark.parametrize(
    "field",
    [
        *("eventType", "outcome.result", "oktalogger.target.group.display_name", "oktalogger.debug.factor"),
        *("oktalogger.risk.level", "oktalogger.historical", "securityContext.ipDetails.ipServiceCategories.type"),
        "authenticationContext.externalSessionId",
    ],
)
def test_other_fields_are_not_personal(field: str) -> None:
    assert action_on(field, read_policy("all=drop")) == "keep"


def test_what_is_not_known_is_free_text() -> None:
    assert class_of("brandNew.field") == "free_text"
    assert class_of("debugContext.debugData.newKey") == "free_text"
    assert class_of("securityContext.risk.level") is None


def test_a_rule_is_told_what_becomes_of_its_fields() -> None:
    [found] = redacted_rules([EVENT, THRESHOLD], read_policy("mail=hash,addresses=drop"))
    assert found.file == THRESHOLD.file
    assert found.is_warning
    assert "actor.alternateId (hash), of which it needs only that values are equal" in found.message
    assert "client.ipAddress (drop), by which it groups or counts" in found.message
    compares = replace(EVENT, fields=("eventType", "actor.alternateId"), selection="actor.alternateId:*admin*")
    [found] = redacted_rules([compares], read_policy("mail=hash"))
    assert "actor.alternateId (hash), which it compares with values that are no longer stored" in found.message
    exists = replace(compares, selection="_exists_:actor.alternateId")
    assert "or there" in redacted_rules([exists], read_policy("mail=hash"))[0].message
    assert redacted_rules([EVENT, THRESHOLD, compares], Policy()) == ()


def test_the_page_has_every_rule_of_the_pack_and_names_what_it_looks_at() -> None:
    page = PAGE.read_text()
    rows = {name: (hashed, dropped, classes) for name, hashed, dropped, classes in ROW.findall(page)}
    pack = {
        rule.name: rule
        for rule in load_detections(include_dir() / "detections")
        if not rule.form_of and rule.risk_sum is None
    }
    assert rows.keys() == pack.keys(), "run tools/redacted_rules.py"
    for name, (hashed, dropped, classes) in rows.items():
        named = re.findall(r"`(\w+)`", classes)
        others = read_policy(",".join(["all=drop", *(f"{data}=keep" for data in named)]))
        assert redacted_rules([pack[name]], others) == ()
        assert bool(redacted_rules([pack[name]], read_policy("all=drop"))) == bool(named)
        if not named:
            assert (hashed, dropped) == ("yes", "yes"), name
    working = [sum(row[column] == "yes" for row in rows.values()) for column in (0, 1)]
    assert f"Of {len(rows)} rules, {working[0]} work with everything hashed, and {working[1]} with" in page
