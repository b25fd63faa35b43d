"""Checks of the OpenSearch cluster: the server, the login, what is set up there, and whether it takes writes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from oktalogger.checks.cluster import BLOCKS, Cluster
from oktalogger.checks.model import Check, Verdict, not_asked, note, ok, wrong
from oktalogger.checks.rights import Role, mapping_advice, rights_check
from oktalogger.checks.sentences import of_opensearch, one_sentence
from oktalogger.opensearch.diagnosis import SETUP_DAG
from oktalogger.opensearch.errors import (
    OpenSearchAuthenticationError,
    OpenSearchLoadError,
    OpenSearchPermissionError,
    OpenSearchSettingsError,
)
from oktalogger.opensearch.setup.audit import plan_audit
from oktalogger.opensearch.setup.indices import plan_indices
from oktalogger.opensearch.setup.retention import plan_retention
from oktalogger.opensearch.setup.security import plan_security, shipped_documents
from oktalogger.opensearch.stored_templates import plan_templates

if TYPE_CHECKING:
    from collections.abc import Callable

    from oktalogger.opensearch.setup.steps import SetupPlan

_OLDEST: Final = (2, 19)
_NEWEST: Final = 3
_FULL: Final = "is over its flood-stage watermark"


def _connection(cluster: Cluster) -> Verdict:
    refusals: tuple[type[Exception], ...] = (OpenSearchSettingsError, *cluster.unusable)
    try:
        url = cluster.url()
        cluster.client()
    except refusals as error:
        return wrong(one_sentence(str(error)), error)
    return ok(f"The connection to {url} can be read.")


def _answers(cluster: Cluster) -> Verdict:
    if cluster.serverless():
        cluster.get("/_cat/indices", "to list its indices", format="json")
        return ok(f"OpenSearch Serverless answers at {cluster.url()}.")
    error = cluster.hello.error
    if isinstance(error, OpenSearchAuthenticationError) and error.status is not None:
        return ok(f"{cluster.url()} answers.")
    if isinstance(error, OpenSearchPermissionError) and error.user is not None:
        return ok(f"OpenSearch answers at {cluster.url()}.")
    if isinstance(error, OpenSearchLoadError):
        return wrong(of_opensearch(error, cluster.url(), cluster.places), error)
    if _version(cluster).get("distribution") != "opensearch":
        what = "Elasticsearch" if "build_flavor" in _version(cluster) else "something else"
        return wrong(f"What answers at {cluster.url()} is not OpenSearch but {what}: correct {cluster.places.host}.")
    return ok(f"OpenSearch answers at {cluster.url()}.")


def _version(cluster: Cluster) -> dict[str, Any]:
    answer = cluster.hello.fact
    version: dict[str, Any] = answer.get("version", {}) if isinstance(answer, dict) else {}
    return version


def _login(cluster: Cluster) -> Verdict:
    error = cluster.hello.error if not cluster.serverless() else None
    if isinstance(error, OpenSearchAuthenticationError):
        return wrong(of_opensearch(error, cluster.url(), cluster.places), error)
    if cluster.serverless():
        return ok("The collection takes the signature.")
    who = cluster.identity.fact
    if who.user is None:
        return note("This cluster has no security plugin, so anybody who reaches it may do anything.")
    return ok(f"OpenSearch knows this login as {who.user}.")


def _release(cluster: Cluster) -> Verdict:
    if cluster.serverless():
        return note("OpenSearch Serverless tells no version.")
    if isinstance(cluster.hello.error, OpenSearchPermissionError):
        return not_asked(
            f"This user may not ask for the version (cluster:monitor/main): {mapping_advice(cluster, 'loader')}."
        )
    number = str(_version(cluster).get("number", ""))
    found = re.match(r"(\d+)\.(\d+)", number)
    parts = (int(found[1]), int(found[2])) if found else (0, 0)
    if parts < _OLDEST:
        return wrong(f"OpenSearch {number} is older than 2.19, the oldest that is supported: upgrade it.")
    if parts[0] > _NEWEST:
        return note(f"OpenSearch {number} is newer than this oktalogger, which was tested with 2.19 and 3.")
    return ok(f"OpenSearch {number} is supported.")


def _templates(cluster: Cluster) -> Verdict:
    settings = cluster.settings
    plans = plan_templates(cluster.client(), cluster.names, shards=settings.shards, replicas=settings.replicas)
    missing = [template.name for template, outcome in plans if outcome == "made"]
    older = [template.name for template, outcome in plans if outcome == "upgraded"]
    secured = not cluster.serverless() and cluster.identity.fact.user is not None
    if not missing and not older:
        return ok(f"All {len(plans)} index templates are there.")
    what = ", ".join(missing or older)
    state = "missing" if missing else "not as this oktalogger and its settings want them"
    if not secured:
        return note(f"Index templates are {state} ({what}): the first load puts them there.")
    return wrong(f"Index templates are {state} ({what}): run the DAG {SETUP_DAG} as an administrator.")


def _months(cluster: Cluster) -> Verdict:
    if cluster.serverless():
        return note("OpenSearch Serverless tells no settings of indices, so the months were not looked at.")
    plan = plan_indices(cluster.client(), cluster.names)
    if plan.by_hand:
        return wrong(one_sentence(plan.by_hand[0].changes[0]), plan.text())
    changes = [step for step in plan.changes if step.action != "create"]
    found = [line.removeprefix("- ") for step in changes for line in step.changes if line.startswith("- ")]
    if found:
        sentence = one_sentence(found[0])
        if SETUP_DAG not in sentence:
            sentence = f"{sentence.rstrip('.')}: run the DAG {SETUP_DAG}, which puts it right."
        return wrong(sentence, plan.text())
    if not cluster.indices.fact:
        return note(f"There is no index yet: the first load makes them, and the alias {cluster.names.alias} with them.")
    if plan.changes:
        names = ", ".join(dict.fromkeys(f"{step.kind} {step.name}" for step in plan.changes))
        return note(f"The setup would make or change more ({names}): run the DAG {SETUP_DAG}.", plan.text())
    return ok(f"All months are behind the alias {cluster.names.alias}, and nothing else is.")


def _blocks(cluster: Cluster) -> Verdict:
    blocked: dict[str, list[str]] = {}
    for index, entry in sorted(cluster.indices.fact.items()):
        blocks = entry.get("settings", {}).get("index", {}).get("blocks", {})
        for block in BLOCKS:
            if str(blocks.get(block)).lower() == "true":
                blocked.setdefault(block, []).append(index)
    if not blocked:
        return ok("No index refuses writes.")
    block, indices = next(iter(blocked.items()))
    if block == "read_only_allow_delete":
        return wrong(
            f"{', '.join(indices)} cannot be written, because a disk {_FULL} (index.blocks.{block}): free disk space, "
            "or add some."
        )
    return wrong(f"{', '.join(indices)} cannot be written, because somebody set index.blocks.{block}: set it to null.")


def _disks(cluster: Cluster) -> Verdict:
    if cluster.serverless():
        return note("OpenSearch Serverless has no disks to look after.")
    try:
        nodes = cluster.get("/_nodes/stats/fs", "to tell how full its disks are", only="nodes.*.name,nodes.*.fs.total")[
            "nodes"
        ]
        watermarks = _watermarks(cluster)
    except OpenSearchPermissionError as error:
        return _for_administrators("How full the disks are", error)
    worst = max(nodes.values(), key=_used)
    used, high, low = _used(worst), watermarks["high"], watermarks["low"]
    said = f"The disk of the node {worst['name']} is {used:.0f} % full"
    if used >= high:
        return wrong(
            f"{said}, over the watermark at which OpenSearch moves shards away ({high:.0f} %): add disk space."
        )
    if used >= low:
        return note(f"{said}, over the watermark at which OpenSearch gives it no new shards ({low:.0f} %).")
    return ok(f"{said} at most, below the watermarks.")


def _used(node: dict[str, Any]) -> float:
    total = node["fs"]["total"]
    return 100 * float(1 - total["available_in_bytes"] / total["total_in_bytes"])


def _watermarks(cluster: Cluster) -> dict[str, float]:
    """Return the low and the high watermark as shares in percent; one in bytes counts as not set."""
    doing = "to tell its disk watermarks"
    answer = cluster.get("/_cluster/settings", doing, include_defaults="true", flat_settings="true")
    stem = "cluster.routing.allocation.disk.watermark."
    found = {}
    for name, usual in (("low", 85.0), ("high", 90.0)):
        values = [str(answer.get(kind, {}).get(stem + name, "")) for kind in ("transient", "persistent", "defaults")]
        text = next((value for value in values if value), "")
        found[name] = float(text[:-1]) if re.fullmatch(r"[\d.]+%", text) else usual
    return found


def _retention(cluster: Cluster) -> Verdict:
    if cluster.serverless():
        return note("OpenSearch Serverless keeps events by AWS's lifecycle policies, which were not looked at.")
    return _planned(
        cluster,
        lambda: plan_retention(cluster.client(), cluster.names, cluster.settings.retention_days, confirmed=True),
        f"Months are kept as OKTALOGGER_RETENTION_DAYS={cluster.settings.retention_days} says.",
        "the retention",
    )


def _roles(cluster: Cluster) -> Verdict:
    if cluster.serverless():
        return note("OpenSearch Serverless has no roles, but AWS's data access policies, which were not looked at.")
    return _planned(
        cluster,
        lambda: plan_security(cluster.client(), shipped_documents(cluster.names)),
        "The roles are as this oktalogger wants them.",
        "the set of roles",
    )


def _audit(cluster: Cluster) -> Verdict:
    if cluster.serverless():
        return note("The audit log of OpenSearch Serverless is AWS CloudTrail, which was not looked at.")
    if cluster.identity.fact.user is None:
        return note("This cluster has no security plugin, and so no audit log.")
    scope = cluster.settings.audit
    if scope == "off":
        return note("OKTALOGGER_AUDIT=off leaves the audit log to the administrators, so it was not looked at.")
    return _planned(
        cluster,
        lambda: plan_audit(cluster.client(), cluster.names, scope),
        "The audit log notes who changes our indices.",
        "the audit log",
    )


def _for_administrators(what: str, error: OpenSearchPermissionError) -> Verdict:
    return not_asked(f"{what} is told to administrators only: check once with the connection of one.", error)


def _planned(cluster: Cluster, plan: Callable[[], SetupPlan], fine: str, what: str) -> Verdict:
    try:
        found = plan()
    except OpenSearchPermissionError as error:
        return _for_administrators(f"Whether {what} is up to date", error)
    if found.changes:
        names = ", ".join(dict.fromkeys(f"{step.kind} {step.name}" for step in found.changes))
        return wrong(f"The setup would change {what} ({names}): run the DAG {SETUP_DAG}.", found.text())
    if not found.steps and found.notices:
        return note(one_sentence(found.notices[0]))
    return ok(fine)


_REACH: Final[tuple[Check[Cluster], ...]] = (
    Check("opensearch connection", _connection),
    Check("opensearch host", _answers, after=("opensearch connection",)),
    Check("opensearch login", _login, after=("opensearch host",)),
)
_STATE: Final[tuple[Check[Cluster], ...]] = (
    Check("opensearch version", _release, after=("opensearch login",)),
    Check("index templates", _templates, after=("opensearch login",)),
    Check("months and alias", _months, after=("opensearch login",)),
    Check("writes", _blocks, after=("opensearch login",)),
    Check("disks", _disks, after=("opensearch login",)),
    Check("retention", _retention, after=("opensearch login",)),
    Check("roles", _roles, after=("opensearch login",)),
    Check("audit log", _audit, after=("opensearch login",)),
)
REACH: Final = frozenset(check.name for check in _REACH)
"""The checks that have to be ok before anything else can be asked of the cluster."""


def cluster_checks(role: Role = "loader") -> tuple[Check[Cluster], ...]:
    """Return the checks of a cluster.

    :param role: whose rights the login must have
    """
    return (*_REACH, rights_check(role), *_STATE)
