"""For each role the calls that it must and must not be able to make, decided on the generated policies."""

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
ADMINISTRATOR, OTHER_ROLE = f"{IAM}:role/administrator", f"{IAM}:role/other"
MWAA, SETUP, ELSEWHERE = "mwaa", "mwaa_while_setting_up", "elsewhere_over_the_internet"
# A browser signs no request, so it is nobody to AWS.
PEOPLE, BROWSER = "people_by_saml_over_the_internet", "anonymous"

ES = f"arn:aws:es:us-east-1:{ACCOUNT}:domain"
DOMAIN, OTHER_DOMAIN = f"{ES}/oktalogger", f"{ES}/payroll"
ROLES = f"{DOMAIN}/_plugins/_security/api/roles"
KMS = f"arn:aws:kms:us-east-1:{ACCOUNT}:key"
KEY, OTHER_KEY = f"{KMS}/00000000-0000-0000-0000-000000000000", f"{KMS}/22222222-2222-2222-2222-222222222222"
SECRET = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret"
OKTA = f"{SECRET}:oktalogger/connections/okta_default-AbCdEf"
OPENSEARCH = f"{SECRET}:oktalogger/connections/opensearch_default-AbCdEf"
DOCUMENTS = f"{SECRET}:oktalogger/variables/oktalogger_security-AbCdEf"
BUCKET = "arn:aws:s3:::oktalogger-mwaa-1"
ENVIRONMENT = f"arn:aws:airflow:us-east-1:{ACCOUNT}:environment"
LOGS = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group"
TASK_LOG = f"{LOGS}:airflow-oktalogger-Task:log-stream:x"
DOMAIN_LOGS = f"{LOGS}:/aws/OpenSearchService/domains/oktalogger"
DOMAIN_LOG = f"{DOMAIN_LOGS}/application-logs:log-stream:x"
FLOW_LOGS = f"{LOGS}:/aws/vpc/oktalogger/flow-logs"
CLOUDWATCH, FLOW = "logs.us-east-1.amazonaws.com", "vpc-flow-logs.amazonaws.com"

HERE, THERE = {"aws:SourceIp": "203.0.113.5"}, {"aws:SourceIp": "198.51.100.5"}
TLS, PLAIN = {"aws:SecureTransport": "true"}, {"aws:SecureTransport": "false"}
OURS, THEIRS = {"aws:SourceAccount": ACCOUNT}, {"aws:SourceAccount": "999999999999"}


def via(service: str) -> dict[str, str]:
    """Return the context of a call that a service makes to KMS for its caller."""
    return {"kms:ViaService": f"{service}.us-east-1.amazonaws.com"}


def group(arn: str) -> dict[str, str]:
    """Return the context in which CloudWatch Logs uses a key for a log group."""
    return {"kms:EncryptionContext:aws:logs:arn": arn}


def may(run: Run, principal: str, action: str, resource: str, context: Mapping[str, str] | None = None) -> bool:
    """Decide a call by all policies of a stack that have a say in it."""
    identity: list[Policy] = []
    if principal == EXECUTION:
        identity = [find_policy(run, f"aws_iam_role_policy.{name}.policy") for name in ("execution", "pipeline")]
    elif principal == WORKER:
        identity = [json.loads(run.output("pipeline_policy"))]
    elif principal == ANALYST:
        identity = [json.loads(run.output("analyst_policy"))]
    elif principal == FLOW:
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
    elif resource == DOMAIN_LOG:
        theirs = find_policy(run, "aws_cloudwatch_log_resource_policy.this[0].policy_document")
    decides = resource in {KEY, MASTER, EXECUTION}
    return allowed(Request(principal, action, resource, context or {}), identity, theirs, resource_decides=decides)


# (stack, who, call, on what, in what circumstances)
Row = tuple[str, str, str, str, dict[str, str]]

