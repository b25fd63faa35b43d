"""Plans the audit log of OpenSearch's security plugin: who made or changed indices of ours, and wrote what into which.

Source: https://docs.opensearch.org/latest/security/audit-logs/index/. The configuration is that of the whole cluster,
so the setup only adds to it. Where the log goes, the servers' own files say (``plugins.security.audit.type``), and on
Amazon OpenSearch Service the domain, whose group of CloudWatch stays empty until the log is enabled here.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from oktalogger.opensearch.diagnosis import plugin_missing
from oktalogger.opensearch.errors import OpenSearchLoadError, OpenSearchPermissionError
from oktalogger.opensearch.request import call
from oktalogger.opensearch.setup.steps import SetupPlan, SetupStep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames
    from oktalogger.setting_readers import AuditScope

AUDIT_API: Final = "/_plugins/_security/api/audit"
_KIND: Final = "audit log"
_ON: Final = (
    ("enabled",),
    ("audit", "enable_rest"),
    ("audit", "enable_transport"),
    ("compliance", "enabled"),
    ("compliance", "internal_config"),
)
_METADATA_ONLY: Final = ("compliance", "write_metadata_only")
_CATEGORIES: Final = frozenset({"BAD_HEADERS", "FAILED_LOGIN", "INDEX_EVENT", "MISSING_PRIVILEGES"})
_DISABLED: Final = ("disabled_rest_categories", "disabled_transport_categories")
# Where the servers have no such configuration, the plugin refuses the method.
_NOT_THERE: Final = (404, 405, 501)


def watched_indices(names: IndexNames, scope: AuditScope) -> list[str]:
    """Return the indices of which the audit log notes each document that is written.

    :param names: the names of the deployment
    :param scope: ``events`` takes the months as well: a line for each event
    """
    months = [f"{names.prefix}-20*-*"] if scope == "events" else []
    return [names.ledger, names.rejected, names.matches, *months]


def plan_audit(client: OpenSearch, names: IndexNames, scope: AuditScope) -> SetupPlan:
    """Return what a setup would change in the configuration of the audit log; only reads.

    :param client: the client of an administrator
    :param names: the names of the deployment
    :param scope: what the log is to hold; ``off`` leaves it as it is
    :raises OpenSearchLoadError: if OpenSearch cannot be asked
    """
    if scope == "off":
        return SetupPlan()
    try:
        found = call(client, "GET", AUDIT_API, doing="to show the configuration of the audit log")
    except OpenSearchPermissionError:
        raise
    except OpenSearchLoadError as error:
        if plugin_missing(error):
            return SetupPlan()
        if error.status not in _NOT_THERE:
            raise
        return SetupPlan(
            notices=(
                "This OpenSearch does not let its audit log be configured by its API, so it was left as it is. See "
                '"The audit log" in "Setting up OpenSearch".',
            )
        )
    config: dict[str, Any] = found.get("config", {})
    fixed = tuple(found.get("_readonly", ()))
    wanted, changes, left = _with_ours(config, watched_indices(names, scope), fixed)
    notices = tuple(
        f"The audit log's {pointer} is read-only here, and is not as oktalogger needs it." for pointer in left
    )
    if not changes:
        return SetupPlan((SetupStep(kind=_KIND, name="configuration", action="unchanged"),), notices)
    step = SetupStep(
        kind=_KIND, name="configuration", action="change", changes=tuple(changes), do=partial(_put, wanted)
    )
    return SetupPlan((step,), notices)


def _with_ours(
    config: Mapping[str, Any], watched: list[str], fixed: tuple[str, ...]
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return the configuration with what we need, the changes as lines, and what cannot be changed."""
    wanted = copy.deepcopy(dict(config))
    changes: list[str] = []
    left: list[str] = []

    def put(path: tuple[str, ...], value: Any, said: list[str]) -> None:
        pointer = "/" + "/".join(path)
        if any(pointer == one or pointer.startswith(f"{one}/") for one in fixed):
            left.append(pointer)
            return
        parent = wanted
        for name in path[:-1]:
            parent = parent.setdefault(name, {})
        parent[path[-1]] = value
        changes.extend(said)

    for path in _ON:
        if not _at(config, path):
            put(path, True, [f"+ {'.'.join(path)}: true"])
    for name in _DISABLED:
        disabled = list(_at(config, ("audit", name)) or ())
        if ours := sorted(_CATEGORIES & set(disabled)):
            rest = [category for category in disabled if category not in ours]
            put(("audit", name), rest, [f"- audit.{name}: {category}" for category in ours])
    there = list(_at(config, ("compliance", "write_watched_indices")) or ())
    if not there and not _at(config, _METADATA_ONLY):
        # Who watches indices already has chosen whether their content is to be in the log.
        put(_METADATA_ONLY, True, [f"+ {'.'.join(_METADATA_ONLY)}: true"])
    if more := [index for index in watched if index not in there]:
        said = [f"+ compliance.write_watched_indices: {index}" for index in more]
        put(("compliance", "write_watched_indices"), [*there, *more], said)
    return wanted, changes, left


def _at(config: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = config
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _put(wanted: Mapping[str, Any], client: OpenSearch) -> None:
    doing = "to put the configuration of the audit log"
    call(client, "PUT", f"{AUDIT_API}/config", doing=doing, body=dict(wanted))
