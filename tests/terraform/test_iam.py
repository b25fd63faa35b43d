"""The evaluator itself: AWS's documented rules, and moto's engine as a second opinion."""

from __future__ import annotations

import importlib
import itertools
import json
from typing import Any

import pytest

from tests.terraform.iam import Policy, Request, allowed

pytestmark = pytest.mark.xdist_group("static")

ROLE = "arn:aws:iam::123456789012:role/worker"
OTHER = "arn:aws:iam::123456789012:role/other"
ACCOUNT = "arn:aws:iam::123456789012:root"


def policy(effect: str = "Allow", action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> Policy:
    return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": resource, **more}]}


def call(action: str = "s3:GetObject", resource: str = "arn:aws:s3:::b/k", **context: str) -> Request:
    return Request(ROLE, action, resource, {key.replace("__", ":"): value for key, value in context.items()})


@pytest.mark.parametrize(
    ("request_", "identity", "resource", "decides", "expected"),
    [
        pytest.param(call(), [], None, False, False, id="denied unless allowed"),
        pytest.param(call(), [policy()], None, False, True, id="allowed"),
        pytest.param(call("S3:getobject"), [policy()], None, False, True, id="actions have no case"),
        pytest.param(call("s3:GetObjectAcl"), [policy()], None, False, False, id="an action is whole"),
        pytest.param(call("s3:GetObjectAcl"), [policy(action=["s3:P*", "s3:G*"])], None, False, True, id="wildcard"),
        pytest.param(call(resource="arn:B/k"), [policy(resource="arn:b/*")], None, False, False, id="case"),
        pytest.param(call(resource="arn:b/k"), [policy(resource="arn:?/*")], None, False, True, id="?"),
        pytest.param(call(), [policy(), policy("Deny")], None, False, False, id="a denial wins"),
        pytest.param(call(), [policy()], policy("Deny", Principal="*"), False, False, id="the resource's denial wins"),
        pytest.param(call(), [], policy(Principal={"AWS": ROLE}), False, True, id="the resource names the caller"),
        pytest.param(call(), [], policy(Principal={"AWS": [OTHER]}), False, False, id="the resource names another"),
        pytest.param(call(), [], policy(Principal={"AWS": ACCOUNT}), False, False, id="an account alone gives nothing"),
        pytest.param(call(), [policy()], policy(Principal={"AWS": OTHER}), False, True, id="either is enough"),
        pytest.param(call(), [policy()], policy(Principal={"AWS": OTHER}), True, False, id="not for keys and trust"),
        pytest.param(call(), [policy()], policy(Principal={"AWS": ACCOUNT}), True, True, id="a key that asks IAM"),
        pytest.param(call(), [], policy(Principal={"AWS": ROLE}), True, True, id="trust that names the caller"),
        pytest.param(
            call(aws__SourceIp="203.0.113.9"),
            [policy(Condition={"IpAddress": {"aws:SourceIp": ["203.0.113.0/28"]}})],
            *(None, False, True),
            id="inside the range",
        ),
        pytest.param(
            call(aws__SourceIp="203.0.113.16"),
            [policy(Condition={"IpAddress": {"aws:SourceIp": ["203.0.113.0/28"]}})],
            *(None, False, False),
            id="just outside the range",
        ),
        pytest.param(
            call(), [policy(Condition={"StringEquals": {"a:b": "c"}})], None, False, False, id="a key that is not there"
        ),
        pytest.param(
            call(a__b="c"),
            [policy(Condition={"StringEquals": {"a:b": "c", "a:d": "e"}})],
            *(None, False, False),
            id="both keys",
        ),
        pytest.param(
            call(aws__SecureTransport="true"),
            [policy(), policy("Deny", Condition={"Bool": {"aws:SecureTransport": "false"}})],
            *(None, False, True),
            id="a denial whose condition is not met",
        ),
    ],
)
def test_decision(
    request_: Request, identity: list[Policy], resource: Policy | None, decides: bool, expected: bool
) -> None:
    assert allowed(request_, identity, resource, resource_decides=decides) is expected


@pytest.mark.parametrize(
    "unknown", [policy(Condition={"StringNotLike": {"a:b": "c"}}), policy(NotAction="s3:*"), policy(NotPrincipal="*")]
)
def test_that_nothing_is_guessed(unknown: Policy) -> None:
    with pytest.raises(ValueError, match="not known here"):
        allowed(call(), [unknown])


def test_that_moto_says_the_same() -> None:
    """On every mixture of two statements without conditions."""
    engine = importlib.import_module("moto.iam.access_control")
    actions = ["s3:GetObject", "s3:Get*", "s3:*", "es:ESHttpGet"]
    resources = ["*", "arn:aws:s3:::b/*", "arn:aws:s3:::c/k", ["arn:aws:s3:::b/k", "arn:aws:s3:::c/*"]]
    singles = [
        {"Effect": effect, "Action": action, "Resource": resource}
        for effect, action, resource in itertools.product(["Allow", "Deny"], actions, resources)
    ]
    for pair in itertools.product(singles, repeat=2):
        document = {"Version": "2012-10-17", "Statement": list(pair)}
        theirs = engine.IAMPolicy(json.dumps(document))
        asked = itertools.product(["s3:GetObject", "s3:PutObject"], ["arn:aws:s3:::b/k", "arn:aws:s3:::c/k"])
        for action, resource in asked:
            expected = theirs.is_action_permitted(action, resource) == engine.PermissionResult.PERMITTED
            assert allowed(call(action, resource), [document]) is expected, (pair, action, resource)