MUST: list[Row] = [
    # Airflow's role on Amazon MWAA: the pipeline ...
    (MWAA, EXECUTION, "es:ESHttpGet", f"{DOMAIN}/_index_template/okta-system-log", {}),
    (MWAA, EXECUTION, "es:ESHttpPost", f"{DOMAIN}/_bulk", {}),
    (MWAA, EXECUTION, "es:ESHttpPut", f"{DOMAIN}/okta-system-log-2026-11", {}),
    (MWAA, EXECUTION, "es:ESHttpHead", f"{DOMAIN}/okta-system-log", {}),
    (MWAA, EXECUTION, "es:ESHttpDelete", f"{DOMAIN}/_plugins/_alerting/monitors/x", {}),
    (MWAA, EXECUTION, "secretsmanager:GetSecretValue", OKTA, {}),
    (MWAA, EXECUTION, "secretsmanager:GetSecretValue", OPENSEARCH, {}),
    (MWAA, EXECUTION, "secretsmanager:GetSecretValue", DOCUMENTS, {}),
    (MWAA, EXECUTION, "kms:Decrypt", KEY, via("secretsmanager")),
    # ... and Amazon MWAA itself
    (MWAA, EXECUTION, "s3:GetObject", f"{BUCKET}/dags/okta_system_log.py", TLS),
    (MWAA, EXECUTION, "s3:GetObjectVersion", f"{BUCKET}/plugins.zip", TLS),
    (MWAA, EXECUTION, "s3:ListBucket", BUCKET, TLS),
    (MWAA, EXECUTION, "s3:GetBucketPublicAccessBlock", BUCKET, TLS),
    (MWAA, EXECUTION, "s3:GetAccountPublicAccessBlock", "*", {}),
    (MWAA, EXECUTION, "kms:Decrypt", KEY, via("s3")),
    (MWAA, EXECUTION, "kms:GenerateDataKey", KEY, via("sqs")),
    (MWAA, EXECUTION, "logs:CreateLogStream", TASK_LOG, {}),
    (MWAA, EXECUTION, "logs:PutLogEvents", TASK_LOG, {}),
    (MWAA, EXECUTION, "logs:GetLogEvents", TASK_LOG, {}),
    (MWAA, EXECUTION, "logs:DescribeLogGroups", "*", {}),
    (MWAA, EXECUTION, "cloudwatch:PutMetricData", "*", {}),
    (MWAA, EXECUTION, "airflow:PublishMetrics", f"{ENVIRONMENT}/oktalogger", {}),
    (MWAA, EXECUTION, "sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:airflow-celery-0a1b", {}),
    (MWAA, "airflow.amazonaws.com", "sts:AssumeRole", EXECUTION, OURS),
    (MWAA, "airflow-env.amazonaws.com", "sts:AssumeRole", EXECUTION, OURS),
    # setting up
    (SETUP, EXECUTION, "sts:AssumeRole", MASTER, {}),
    (SETUP, ADMINISTRATOR, "sts:AssumeRole", MASTER, {}),
    (MWAA, MASTER, "es:ESHttpPatch", f"{ROLES}mapping", {}),
    (MWAA, MASTER, "es:ESHttpPut", f"{ROLES}/oktalogger_loader", {}),
    (MWAA, MASTER, "es:ESHttpPost", f"{DOMAIN}/_dashboards/api/saved_objects/_import", {}),
    # those who read
    (MWAA, ANALYST, "es:ESHttpGet", f"{DOMAIN}/okta-system-log/_search", {}),
    (MWAA, ANALYST, "es:ESHttpPost", f"{DOMAIN}/okta-system-log/_search", {}),
    # an Airflow elsewhere, from its own addresses
    (ELSEWHERE, WORKER, "es:ESHttpPost", f"{DOMAIN}/_bulk", HERE),
    (ELSEWHERE, WORKER, "secretsmanager:GetSecretValue", OKTA, THERE),
    (ELSEWHERE, WORKER, "kms:Decrypt", KEY, via("secretsmanager")),
    (ELSEWHERE, ANALYST, "es:ESHttpGet", f"{DOMAIN}/_search", HERE),
    (ELSEWHERE, MASTER, "es:ESHttpPut", f"{ROLES}/x", HERE),
    # people with a browser, where there is a login
    (PEOPLE, BROWSER, "es:ESHttpGet", f"{DOMAIN}/_dashboards/app/home", HERE),
    (PEOPLE, BROWSER, "es:ESHttpPost", f"{DOMAIN}/_dashboards/_opendistro/_security/saml/acs", HERE),
    (PEOPLE, WORKER, "es:ESHttpPost", f"{DOMAIN}/_bulk", HERE),
    # services
    (MWAA, CLOUDWATCH, "kms:Encrypt", KEY, group(f"{LOGS}:airflow-oktalogger-Task")),
    (MWAA, CLOUDWATCH, "kms:Decrypt", KEY, group(f"{DOMAIN_LOGS}/audit-logs")),
    (MWAA, CLOUDWATCH, "kms:Decrypt", KEY, group(FLOW_LOGS)),
    (MWAA, "es.amazonaws.com", "logs:PutLogEvents", DOMAIN_LOG, OURS | {"aws:SourceArn": DOMAIN}),
    (MWAA, FLOW, "logs:PutLogEvents", f"{FLOW_LOGS}:log-stream:x", {}),
]

