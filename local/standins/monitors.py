"""Makes monitors of rules that do not exist, for tests and measurements of the sync."""

from __future__ import annotations

import uuid
from typing import Any

from oktalogger.detections.model import RenderedMonitor, source_hash

INDEX = "okta-system-log"


def detection_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def event_body(number: int, *, query: str = "eventType:x", title: str = "", index: str = INDEX) -> dict[str, Any]:
    """The monitor of a rule of single events."""
    rule = detection_id(number)
    window = {"gt": "{{period_end}}||-2h", "lte": "{{period_end}}", "format": "epoch_millis"}
    sources: list[dict[str, Any]] = [
        {"okta_org": {"terms": {"field": "oktalogger.org"}}},
        {"okta_hour": {"date_histogram": {"field": "oktalogger.ingested_at", "fixed_interval": "1h"}}},
    ]
    search = {
        "size": 0,
        "query": {
            "bool": {"filter": [{"query_string": {"query": query}}, {"range": {"oktalogger.ingested_at": window}}]}
        },
        "aggregations": {"composite_agg": {"composite": {"size": 1000, "sources": sources}}},
    }
    condition = {
        "buckets_path": {"n": "_count"},
        "parent_bucket_path": "composite_agg",
        "script": {"source": "params.n > 0", "lang": "painless"},
        "gap_policy": "skip",
    }
    name = title or f"Rule {number}"
    trigger = {"id": f"trigger-{number}", "name": name, "severity": "2", "condition": condition, "actions": []}
    return {
        "type": "monitor",
        "monitor_type": "bucket_level_monitor",
        "name": f"oktalogger: {name} [{rule}]",
        "enabled": True,
        "schedule": {"period": {"interval": 1, "unit": "MINUTES"}},
        "inputs": [{"search": {"indices": [index], "query": search}}],
        "triggers": [{"bucket_level_trigger": trigger}],
    }


def document_level_body(
    number: int, *, query: str = "eventType:x", title: str = "", index: str = INDEX
) -> dict[str, Any]:
    """A document-level monitor, the form that rules of single events had before."""
    rule = detection_id(number)
    return {
        "type": "monitor",
        "monitor_type": "doc_level_monitor",
        "name": f"oktalogger: {title or f'Rule {number}'} [{rule}]",
        "enabled": True,
        "schedule": {"period": {"interval": 1, "unit": "MINUTES"}},
        "inputs": [
            {
                "doc_level_input": {
                    "description": "",
                    "indices": [index],
                    "queries": [{"id": rule, "name": f"rule-{number}", "tags": [], "fields": [], "query": query}],
                }
            }
        ],
        "triggers": [
            {
                "document_level_trigger": {
                    "id": f"trigger-{number}",
                    "name": title or f"Rule {number}",
                    "severity": "2",
                    "condition": {"script": {"source": f"query[name=rule-{number}]", "lang": "painless"}},
                    "actions": [],
                }
            }
        ],
    }


def threshold_body(number: int, *, at_least: int = 10, index: str = INDEX) -> dict[str, Any]:
    slot = {"source": "doc['published'].value.toInstant().toEpochMilli() / params.w", "params": {"w": 600_000}}
    search = {
        "size": 0,
        "query": {
            "bool": {
                "filter": [
                    {"query_string": {"query": "eventType:user.session.start"}},
                    {"range": {"published": {"gt": "{{period_end}}||-72h", "lte": "{{period_end}}"}}},
                ]
            }
        },
        "aggs": {
            "composite_agg": {
                "composite": {
                    "size": 1000,
                    "sources": [
                        {"ip": {"terms": {"field": "client.ipAddress"}}},
                        {"slot": {"terms": {"script": slot}}},
                    ],
                },
                "aggs": {
                    "users": {"cardinality": {"field": "actor.id"}},
                    "fresh": {"filter": {"range": {"oktalogger.ingested_at": {"gt": "{{period_end}}||-15m"}}}},
                },
            }
        },
    }
    condition = {
        "buckets_path": {"n": "_count", "fresh": "fresh>_count"},
        "parent_bucket_path": "composite_agg",
        "script": {"source": f"params.n >= {at_least} && params.fresh > 0", "lang": "painless"},
    }
    trigger = {"id": f"trigger-{number}", "name": "too many", "severity": "3", "condition": condition, "actions": []}
    return event_body(number) | {
        "monitor_type": "bucket_level_monitor",
        "inputs": [{"search": {"indices": [index], "query": search}}],
        "triggers": [{"bucket_level_trigger": trigger}],
    }


def rendered(number: int, **options: Any) -> RenderedMonitor:
    """The monitor of one rule; every third counts."""
    body = options.pop("body", None)
    if body is None:
        body = event_body(number, **options)
    return RenderedMonitor(detection_id(number), body["name"], body, (), source_hash(body))


def rules(count: int) -> list[RenderedMonitor]:
    """Monitors of several rules; every third counts."""
    return [
        rendered(number, body=threshold_body(number) if number % 3 == 0 else None) for number in range(1, count + 1)
    ]
