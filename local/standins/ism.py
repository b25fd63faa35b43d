"""Index State Management in memory, behind the plugin's paths, with the plugin's answers.

Source: opensearch-project/index-management, branch main, package ``indexstatemanagement``: what
``RestIndexPolicyAction``, ``TransportGetPolicyAction``, ``RestExplainAction``, ``TransportChangePolicyAction`` and
their integration tests show. The plugin is not among the published artifacts; the official Docker image has it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from local.standins.alerting_answers import Answer

BASE = "/_plugins/_ism"
SETTING = "policy_id"


@dataclass
class Managed:
    """What ISM knows of an index; no ``seq_no`` before it looked at the index for the first time."""

    policy_id: str | None = None
    seq_no: int | None = None


@dataclass
class IsmStandIn:
    """The plugin's part of a cluster.

    :param indices: by name
    :param created: when an index was made, in ms
    :param plugin: whether the plugin is there at all
    :param stuck: indices that take no other policy for the moment
    """

    indices: dict[str, Managed] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=dict)
    plugin: bool = True
    stuck: set[str] = field(default_factory=set)
    policies: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    writes: list[tuple[str, str]] = field(default_factory=list)
    _seq_no: int = 4

    def __call__(self, method: str, target: str, body: Any, headers: dict[str, str]) -> Answer:
        """Answer a request."""
        path, _, query = target.partition("?")
        if not path.startswith(BASE):
            names = [name for name in path.strip("/").split(",") if name in self.created]
            return 200, {name: {"settings": {"index": {"creation_date": str(self.created[name])}}} for name in names}
        if not self.plugin:
            return 400, {"error": f"no handler found for uri [{target}] and method [{method}]"}
        if method != "GET":
            self.writes.append((method, path))
        part, _, name = path.removeprefix(f"{BASE}/").partition("/")
        if part == "policies":
            return self._get(name) if method == "GET" else self._put(name, body, query)
        if part == "explain":
            return 200, self._explain(name)
        return 200, self._assign(part, name.split(","), body["policy_id"])

    def look(self) -> None:
        """Do what ISM does every few minutes: initialise indices that have a policy."""
        for managed in self.indices.values():
            if managed.policy_id in self.policies and managed.seq_no is None:
                managed.seq_no = self.policies[managed.policy_id][0]

    def _get(self, name: str) -> Answer:
        if name not in self.policies:
            cause = {"type": "status_exception", "reason": "Policy not found"}
            return 404, {"error": {"root_cause": [cause], **cause}, "status": 404}
        seq_no, policy = self.policies[name]
        return 200, {"_id": name, "_version": 1, "_seq_no": seq_no, "_primary_term": 1, "policy": policy}

    def _put(self, name: str, body: Any, query: str) -> Answer:
        given = dict(pair.split("=") for pair in query.split("&") if pair)
        stored = self.policies.get(name)
        if (stored is None) == ("if_seq_no" in given) or (stored and int(given["if_seq_no"]) != stored[0]):
            cause = {"type": "version_conflict_engine_exception", "reason": f"[{name}]: version conflict"}
            return 409, {"error": {"root_cause": [cause], **cause}, "status": 409}
        policy = copy.deepcopy(body["policy"])
        # What the server adds.
        policy |= {"policy_id": name, "last_updated_time": 1_700_000_000_000, "schema_version": 21}
        policy |= {"error_notification": None}
        for template in policy["ism_template"]:
            template["last_updated_time"] = 1_700_000_000_000
        self._seq_no += 1
        self.policies[name] = (self._seq_no, policy)
        answer = {"_id": name, "_version": 1, "_primary_term": 1, "_seq_no": self._seq_no, "policy": {"policy": policy}}
        return 200 if stored else 201, answer

    def _explain(self, pattern: str) -> dict[str, Any]:
        start = pattern.partition("*")[0]
        answer: dict[str, Any] = {}
        for name, managed in self.indices.items():
            if not name.startswith(start):
                continue
            policy = managed.policy_id
            answer[name] = {
                f"index.{kind}.index_state_management.{SETTING}": policy for kind in ("plugins", "opendistro")
            }
            answer[name]["enabled"] = None if policy is None else True
            if policy is not None:
                answer[name] |= {"index": name, "policy_id": policy}
            if managed.seq_no is not None:
                answer[name] |= {"policy_seq_no": managed.seq_no, "policy_primary_term": 1}
        return answer | {"total_managed_indices": sum(one.policy_id is not None for one in self.indices.values())}

    def _assign(self, what: str, names: list[str], policy: str) -> dict[str, Any]:
        failed = []
        for name in names:
            managed = self.indices[name]
            if (what == "add") == (managed.policy_id is not None) or name in self.stuck:
                reason = "Cannot change policy while transitioning to new state"
                failed.append({"index_name": name, "index_uuid": "x", "reason": reason})
            elif what == "add":
                managed.policy_id = policy
            else:
                managed.seq_no = self.policies[policy][0]
        return {"updated_indices": len(names) - len(failed), "failures": bool(failed), "failed_indices": failed}
