"""Plans of the whole stack: each is refused with a sentence, or is one that AWS's documented limits allow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.terraform.aws_limits import Place
from tests.terraform.refusals import KEY, ROLE

VIRGINIA, FRANKFURT = Place("us-east-1"), Place("eu-central-1")
_VPC = {"vpc_id": "vpc-0123456789abcdef0", "private_subnet_ids": ["subnet-a", "subnet-b", "subnet-c"]}
_SAML = {"entity_id": "http://www.okta.com/exk1", "metadata_xml": "<xml/>"}
_FENCED: dict[str, Any] = {"access": "public", "allowed_ip_ranges": ["203.0.113.0/28"]}
_COGNITO = {"user_pool_id": "us-east-1_Aa1", "identity_pool_id": "us-east-1:x", "role_arn": ROLE}
_THREE: dict[str, Any] = {"instance_count": 3, "zone_count": 3}


@dataclass(frozen=True)
class Case:
    """One plan.

    :param values: the stack's inputs, beyond those that it cannot do without
    :param refused: the inputs that are named in a refusal; empty where the plan must be made
    """

    name: str
    values: dict[str, Any]
    refused: frozenset[str] = field(default=frozenset())
    place: Place = VIRGINIA


def _domain(name: str, *refused: str, place: Place = VIRGINIA, **domain: Any) -> Case:
    values = {"domain": domain, "airflow_role_arns": [ROLE]}
    return Case(name, values, frozenset(f"domain.{attribute}" for attribute in refused), place)


def _mwaa(name: str, *refused: str, place: Place = VIRGINIA, **mwaa: Any) -> Case:
    return Case(name, {"mwaa": mwaa}, frozenset(f"mwaa.{attribute}" for attribute in refused), place)


def _stack(name: str, *refused: str, place: Place = VIRGINIA, **values: Any) -> Case:
    return Case(name, values, frozenset(refused), place)


_TAGS = {f"tag{number}": "x" for number in range(11)}

CASES = [
    # Engines, zones, instance types and volumes.
    _domain("defaults"),
    _domain("engine_31", engine_version="3.1"),
    _domain("engine_33", engine_version="3.3", place=FRANKFURT),
    _domain("engine_35_three_zones", engine_version="3.5", **_THREE),
    _domain("engine_not_offered", "engine_version", engine_version="3.0"),
    _domain("one_node", instance_count=1, zone_count=1),
    _domain("three_nodes_two_zones", "instance_count", instance_count=3, zone_count=2),
    _domain("small_burstable_full", instance_type="t3.small.search", volume_gib=100),
    _domain("small_burstable_too_full", "volume_gib", instance_type="t3.small.search", volume_gib=101),
    _domain("medium_burstable_full", volume_gib=200),
    _domain("burstable_ten_nodes", instance_count=10),
    _domain("burstable_twelve_nodes", "instance_count", instance_count=12),
    _domain("own_disks_i3", "instance_type", instance_type="i3.large.search"),
    _domain("own_disks_r7gd", "instance_type", instance_type="r7gd.large.search", place=FRANKFURT),
    _domain("own_disks_oi2", "instance_type", instance_type="oi2.large.search"),
    _domain("no_gp3", "instance_type", instance_type="r4.large.search"),
    _domain("not_known", "instance_type", instance_type="r99g.large.search"),
    _domain("memory_full", instance_type="r7g.large.search", volume_gib=1536, **_THREE),
    _domain("memory_too_full", "volume_gib", instance_type="r7g.large.search", volume_gib=2048, **_THREE),
    _domain("optimized_least", instance_type="or1.large.search", volume_gib=20),
    _domain("optimized_too_small", "volume_gib", instance_type="or1.large.search", volume_gib=10),
    _domain("iops_within", instance_type="m7g.large.search", volume_gib=100, volume_iops=16000),
    _domain("iops_over_instance", "volume_iops", volume_gib=100, volume_iops=12000),
    _domain("iops_over_size", "volume_iops", instance_type="m7g.large.search", volume_gib=10, volume_iops=6000),
    _domain("iops_under_included", "volume_iops", instance_type="r7g.xlarge.search", volume_gib=2000, volume_iops=3000),
    _domain("throughput_within", instance_type="r6g.large.search", volume_gib=256, volume_throughput_mib=593),
    _domain(
        "throughput_over_instance",
        "volume_throughput_mib",
        instance_type="r6g.large.search",
        volume_gib=256,
        volume_throughput_mib=600,
    ),
    _domain(
        "throughput_under_included",
        "volume_throughput_mib",
        instance_type="r6g.large.search",
        volume_gib=256,
        volume_throughput_mib=125,
    ),
    _domain("masters", instance_type="r7g.large.search", dedicated_master_type="m7g.large.search", **_THREE),
    _domain(
        "burstable_masters",
        "dedicated_master_type",
        instance_type="r7g.large.search",
        instance_count=12,
        dedicated_master_type="t3.medium.search",
    ),
    _domain("saml", saml=_SAML, analyst_saml_groups=["analysts"]),
    _domain("saml_fenced", saml=_SAML, place=FRANKFURT, **_FENCED),
    _domain("saml_for_the_internet", "saml", saml=_SAML, access="public"),
    _stack("cognito", airflow_role_arns=[ROLE], analyst_arns=[ROLE], domain={"cognito": _COGNITO}),
    _stack("two_logins", "domain.cognito", mwaa={}, analyst_arns=[ROLE], domain={"cognito": _COGNITO, "saml": _SAML}),
    # Classes, workers, schedulers and versions of Amazon MWAA.
    _mwaa("environment"),
    _mwaa("environment_frankfurt", place=FRANKFURT),
    _mwaa("micro", environment_class="mw1.micro"),
    _mwaa("micro_one_scheduler", environment_class="mw1.micro", schedulers=1, max_workers=1),
    _mwaa("micro_two_schedulers", "schedulers", environment_class="mw1.micro", schedulers=2),
    _mwaa("micro_two_workers", "max_workers", environment_class="mw1.micro", max_workers=2),
    _mwaa("micro_always_two", "min_workers", environment_class="mw1.micro", min_workers=2),
    _mwaa("small_one_scheduler", "schedulers", environment_class="mw1.small", schedulers=1),
    _mwaa("small_five_schedulers", environment_class="mw1.small", schedulers=5),
    _mwaa("largest", environment_class="mw1.2xlarge", min_workers=5, max_workers=25, schedulers=5),
    _mwaa("too_many_workers", "max_workers", environment_class="mw1.large", max_workers=26),
    _mwaa("airflow_2110", airflow_version="2.11.0"),
    _mwaa("airflow_306", airflow_version="3.0.6"),
    _mwaa("airflow_321", airflow_version="3.2.1", place=FRANKFURT),
    _mwaa("airflow_too_old", "airflow_version", airflow_version="2.10.3"),
    _mwaa("airflow_without_image", "airflow_version", airflow_version="3.1.0"),
    # Networks, keys and tags.
    _stack("no_way_out", "network.nat_gateways", mwaa={}, network={"nat_gateways": "none"}),
    _stack("way_out_per_zone", mwaa={}, network={"nat_gateways": "per_zone"}),
    _stack("domain_needs_no_way_out", airflow_role_arns=[ROLE], network={"nat_gateways": "none"}),
    _stack("own_vpc", mwaa={}, existing_vpc=_VPC, network={"nat_gateways": "none"}),
    _stack("own_vpc_fenced", mwaa={}, existing_vpc=_VPC | {"nat_public_ips": ["203.0.113.77"]}, domain=_FENCED),
    _stack("own_vpc_shut_out", "existing_vpc.nat_public_ips", mwaa={}, existing_vpc=_VPC, domain=_FENCED),
    _stack("own_vpc_public", mwaa={}, existing_vpc=_VPC, domain={"access": "public"}),
    _stack("fenced", mwaa={}, domain=_FENCED),
    _stack("key_here", airflow_role_arns=[ROLE], kms_key_arn=KEY),
    _stack("key_of_another_region", "kms_key_arn", mwaa={}, kms_key_arn=KEY, place=FRANKFURT),
    _stack("key_of_another_account", "kms_key_arn", mwaa={}, kms_key_arn=KEY.replace("123456789012", "123456789000")),
    _stack("ten_tags", mwaa={}, tags=dict(list(_TAGS.items())[:10])),
    _stack("eleven_tags", "tags", mwaa={}, tags=_TAGS),
    _stack("eleven_tags_without_objects", airflow_role_arns=[ROLE], tags=_TAGS),
]
