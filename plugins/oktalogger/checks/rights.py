"""Checks whether this login has every right of one of our roles, by requests that change nothing.

A request is refused for want of a right before OpenSearch looks at what it asks for. So each right is asked for by a
request that cannot be carried out: it names an index that is not there, or a version that no document has. What
OpenSearch says of it then, whatever it is, tells that the right is there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from oktalogger.checks.model import Check, Verdict, not_asked, note, ok, wrong
from oktalogger.opensearch.diagnosis import SETUP_DAG
from oktalogger.opensearch.errors import OpenSearchLoadError, OpenSearchPermissionError, OpenSearchUnavailableError
from oktalogger.opensearch.request import send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oktalogger.checks.cluster import Cluster

Role = Literal["loader", "sync", "analyst"]
ROLES: Final[tuple[Role, ...]] = ("loader", "sync", "analyst")
_ID: Final = "oktalogger-check"
# No document has it: a write that names it is refused for its version, and leaves no trace.
_NO_VERSION: Final = {"if_seq_no": 9_000_000_000, "if_primary_term": 9_000_000_000}
_DENIED: Final = re.compile(r"no permissions for \[(.*?)\] and User")
_EVERYTHING: Final[dict[str, Any]] = {"query": {"match_all": {}}}


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that asks for one right.

    :param right: the name of the action in OpenSearch
    :param roles: which of our roles have it
    :param method: of the request
    :param path: with ``{alias}``, ``{ledger}``, ``{matches}``, and ``{none}`` and ``{month}``, which are not there
    :param body: sent as JSON
    :param lines: sent as lines of JSON, in place of ``body``
    :param plugin: the plugin that has to be there
    :param needs: the index that has to be there, because OpenSearch would make it
    """

    right: str
    roles: tuple[Role, ...]
    method: str
    path: str
    body: Any = None
    lines: tuple[Any, ...] = ()
    plugin: str | None = None
    needs: str | None = None


_L: Final[tuple[Role, ...]] = ("loader",)
_S: Final[tuple[Role, ...]] = ("sync",)
_LS: Final[tuple[Role, ...]] = ("loader", "sync")
_LSA: Final = ROLES
_SA: Final[tuple[Role, ...]] = ("sync", "analyst")
_MONITORS: Final = "/_plugins/_alerting/monitors"
_NOTIFICATIONS: Final = "/_plugins/_notifications"


def _write(action: str, index: str, right: str, *, body: Any = None) -> Probe:
    head: dict[str, Any] = {"_index": index, "_id": _ID, **(_NO_VERSION if action == "index" else {})}
    lines = ({action: head}, body or {"doc": {}})
    return Probe(right, _L, "POST", "/_bulk", lines=lines, needs=index)


PROBES: Final[tuple[Probe, ...]] = (
    Probe("cluster:monitor/main", _LSA, "GET", "/"),
    Probe("indices:admin/index_template/get", _L, "GET", "/_index_template/{alias}"),
    Probe("indices:admin/index_template/simulate_index", _L, "POST", "/_index_template/_simulate_index/{none}"),
    Probe("indices:data/read/mget", _LSA, "POST", "/{none}/_mget", {"ids": [_ID]}),
    Probe("indices:data/read/msearch", _LSA, "POST", "/_msearch", lines=({"index": "{none}"}, {"size": 0})),
    Probe("indices:data/read/scroll*", _SA, "POST", "/_search/scroll", {"scroll_id": "DnF1ZXJ5VGhlbkZldGNoAAAAAA=="}),
    Probe("indices:data/write/bulk", _L, "POST", "/_bulk?require_alias=true",
          lines=({"create": {"_index": "{none}", "_id": _ID}}, {})),
    Probe("indices:admin/aliases/get", _LSA, "GET", "/{none}/_alias"),
    # An index without shards is none that OpenSearch would make.
    Probe("indices:admin/create", _L, "PUT", "/{month}", {"settings": {"index": {"number_of_shards": 0}}}),
    Probe("indices:admin/get", _LSA, "GET", "/{none}"),
    Probe("indices:admin/mappings/get", _LSA, "GET", "/{none}/_mapping"),
    Probe("indices:admin/mappings/fields/get*", _SA, "GET", "/{none}/_mapping/field/uuid"),
    Probe("indices:admin/refresh*", _L, "POST", "/{none}/_refresh"),
    Probe("indices:admin/resolve/index", _SA, "GET", "/_resolve/index/{none}"),
    Probe("indices:admin/validate/query*", _S, "POST", "/{none}/_validate/query", _EVERYTHING),
    Probe("indices:data/read/get", _L, "GET", "/{none}/_doc/" + _ID),
    Probe("indices:data/read/search*", _L, "POST", "/{none}/_search", {"size": 0}),
    Probe("indices:data/read*", _SA, "POST", "/{none}/_search", {"size": 0}),
    Probe("indices:monitor/settings/get", _S, "GET", "/{none}/_settings"),
    Probe("indices:monitor/stats", _S, "GET", "/{none}/_stats"),
    _write("index", "{ledger}", "indices:data/write/index"),
    Probe("indices:data/read/search*", _L, "POST", "/{matches}/_search?ignore_unavailable=true", {"size": 0}),
    Probe("indices:admin/mappings/get", _L, "GET", "/{matches}/_mapping"),
    _write("index", "{matches}", "indices:data/write/index"),
    _write("update", "{matches}", "indices:data/write/update"),
    Probe("cluster:admin/opendistro/alerting/monitor/search", _LSA, "POST", f"{_MONITORS}/_search", {"size": 0},
          plugin="Alerting"),
    Probe("cluster:admin/opendistro/_scheduled_jobs/stats", _LS, "GET", "/_plugins/_alerting/stats", plugin="Alerting"),
    Probe("cluster:admin/opendistro/alerting/alerts/get", _LSA, "GET", f"{_MONITORS}/alerts?size=0", plugin="Alerting"),
    Probe("cluster:admin/opendistro/alerting/monitor/get", ("analyst",), "GET", f"{_MONITORS}/{_ID}",
          plugin="Alerting"),
    Probe("cluster:admin/opendistro/alerting/monitor/*", _S, "DELETE", f"{_MONITORS}/{_ID}", plugin="Alerting"),
    Probe("cluster:admin/opensearch/alerting/findings/get", _SA, "GET", "/_plugins/_alerting/findings/_search?size=0",
          plugin="Alerting"),
    Probe("cluster:admin/opensearch/notifications/channels/get", _S, "GET", f"{_NOTIFICATIONS}/channels",
          plugin="Notifications"),
    Probe("cluster:admin/opensearch/notifications/configs/*", _S, "GET", f"{_NOTIFICATIONS}/configs?max_items=1",
          plugin="Notifications"),
    Probe("cluster:admin/opensearch/notifications/features", _S, "GET", f"{_NOTIFICATIONS}/features",
          plugin="Notifications"),
)  # fmt: skip