MUST_NOT: list[Row] = [
    # Airflow's role: every DAG of the environment has it
    (MWAA, EXECUTION, "es:ESHttpPatch", f"{ROLES}mapping", {}),
    (MWAA, EXECUTION, "es:ESHttpGet", f"{OTHER_DOMAIN}/_search", {}),
    (MWAA, EXECUTION, "es:ESHttpGet", f"{DOMAIN}-two/_search", {}),
    (MWAA, EXECUTION, "es:UpdateDomainConfig", DOMAIN, {}),
    (MWAA, EXECUTION, "es:DeleteDomain", DOMAIN, {}),
    (MWAA, EXECUTION, "es:CreateDomain", DOMAIN, {}),
    (MWAA, EXECUTION, "sts:AssumeRole", MASTER, {}),
    (MWAA, EXECUTION, "sts:AssumeRole", OTHER_ROLE, {}),
    (SETUP, EXECUTION, "sts:AssumeRole", OTHER_ROLE, {}),
    (MWAA, EXECUTION, "secretsmanager:GetSecretValue", f"{SECRET}:payroll-AbCdEf", {}),
    (MWAA, EXECUTION, "secretsmanager:GetSecretValue", f"{SECRET}:oktalogger/connections/other-AbCdEf", {}),
    (MWAA, EXECUTION, "secretsmanager:PutSecretValue", OKTA, {}),
    (MWAA, EXECUTION, "secretsmanager:DeleteSecret", OKTA, {}),
    (MWAA, EXECUTION, "secretsmanager:ListSecrets", "*", {}),
    (MWAA, EXECUTION, "kms:Decrypt", KEY, {}),
    (MWAA, EXECUTION, "kms:Decrypt", KEY, via("ec2")),
    (MWAA, EXECUTION, "kms:Decrypt", OTHER_KEY, via("s3")),
    (MWAA, EXECUTION, "kms:CreateGrant", KEY, via("s3")),
    (MWAA, EXECUTION, "kms:ScheduleKeyDeletion", KEY, {}),
    (MWAA, EXECUTION, "kms:PutKeyPolicy", KEY, {}),
    (MWAA, EXECUTION, "s3:PutObject", f"{BUCKET}/dags/evil.py", TLS),
    (MWAA, EXECUTION, "s3:DeleteObject", f"{BUCKET}/dags/okta_system_log.py", TLS),
    (MWAA, EXECUTION, "s3:PutBucketPolicy", BUCKET, TLS),
    (MWAA, EXECUTION, "s3:GetObject", f"{BUCKET}/plugins.zip", PLAIN),
    (MWAA, EXECUTION, "s3:GetObject", "arn:aws:s3:::payroll/salaries.csv", TLS),
    (MWAA, EXECUTION, "s3:ListAllMyBuckets", "*", {}),
    (MWAA, EXECUTION, "logs:DeleteLogGroup", f"{LOGS}:airflow-oktalogger-Task", {}),
    (MWAA, EXECUTION, "logs:PutLogEvents", f"{DOMAIN_LOGS}/audit-logs:log-stream:x", {}),
    (MWAA, EXECUTION, "logs:GetLogEvents", f"{LOGS}:airflow-other-Task:log-stream:x", {}),
    (MWAA, EXECUTION, "airflow:PublishMetrics", f"{ENVIRONMENT}/other", {}),
    (MWAA, EXECUTION, "airflow:CreateCliToken", f"{ENVIRONMENT}/oktalogger", {}),
    (MWAA, EXECUTION, "airflow:UpdateEnvironment", f"{ENVIRONMENT}/oktalogger", {}),
    (MWAA, EXECUTION, "sqs:SendMessage", f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders", {}),
    (MWAA, EXECUTION, "iam:PassRole", MASTER, {}),
    (MWAA, EXECUTION, "iam:PutRolePolicy", EXECUTION, {}),
    (MWAA, EXECUTION, "ec2:RunInstances", "*", {}),
    (MWAA, "airflow.amazonaws.com", "sts:AssumeRole", EXECUTION, THEIRS),
    (MWAA, "lambda.amazonaws.com", "sts:AssumeRole", EXECUTION, OURS),
    (MWAA, STRANGER, "sts:AssumeRole", EXECUTION, {}),
    # the master role
    (MWAA, STRANGER, "sts:AssumeRole", MASTER, {}),
    (SETUP, STRANGER, "sts:AssumeRole", MASTER, {}),
    (MWAA, MASTER, "es:UpdateDomainConfig", DOMAIN, {}),
    (MWAA, MASTER, "es:ESHttpGet", f"{OTHER_DOMAIN}/_search", {}),
    (MWAA, MASTER, "secretsmanager:GetSecretValue", OKTA, {}),
    # those who read
    (MWAA, ANALYST, "es:ESHttpPut", f"{DOMAIN}/okta-system-log-2026-11/_doc/1", {}),
    (MWAA, ANALYST, "es:ESHttpDelete", f"{DOMAIN}/okta-system-log-2026-11", {}),
    (MWAA, ANALYST, "es:ESHttpPatch", ROLES, {}),
    (MWAA, ANALYST, "secretsmanager:GetSecretValue", OKTA, {}),
    # nobody in particular
    (MWAA, STRANGER, "es:ESHttpGet", f"{DOMAIN}/_search", {}),
    (MWAA, f"{IAM}:root", "es:ESHttpGet", f"{DOMAIN}/_search", {}),
    (ELSEWHERE, STRANGER, "es:ESHttpGet", f"{DOMAIN}/_search", HERE),
    (MWAA, BROWSER, "es:ESHttpGet", f"{DOMAIN}/_dashboards", {}),
    (ELSEWHERE, BROWSER, "es:ESHttpGet", f"{DOMAIN}/_dashboards", HERE),
    (PEOPLE, BROWSER, "es:ESHttpGet", f"{DOMAIN}/_dashboards", THERE),
    (PEOPLE, BROWSER, "es:UpdateDomainConfig", DOMAIN, HERE),
    # from another address, whatever the caller's own policy says
    (ELSEWHERE, WORKER, "es:ESHttpPost", f"{DOMAIN}/_bulk", THERE),
    (ELSEWHERE, WORKER, "es:ESHttpPost", f"{DOMAIN}/_bulk", {}),
    (ELSEWHERE, ANALYST, "es:ESHttpGet", f"{DOMAIN}/_search", THERE),
    (ELSEWHERE, MASTER, "es:ESHttpPut", f"{ROLES}/x", THERE),
    (ELSEWHERE, WORKER, "sts:AssumeRole", MASTER, {}),
    # services
    (MWAA, CLOUDWATCH, "kms:Encrypt", KEY, group(f"{LOGS}:/aws/lambda/other")),
    (MWAA, CLOUDWATCH, "kms:Encrypt", KEY, {}),
    (MWAA, CLOUDWATCH, "kms:ScheduleKeyDeletion", KEY, group(f"{LOGS}:airflow-oktalogger-Task")),
    (MWAA, "es.amazonaws.com", "logs:PutLogEvents", DOMAIN_LOG, OURS | {"aws:SourceArn": OTHER_DOMAIN}),
    (MWAA, "es.amazonaws.com", "logs:PutLogEvents", DOMAIN_LOG, THEIRS | {"aws:SourceArn": DOMAIN}),
    (MWAA, FLOW, "logs:PutLogEvents", f"{LOGS}:/aws/vpc/other/flow-logs:log-stream:x", {}),
    (MWAA, FLOW, "logs:DeleteLogGroup", FLOW_LOGS, {}),
]


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
