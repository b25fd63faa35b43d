"""Reads what the rules found, and what is wrong with rules and monitors, for the page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.grouped_search import ORG_FIELD, group_values
from oktalogger.detections.messages import about
from oktalogger.detections.model import ALERTING_SEVERITY, MONITOR_PREFIX
from oktalogger.opensearch.request import search
from oktalogger.text import printable
from oktalogger.ui.snapshot import MOST_FINDINGS, PageFinding, RuleText
from oktalogger.window import parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.detections.monitors.api import AlertingClient
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.window import Window

_READ: Final = (
    "detection.id",
    "detection.name",
    "detection.title",
    "detection.severity",
    "first",
    "last",
    "events",
    "group",
    "example",
    "run_id",
    "found_at",
    "notified",
)
_OURS: Final = re.compile(rf"{re.escape(MONITOR_PREFIX)}(?P<title>.*) \[(?P<id>[^\[\]]+)\]", re.DOTALL)
_SEVERITIES: Final = {number: severity for severity, number in ALERTING_SEVERITY.items()}
# Those of deleted monitors, and of monitors that failed, are not about an event.
_ALERT_STATES: Final = ("active", "acknowledged", "completed")
# What somebody else can make as long as he likes: a name, and with it the line of an example.
_LONGEST_NAME: Final = 200
_LONGEST_EXAMPLE: Final = 500


@dataclass(frozen=True, slots=True)
class ReadFindings:
    """What was read.

    :param findings: the newest, by the last of their events
    :param left_out: how many more there are
    :param rules: what the matches say of their rules, by id
    """

    findings: tuple[PageFinding, ...]
    left_out: int
    rules: Mapping[str, RuleText]


def read_findings(client: OpenSearch, names: IndexNames, org: str, within: Window) -> ReadFindings:
    """Read the newest matches of one org, those with which no rule is satisfied any more too. One search.

    :param client: the client
    :param names: the names of the deployment
    :param org: the org's host name
    :param within: the range in which the last of a match's events happened
    :raises OpenSearchLoadError: if OpenSearch cannot be asked
    """
    last = {"gte": within.start.isoformat(), "lt": within.end.isoformat()}
    body = {
        "size": MOST_FINDINGS,
        "track_total_hits": True,
        "_source": list(_READ),
        "query": {"bool": {"filter": [{"term": {"org": org}}, {"range": {"last": last}}]}},
        # By event as well, so that the order is the same each time.
        "sort": [{"last": "desc"}, {"detection.id": "asc"}, {"event_id": "asc"}],
    }
    # Before the first search of a rule there is no such index.
    answer = search(client, names.matches, body, doing=f"to read what rules found in {within}")
    sources = [hit["_source"] for hit in answer["hits"]["hits"]]
    total = answer["hits"]["total"]["value"] if sources else 0
    rules = {source["detection"]["id"]: _rule(source["detection"]) for source in reversed(sources)}
    return ReadFindings(tuple(map(_finding, sources)), total - len(sources), rules)


def read_alerts(client: AlertingClient, org: str, within: Window) -> ReadFindings:
    """Read the newest alerts of our monitors about one org.

    :param client: the cluster; one without the Alerting plugin has none
    :param org: the org's host name
    :param within: the range in which an alert began
    :raises OpenSearchLoadError: if they cannot be read, or not by this user
    """
    findings, rules = [], {}
    for alert in client.alerts(MOST_FINDINGS) if client.available() else ():
        rule = _rule_of_monitor(alert)
        finding = None if rule is None else _alerted(alert, rule[0], org, within)
        if rule is not None and finding is not None:
            findings.append(finding)
            rules[rule[0]] = rule[1]
    return ReadFindings(tuple(findings), 0, rules)


def merge_findings(*read: ReadFindings) -> ReadFindings:
    """Put matches and alerts together, the newest first.

    :param read: what was read of each
    """
    every = sorted((finding for one in read for finding in one.findings), key=_order, reverse=True)
    left_out = sum(one.left_out for one in read) + max(0, len(every) - MOST_FINDINGS)
    rules = {rule_id: rule for one in read for rule_id, rule in one.rules.items()}
    return ReadFindings(tuple(every[:MOST_FINDINGS]), left_out, rules)


def _order(finding: PageFinding) -> tuple[datetime, str, tuple[str, ...]]:
    return finding.last, finding.rule, finding.who


def _rule_of_monitor(alert: Mapping[str, Any]) -> tuple[str, RuleText] | None:
    """Return the rule that an alert's monitor was made of, None if the monitor is not ours."""
    name = str(alert.get("monitor_name", ""))
    found = _OURS.fullmatch(name)
    if found is None:
        return None
    severity = _SEVERITIES.get(str(alert.get("severity")), "")
    text = RuleText(name="", title=found["title"], severity=severity, about="The rule no longer exists.")
    return found["id"], text


def _alerted(alert: Mapping[str, Any], rule_id: str, org: str, within: Window) -> PageFinding | None:
    state = str(alert.get("state", "")).lower()
    bucket = (alert.get("agg_alert_content") or {}).get("bucket") or {}
    values = group_values(bucket.get("key") or {})
    began = datetime.fromtimestamp(int(alert.get("start_time") or 0) // 1000, UTC)
    if state not in _ALERT_STATES or values.pop(ORG_FIELD, org) != org or not within.start <= began < within.end:
        return None
    seen = int(alert.get("last_notification_time") or 0) // 1000
    return PageFinding(
        rule=rule_id,
        who=tuple(printable(f"{field}={value}")[:_LONGEST_NAME] for field, value in values.items()),
        first=began,
        last=max(began, datetime.fromtimestamp(seen, UTC)),
        events=int(bucket.get("doc_count") or 1),
        found_at=began,
        state=state,
    )


def rule_texts(stored: Mapping[str, RuleText], detections: Iterable[CompiledDetection]) -> dict[str, RuleText]:
    """Add what the rules say today to what their matches say of them.

    :param stored: by the rule's id
    :param detections: the rules
    """
    known = {
        rule.id: RuleText(
            name=rule.name, title=rule.title, severity=rule.severity, about=about(rule), query=rule.selection
        )
        for rule in detections
        if rule.id in stored
    }
    return {**stored, **known}


def _rule(detection: Mapping[str, Any]) -> RuleText:
    return RuleText(
        name=str(detection.get("name", "")),
        title=str(detection.get("title", "")),
        severity=str(detection.get("severity", "")),
        about="The rule no longer exists.",
    )


def _finding(source: Mapping[str, Any]) -> PageFinding:
    return PageFinding(
        rule=source["detection"]["id"],
        who=tuple(printable(line)[:_LONGEST_NAME] for line in source.get("group") or ()),
        first=parse_instant(source["first"], name="first").replace(microsecond=0),
        last=parse_instant(source["last"], name="last").replace(microsecond=0),
        events=int(source.get("events", 1)),
        found_at=parse_instant(source["found_at"], name="found_at").replace(microsecond=0),
        told=tuple(source.get("notified") or ()),
        run_id=str(source.get("run_id") or ""),
        example=printable(str(source.get("example") or ""))[:_LONGEST_EXAMPLE],
    )
