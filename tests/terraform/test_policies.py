"""Rules that every policy of the stack keeps."""

from __future__ import annotations

import importlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from tests.terraform.iam import principals, statements, values
from tests.terraform.policies import Found, find_policies
from tests.terraform.test_roles import NAMES, role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.terraform.workspace import Run

pytestmark = pytest.mark.xdist_group("policies")

EVERY_RESOURCE = {
    ("aws_kms_key", "AccountDecides"): 'in a key\'s own policy "*" is that key',
    ("aws_kms_key", "OwnLogs"): 'in a key\'s own policy "*" is that key; the condition names our log groups',
    ("aws_iam_role_policy", "NoResourceToName"): "see WITHOUT_RESOURCE",
}
"""The statements that may allow something on every resource, by the type of resource they are in, and why."""

WITHOUT_RESOURCE = {
    "cloudwatch:PutMetricData": "AWS knows no resource for it; Airflow's metrics go by it",
    "s3:GetAccountPublicAccessBlock": "AWS knows no resource for it; Amazon MWAA asks before it takes the bucket",
    "logs:DescribeLogGroups": "Amazon MWAA asks for it on every group, to find its own five; it shows names only",
}
"""The actions that the execution role may call on every resource, and why."""

KNOWN_WILDCARDS = {
    "s3:GetBucket*": "Amazon MWAA's guide asks for it; read only, on the environment's bucket",
    "s3:GetObject*": "the same",
    "s3:List*": "the same",
    "kms:GenerateDataKey*": "with and without the plain key; the condition says for which service",
    "kms:ReEncrypt*": "from and to, as AWS's guide for log groups has it",
}
"""The actions written with a wildcard, and why."""


def every_statement(stacks: dict[str, Run]) -> Iterator[tuple[Found, dict[str, Any]]]:
    for run in stacks.values():
        for found in find_policies(run):
            for statement in statements(found.document):
                yield found, statement


def kind(found: Found) -> str:
    """Return the type of the resource that a policy is in."""
    return next((part for part in found.place.split(".") if part.startswith("aws_")), "output")


def test_that_policies_are_found(stacks: dict[str, Run]) -> None:
    assert {kind(found) for found, _ in every_statement(stacks)} == {
        *("aws_cloudwatch_log_resource_policy", "aws_iam_role", "aws_iam_role_policy", "aws_kms_key"),
        *("aws_opensearch_domain", "aws_s3_bucket_policy", "output"),
    }


def test_that_statements_are_named_and_policies_are_of_today(stacks: dict[str, Run]) -> None:
    for run in stacks.values():
        for found in find_policies(run):
            assert found.document["Version"] == "2012-10-17", found.place
            sids = [statement["Sid"] for statement in statements(found.document)]
            assert len(set(sids)) == len(sids), found.place


def test_that_no_service_is_allowed_whole(stacks: dict[str, Run]) -> None:
    """Nor a part of one by a wildcard that nobody thought about. A denial may be as wide as it likes."""
    for found, statement in every_statement(stacks):
        if statement["Effect"] == "Allow":
            for action in values(statement["Action"]):
                assert "*" not in action or action in KNOWN_WILDCARDS, f"{found.place} allows {action}"


def test_that_every_resource_is_on_the_list(stacks: dict[str, Run]) -> None:
    seen = set()
    for found, statement in every_statement(stacks):
        if statement["Effect"] == "Allow" and "*" in values(statement.get("Resource", [])):
            key = kind(found), statement["Sid"]
            assert key in EVERY_RESOURCE, f"{found.place} allows {statement['Action']} on every resource"
            if key[1] == "NoResourceToName":
                assert set(values(statement["Action"])) == set(WITHOUT_RESOURCE)
            seen.add(key)
    assert seen == set(EVERY_RESOURCE), "the list names statements that are gone"


def test_that_nobody_is_let_in_by_not_being_named(stacks: dict[str, Run]) -> None:
    """With one exception: a domain with a SAML login, in its own policy, from named addresses."""
    open_to_all = set()
    for stack, run in stacks.items():
        for found in find_policies(run):
            for statement in statements(found.document):
                if statement["Effect"] == "Allow" and "*" in principals(statement):
                    assert statement["Condition"] == {"IpAddress": {"aws:SourceIp": ["203.0.113.0/28"]}}
                    open_to_all.add((stack, kind(found), statement["Sid"]))
                elif statement["Effect"] == "Allow":
                    for principal in principals(statement):
                        assert "*" not in principal, f"{found.place} lets in {principal}"
    assert open_to_all == {("people_by_saml_over_the_internet", "aws_opensearch_domain", "WhoeverReachesIt")}


def test_that_services_act_for_this_account_only(stacks: dict[str, Run]) -> None:
    """Else a service can be made to act for somebody else's account (the confused deputy)."""
    for found, statement in every_statement(stacks):
        if any(principal.endswith(".amazonaws.com") for principal in principals(statement)):
            keys = {key for condition in statement.get("Condition", {}).values() for key in condition}
            place = f"{found.place}: {statement['Sid']}"
            assert keys & {"aws:SourceAccount", "kms:EncryptionContext:aws:logs:arn"}, place


def test_that_principals_are_sorted(stacks: dict[str, Run]) -> None:
    """AWS returns them in an order of its own; sorted and each once they make no difference in the next plan."""
    for found, statement in every_statement(stacks):
        names = principals(statement)
        assert names == sorted(set(names)), found.place


def test_that_every_action_exists(stacks: dict[str, Run]) -> None:
    """By the list of AWS's actions that policy_sentry carries."""
    for found, statement in every_statement(stacks):
        for action in values(statement["Action"]):
            if action == "s3:*" and statement["Effect"] == "Deny":
                continue
            assert _known(action), f"{found.place}: there is no action {action}"


@pytest.mark.parametrize("action", [action for action in WITHOUT_RESOURCE if action != "logs:DescribeLogGroups"])
def test_that_aws_knows_no_resource(action: str) -> None:
    service, name = action.split(":")
    data = importlib.import_module("policy_sentry.querying.actions").get_action_data(service, name)
    assert {entry["resource_arn_format"] for entry in data[service]} == {"*"}


@cache
def _known(action: str) -> bool:
    expand = importlib.import_module("policy_sentry.analysis.expand").expand
    found = expand(action)
    return bool(found) and not any("*" in name for name in found)


def test_that_policies_fit(stacks: dict[str, Run]) -> None:
    """AWS's limits: a role's inline policies together 10,240 characters, a log policy 5,120, a trust policy 2,048."""
    limits = {"aws_iam_role_policy": 5000, "aws_cloudwatch_log_resource_policy": 5120, "aws_iam_role": 2048}
    for found, _ in every_statement(stacks):
        size = len(json.dumps(found.document, separators=(",", ":")))
        assert size <= limits.get(kind(found), 32_768), f"{found.place} has {size} characters"


def test_that_the_role_documents_are_the_shipped_ones(stacks: dict[str, Run]) -> None:
    """One source: what Terraform hands to the setup is what the package ships, word by word."""
    for run in stacks.values():
        assert run.output("security_documents")["roles"] == {name: role(name) for name in NAMES}
