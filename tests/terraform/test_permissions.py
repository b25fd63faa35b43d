"""For each role the calls that it must be able to make and those that it must not, decided on the generated policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.terraform.iam import Policy, Request, allowed
from tests.terraform.policies import find_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.terraform.workspace import Run

pytestmark = pytest.mark.xdist_group("policies")

ACCOUNT = "123456789012"
IAM = f"arn:aws:iam::{ACCOUNT}"
EXECUTION, WORKER = f"{IAM}:role/oktalogger-mwaa-execution", f"{IAM}:role/airflow-worker"
MASTER, ANALYST, STRANGER = f"{IAM}:role/oktalogger-opensearch-master", f"{IAM}:role/analyst", f"{IAM}:role/stranger"
DOMAIN, OTHER_DOMAIN = f"arn:aws:es:us-east-1:{ACCOUNT}:domain/oktalogger", f"arn:aws:es:us-east-1:{ACCOUNT}:domain/payroll"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
OTHER_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/22222222-2222-2222-2222-222222222222"
SECRET = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret"
OKTA, OPENSEARCH = f"{SECRET}:oktalogger/connections/okta_default-AbCdEf", f"{SECRET}:oktalogger/connections/opensearch_default-AbCdEf"
DOCUMENTS = f"{SECRET}:oktalogger/variables/oktalogger_security-AbCdEf"
BUCKET, LOGS = "arn:aws:s3:::oktalogger-mwaa-1", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group"
TASK_LOG, DOMAIN_LOG = f"{LOGS}:airflow-oktalogger-Task:log-stream:x", f"{LOGS}:/aws/OpenSearchService/domains/oktalogger/application-logs"
HERE, THERE = {"aws:SourceIp": "203.0.113.5"}, {"aws:SourceIp": "198.51.100.5"}
TLS, PLAIN = {"aws:SecureTransport": "true"}, {"aws:SecureTransport": "false"}


def via(service: str) -> dict[str, str]:
    """Return the context of a call that a service makes to KMS for its caller."""
    return {"kms:ViaService": f"{service}.us-east-1.amazonaws.com"}


def may(run: Run, principal: str, action: str, resource: str, context: Mapping[str, str] | None = None) -> bool:
    """Decide a call by all policies of a stack that have a say in it."""
    identity: list[Policy] = []
    if principal == EXECUTION:
        identity = [find_policy(run, "aws_iam_role_policy.execution.policy"), find_policy(run, "aws_iam_role_policy.pipeline.policy")]
    elif principal == WORKER:
        identity = [json.loads(run.output("pipeline_policy"))]
    elif principal == ANALYST:
        identity = [json.loads(run.output("analyst_policy"))]
    elif principal == "vpc-flow-logs.amazonaws.com":
        identity = [find_policy(run, "aws_iam_role_policy.flow.policy")]
    theirs: Policy | None = None
    if resource.startswith(f"{DOMAIN}/"):
        theirs = find_policy(run, "aws_opensearch_domain.this.access_policies")
    elif resource == KEY:
        theirs = find_policy(run, "aws_kms_key.this[0].policy")
    elif resource.startswith(BUCKET):
        theirs = find_policy(run, "aws_s3_bucket_policy.this.policy")
    elif resource == MASTER:
        theirs = find_policy(run, "module.opensearch.aws_iam_role.master.assume_role_policy")
    elif resource == EXECUTION:
        theirs = find_policy(run, "aws_iam_role.execution.assume_role_policy")
    elif resource.startswith(DOMAIN_LOG):
        theirs = find_policy(run, "aws_cloudwatch_log_resource_policy.this[0].policy_document")
    decides = resource in {KEY, MASTER, EXECUTION}
    return allowed(Request(principal, action, resource, context or {}), identity, theirs, resource_decides=decides)


# (stack, who, call, on what, in what circumstances)
Row = tuple[str, str, str, str, dict[str, str]]

MUST: list[Row] = [
    # Airflow's role on Amazon MWAA: the pipeline ...
    ("mwaa", EXECUTION, "es:ESHttpGet", f"{DOMAIN}/_index_template/okta-system-log", {}),
    ("mwaa", EXECUTION, "es:ESHttpPost", f"{DOMAIN}/_bulk", {}),
    ("mwaa", EXECUTION, "es:ESHttpPut", f"{DOMAIN}/okta-system-log-2026-11", {}),
    ("mwaa", EXECUTION, "es:ESHttpHead", f"{DOMAIN}/okta-system-log", {}),
    ("mwaa", EXECUTION, "es:ESHttpDelete", f"{DOMAIN}/_plugins/_alerting/monitors/x", {}),
    ("mwaa", EXECUTION, "secretsmanager:GetSecretValue", OKTA, {}),
    ("mwaa", EXECUTION, "secretsmanager:GetSecretValue", OPENSEARCH, {}),
    ("mwaa", EXECUTION, "secretsmanager:GetSecretValue", DOCUMENTS, {}),
    ("mwaa", EXECUTION, "kms:Decrypt", KEY, via("secretsmanager")),
    # ... and Amazon MWAA itself
    ("mwaa", EXECUTION, "s3:GetObject", f"{BUCKET}/dags/okta_system_log.py", TLS),
    ("mwaa", EXECUTION, "s3:GetObjectVersion", f"{BUCKET}/plugins.zip", TLS),
    ("mwaa", EXECUTION, "s3:ListBucket", BUCKET, TLS),
    ("mwaa", EXECUTION, "s3:GetBucketPublicAccessBlock", BUCKET, TLS),
    ("mwaa", EXECUTION, "s3:GetAccountPublicAccessBlock", "*", {}),
    ("mwaa", EXECUTION, "kms:Decrypt", KEY, via("s3")),
    ("mwaa", EXECUTION, "kms:GenerateDataKey", KEY, via("sqs")),
    ("mwaa", EXECUTION, "logs:CreateLogStream", TASK_LOG, {}),
    ("mwaa", EXECUTION, "logs:PutLogEvents", TASK_LOG, {}),
    ("mwaa", EXECUTION, "logs:GetLogEvents", TASK_LOG, {}),
    ("mwaa", EXECUTION, "logs:DescribeLogGroups", "*", {}),
    ("mwaa", EXECUTION, "cloudwatch:PutMetricData", "*", {}),
    ("mwaa", EXECUTION, "airflow:PublishMetrics", f"arn:aws:airflow:us-east-1:{ACCOUNT}:environment/oktalogger", {}),
    ("mwaa", EXECUTION, "sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:airflow-celery-0a1b", {}),
    ("mwaa", "airflow.amazonaws.com", "sts:AssumeRole", EXECUTION, {"aws:SourceAccount": ACCOUNT}),
    ("mwaa", "airflow-env.amazonaws.com", "sts:AssumeRole", EXECUTION, {"aws:SourceAccount": ACCOUNT}),
    # setting up
    ("mwaa_while_setting_up", EXECUTION, "sts:AssumeRole", MASTER, {}),
    ("mwaa_while_setting_up", f"{IAM}:role/administrator", "sts:AssumeRole", MASTER, {}),
    ("mwaa", MASTER, "es:ESHttpPatch", f"{DOMAIN}/_plugins/_security/api/rolesmapping", {}),
    ("mwaa", MASTER, "es:ESHttpPut", f"{DOMAIN}/_plugins/_security/api/roles/oktalogger_loader", {}),
    # those who read
    ("mwaa", ANALYST, "es:ESHttpGet", f"{DOMAIN}/okta-system-log/_search", {}),
    ("mwaa", ANALYST, "es:ESHttpPost", f"{DOMAIN}/okta-system-log/_search", {}),
    # an Airflow elsewhere, from its own addresses
    ("elsewhere_over_the_internet", WORKER, "es:ESHttpPost", f"{DOMAIN}/_bulk", HERE),
    ("elsewhere_over_the_internet", WORKER, "secretsmanager:GetSecretValue", OKTA, THERE),
    ("elsewhere_over_the_internet", WORKER, "kms:Decrypt", KEY, via("secretsmanager")),
    ("elsewhere_over_the_internet", ANALYST, "es:ESHttpGet", f"{DOMAIN}/_search", HERE),
    ("elsewhere_over_the_internet", MASTER, "es:ESHttpPut", f"{DOMAIN}/_plugins/_security/api/roles/x", HERE),
    # services
    ("mwaa", "logs.us-east-1.amazonaws.com", "kms:Encrypt", KEY, {"kms:EncryptionContext:aws:logs:arn": f"{LOGS}:airflow-oktalogger-Task"}),
    ("mwaa", "logs.us-east-1.amazonaws.com", "kms:Decrypt", KEY, {"kms:EncryptionContext:aws:logs:arn": f"{LOGS}:/aws/OpenSearchService/domains/oktalogger/audit-logs"}),
    ("mwaa", "logs.us-east-1.amazonaws.com", "kms:Decrypt", KEY, {"kms:EncryptionContext:aws:logs:arn": f"{LOGS}:/aws/vpc/oktalogger/flow-logs"}),
    ("mwaa", "es.amazonaws.com", "logs:PutLogEvents", f"{DOMAIN_LOG}:log-stream:x", {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": DOMAIN}),
    ("mwaa", "vpc-flow-logs.amazonaws.com", "logs:PutLogEvents", f"{LOGS}:/aws/vpc/oktalogger/flow-logs:log-stream:x", {}),
]  # fmt: skip

MUST_NOT: list[Row] = [
    # Airflow's role: every DAG of the environment has it
    ("mwaa", EXECUTION, "es:ESHttpPatch", f"{DOMAIN}/_plugins/_security/api/rolesmapping", {}),
    ("mwaa", EXECUTION, "es:ESHttpGet", f"{OTHER_DOMAIN}/_search", {}),
    ("mwaa", EXECUTION, "es:ESHttpGet", f"{DOMAIN}-two/_search", {}),
    ("mwaa", EXECUTION, "es:UpdateDomainConfig", DOMAIN, {}),
    ("mwaa", EXECUTION, "es:DeleteDomain", DOMAIN, {}),
    ("mwaa", EXECUTION, "es:CreateDomain", DOMAIN, {}),
    ("mwaa", EXECUTION, "sts:AssumeRole", MASTER, {}),
    ("mwaa", EXECUTION, "sts:AssumeRole", f"{IAM}:role/other", {}),
    ("mwaa_while_setting_up", EXECUTION, "sts:AssumeRole", f"{IAM}:role/other", {}),
    ("mwaa", EXECUTION, "secretsmanager:GetSecretValue", f"{SECRET}:payroll-AbCdEf", {}),
    ("mwaa", EXECUTION, "secretsmanager:GetSecretValue", f"{SECRET}:oktalogger/connections/other-AbCdEf", {}),
    ("mwaa", EXECUTION, "secretsmanager:PutSecretValue", OKTA, {}),
    ("mwaa", EXECUTION, "secretsmanager:DeleteSecret", OKTA, {}),
    ("mwaa", EXECUTION, "secretsmanager:ListSecrets", "*", {}),
    ("mwaa", EXECUTION, "kms:Decrypt", KEY, {}),
    ("mwaa", EXECUTION, "kms:Decrypt", KEY, via("ec2")),
    ("mwaa", EXECUTION, "kms:Decrypt", OTHER_KEY, via("s3")),
    ("mwaa", EXECUTION, "kms:CreateGrant", KEY, via("s3")),
    ("mwaa", EXECUTION, "kms:ScheduleKeyDeletion", KEY, {}),
    ("mwaa", EXECUTION, "kms:PutKeyPolicy", KEY, {}),
    ("mwaa", EXECUTION, "s3:PutObject", f"{BUCKET}/dags/evil.py", TLS),
    ("mwaa", EXECUTION, "s3:DeleteObject", f"{BUCKET}/dags/okta_system_log.py", TLS),
    ("mwaa", EXECUTION, "s3:PutBucketPolicy", BUCKET, TLS),
    ("mwaa", EXECUTION, "s3:GetObject", f"{BUCKET}/plugins.zip", PLAIN),
    ("mwaa", EXECUTION, "s3:GetObject", "arn:aws:s3:::payroll/salaries.csv", TLS),
    ("mwaa", EXECUTION, "s3:ListAllMyBuckets", "*", {}),
    ("mwaa", EXECUTION, "logs:DeleteLogGroup", f"{LOGS}:airflow-oktalogger-Task", {}),
    ("mwaa", EXECUTION, "logs:PutLogEvents", f"{LOGS}:/aws/OpenSearchService/domains/oktalogger/audit-logs:log-stream:x", {}),
    ("mwaa", EXECUTION, "logs:GetLogEvents", f"{LOGS}:airflow-other-Task:log-stream:x", {}),
    ("mwaa", EXECUTION, "airflow:PublishMetrics", f"arn:aws:airflow:us-east-1:{ACCOUNT}:environment/other", {}),
    ("mwaa", EXECUTION, "airflow:CreateCliToken", f"arn:aws:airflow:us-east-1:{ACCOUNT}:environment/oktalogger", {}),
    ("mwaa", EXECUTION, "airflow:UpdateEnvironment", f"arn:aws:airflow:us-east-1:{ACCOUNT}:environment/oktalogger", {}),
    ("mwaa", EXECUTION, "sqs:SendMessage", f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders", {}),
    ("mwaa", EXECUTION, "iam:PassRole", MASTER, {}),
    ("mwaa", EXECUTION, "iam:PutRolePolicy", EXECUTION, {}),
    ("mwaa", EXECUTION, "ec2:RunInstances", "*", {}),
    ("mwaa", "airflow.amazonaws.com", "sts:AssumeRole", EXECUTION, {"aws:SourceAccount": "999999999999"}),
    ("mwaa", "lambda.amazonaws.com", "sts:AssumeRole", EXECUTION, {"aws:SourceAccount": ACCOUNT}),
    ("mwaa", STRANGER, "sts:AssumeRole", EXECUTION, {}),
    # the master role
    ("mwaa", STRANGER, "sts:AssumeRole", MASTER, {}),
    ("mwaa_while_setting_up", STRANGER, "sts:AssumeRole", MASTER, {}),
    ("mwaa", MASTER, "es:UpdateDomainConfig", DOMAIN, {}),
    ("mwaa", MASTER, "es:ESHttpGet", f"{OTHER_DOMAIN}/_search", {}),
    ("mwaa", MASTER, "secretsmanager:GetSecretValue", OKTA, {}),
    # those who read
    ("mwaa", ANALYST, "es:ESHttpPut", f"{DOMAIN}/okta-system-log-2026-11/_doc/1", {}),
    ("mwaa", ANALYST, "es:ESHttpDelete", f"{DOMAIN}/okta-system-log-2026-11", {}),
    ("mwaa", ANALYST, "es:ESHttpPatch", f"{DOMAIN}/_plugins/_security/api/roles", {}),
    ("mwaa", ANALYST, "secretsmanager:GetSecretValue", OKTA, {}),
    # nobody in particular
    ("mwaa", STRANGER, "es:ESHttpGet", f"{DOMAIN}/_search", {}),
    ("mwaa", f"{IAM}:root", "es:ESHttpGet", f"{DOMAIN}/_search", {}),
    ("elsewhere_over_the_internet", STRANGER, "es:ESHttpGet", f"{DOMAIN}/_search", HERE),
    # from another address, whatever the caller's own policy says
    ("elsewhere_over_the_internet", WORKER, "es:ESHttpPost", f"{DOMAIN}/_bulk", THERE),
    ("elsewhere_over_the_internet", WORKER, "es:ESHttpPost", f"{DOMAIN}/_bulk", {}),
    ("elsewhere_over_the_internet", ANALYST, "es:ESHttpGet", f"{DOMAIN}/_search", THERE),
    ("elsewhere_over_the_internet", MASTER, "es:ESHttpPut", f"{DOMAIN}/_plugins/_security/api/roles/x", THERE),
    ("elsewhere_over_the_internet", WORKER, "sts:AssumeRole", MASTER, {}),
    # services
    ("mwaa", "logs.us-east-1.amazonaws.com", "kms:Encrypt", KEY, {"kms:EncryptionContext:aws:logs:arn": f"{LOGS}:/aws/lambda/other"}),
    ("mwaa", "logs.us-east-1.amazonaws.com", "kms:Encrypt", KEY, {}),
    ("mwaa", "logs.us-east-1.amazonaws.com", "kms:ScheduleKeyDeletion", KEY, {"kms:EncryptionContext:aws:logs:arn": f"{LOGS}:airflow-oktalogger-Task"}),
    ("mwaa", "es.amazonaws.com", "logs:PutLogEvents", f"{DOMAIN_LOG}:log-stream:x", {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": OTHER_DOMAIN}),
    ("mwaa", "es.amazonaws.com", "logs:PutLogEvents", f"{DOMAIN_LOG}:log-stream:x", {"aws:SourceAccount": "999999999999", "aws:SourceArn": DOMAIN}),
    ("mwaa", "vpc-flow-logs.amazonaws.com", "logs:PutLogEvents", f"{LOGS}:/aws/vpc/other/flow-logs:log-stream:x", {}),
    ("mwaa", "vpc-flow-logs.amazonaws.com", "logs:DeleteLogGroup", f"{LOGS}:/aws/vpc/oktalogger/flow-logs", {}),
]  # fmt: skip


def name(row: Row) -> str:
    stack, who, action, resource, context = row
    return "-".join([stack, who.split("/")[-1], action, resource.split(":")[-1], *context.values()])


@pytest.mark.parametrize("row", MUST, ids=name)
def test_must(stacks: dict[str, Run], row: Row) -> None:
    stack, who, action, resource, context = row
    assert may(stacks[stack], who, action, resource, context)


@pytest.mark.parametrize("row", MUST_NOT, ids=name)
def test_must_not(stacks: dict[str, Run], row: Row) -> None:
    stack, who, action, resource, context = row
    assert not may(stacks[stack], who, action, resource, context)
