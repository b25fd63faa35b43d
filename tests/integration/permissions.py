"""Each request that a role allows or refuses, in the words of the table in docs/opensearch-setup.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

LOADER, SYNC, ANALYST = "oktalogger_loader", "oktalogger_sync", "oktalogger_analyst"


@dataclass(frozen=True)
class Case:
    """One request, and what becomes of it.

    :param role: of the caller
    :param what: in the words of the table in the docs
    :param answer: ``yes``; ``no`` where the role refuses; ``never`` where the index refuses everybody
    """

    role: str
    what: str
    answer: str
    method: str
    path: str
    body: Any = None
    ndjson: str | None = None


def bulk(action: str, index: str) -> str:
    return f'{{"{action}":{{"_index":"{index}","_id":"ID"}}}}\n' + ("" if action == "delete" else '{"x":1}\n')


READS: list[Case] = [
    Case(role, "search events", "yes", "POST", "/ALIAS/_search", {"size": 1}) for role in (LOADER, SYNC, ANALYST)
] + [Case(role, "read the mapping", "yes", "GET", "/MONTH/_mapping") for role in (LOADER, SYNC, ANALYST)]
READS += [
    Case(role, "ask whether a search can run", answer, "POST", "/ALIAS/_validate/query", {"query": {"match_all": {}}})
    for role, answer in ((LOADER, "no"), (SYNC, "yes"), (ANALYST, "no"))
]

NOBODY = (LOADER, SYNC, ANALYST)
REFUSED: list[Case] = [
    case
    for role in NOBODY
    for case in (
        Case(role, "delete an event", "no", "DELETE", "/MONTH/_doc/ID"),
        # Before it asks the role, a bulk request is held against the index's own setting.
        Case(role, "delete events in bulk", "never", "POST", "/_bulk", ndjson=bulk("delete", "MONTH")),
        Case(role, "delete events", "no", "POST", "/MONTH/_delete_by_query", {"query": {"match_all": {}}}),
        Case(role, "change an event", "no", "POST", "/MONTH/_update/ID", {"doc": {"x": 1}}),
        Case(role, "change an event", "no", "POST", "/MONTH/_update_by_query", {"query": {"match_all": {}}}),
        Case(role, "delete or close an index", "no", "DELETE", "/MONTH"),
        Case(role, "delete or close an index", "no", "POST", "/MONTH/_close"),
        Case(role, "change settings", "no", "PUT", "/MONTH/_settings", {"index": {"refresh_interval": "1s"}}),
        Case(role, "change settings", "no", "PUT", "/_cluster/settings", {"transient": {"x": "y"}}),
        Case(role, "change index templates", "no", "PUT", "/_index_template/mine", {"index_patterns": ["mine-*"]}),
        Case(role, "change index templates", "no", "DELETE", "/_index_template/PREFIX"),
        Case(role, "read other indices", "no", "POST", "/payroll/_search", {}),
        Case(role, "read other indices", "no", "GET", "/payroll/_doc/1"),
        Case(role, "change other indices", "no", "PUT", "/payroll/_doc/2", {"salary": 2}),
        Case(role, "change other indices", "no", "PUT", "/payroll-two"),
        Case(role, "change other indices", "no", "POST", "/_bulk", ndjson=bulk("index", "payroll")),
        Case(role, "change other indices", "no", "POST", "/_aliases",
             {"actions": [{"add": {"index": "payroll", "alias": "PREFIX-x"}}]}),
        Case(role, "change other indices", "no", "POST", "/_reindex",
             {"source": {"index": "MONTH"}, "dest": {"index": "payroll"}}),
        Case(role, "read or change security", "no", "GET", "/_plugins/_security/api/roles"),
        Case(role, "read or change security", "no", "PUT", "/_plugins/_security/api/roles/mine", {}),
        Case(role, "read or change security", "no", "PATCH", "/_plugins/_security/api/rolesmapping",
             [{"op": "add", "path": "/all_access", "value": {"users": ["me"]}}]),
        Case(role, "read or change security", "no", "POST", "/.opendistro_security/_search", {}),
        Case(role, "store scripts or snapshots", "no", "PUT", "/_scripts/mine",
             {"script": {"lang": "painless", "source": "1"}}),
        Case(role, "store scripts or snapshots", "no", "GET", "/_snapshot"),
    )
]  # fmt: skip

WRITES: list[Case] = [
    # Adding and overwriting are one permission; what refuses the second is the index's own setting, to anybody.
    Case(LOADER, "overwrite an event", "never", "PUT", "/MONTH/_doc/ID", {"x": 1}),
    Case(LOADER, "overwrite an event", "never", "POST", "/_bulk", ndjson=bulk("index", "MONTH")),
    Case(LOADER, "overwrite an event", "never", "PUT", "/REJECTED/_doc/KEPT", {"x": 1}),
    Case("admin", "overwrite an event", "never", "PUT", "/MONTH/_doc/ID", {"x": 1}),
    Case("admin", "delete an event", "never", "DELETE", "/MONTH/_doc/ID"),
    Case(SYNC, "overwrite an event", "no", "PUT", "/MONTH/_doc/ID", {"x": 1}),
    Case(ANALYST, "overwrite an event", "no", "PUT", "/MONTH/_doc/ID", {"x": 1}),
    Case(LOADER, "add an event", "yes", "PUT", "/MONTH/_create/added", {"uuid": "added"}),
    Case(SYNC, "add an event", "no", "PUT", "/MONTH/_create/added2", {"uuid": "added2"}),
    Case(ANALYST, "add an event", "no", "PUT", "/MONTH/_create/added2", {"uuid": "added2"}),
    Case(LOADER, "write the ledger", "yes", "PUT", "/LEDGER/_doc/x", {"id": "x"}),
    Case(LOADER, "write the ledger", "yes", "PUT", "/LEDGER/_doc/x", {"id": "x", "tries": 2}),
    Case(LOADER, "delete from the ledger", "no", "DELETE", "/LEDGER/_doc/x"),
    Case(LOADER, "delete from the ledger", "no", "POST", "/_bulk", ndjson=bulk("delete", "LEDGER")),
    Case(SYNC, "write the ledger", "no", "PUT", "/LEDGER/_doc/x", {"id": "x"}),
    Case(ANALYST, "write the ledger", "no", "PUT", "/LEDGER/_doc/x", {"id": "x"}),
    Case(LOADER, "create an index", "yes", "PUT", "/PREFIX-2026-10"),
    Case(SYNC, "create an index", "no", "PUT", "/PREFIX-2026-09"),
    Case(ANALYST, "create an index", "no", "PUT", "/PREFIX-2026-09"),
]

CASES = [*READS, *REFUSED, *WRITES]


def name(case: Case) -> str:
    return f"{case.role.removeprefix('oktalogger_')}-{case.answer}-{case.what}-{case.method} {case.path}"
