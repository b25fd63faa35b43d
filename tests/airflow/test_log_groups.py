"""Which of a domain's log groups has had a line, asked of moto."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.opensearch.setup.log_groups import log_group_notices

if TYPE_CHECKING:
    from collections.abc import Iterator

moto = pytest.importorskip("moto")
REGION, DOMAIN = "eu-west-1", "okta-logs"
ARN = f"arn:aws:es:{REGION}:123456789012:domain/{DOMAIN}"
GROUPS = "/aws/OpenSearchService/domains/okta-logs"
KINDS = {"AUDIT_LOGS": "audit-logs", "SEARCH_SLOW_LOGS": "search-logs", "INDEX_SLOW_LOGS": "index-logs"}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    import boto3

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with moto.mock_aws():
        made = boto3.Session()
        logs = made.client("logs", region_name=REGION)
        for group in KINDS.values():
            logs.create_log_group(logGroupName=f"{GROUPS}/{group}")
            logs.create_log_stream(logGroupName=f"{GROUPS}/{group}", logStreamName="one")
        options = {
            kind: {
                "CloudWatchLogsLogGroupArn": f"arn:aws:logs:{REGION}:123456789012:log-group:{GROUPS}/{group}",
                "Enabled": kind != "INDEX_SLOW_LOGS",
            }
            for kind, group in KINDS.items()
        }
        made.client("opensearch", region_name=REGION).create_domain(DomainName=DOMAIN, LogPublishingOptions=options)
        yield made


def notices(session: Any) -> dict[str, str]:
    """Return what is said of each kind."""
    found = log_group_notices(session, ARN)
    return {kind: said for said in found for kind in (*KINDS, "ES_APPLICATION_LOGS") if kind in said}


def test_each_kind_is_named_with_what_to_do(session: Any) -> None:
    found = notices(session)
    assert len(found) == 4
    assert "audit-logs has had no line yet; the setup switches it on" in found["AUDIT_LOGS"]
    assert "search-logs has had no line yet" in found["SEARCH_SLOW_LOGS"]
    for kind in ("INDEX_SLOW_LOGS", "ES_APPLICATION_LOGS"):
        assert f"does not publish {kind}" in found[kind]


def test_the_newest_line_is_told(session: Any) -> None:
    now = datetime.now(UTC)
    event = {"timestamp": int(now.timestamp() * 1000), "message": "a line"}
    session.client("logs", region_name=REGION).put_log_events(
        logGroupName=f"{GROUPS}/audit-logs", logStreamName="one", logEvents=[event]
    )
    found = notices(session)
    assert f"is of {now:%Y-%m-%d %H:%M} UTC" in found["AUDIT_LOGS"]
    assert "no line yet" in found["SEARCH_SLOW_LOGS"]


def test_a_refusal_is_told_with_what_is_needed(session: Any) -> None:
    (said,) = log_group_notices(session, ARN.replace(DOMAIN, "another"))
    assert "another" in said
    assert "logs:DescribeLogStreams" in said


def test_what_names_no_domain_is_left_alone(session: Any) -> None:
    assert log_group_notices(session, "arn:aws:aoss:eu-west-1:123456789012:collection/x") == ()
