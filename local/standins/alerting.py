"""Monitors in memory, behind the plugin's paths, with the plugin's answers.

What the recorded exchanges show is answered as there; what they do not show (owners, workflows, the User-Agent) as the
plugin's source says. It runs no monitor and sends no alert.
"""

from __future__ import annotations

import copy
import itertools
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from local.standins import engine
from local.standins.alerting_answers import (
    Answer,
    Job,
    compile_error,
    hit_of,
    is_found,
    new_id,
    not_found,
    now_ms,
    refusal,
    shown_to,
)
from local.standins.alerting_input import parsed_monitor

BASE = "/_plugins/_alerting/monitors"
STATS = "/_plugins/_alerting/stats"
DESTINATIONS = "/_plugins/_alerting/destinations"
ALERTS_INDEX = ".opendistro-alerting-alerts"
CHANNELS = "/_plugins/_notifications/channels"
_SEARCH_PARAMS = {"index", "source", "source_content_type"}


class NeverAnswersError(Exception):
    """The real plugin never answers this, and no acknowledgement on that node is answered from then on."""


@dataclass(slots=True)
class AlertingStandIn:
    """The plugins' part of a cluster.

    :param indices: indices and aliases that monitors may read
    :param channels: notification channels, as ``{"name", "config_id", "is_enabled"}``
    :param plugin: whether the plugins are there at all
    :param max_monitors: the setting of that name
    :param is_untouched: whether nobody has ever made a monitor here, as on a new cluster
    :param is_scheduling: whether the scheduler runs monitors
    :param idle: ids of monitors that never run, although they are switched on
    :param failing: what a dry run says is wrong with the input of a monitor, by its id
    :param alerts: open alerts, as ``{"id", "monitor_id", "state"}``
    :param alert_mapping: properties of the index of alerts; ``None`` where there is none yet
    :param refused: what OpenSearch says of a query, by a part of it (see :mod:`local.standins.engine`)
    :param mappings: of each month under the alias
    :param is_hung: whether an acknowledgement for an unknown monitor has made the node answer none any more
    """

    indices: set[str] = field(default_factory=lambda: {"okta-system-log"})
    channels: list[dict[str, Any]] = field(default_factory=list)
    plugin: bool = True
    max_monitors: int = 1000
    is_untouched: bool = False
    is_scheduling: bool = True
    idle: set[str] = field(default_factory=set)
    failing: dict[str, str] = field(default_factory=dict)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    alert_mapping: dict[str, Any] | None = None
    refused: dict[str, str] = field(default_factory=dict)
    mappings: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_hung: bool = False
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
        if path == f"/{ALERTS_INDEX}/_mapping":
            if self.alert_mapping is None:
                return engine.no_such_index(ALERTS_INDEX)
            return 200, {ALERTS_INDEX: {"mappings": {"dynamic": "true", "properties": self.alert_mapping}}}
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
        if path == DESTINATIONS and method == "GET":
            return 200, {"totalDestinations": 0, "destinations": []}
        if path == f"{BASE}/_search":
            return self._search(body or {}, params, agent)
        if path == f"{BASE}/alerts":
            return self._alerts(params)
        if path == STATS:
            return self._stats()
        if path.endswith("/_acknowledge/alerts") and method == "POST":
            return self._acknowledge(path.split("/")[-3], body)
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
        if path == f"{BASE}/alerts" or not path.startswith((BASE, DESTINATIONS)):
            return None
        if path.endswith("/_acknowledge/alerts"):
            self.is_hung = True
            raise NeverAnswersError(path)
        missing = "no such index [.opendistro-alerting-config]"
        reason = "Configured indices are not found: [.opendistro-alerting-config]"
        return refusal(404, reason, "org.opensearch.index.IndexNotFoundException", missing)

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
        job = Job(new_id(), 1, next(self._seq_no), content)
        self.jobs[job.id] = job
        return job.id

    def monitors(self) -> dict[str, dict[str, Any]]:
        """What is stored, by id."""
        return {job.id: job.content for job in self.jobs.values() if job.content["type"] == "monitor"}

    def _create(self, body: dict[str, Any]) -> Answer:
        content = parsed_monitor(body, self.indices)
        if isinstance(content, tuple):
            return content
        if len(self.jobs) >= self.max_monitors:
            reason = f"This request would create more than the allowed monitors [{self.max_monitors}]."
            return refusal(400, reason, "java.lang.IllegalArgumentException")
        content["schema_version"] = 0
        content["enabled_time"] = content["last_update_time"] if content["enabled"] else None
        job = Job(new_id(), 1, next(self._seq_no), content)
        self.jobs[job.id] = job
        self.is_untouched = False
        return 201, self._answer(job)

    def _update(self, monitor_id: str, params: dict[str, str], body: dict[str, Any]) -> Answer:
        content = parsed_monitor(body, self.indices)
        if isinstance(content, tuple):
            return content
        job = self.jobs.get(monitor_id)
        if job is None:
            return not_found(f"Monitor with {monitor_id} is not found")
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
            return refusal(409, reason, "org.opensearch.index.engine.VersionConflictEngineException")
        self._put(job, content)
        return 200, self._answer(job)

    def _put(self, job: Job, content: dict[str, Any]) -> None:
        job.content = content
        job.version += 1
        job.seq_no = next(self._seq_no)

    def _get(self, monitor_id: str, agent: str) -> Answer:
        job = self.jobs.get(monitor_id)
        if job is None:
            return not_found("Monitor not found.")
        answer = self._answer(job)
        answer["monitor"] = shown_to(job, agent)
        answer["associated_workflows"] = [
            {"id": other.id, "name": other.content["name"]} for other in self._workflows_of(monitor_id)
        ]
        return 200, answer

    def _delete(self, monitor_id: str) -> Answer:
        job = self.jobs.get(monitor_id)
        if job is None:
            return not_found(f"Monitor with {monitor_id} is not found")
        if self._workflows_of(monitor_id):
            reason = "Monitor can't be deleted because it is a part of workflow(s)"
            return refusal(403, reason, "java.lang.IllegalStateException")
        del self.jobs[monitor_id]
        next(self._seq_no)
        return 200, {"_id": monitor_id, "_version": job.version + 1}

    def _search(self, body: dict[str, Any], params: dict[str, str], agent: str) -> Answer:
        if unknown := sorted(params.keys() - _SEARCH_PARAMS):
            reason = f"request [{BASE}/_search] contains unrecognized parameter: [{unknown[0]}]"
            cause = {"type": "illegal_argument_exception", "reason": reason}
            return 400, {"error": {"root_cause": [cause], **cause}, "status": 400}
        query = body.get("query", {"match_all": {}})
        found = [job for job in self.jobs.values() if is_found(query, job)]
        if "monitor.owner" not in json.dumps(query):
            found = [job for job in found if job.content.get("owner", "alerting") == "alerting"]
        total = len(found)
        by_seq_no = body.get("sort") == [{"_seq_no": "asc"}]
        found.sort(key=lambda job: job.seq_no if by_seq_no else 0)
        if "search_after" in body:
            found = [job for job in found if job.seq_no > body["search_after"][0]]
        start = body.get("from", 0)
        hits = [hit_of(job, agent, sort=by_seq_no) for job in found[start : start + body.get("size", 10)]]
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
                return not_found(f"Can't find monitor with id: {monitor_id}")
            content = job.content
        else:
            parsed = parsed_monitor(body or {}, self.indices)
            if isinstance(parsed, tuple):
                return parsed
            content = parsed
        end = now_ms()
        said: str | None = self.failing.get(monitor_id)
        read = [name for one in content["inputs"] for inner in one.values() for name in inner["indices"]]
        gone = [name for name in read if name not in self.indices]
        if gone and content["monitor_type"] != "doc_level_monitor":
            said = f"no such index [{gone[0]}]"
        results = {}
        for trigger in content["triggers"]:
            ((kind, inner),) = trigger.items()
            error = compile_error(inner["condition"]["script"]["source"])
            if kind == "bucket_level_trigger" and error is not None:
                # The cause is in the server's log alone.
                error, said = "Empty list doesn't contain element at index 0.", ""
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
            "input_results": {"results": [{}], "error": said},
            "trigger_results": results,
        }

    def _alerts(self, params: dict[str, str]) -> Answer:
        state, monitor_id = params.get("alertState", "ALL"), params.get("monitorId")
        found = [one for one in self.alerts if state in ("ALL", one["state"])]
        found = [one for one in found if monitor_id in (None, one["monitor_id"])]
        if params.get("sortString") == "start_time":
            found.sort(key=lambda one: int(one["start_time"]), reverse=params.get("sortOrder") == "desc")
        start = int(params.get("startIndex", 0))
        return 200, {"alerts": found[start : start + int(params.get("size", 20))], "totalAlerts": len(found)}

    def _acknowledge(self, monitor_id: str, body: dict[str, Any]) -> Answer:
        if self.is_hung or monitor_id not in self.jobs:
            self.is_hung = True
            raise NeverAnswersError(monitor_id)
        by_id = {one["id"]: one for one in self.alerts if one["monitor_id"] == monitor_id}
        success, failed = [], []
        for alert_id in body["alerts"]:
            alert = by_id.get(alert_id)
            if alert is None:
                reason = f"Alert: {alert_id} does not exist (it may have already completed)."
                failed.append({alert_id: {"failed_reason": reason}})
            elif alert["state"] == "ACKNOWLEDGED":
                failed.append({alert_id: {"failed_reason": "Alert has already been acknowledged."}})
            else:
                alert["state"] = "ACKNOWLEDGED"
                success.append(alert_id)
        return 200, {"success": success, "failed": failed}

    def _stats(self) -> Answer:
        enabled = [job.id for job in self.jobs.values() if job.content.get("enabled") and job.id not in self.idle]
        jobs = {one: {"last_execution_time": now_ms(), "running_on_time": True} for one in enabled}
        node = {"schedule_status": "green", "jobs_info": jobs if self.is_scheduling else {}}
        return 200, {"plugins.scheduled_jobs.enabled": self.is_scheduling, "nodes": {"node": node}}

    def _channels(self) -> Answer:
        listed = [{"description": "", "config_type": "slack", "is_enabled": True, **one} for one in self.channels]
        head = {"start_index": 0, "total_hits": len(listed), "total_hit_relation": "eq"}
        return 200, {**head, "channel_list": listed}

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
