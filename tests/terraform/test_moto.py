"""The whole stack applied to an AWS stand-in: a second plan has nothing to do, and no state holds a secret."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.terraform.workspace import Run, Workspace

pytestmark = pytest.mark.xdist_group("moto")

PLANTED = ("planted-okta-token", "planted-okta-key")


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """The address of an AWS stand-in."""
    server = importlib.import_module("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def runs(workspace: Workspace, aws: str) -> dict[str, Run]:
    environ = {"AWS_ENDPOINT_URL": aws, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    return {name: run for (_, name), run in workspace.test("tests/moto", verbose=True, environ=environ).items()}


def test_apply(runs: dict[str, Run]) -> None:
    assert runs["apply"].status == "pass", runs["apply"].messages
    assert len(runs["apply"].resources("aws_cloudwatch_log_group")) == 10


@pytest.mark.parametrize(("name", "resources"), [("second_plan", 60), ("three_stacks_again", 180)])
def test_second_plan_is_empty(runs: dict[str, Run], name: str, resources: int) -> None:
    run = runs[name]
    assert run.status == "pass", run.messages
    assert run.plan is not None
    changes = run.plan["resource_changes"]
    assert len(changes) > resources
    moved = {c["address"]: c["change"] for c in changes if c["change"]["actions"] not in (["no-op"], ["read"])}
    assert not moved, json.dumps(moved, indent=2)
    assert not {name for name, c in run.plan.get("output_changes", {}).items() if c["actions"] != ["no-op"]}


def test_that_an_account_takes_three_stacks(runs: dict[str, Run]) -> None:
    """The same name in two regions, and another name: whatever is unique in an account or in the world differs."""
    run = runs["three_stacks"]
    assert run.status == "pass", run.messages
    names = [role["name"] for role in run.resources("aws_iam_role").values()]
    assert len(names) == 9
    assert len(set(names)) == 9
    assert "twice-eu-central-1-opensearch-master" in names


def test_that_state_and_plan_hold_no_secret(runs: dict[str, Run]) -> None:
    for run in runs.values():
        text = json.dumps([run.state, run.plan, run.diagnostics])
        assert "okta_default" in text
        for secret in PLANTED:
            assert secret not in text, f"{run.name}: {secret} is in the state or the plan"


def test_that_the_secrets_are_as_airflow_reads_them(runs: dict[str, Run], aws: str) -> None:
    """Terraform has destroyed the stack by now, but deleted secrets can be brought back for seven days."""
    assert runs["apply"].status == "pass"
    client = importlib.import_module("boto3").client(
        "secretsmanager",
        endpoint_url=aws,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )

    def secret(name: str) -> Any:
        client.restore_secret(SecretId=name)
        return json.loads(client.get_secret_value(SecretId=name)["SecretString"])

    assert secret("oktalogger/connections/okta_default") == {
        **{"conn_type": "okta", "host": "https://company.okta.com", "password": "planted-okta-token"},
        "extra": {"auth": "ssws"},
    }
    assert secret("oktalogger/connections/okta_emea") == {
        **{"conn_type": "okta", "host": "https://emea.okta.com"},
        "extra": {"auth": "private_key_jwt", "client_id": "0oa1", "key_id": "k1", "private_key": "planted-okta-key"},
    }
    assert secret("oktalogger/connections/opensearch_default") == {
        **{"conn_type": "opensearch", "host": "vpc-oktalogger-abc.us-east-1.es.amazonaws.com", "port": 443},
        "extra": {
            **{"auth": "sigv4", "region": "us-east-1", "service": "es"},
            "dashboards_url": "https://vpc-oktalogger-abc.us-east-1.es.amazonaws.com/_dashboards",
        },
    }
    documents = secret("oktalogger/variables/oktalogger_security")
    assert set(documents) == {"version", "domain_arn", "master_role_arn", "roles", "role_mappings"}
    assert documents["roles"].keys() == documents["role_mappings"].keys()
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        secret("oktalogger/connections/okta_later")


def test_that_the_default_security_group_is_closed(runs: dict[str, Run]) -> None:
    (group,) = runs["apply"].resources("aws_default_security_group").values()
    assert group["ingress"] == []
    assert group["egress"] == []


def test_that_the_environment_waits_for_what_it_needs(runs: dict[str, Run]) -> None:
    """Amazon MWAA looks for these half-way through its half hour, and then fails without saying for which."""
    environment = next(
        resource
        for resource in _all(runs["apply"].state)
        if resource["address"] == "module.mwaa[0].aws_mwaa_environment.this"
    )
    own = {
        *("aws_iam_role_policy.execution", "aws_iam_role_policy.pipeline", "aws_cloudwatch_log_group.this"),
        *("aws_s3_bucket_public_access_block.this", "aws_s3_bucket_versioning.this", "aws_s3_bucket_policy.this"),
        *("aws_vpc_security_group_ingress_rule.itself", "aws_vpc_security_group_egress_rule.itself"),
        "aws_vpc_security_group_egress_rule.out",
    }
    assert {f"module.mwaa.{name}" for name in own} <= set(environment["depends_on"])
    assert {f"module.network.aws_{name}" for name in ("route.private", "nat_gateway.this")} <= set(
        environment["depends_on"]
    )


def test_that_domain_and_environment_are_made_side_by_side(runs: dict[str, Run]) -> None:
    """One takes a quarter of an hour, the other half an hour: neither waits for the other."""
    waits = {resource["type"]: set(resource.get("depends_on", ())) for resource in _all(runs["apply"].state)}
    assert "module.opensearch.aws_opensearch_domain.this" not in waits["aws_mwaa_environment"]
    assert "module.mwaa.aws_mwaa_environment.this" not in waits["aws_opensearch_domain"]
    assert "module.opensearch.aws_cloudwatch_log_resource_policy.this" in waits["aws_opensearch_domain"]


def _all(state: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    assert state is not None
    modules = [state["root_module"]]
    while modules:
        module = modules.pop()
        yield from module.get("resources", ())
        modules += module.get("child_modules", ())
