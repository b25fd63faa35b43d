"""What okta_check and reconcile find reaches an SNS topic, by the notifier of terraform/pipeline.tf."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.checks.airflow import PoolAnswer
from oktalogger.operators.check import OktaCheckOperator
from tests.airflow.conftest import ROOT
from tests.airflow.deployment import last_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.airflow.deployment import Deployment

pytestmark = [pytest.mark.airflow, pytest.mark.opensearch]  # and the stand-in for AWS
REGION = "eu-west-1"


def notifier(topic: str) -> dict[str, Any]:
    """Read the notifier out of Terraform's code, where a test holds it as JSON."""
    text = (ROOT / "terraform" / "pipeline.tf").read_text()
    [block] = re.findall(r"alarms = \{\n(.*?)\n      \}", text, re.DOTALL)
    found = dict(re.findall(r'(\w+) += "([^"]*)"', block))
    return {**found, "aws_conn_id": None, "region_name": REGION, "target_arn": topic}


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, str]]]]:
    """A topic of a stand-in for AWS, and what somebody hears who has subscribed to it."""
    import boto3
    from moto import mock_aws

    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        topic = boto3.client("sns").create_topic(Name="alarms")["TopicArn"]
        queue = boto3.client("sqs").create_queue(QueueName="somebody")["QueueUrl"]
        address = boto3.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=address["Attributes"]["QueueArn"])
        monkeypatch.setenv("OKTALOGGER_DETECTION_NOTIFIERS", json.dumps({"alarms": notifier(topic)}))
        monkeypatch.setenv("OKTALOGGER_CHECK_CHANNEL", "alarms")
        monkeypatch.setenv("OKTALOGGER_RECONCILE_CHANNEL", "alarms")

        def messages() -> list[dict[str, str]]:
            got = boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            bodies: list[dict[str, str]] = [json.loads(message["Body"]) for message in got]
            return [{"subject": body["Subject"], "message": body["Message"]} for body in bodies]

        yield messages


def test_what_is_wrong_is_told(
    here: Deployment, heard: Callable[[], list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oktalogger.operators.deployment.ask_for_pool", lambda *_, **__: PoolAnswer(True, 4))
    monkeypatch.setenv("OKTALOGGER_INDEX_PREFIX", here.prefix)
    monkeypatch.setenv("OKTALOGGER_LIVE_SHARE", "0.000001")
    operator = OktaCheckOperator(task_id="ask")
    method = OktaCheckOperator.execute
    getattr(method, "__wrapped__", method)(operator, here.context())
    [told] = heard()
    assert told["subject"] == "Okta System Log: something is wrong"
    assert "okta rate limit (okta_default): Okta allows" in told["message"]


def test_a_gap_is_told(
    here: Deployment, heard: Callable[[], list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OKTALOGGER_GAP_ALERT_SECONDS", "60")
    here.load_live(last_hours(1), leave_out=(3, 4))
    here.refresh()
    here.reconcile()
    [told] = heard()
    assert told["subject"] == "Okta System Log: late, refused or missing events"
    assert "had no complete window" in told["message"]
