"""Tells which of a domain's log groups on AWS has had a line, and when: one that is published may stay empty."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# https://docs.aws.amazon.com/opensearch-service/latest/developerguide/createdomain-configure-slow-logs.html and
# .../audit-logs.html, read on 29 November 2026: what each needs beside being published.
_KINDS: Final = {
    "AUDIT_LOGS": "the setup switches it on (OKTALOGGER_AUDIT)",
    "SEARCH_SLOW_LOGS": "a line comes with the first search that takes longer than an index's threshold",
    "INDEX_SLOW_LOGS": "a line comes with the first write that takes longer than an index's threshold",
    "ES_APPLICATION_LOGS": "a line comes with the first warning of the domain itself",
}
_DOMAIN: Final = re.compile(r"arn:[\w-]+:es:(?P<region>[\w-]+):\d+:domain/(?P<name>[\w-]+)")
_GROUP: Final = re.compile(r":log-group:(?P<name>[^:]+)")


def log_group_notices(session: Any, domain_arn: str) -> tuple[str, ...]:
    """Say of each kind of log of a domain whether it is published, and when its newest line was written.

    It needs ``es:DescribeDomain`` and ``logs:DescribeLogStreams``. CloudWatch tells of a new line after up to an hour.

    :param session: a session of boto3
    :param domain_arn: the domain
    :return: a sentence for each kind; where AWS refuses, one that says so
    """
    from botocore.exceptions import BotoCoreError, ClientError

    domain = _DOMAIN.fullmatch(domain_arn)
    if domain is None:
        return ()
    try:
        opensearch = session.client("opensearch", region_name=domain["region"])
        status = opensearch.describe_domain(DomainName=domain["name"])["DomainStatus"]
        logs = session.client("logs", region_name=domain["region"])
        published = status.get("LogPublishingOptions") or {}
        return tuple(_notice(logs, kind, words, published.get(kind)) for kind, words in _KINDS.items())
    except (BotoCoreError, ClientError) as error:
        return (
            f"Whether the log groups of the domain {domain['name']} have had a line could not be read: {error}. It "
            "needs es:DescribeDomain and logs:DescribeLogStreams.",
        )


def _notice(logs: Any, kind: str, words: str, option: Mapping[str, Any] | None) -> str:
    group = _GROUP.search((option or {}).get("CloudWatchLogsLogGroupArn") or "")
    if option is None or not option.get("Enabled") or group is None:
        return f"The domain does not publish {kind}: Terraform's module does, by log_publishing_options."
    newest = _newest_line(logs, group["name"])
    if newest is None:
        return f"{kind}: the log group {group['name']} has had no line yet; {words}."
    return f"{kind}: the newest line in the log group {group['name']} is of {newest:%Y-%m-%d %H:%M} UTC."


def _newest_line(logs: Any, group: str) -> datetime | None:
    streams = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=1)
    for stream in streams["logStreams"]:
        if "lastEventTimestamp" in stream:
            return datetime.fromtimestamp(stream["lastEventTimestamp"] / 1000, UTC)
    return None