UNASKED: Final = {
    "indices:data/read/mget*": "asked for with indices:data/read/mget",
    "indices:data/write/bulk*": "asked for with indices:data/write/index",
    "cluster:admin/opendistro/alerting/alerts/ack": "the plugin never answers for a monitor that is not there",
    "cluster:admin/opensearch/notifications/feature/*": "it sends a test message",
}
"""Rights of our roles that no request of ``PROBES`` asks for by name, each with the reason."""


def lacking(cluster: Cluster, role: Role) -> list[str]:
    """Return the rights of a role that this login lacks.

    :param cluster: the cluster to ask
    :param role: whose rights
    :raises OpenSearchLoadError: if OpenSearch is out of reach, or an answer is not its own
    """
    there = {name for name in (cluster.names.ledger, cluster.names.matches) if _is_there(cluster, name)}
    denied: list[str] = []
    for probe in PROBES:
        needed = None if probe.needs is None else _filled(probe.needs, cluster)
        if role in probe.roles and (needed is None or needed in there):
            denied += _denied(cluster, probe)
    return list(dict.fromkeys(denied))


def _is_there(cluster: Cluster, index: str) -> bool:
    try:
        send(cluster.client(), "GET", f"/{index}/_mapping", doing=f"for {index}", only="*.mappings._meta")
    except OpenSearchUnavailableError:
        raise
    except OpenSearchLoadError:
        return False
    return True


def _denied(cluster: Cluster, probe: Probe) -> Iterator[str]:
    body: bytes | None = None
    if probe.lines:
        body = "".join(f"{_filled(json.dumps(line), cluster)}\n" for line in probe.lines).encode()
    elif probe.body is not None:
        body = _filled(json.dumps(probe.body), cluster).encode()
    kind = "application/x-ndjson" if probe.lines else "application/json"
    doing = f"for the right {probe.right}"
    try:
        answer = send(
            cluster.client(), probe.method, _filled(probe.path, cluster), doing=doing, body=body, content_type=kind
        )
    except OpenSearchPermissionError as error:
        if error.user is None:
            raise
        yield from error.permissions or (probe.right,)
    except OpenSearchUnavailableError:
        raise
    except OpenSearchLoadError:
        return  # It may, and cannot.
    else:
        # In a bulk request, and in one for several documents, each has a refusal of its own.
        for found in _DENIED.findall(msgspec.json.encode(answer).decode()):
            yield from (one.strip() for one in found.split(","))


def _filled(text: str, cluster: Cluster) -> str:
    names = cluster.names
    places = {
        "alias": names.alias,
        "none": f"{names.prefix}-check",
        "month": f"{names.prefix}-2099-12",
        "ledger": names.ledger,
        "matches": names.matches,
    }
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def rights_check(role: Role) -> Check[Cluster]:
    """Return the check whether a login has every right of a role."""
    return Check(f"rights of the {role}", lambda cluster: rights_verdict(cluster, role), after=("opensearch login",))


def rights_verdict(cluster: Cluster, role: Role) -> Verdict:
    """Say whether a login has every right of a role.

    :param cluster: the cluster to ask
    :param role: whose rights
    :raises OpenSearchLoadError: if OpenSearch is out of reach, or an answer is not its own
    """
    if cluster.serverless():
        return note("OpenSearch Serverless decides by AWS's data access policies, which were not looked at.")
    user = cluster.identity.fact.user
    if user is None:
        return ok("There is no security plugin, so no right is missing.")
    if missing := lacking(cluster, role):
        return wrong(f"{user} lacks {_listed(missing)}: {mapping_advice(cluster, role)}.", ", ".join(missing))
    if role == "loader" and not _is_there(cluster, cluster.names.ledger):
        return not_asked(
            f"{user} has every right of oktalogger_{role} that can be asked for, but there is no index yet in which to "
            "try the right to write: check again after the first load."
        )
    return ok(f"{user} has every right of oktalogger_{role}.")


def mapping_advice(cluster: Cluster, role: Role) -> str:
    """Say how a login gets a role, to end a sentence with."""
    member = cluster.identity.fact.member
    return f"map {member} to the role oktalogger_{role}, which the DAG {SETUP_DAG} makes"


def _listed(rights: list[str]) -> str:
    shown = ", ".join(rights[:3])
    return shown if len(rights) <= 3 else f"{shown} and {len(rights) - 3} more rights"
