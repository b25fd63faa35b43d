from __future__ import annotations

import pytest

from oktalogger.ui.kinds import BEGINNINGS, kind_of
from oktalogger.ui.snapshot import KINDS


@pytest.mark.parametrize(
    ("event_type", "kind"),
    [
        ("user.session.start", "sign-in"),
        ("user.authentication.auth_via_mfa", "factor"),
        ("user.mfa.factor.activate", "factor"),
        ("user.authentication.sso", "application access"),
        ("user.authentication.verify", "sign-in"),
        ("policy.evaluate_sign_on", "sign-in"),
        ("policy.rule.update", "administration"),
        ("user.account.privilege.grant", "administration"),
        ("user.account.lock", "sign-in"),
        ("user.account.update_password", "directory"),
        ("group.user_membership.add", "directory"),
        ("application.user_membership.add", "directory"),
        ("application.lifecycle.update", "administration"),
        ("system.org.rate_limit.violation", "administration"),
        ("system.agent.ad.read_topology", "system"),
        ("something.new", "system"),
    ],
)
def test_the_kind_of_an_event_type(event_type: str, kind: str) -> None:
    assert kind_of(event_type) == kind


def test_every_kind_has_event_types_but_the_one_that_takes_the_rest() -> None:
    assert {kind for kind, _ in BEGINNINGS} == set(KINDS) - {"system"}
