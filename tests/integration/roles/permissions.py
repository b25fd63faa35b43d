"""Each request that a role allows or refuses, in the words of the table in docs/security.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
        Case(role, "change a mapping", "no", "PUT", "/MONTH/_mapping", {"properties": {"x": {"type": "keyword"}}}),
        Case(role, "change a mapping", "no", "PUT", "/LEDGER/_mapping", {"properties": {"x": {"type": "keyword"}}}),
        Case(role, "filter, move or remove the alias", "no", "POST", "/_aliases",
             {"actions": [{"add": {"index": "MONTH", "alias": "ALIAS", "filter": {"match_none": {}}}}]}),
        Case(role, "filter, move or remove the alias", "no", "POST", "/_aliases",
             {"actions": [{"remove": {"index": "MONTH", "alias": "ALIAS"}}]}),
        Case(role, "filter, move or remove the alias", "no", "DELETE", "/MONTH/_alias/ALIAS"),
        Case(role, "filter, move or remove the alias", "no", "PUT", "/PREFIX-2026-08",
             {"aliases": {"ALIAS": {"filter": {"match_none": {}}}}}),
        Case(role, "give an index of ours another name", "no", "PUT", "/MONTH/_alias/payroll-2026-12"),
        Case(role, "give an index of ours another name", "no", "PUT", "/MONTH/_alias/.kibana_x"),
        Case(role, "give an index of ours another name", "no", "PUT", "/PREFIX-2026-08",
             {"aliases": {"payroll-2026-12": {}}}),
        Case(role, "create an index that is not a month", "no", "PUT", "/PREFIX-payroll"),
        Case(role, "create an index that is not a month", "no", "PUT", "/PREFIX-2026-08-write"),
        Case(role, "create an index that is not a month", "no", "PUT", "/PREFIX-2026-08-copy"),
        Case(role, "create an index that is not a month", "no", "POST", "/_bulk", ndjson=bulk("index", "PREFIX-else")),
        Case(role, "clone, shrink or roll over", "no", "POST", "/MONTH/_clone/PREFIX-2026-08"),
        Case(role, "clone, shrink or roll over", "no", "POST", "/MONTH/_shrink/PREFIX-2026-08"),
        Case(role, "clone, shrink or roll over", "no", "POST", "/ALIAS/_rollover/PREFIX-2026-08"),
        Case(role, "change settings", "no", "PUT", "/MONTH/_block/write"),
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
    Case(LOADER, "create a month", "yes", "PUT", "/PREFIX-2026-10"),
    Case(SYNC, "create a month", "no", "PUT", "/PREFIX-2026-09"),
    Case(ANALYST, "create a month", "no", "PUT", "/PREFIX-2026-09"),
]

# What the loader's role can do and should not: test_thief.py shows where it is noticed.
THEFTS: list[Case] = [
    case
    for role in (SYNC, ANALYST)
    for case in (
        Case(role, "make up an event", "no", "PUT", "/MONTH/_create/made-up", {"uuid": "made-up"}),
        Case(role, "store an event otherwise before it is loaded", "no", "PUT", "/MONTH/_create/next", {"uuid": "x"}),
        Case(role, "create a month with other settings", "no", "PUT", "/PREFIX-2026-09",
             {"settings": {"index.append_only.enabled": False}}),
        Case(role, "create a month with another mapping", "no", "PUT", "/PREFIX-2026-09",
             {"mappings": {"dynamic": True}}),
        Case(role, "overwrite an event in a month created for that", "no", "PUT", "/PREFIX-2026-09/_doc/ID", {"x": 1}),
        Case(role, "call a window loaded in the ledger that is not", "no", "PUT", "/LEDGER/_doc/x",
             {"state": "complete"}),
        Case(role, "claim more events in the ledger than there are", "no", "POST", "/_bulk",
             ndjson=bulk("index", "LEDGER")),
        Case(role, "write nonsense into the ledger", "no", "POST", "/LEDGER/_update/x", {"doc": {"tries": "x"}}),
        Case(role, "overwrite a match of replay", "no", "PUT", "/MATCHES/_doc/x", {"x": 1}),
        Case(role, "delete from the ledger", "no", "DELETE", "/LEDGER/_doc/x"),
    )
]  # fmt: skip
THEFTS.append(Case(LOADER, "overwrite a match of replay", "yes", "PUT", "/MATCHES/_doc/x", {"x": 1}))
THEFTS.append(Case(LOADER, "overwrite a match of replay", "yes", "PUT", "/MATCHES/_doc/x", {"x": 2}))

CASES = [*READS, *REFUSED, *WRITES, *THEFTS]


def name(case: Case) -> str:
    return f"{case.role.removeprefix('oktalogger_')}-{case.answer}-{case.what}-{case.method} {case.path}"
