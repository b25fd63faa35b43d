"""Every right of our roles is asked for, or left out for a reason; a test on a real OpenSearch sees them refused."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from oktalogger.checks.rights import PROBES, ROLES, UNASKED, Role
from oktalogger.opensearch.roles import shipped_roles


@pytest.mark.parametrize("role", ROLES)
def test_each_right_of_a_role_is_asked_for(role: Role) -> None:
    body = shipped_roles("okta-system-log")[f"oktalogger_{role}"]
    rights = set(body["cluster_permissions"])
    # Of the index of alerts, which only the plugin makes, one right is read beside the monitors.
    rights |= {
        action
        for entry in body["index_permissions"]
        if entry["index_patterns"] != [".opendistro-alerting-alerts"]
        for action in entry["allowed_actions"]
    }
    asked = {probe.right for probe in PROBES if role in probe.roles}
    assert rights - asked - UNASKED.keys() == set(), "add a Probe, or a reason to UNASKED"
    assert {one for one in asked if not any(fnmatchcase(one, right) for right in rights)} == set(), "it lacks these"


def test_no_request_could_be_carried_out() -> None:
    for probe in PROBES:
        if probe.method in ("GET", "POST") and not probe.lines and "_bulk" not in probe.path:
            continue  # reads
        text = f"{probe.path} {probe.body} {probe.lines}"
        harmless = ("{none}", "number_of_shards': 0", "if_seq_no", "oktalogger-check")
        assert any(word in text for word in harmless), probe
