"""Writes monitors and refusals as the plugin does: the parts of the stand-in's answers."""

from __future__ import annotations

import copy
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

Answer = tuple[int, Any]


@dataclass(slots=True)
class Job:
    """A stored monitor or workflow."""

    id: str
    version: int
    seq_no: int
    content: dict[str, Any]


def stored_trigger(trigger: dict[str, Any]) -> dict[str, Any]:
    ((kind, inner),) = trigger.items()
    stored = {"id": new_id(), **copy.deepcopy(inner)}
    script = stored["condition"]["script"]
    stored["condition"]["script"] = {"source": script["source"], "lang": script.get("lang", "painless")}
    if kind == "bucket_level_trigger":
        stored["condition"].setdefault("gap_policy", "skip")
    stored["actions"] = [{"id": new_id(), "throttle_enabled": False, **action} for action in stored["actions"]]
    return {kind: stored}


def is_found(query: dict[str, Any], job: Job) -> bool:
    ((kind, inner),) = query.items()
    if kind == "match_all":
        return True
    if kind == "exists":
        return str(inner["field"]).removeprefix("monitor.") in job.content
    if kind == "term":
        ((name, value),) = inner.items()
        if name.startswith("monitor.ui_metadata"):
            return False  # stored, but not indexed
        return bool(job.content.get(name.removeprefix("monitor.").removesuffix(".keyword")) == value)
    if kind == "bool":
        return any(is_found(one, job) for one in inner["should"])
    raise NotImplementedError(kind)


def shown_to(job: Job, agent: str) -> dict[str, Any]:
    content = copy.deepcopy(job.content)
    if "OpenSearch-Dashboards" not in agent:
        content.pop("ui_metadata", None)
    return content


def hit_of(job: Job, agent: str, *, sort: bool) -> dict[str, Any]:
    hit: dict[str, Any] = {
        "_index": ".opendistro-alerting-config",
        "_id": job.id,
        "_version": job.version,
        "_seq_no": job.seq_no,
        "_primary_term": 1,
        "_score": None if sort else 1.0,
        "_source": shown_to(job, agent),
    }
    return {**hit, "sort": [job.seq_no]} if sort else hit


def compile_error(source: str) -> str | None:
    if source.count("(") == source.count(")"):
        return None
    return json.dumps({"type": "script_exception", "reason": "compile error", "script": source, "lang": "painless"})


def refusal(status: int, reason: str, exception: str, said: str | None = None) -> Answer:
    detail = {"type": "alerting_exception", "reason": reason}
    cause = {"type": "exception", "reason": f"{exception}: {said or reason}"}
    return status, {"error": {"root_cause": [detail], **detail, "caused_by": cause}, "status": status}


def not_found(reason: str) -> Answer:
    return refusal(404, reason, "org.opensearch.OpenSearchStatusException")


def new_id() -> str:
    return uuid.uuid4().hex[:20]


def now_ms() -> int:
    return int(time.time() * 1000)


ADDED = {
    "data_sources": {
        "query_index": ".opensearch-alerting-queries",
        "findings_index": ".opensearch-alerting-finding-history-write",
        "findings_index_pattern": "<.opensearch-alerting-finding-history-{now/d}-1>",
        "alerts_index": ".opendistro-alerting-alerts",
        "alerts_history_index": ".opendistro-alerting-alert-history-write",
        "alerts_history_index_pattern": "<.opendistro-alerting-alert-history-{now/d}-1>",
        "comments_index": ".opensearch-alerting-comments-history-write",
        "comments_index_pattern": "<.opensearch-alerting-comments-history-{now/d}-1>",
        "query_index_mappings_by_type": {},
        "findings_enabled": False,
    },
    "delete_query_index_in_every_run": False,
    "should_create_single_alert_for_findings": False,
    "owner": "alerting",
}
