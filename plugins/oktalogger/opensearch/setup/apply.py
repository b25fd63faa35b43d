"""Plans and applies the whole setup of a deployment.

This needs the rights of an administrator, which neither the load nor the sync of detections has.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from oktalogger.opensearch.errors import OpenSearchPermissionError, OpenSearchUnavailableError
from oktalogger.opensearch.setup.audit import plan_audit
from oktalogger.opensearch.setup.indices import plan_indices
from oktalogger.opensearch.setup.retention import plan_retention
from oktalogger.opensearch.setup.security import plan_security
from oktalogger.opensearch.setup.steps import SetupPlan, SetupStep
from oktalogger.opensearch.stored_templates import plan_templates, put_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames
    from oktalogger.opensearch.setup.security import SecurityDocuments
    from oktalogger.opensearch.stored_templates import SchemaOutcome
    from oktalogger.opensearch.templates import Template
    from oktalogger.setting_readers import AuditScope

_SERVERLESS = (
    "This is Amazon OpenSearch Serverless, which has neither OpenSearch's roles nor retention policies. Use "
    "AWS's data access policies and lifecycle policies instead."
)


def plan_setup(
    client: OpenSearch,
    names: IndexNames,
    documents: SecurityDocuments,
    *,
    retention_days: int,
    shards: int | None = None,
    replicas: int | None = None,
    confirm_deletions: bool = False,
    serverless: bool = False,
    months_ahead: int | None = None,
    audit: AuditScope = "off",
) -> SetupPlan:
    """Return what a setup would change; only reads.

    :param client: the client of an administrator
    :param names: the names of the deployment
    :param documents: roles and role mappings
    :param retention_days: how many days to keep events; 0 keeps them for ever
    :param shards: primary shards of future months; None keeps the template's number
    :param replicas: copies of each shard of future indices; None keeps the template's number
    :param confirm_deletions: whether months that are older than the retention may be deleted
    :param serverless: whether this is Amazon OpenSearch Serverless
    :param months_ahead: how many months to make beforehand; None makes none
    :param audit: what the audit log is to hold; ``off`` leaves its configuration as it is
    :raises IndexConflictError: if an index template of our name is somebody else's, or an index with our alias
    :raises SetupConflictError: if a role or a policy of our name is somebody else's
    :raises RetentionRefusedError: if months would be deleted at once and that was not confirmed
    :raises OpenSearchLoadError: for all else
    """
    with _administrator():
        templates = plan_templates(client, names, shards=shards, replicas=replicas)
        plan = SetupPlan(tuple(_plan_template(*planned) for planned in templates))
        if serverless:
            return plan + SetupPlan(notices=(_SERVERLESS,))
        plan += plan_indices(client, names, months_ahead=months_ahead)
        plan += plan_retention(client, names, retention_days, confirmed=confirm_deletions)
        plan += plan_security(client, documents)
        return plan + plan_audit(client, names, audit)


def apply_setup(
    client: OpenSearch, plan: SetupPlan, *, on_step: Callable[[SetupStep], None] = lambda step: None
) -> None:
    """Apply a plan. If a step fails, the earlier ones stay; plan and apply again to do the rest.

    :param client: the client of an administrator
    :param plan: the steps to do
    :param on_step: called after each step
    :raises OpenSearchUnavailableError: also if somebody else changed the same at the same time
    :raises OpenSearchLoadError: if another request fails
    """
    with _administrator():
        for step in plan.changes:
            if step.do is not None:
                step.do(client)
            on_step(step)


@contextmanager
def _administrator() -> Iterator[None]:
    """Turn a missing permission into an error that says who may run the setup."""
    try:
        yield
    except OpenSearchPermissionError as error:
        who = error.user or "this identity"
        raise OpenSearchPermissionError(
            f"The setup needs the rights of an administrator of OpenSearch, and {who} lacks them "
            f"({error.reason}). On AWS let Airflow assume the domain's master role during the setup "
            "(Terraform: setup_from_airflow = true); elsewhere use the login of an administrator.",
            user=error.user,
            backend_roles=error.backend_roles,
            permissions=error.permissions,
            status=error.status,
            error_type=error.error_type,
            reason=error.reason,
            index=error.index,
        ) from error


def _plan_template(template: Template, outcome: SchemaOutcome) -> SetupStep:
    kind, name = "index template", template.name
    if outcome in ("unchanged", "newer"):
        newer = ("made by a newer oktalogger, so it stays unchanged",) if outcome == "newer" else ()
        return SetupStep(kind=kind, name=name, action="unchanged", changes=newer)
    create = outcome == "made"
    do = partial(_put, template, create)
    changes = (
        f"+ mapping of version {template.version}",
        *(f"+ {key}: {value}" for key, value in template.asked.items()),
    )
    return SetupStep(kind=kind, name=name, action="create" if create else "change", changes=changes, do=do)


def _put(template: Template, create: bool, client: OpenSearch) -> None:
    if not put_template(client, template, create=create):
        raise OpenSearchUnavailableError(
            f"Somebody made the index template {template.name} just now: try again.", index=template.name
        )
