"""Values that each module must refuse, one for each of its validations, and values that it must take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KEY = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
ROLE = "arn:aws:iam::123456789012:role/worker"


@dataclass(frozen=True)
class Refusal:
    """Values of which one breaks one validation.

    :param folder: the module, from ``terraform/``
    :param variable: the variable that complains
    :param nth: which of its validations complains, from 0
    :param values: the values, with those of other variables that matter for it
    """

    folder: str
    variable: str
    nth: int
    values: dict[str, Any]


GOOD: dict[str, dict[str, Any]] = {
    ".": {"okta_connections": {"okta_default": {"org_url": "https://company.okta.com"}}, "airflow_role_arns": [ROLE]},
    "modules/network": {"name": "oktalogger", "kms_key_arn": KEY},
    "modules/opensearch": {
        "name": "oktalogger",
        "kms_key_arn": KEY,
        "vpc_id": "vpc-0123456789abcdef0",
        "subnet_ids": ["subnet-a", "subnet-b", "subnet-c"],
    },
    "modules/secrets": {
        "prefix": "oktalogger",
        "kms_key_arn": KEY,
        "okta_connections": {"okta_default": {"org_url": "https://company.okta.com"}},
        "okta_credentials": {},
        "opensearch": {"host": "vpc-mock.us-east-1.es.amazonaws.com", "region": "us-east-1"},
        "security_documents": '{"roles": {}, "role_mappings": {}}',
    },
    "modules/mwaa": {
        "name": "oktalogger",
        "kms_key_arn": KEY,
        "vpc_id": "vpc-0123456789abcdef0",
        "subnet_ids": ["subnet-a", "subnet-b"],
        "secrets_backend_kwargs": '{"connections_prefix": "x"}',
        "pipeline_policy": '{"Version": "2012-10-17", "Statement": []}',
    },
    "modules/archive": {"name": "oktalogger", "kms_key_arn": KEY},
    "modules/serverless": {"name": "oktalogger", "kms_key_arn": KEY, "loader_arns": [ROLE]},
    "modules/alarms": {
        "name": "oktalogger",
        "domain_name": "oktalogger",
        "volume_gib": 20,
        "sns_topic_arns": ["arn:aws:sns:us-east-1:123456789012:alarms"],
    },
}
"""For each module values that it takes."""


def _okta(**org: Any) -> dict[str, Any]:
    return {"okta_connections": {"okta_default": {"org_url": "https://company.okta.com"} | org}}


def _in(folder: str, *cases: tuple[str, int, Any] | tuple[str, int, Any, dict[str, Any]]) -> list[Refusal]:
    return [
        Refusal(folder, variable, nth, {variable: value} | (more[0] if more else {}))
        for variable, nth, value, *more in cases
    ]


_WILD = ["arn:aws:iam::123456789012:role/*"]
_SAML = {"entity_id": "x", "metadata_xml": "<xml/>"}
_COGNITO = {"user_pool_id": "us-east-1_Aa1", "identity_pool_id": "us-east-1:x", "role_arn": ROLE}
_FENCED = {"access": "public", "allowed_ip_ranges": ["203.0.113.0/28"]}
_OTHER_VPC = {"vpc_id": "vpc-0123456789abcdef0", "private_subnet_ids": ["subnet-a", "subnet-b"]}
_VPC = {"existing_vpc": {"vpc_id": "vpc-0123456789abcdef0", "private_subnet_ids": ["subnet-a", "subnet-a"]}}

REFUSALS: list[Refusal] = [
    *_in(
        ".",
        ("name", 0, "Okta_Logger"),
        ("kms_key_arn", 0, "alias/oktalogger"),
        ("kms_key_arn", 1, KEY.replace("us-east-1", "eu-central-1")),
        ("kms_key_arn", 2, KEY.replace("123456789012", "123456789000")),
        ("network", 0, {"nat_gateways": "none"}, {"mwaa": {}, "existing_vpc": None}),
        ("existing_vpc", 0, _VPC["existing_vpc"] | {"nat_public_ips": ["203.0.113.0/28"]}),
        ("existing_vpc", 1, _OTHER_VPC, {"mwaa": {}, "domain": _FENCED}),
        ("existing_vpc", 2, _VPC["existing_vpc"], {"mwaa": {}}),
        ("airflow_role_arns", 0, [], {"mwaa": None}),
        ("settings", 0, {"AIRFLOW__CORE__PARALLELISM": "16"}),
        ("settings", 1, {"OKTALOGGER_INDEX_PREFIX": "other"}),
        ("settings", 2, {"OKTALOGGER_ARCHIVE": "s3://other"}, {"archive": {}}),
    ),
    *_in(
        "modules/network",
        ("name", 0, "1st"),
        ("cidr_block", 0, "10.0.0.0/24"),
        ("cidr_block", 0, "10.0.0.0"),
        ("zone_count", 0, 1),
        ("role_prefix", 0, "x" * 45),
        ("nat_gateways", 0, "two"),
        ("kms_key_arn", 0, "00000000-0000-0000-0000-000000000000"),
        ("log_retention_days", 0, 8),
    ),
    *_in(
        "modules/opensearch",
        ("name", 0, "a-name-that-is-too-long-for-it"),
        ("index_prefix", 0, "okta.system.log"),
        ("role_prefix", 0, "okta/logger"),
        ("kms_key_arn", 0, "alias/oktalogger"),
        ("engine_version", 0, "OpenSearch_2.19"),
        ("engine_version", 0, "2.11"),
        ("engine_version", 0, "7.10"),
        ("engine_version", 1, "3.0"),
        ("instance_type", 0, "r7g.large"),
        ("instance_type", 1, "r7gd.large.search"),
        ("instance_type", 2, "t2.medium.search"),
        ("instance_type", 3, "r99g.large.search"),
        ("instance_count", 0, 0, {"zone_count": 1}),
        ("instance_count", 1, 3, {"zone_count": 2}),
        ("instance_count", 2, 12, {"instance_type": "t3.medium.search"}),
        ("zone_count", 0, 4, {"instance_count": 4, "access": "public"}),
        ("dedicated_master_type", 0, "m7g.large"),
        ("dedicated_master_type", 1, "t3.medium.search", {"instance_type": "m7g.large.search", "instance_count": 12}),
        ("dedicated_master_count", 0, 2),
        ("volume_gib", 0, 20.5),
        ("volume_gib", 1, 300, {"instance_type": "t3.medium.search"}),
        ("volume_gib", 1, 10, {"instance_type": "or1.large.search"}),
        ("volume_iops", 0, 100),
        ("volume_iops", 1, 3000, {"instance_type": "r7g.xlarge.search", "volume_gib": 2000}),
        ("volume_iops", 1, 12000, {"instance_type": "t3.medium.search", "volume_gib": 100}),
        ("volume_throughput_mib", 0, 60),
        ("volume_throughput_mib", 1, 125, {"instance_type": "r6g.large.search", "volume_gib": 256}),
        ("volume_throughput_mib", 1, 700, {"instance_type": "r6g.large.search", "volume_gib": 256}),
        ("off_peak_start_hour", 0, 24),
        ("access", 0, "private"),
        ("vpc_id", 0, None, {"access": "vpc"}),
        ("subnet_ids", 0, ["subnet-a", "subnet-a"], {"access": "vpc", "zone_count": 2, "instance_count": 2}),
        ("client_cidr_blocks", 0, ["0.0.0.0/0"]),
        ("client_cidr_blocks", 0, ["10.0.0.1"]),
        ("allowed_ip_ranges", 0, ["0.0.0.0/0"], {"access": "public"}),
        ("allowed_ip_ranges", 1, ["203.0.113.0/28"], {"access": "vpc"}),
        ("loader_arns", 0, ["*"]),
        ("loader_arns", 0, ["arn:aws:iam::123456789012:root"]),
        ("loader_arns", 0, ["arn:aws:sts::123456789012:assumed-role/worker/session"]),
        ("sync_arns", 0, _WILD),
        ("analyst_arns", 0, _WILD),
        ("analyst_saml_groups", 0, ["analysts"], {"saml": None}),
        ("master_trusted_arns", 0, _WILD),
        ("saml", 0, _SAML, {"access": "public", "allowed_ip_ranges": [], "subnet_ids": []}),
        ("saml", 1, _SAML | {"session_minutes": 2000}),
        ("cognito", 0, _COGNITO, {"saml": _SAML, "analyst_arns": [ROLE]}),
        ("cognito", 1, _COGNITO, {"saml": None, "analyst_arns": []}),
        ("log_retention_days", 0, 8),
    ),
    *_in(
        "modules/secrets",
        ("prefix", 0, "airflow/"),
        ("kms_key_arn", 0, "alias/oktalogger"),
        ("recovery_window_days", 0, 3),
        ("okta_connections", 0, {}),
        ("okta_connections", 1, _okta(org_url="https://company-admin.okta.com")["okta_connections"]),
        ("okta_connections", 1, _okta(org_url="http://company.okta.com")["okta_connections"]),
        ("okta_connections", 1, _okta(org_url="https://company.okta.com/api/v1/logs")["okta_connections"]),
        ("okta_connections", 2, _okta(auth="password")["okta_connections"]),
        ("okta_connections", 3, _okta(auth="private_key_jwt")["okta_connections"]),
        ("okta_connections", 4, _okta(credential_version=-1)["okta_connections"]),
        ("okta_credentials", 0, {}, _okta(credential_version=1)),
        ("opensearch_conn_id", 0, "okta_default", _okta()),
        ("opensearch", 0, {"host": "https://vpc-mock.us-east-1.es.amazonaws.com", "region": "us-east-1"}),
        ("security_documents", 0, "{}"),
    ),
    *_in(
        "modules/mwaa",
        ("name", 0, "ab"),
        ("kms_key_arn", 0, "alias/oktalogger"),
        ("vpc_id", 0, "oktalogger"),
        ("role_prefix", 0, "ab"),
        ("subnet_ids", 0, ["subnet-a"]),
        ("subnet_ids", 0, ["subnet-a", "subnet-b", "subnet-c"]),
        ("egress_ports", 0, [8080]),
        ("webserver_access", 0, "PUBLIC_ONLY"),
        ("tags", 0, {f"tag{number}": "x" for number in range(11)}),
        ("airflow_version", 0, "3.3"),
        ("airflow_version", 1, "2.10.3"),
        ("airflow_version", 2, "3.1.0"),
        ("environment_class", 0, "small"),
        ("min_workers", 0, 0),
        ("min_workers", 0, 2, {"environment_class": "mw1.micro"}),
        ("max_workers", 0, 1, {"min_workers": 2}),
        ("max_workers", 1, 2, {"environment_class": "mw1.micro"}),
        ("max_workers", 1, 26, {"environment_class": "mw1.large"}),
        ("schedulers", 0, 6),
        ("schedulers", 0, 1, {"environment_class": "mw1.small"}),
        ("schedulers", 0, 2, {"environment_class": "mw1.micro"}),
        ("maintenance_window_start", 0, "SUN:03:15"),
        ("package_folder", 0, "./tests"),
        ("environment_variables", 0, {"PYTHONPATH": "dags"}),
        ("environment_variables", 0, {"OKTA$(id)": "x"}),
        ("configuration_options", 0, {"AIRFLOW__CORE__PARALLELISM": "16"}),
        ("configuration_options", 1, {"secrets.backend": "x"}),
        ("secrets_backend_kwargs", 0, "{}"),
        ("pipeline_policy", 0, "allow everything"),
        ("log_level", 0, "TRACE"),
        ("log_retention_days", 0, 8),
        ("access_log_bucket", 0, "arn:aws:s3:::access-logs"),
        ("noncurrent_version_days", 0, 1),
    ),
    *_in(
        "modules/archive",
        ("name", 0, "A"),
        ("kms_key_arn", 0, "alias/oktalogger"),
        ("object_lock", 0, {"mode": "forever", "days": 1}),
        ("object_lock", 1, {"mode": "governance", "days": 0}),
        ("colder_after_days", 0, -1),
        ("expire_after_days", 0, 90, {"colder_after_days": 90}),
        ("expire_after_days", 0, 400, {"object_lock": {"mode": "compliance", "days": 731}}),
        ("access_log_bucket", 0, "arn:aws:s3:::access-logs"),
    ),
    *_in(
        "modules/serverless",
        ("name", 0, "a-name-that-is-too-long-x"),
        ("index_prefix", 0, "okta.system.log"),
        ("kms_key_arn", 0, "alias/oktalogger"),
        ("vpc_id", 0, "oktalogger"),
        ("subnet_ids", 0, [], {"vpc_id": "vpc-0123456789abcdef0"}),
        ("loader_arns", 0, []),
        ("analyst_arns", 0, _WILD),
    ),
    *_in(
        "modules/alarms",
        ("name", 0, "A"),
        ("sns_topic_arns", 0, []),
        ("sns_topic_arns", 0, ["arn:aws:sns:us-east-1:123456789012:*"]),
        ("jvm_memory_percent", 0, 100),
        ("silent_minutes", 0, 12),
        ("behind_minutes", 0, 0),
        (
            *("runs", 0),
            {"a dag": {"namespace": "x", "success_metric": "x", "delay_metric": "x", "dimensions": {}}},
        ),
    ),
]

ACCEPTED: dict[str, list[dict[str, Any]]] = {
    "modules/mwaa": [
        *({"airflow_version": version} for version in ("2.11.0", "2.11.2", "3.0.6", "3.2.1", "3.3.1")),
        {"airflow_version": "3.4.0", "accept_unlisted": True},
        {"tags": {f"tag{number}": "x" for number in range(10)}},
    ],
    "modules/opensearch": [
        {"engine_version": "3.1"},
        {"engine_version": "3.3", "instance_type": "or1.large.search", "instance_count": 1, "zone_count": 1},
        {"engine_version": "3.9", "instance_type": "r99g.large.search", "accept_unlisted": True},
    ],
}
"""Further values that must be taken: every version of Airflow that there is an Amazon MWAA image of, OpenSearch 3."""
