"""Monitors in memory, behind the plugin's paths, with the plugin's answers.

What the recorded exchanges show is answered as there; what they do not show (owners, workflows, the User-Agent) as the
plugin's source says. It runs no monitor and sends no alert.
"""

from __future__ import annotations

import copy
import itertools
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from local.standins import engine
from local.standins.stored_form import UnknownQueryError, stored_search

BASE = "/_plugins/_alerting/monitors"
CHANNELS = "/_plugins/_notifications/channels"
_KEPT = ("type", "monitor_type", "name", "enabled", "schedule", "inputs", "triggers", "ui_metadata", "owner")
_SEARCH_PARAMS = {"index", "source", "source_content_type"}

Answer = tuple[int, Any]


@dataclass(slots=True)
class Job:
    """A stored monitor or workflow."""

    id: str
    version: int
    seq_no: int
    content: dict[str, Any]


@dataclass(slots=True)
class AlertingStandIn:
    """The plugins' part of a cluster.

    :param indices: indices and aliases that monitors may read
    :param channels: notification channels, as ``{"name", "config_id", "is_enabled"}``
    :param plugin: whether the plugins are there at all
    :param max_monitors: the setting of that name
    :param is_untouched: whether nobody has ever made a monitor here, as on a new cluster
    :param refused: what OpenSearch says of a query, by a part of it (see :mod:`local.standins.engine`)
    :param mappings: of each month under the alias
    """

    indices: set[str] = field(default_factory=lambda: {"okta-system-log"})
    channels: list[dict[str, Any]] = field(default_factory=list)
    plugin: bool = True
    max_monitors: int = 1000
    is_untouched: bool = False
    refused: dict[str, str] = field(default_factory=dict)
    mappings: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    _seq_no: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def writes(self) -> list[tuple[str, str]]:
        """The requests so far that create, update or delete a monitor."""
        return [
            (method, path)
            for method, path in self.log
            if method in ("PUT", "DELETE") or (method == "POST" and path == BASE)
        ]

    def handle(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Answer one request.

        :param target: path and query string
        :param body: the parsed JSON body
        :param headers: with names in lower case
        """
        path, _, query = target.partition("?")
        params = dict(parse_qsl(query))
        self.log.append((method, path))
        agent = (headers or {}).get("user-agent", "")
        if (asked := self._asked(path, body)) is not None:
            return asked
        if path.endswith("/_mapping") and method == "GET":
            return 200, {index: {"mappings": mapping} for index, mapping in self.mappings.items()}
        if not self.plugin:
            return 400, {"error": f"no handler found for uri [{target}] and method [{method}]"}
        if path == CHANNELS and method == "GET":
            return self._channels()
        if path == BASE and method == "POST":
            return self._create(body)
        if self.is_untouched and (untouched := self._untouched(method, path)) is not None:
            return untouched
        if path == f"{BASE}/_search":
            return self._search(body or {}, params, agent)
        if path == f"{BASE}/alerts":
            return 200, {"alerts": [], "totalAlerts": 0}
        if path == "/_plugins/_alerting/findings/_search":
            return 200, {"total_findings": 0, "findings": []}
        if path.endswith("/_execute") and method == "POST":
            return self._execute(path.removesuffix("/_execute").removeprefix(BASE).strip("/"), body)
        monitor_id = path.removeprefix(f"{BASE}/")
        if path.startswith(f"{BASE}/") and "/" not in monitor_id:
            if method == "GET":
                return self._get(monitor_id, agent)
            if method == "PUT":
                return self._update(monitor_id, params, body)
            if method == "DELETE":
                return self._delete(monitor_id)
        return 400, {"error": f"no handler found for uri [{target}] and method [{method}]"}

    def _untouched(self, method: str, path: str) -> Answer | None:
        """Answer as 2.19 does before anybody has made a monitor; a PUT makes the index that is missing."""
        if method == "PUT":
            self.is_untouched = False
            return None
        if path == f"{BASE}/alerts" or not path.startswith(BASE):
            return None
        missing = "no such index [.opendistro-alerting-config]"
        reason = "Configured indices are not found: [.opendistro-alerting-config]"
        return _error(404, reason, "org.opensearch.index.IndexNotFoundException", missing)

    def _asked(self, path: str, body: Any) -> Answer | None:
        index, _, action = path.strip("/").partition("/")
        if index.startswith("_") or action not in ("_validate/query", "_search"):
            return None
        if index not in self.indices:
            return engine.no_such_index(index)
        return engine.search(body) if action == "_search" else engine.validate(index, body, self.refused)

    def edit(self, monitor_id: str, *, keep_metadata: bool = False, **changes: Any) -> None:
        """Change a monitor as a person does in Dashboards, whose form writes ``ui_metadata`` anew."""
        job = self.jobs[monitor_id]
        content = copy.deepcopy(job.content) | changes
        if not keep_metadata:
            content["ui_metadata"] = {"schedule": {"frequency": "interval"}, "search": {"searchType": "query"}}
        self._put(job, content)

    def add_workflow(self, name: str, delegates: list[str]) -> str:
        """Make a composite monitor."""
        content = {
            "type": "workflow",
            "workflow_type": "composite",
            "name": name,
            "owner": "alerting",
            "enabled": True,
            "inputs": [{"composite_input": {"sequence": {"delegates": [{"monitor_id": one} for one in delegates]}}}],
        }
        job = Job(_new_id(), 1, next(self._seq_no), content)
        self.jobs[job.id] = job
        return job.id

    def monitors(self) -> dict[str, dict[str, Any]]:
        """What is stored, by id."""
        return {job.id: job.content for job in self.jobs.values() if job.content["type"] == "monitor"}

    def _create(self, body: dict[str, Any]) -> Answer:
        content = self._parse(body)
        if isinstance(content, tuple):
            return content
        if len(self.jobs) >= self.max_monitors:
            reason = f"This request would create more than the allowed monitors [{self.max_monitors}]."
            return _error(400, reason, "java.lang.IllegalArgumentException")
        content["schema_version"] = 0
        content["enabled_time"] = content["last_update_time"] if content["enabled"] else None
        job = Job(_new_id(), 1, next(self._seq_no), content)
        self.jobs[job.id] = job
        self.is_untouched = False
        return 201, self._answer(job)

    def _update(self, monitor_id: str, params: dict[str, str], body: dict[str, Any]) -> Answer:
        content = self._parse(body)
        if isinstance(content, tuple):
            return content
        job = self.jobs.get(monitor_id)
        if job is None:
            return _not_found(f"Monitor with {monitor_id} is not found")
        content["schema_version"] = 8
        both = content["enabled"] and job.content.get("enabled")
        content["enabled_time"] = job.content["enabled_time"] if both else content["last_update_time"]
        wanted = params.get("if_seq_no")
        if wanted is not None and int(wanted) != job.seq_no:
            term = params.get("if_primary_term", "1")
            reason = (
                f"[{monitor_id}]: version conflict, required seqNo [{wanted}], primary term [{term}]. "
                f"current document has seqNo [{job.seq_no}] and primary term [1]"
            )
            return _error(409, reason, "org.opensearch.index.engine.VersionConflictEngineException")
        self._put(job, content)
        return 200, self._answer(job)

    def _put(self, job: Job, content: dict[str, Any]) -> None:
        job.content = content
        job.version += 1
        job.seq_no = next(self._seq_no)

    def _get(self, monitor_id: str, agent: str) -> Answer:
        job = self.jobs.get(monitor_id)
        if job is None:
            return _not_found("Monitor not found.")
        answer = self._answer(job)
        answer["monitor"] = _shown(job, agent)
        answer["associated_workflows"] = [
            {"id": other.id, "name": other.content["name"]} for other in self._workflows_of(monitor_id)
        ]
        return 200, answer

    def _delete(self, monitor_id: str) -> Answer:
        job = self.jobs.get(monitor_id)
        if job is None:
            return _not_found(f"Monitor with {monitor_id} is not found")
        if self._workflows_of(monitor_id):
            reason = "Monitor can't be deleted because it is a part of workflow(s)"
            return _error(403, reason, "java.lang.IllegalStateException")
        del self.jobs[monitor_id]
        next(self._seq_no)
        return 200, {"_id": monitor_id, "_version": job.version + 1}

    def _search(self, body: dict[str, Any], params: dict[str, str], agent: str) -> Answer:
        if unknown := sorted(params.keys() - _SEARCH_PARAMS):
            reason = f"request [{BASE}/_search] contains unrecognized parameter: [{unknown[0]}]"
            cause = {"type": "illegal_argument_exception", "reason": reason}
            return 400, {"error": {"root_cause": [cause], **cause}, "status": 400}
        query = body.get("query", {"match_all": {}})
        found = [job for job in self.jobs.values() if _matches(query, job)]
        if "monitor.owner" not in json.dumps(query):
            found = [job for job in found if job.content.get("owner", "alerting") == "alerting"]
        total = len(found)
        by_seq_no = body.get("sort") == [{"_seq_no": "asc"}]
        found.sort(key=lambda job: job.seq_no if by_seq_no else 0)
        if "search_after" in body:
            found = [job for job in found if job.seq_no > body["search_after"][0]]
        start = body.get("from", 0)
        hits = [_hit(job, agent, sort=by_seq_no) for job in found[start : start + body.get("size", 10)]]
        return 200, {
            "took": 1,
            "timed_out": False,
            "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
            "hits": {
                "total": {"value": total, "relation": "eq"},
                "max_score": None if by_seq_no or not hits else 1.0,
                "hits": hits,
            },
        }

    def _execute(self, monitor_id: str, body: dict[str, Any] | None) -> Answer:
        if monitor_id:
            job = self.jobs.get(monitor_id)
            if job is None:
                return _not_found(f"Can't find monitor with id: {monitor_id}")
            content = job.content
        else:
            parsed = self._parse(body or {})
            if isinstance(parsed, tuple):
                return parsed
            content = parsed
        end = _now()
        results = {}
        for trigger in content["triggers"]:
            ((kind, inner),) = trigger.items()
            error = _compile_error(inner["condition"]["script"]["source"])
            result: dict[str, Any] = {"name": inner["name"], "action_results": {}, "error": error}
            if kind == "query_level_trigger":
                result["triggered"] = True
            elif kind == "bucket_level_trigger":
                result["agg_result_buckets"] = {}
            else:
                result["triggeredDocs"] = []
            results[inner["id"]] = result
        return 200, {
            "monitor_name": content["name"],
            "period_start": end - 60_000,
            "period_end": end,
            "error": None,
            "input_results": {"results": [{}], "error": None},
            "trigger_results": results,
        }

    def _channels(self) -> Answer:
        listed = [{"description": "", "config_type": "slack", "is_enabled": True, **one} for one in self.channels]
        head = {"start_index": 0, "total_hits": len(listed), "total_hit_relation": "eq"}
        return 200, {**head, "channel_list": listed}

    def _parse(self, body: dict[str, Any]) -> dict[str, Any] | Answer:
        content = {key: copy.deepcopy(value) for key, value in body.items() if key in _KEPT}
        if "schedule" not in content:
            return _error(400, "Monitor schedule is null", "java.lang.IllegalArgumentException")
        if content["schedule"].get("period", {}).get("interval", 1) <= 0:
            reason = "Interval is not allowed to be 0 or negative"
            return _error(400, reason, "java.lang.IllegalArgumentException")
        try:
            content["inputs"] = [self._input(one) for one in content["inputs"]]
        except UnknownQueryError as error:
            return _error(500, str(error), "org.opensearch.core.common.ParsingException")
        indices = [name for one in content["inputs"] for inner in one.values() for name in inner["indices"]]
        if content["monitor_type"] == "doc_level_monitor" and any("." in name or "*" in name for name in indices):
            reason = "Index patterns are not supported for doc level monitors."
            return _error(400, reason, "java.lang.IllegalArgumentException")
        if missing := [name for name in indices if name not in self.indices]:
            reason = f"Configured indices are not found: [{missing[0]}]"
            return _error(404, reason, "org.opensearch.index.IndexNotFoundException", f"no such index [{missing[0]}]")
        content["triggers"] = [_trigger(one) for one in content.get("triggers", [])]
        content["last_update_time"] = _now()
        return content | _ADDED

    def _input(self, one: dict[str, Any]) -> dict[str, Any]:
        ((kind, inner),) = one.items()
        if kind == "search":
            return {"search": {"indices": inner["indices"], "query": stored_search(inner["query"])}}
        if kind == "doc_level_input":
            queries = [{"fields": [], "tags": [], **query, "query_field_names": []} for query in inner["queries"]]
            kept = {"description": inner.get("description", ""), "indices": inner["indices"], "queries": queries}
            return {"doc_level_input": {**kept, "fan_out_enabled": True}}
        raise UnknownQueryError(f"unknown input [{kind}]")

    def _answer(self, job: Job) -> dict[str, Any]:
        return {
            "_id": job.id,
            "_version": job.version,
            "_seq_no": job.seq_no,
            "_primary_term": 1,
            "monitor": copy.deepcopy(job.content),
        }

    def _workflows_of(self, monitor_id: str) -> list[Job]:
        return [
            job
            for job in self.jobs.values()
            if job.content["type"] == "workflow" and monitor_id in json.dumps(job.content["inputs"])
        ]


def _trigger(trigger: dict[str, Any]) -> dict[str, Any]:
    ((kind, inner),) = trigger.items()
    stored = {"id": _new_id(), **copy.deepcopy(inner)}
    script = stored["condition"]["script"]
    stored["condition"]["script"] = {"source": script["source"], "lang": script.get("lang", "painless")}
    if kind == "bucket_level_trigger":
        stored["condition"].setdefault("gap_policy", "skip")
    stored["actions"] = [{"id": _new_id(), "throttle_enabled": False, **action} for action in stored["actions"]]
    return {kind: stored}


def _matches(query: dict[str, Any], job: Job) -> bool:
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
        return any(_matches(one, job) for one in inner["should"])
    raise NotImplementedError(kind)


def _shown(job: Job, agent: str) -> dict[str, Any]:
    content = copy.deepcopy(job.content)
    if "OpenSearch-Dashboards" not in agent:
        content.pop("ui_metadata", None)
    return content


def _hit(job: Job, agent: str, *, sort: bool) -> dict[str, Any]:
    hit: dict[str, Any] = {
        "_index": ".opendistro-alerting-config",
        "_id": job.id,
        "_version": job.version,
        "_seq_no": job.seq_no,
        "_primary_term": 1,
        "_score": None if sort else 1.0,
        "_source": _shown(job, agent),
    }
    return {**hit, "sort": [job.seq_no]} if sort else hit


def _compile_error(source: str) -> str | None:
    if source.count("(") == source.count(")"):
        return None
    return json.dumps({"type": "script_exception", "reason": "compile error", "script": source, "lang": "painless"})


def _error(status: int, reason: str, exception: str, said: str | None = None) -> Answer:
    detail = {"type": "alerting_exception", "reason": reason}
    cause = {"type": "exception", "reason": f"{exception}: {said or reason}"}
    return status, {"error": {"root_cause": [detail], **detail, "caused_by": cause}, "status": status}


def _not_found(reason: str) -> Answer:
    return _error(404, reason, "org.opensearch.OpenSearchStatusException")


def _new_id() -> str:
    return uuid.uuid4().hex[:20]


def _now() -> int:
    return int(time.time() * 1000)


_ADDED = {
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
