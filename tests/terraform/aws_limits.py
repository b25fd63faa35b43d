"""What AWS's documented limits say about a plan, decided here and not in Terraform's words, from the same figures."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.terraform.workspace import SOURCE


@cache
def limits() -> dict[str, Any]:
    """The figures, with their sources."""
    read: dict[str, Any] = json.loads((SOURCE / "limits.json").read_text())
    return read


@dataclass(frozen=True)
class Place:
    """Where a plan is made for.

    :param region: the provider's region
    :param account: the provider's account
    """

    region: str
    account: str = "123456789012"


def objections(values: dict[str, Any], place: Place) -> set[str]:
    """Name the inputs, as ``variable.attribute``, that AWS would refuse or with which nothing could run.

    :param values: the inputs of the whole stack
    :param place: where it is planned
    """
    domain, mwaa = values.get("domain", {}), values.get("mwaa")
    found = _domain(domain)
    if mwaa is not None:
        found |= _environment(mwaa, values)
        found |= _network(values, domain)
    key = values.get("kms_key_arn")
    if key is not None and key.split(":")[3:5] != [place.region, place.account]:
        found.add("kms_key_arn")
    return found


def _domain(domain: dict[str, Any]) -> set[str]:
    known = limits()["opensearch"]
    kind = domain.get("instance_type", "t3.medium.search")
    family = kind.split(".")[0]
    nodes, zones = domain.get("instance_count", 2), domain.get("zone_count", 2)
    found = set()
    if domain.get("engine_version", "2.19") not in known["engine_versions"]["offered"]:
        found.add("domain.engine_version")
    if nodes % zones or (family == "t3" and nodes > known["burstable_data_nodes"]["most"]):
        found.add("domain.instance_count")
    masters = domain.get("dedicated_master_type")
    if masters and masters.startswith("t3") and nodes > known["dedicated_masters"]["burstable_up_to_data_nodes"]:
        found.add("domain.dedicated_master_type")
    if domain.get("saml") and domain.get("access") == "public" and not domain.get("allowed_ip_ranges"):
        found.add("domain.saml")
    if domain.get("saml") and domain.get("cognito"):
        found.add("domain.cognito")
    if kind not in known["data_nodes"]["types"]:
        return found | {"domain.instance_type"}
    return found | _volume(domain, known["data_nodes"]["types"][kind], known["gp3"])


def _volume(domain: dict[str, Any], node: dict[str, int], gp3: dict[str, Any]) -> set[str]:
    size = domain.get("volume_gib", 20)
    found = set()
    if not node["min_gib"] <= size <= node["max_gib"]:
        found.add("domain.volume_gib")
    least = max(3000, min(gp3["included_iops_most"], 3 * size))
    iops = domain.get("volume_iops", least)
    steps = math.ceil(size / gp3["step_gib"])
    if not least <= iops <= max(least, min(16000 * steps, 500 * size, node.get("max_iops", 10**6))):
        found.add("domain.volume_iops")
    brought = 125 if size < gp3["small_below_gib"] else min(1000, 250 * math.ceil(size / 3000))
    throughput = domain.get("volume_throughput_mib", brought)
    most = min(1000 * steps, iops // 4, node.get("max_throughput_mib", 10**6))
    if not brought <= throughput <= max(brought, most):
        found.add("domain.volume_throughput_mib")
    return found


def _environment(mwaa: dict[str, Any], values: dict[str, Any]) -> set[str]:
    known = limits()["mwaa"]
    size = known["classes"]["sizes"][mwaa.get("environment_class", "mw1.small")]
    found = set()
    version = mwaa.get("airflow_version", "3.3.1")
    too_old = tuple(map(int, version.split("."))) < (2, 11)
    if too_old or version not in known["airflow_versions"]["offered"]:
        found.add("mwaa.airflow_version")
    least, most = size["workers"]
    if not least <= mwaa.get("min_workers", 1) <= most:
        found.add("mwaa.min_workers")
    if not least <= mwaa.get("max_workers", least) <= most:
        found.add("mwaa.max_workers")
    least, most = size["schedulers"]
    if not least <= mwaa.get("schedulers", least) <= most:
        found.add("mwaa.schedulers")
    if len(values.get("tags", {})) > limits()["s3"]["object_tags"]["most"]:
        found.add("tags")
    return found


def _network(values: dict[str, Any], domain: dict[str, Any]) -> set[str]:
    vpc = values.get("existing_vpc")
    if vpc is None:
        return {"network.nat_gateways"} if values.get("network", {}).get("nat_gateways") == "none" else set()
    fenced = domain.get("access") == "public" and domain.get("allowed_ip_ranges")
    return {"existing_vpc.nat_public_ips"} if fenced and not vpc.get("nat_public_ips") else set()
