"""Plans and applies our own roles and their mappings, by the REST API of OpenSearch's security plugin.

Source of the API: https://docs.opensearch.org/latest/security/access-control/api/. A PUT replaces a role or a mapping
as a whole, so the plan names everything that would be lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oktalogger.opensearch.diagnosis import MAPPINGS_API, plugin_missing
from oktalogger.opensearch.errors import OpenSearchRequestError, SetupConflictError, SetupDocumentsError
from oktalogger.opensearch.request import call
from oktalogger.opensearch.roles import DESCRIPTION_MARK, ROLE_PREFIX, shipped_roles
from oktalogger.opensearch.setup.steps import SetupPlan, SetupStep, lines_of_change

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames
    from oktalogger.opensearch.setup.steps import Action

ROLES_API: Final = "/_plugins/_security/api/roles"
_VERSION: Final = 1
_ROLE_KEYS: Final = frozenset({"description", "cluster_permissions", "index_permissions", "tenant_permissions"})
_MEMBERS: Final = {"backend_roles": "backend role", "users": "user", "hosts": "host"}


@dataclass(frozen=True, slots=True)
class SecurityDocuments:
    """Roles, and who is mapped to them.

    :param source: name of their source, for messages
    :param roles: by name, in the JSON of the security plugin's API
    :param mappings: by role, in the same JSON; a role that is missing here keeps its mapping
    :param master_role_arn: the IAM role that may apply them to a domain on AWS
    :param domain_arn: that domain
    :param notices: hints for the user, a sentence each
    """

    source: str
    roles: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, Mapping[str, Any]]
    master_role_arn: str | None = None
    notices: tuple[str, ...] = ()
    domain_arn: str | None = None


class _Document(msgspec.Struct):
    """The output ``security_documents`` of our Terraform; its other keys are for people."""

    version: int
    roles: dict[str, dict[str, Any]]
    role_mappings: dict[str, dict[str, list[str]]]
    master_role_arn: str | None = None
    domain_arn: str | None = None


def shipped_documents(names: IndexNames) -> SecurityDocuments:
    """Return the roles of this package, without mappings.

    :param names: the names of the deployment
    """
    return SecurityDocuments("the roles of this package", shipped_roles(names.prefix), {})


def read_security_documents(text: str, names: IndexNames, *, source: str) -> SecurityDocuments:
    """Read Terraform's output ``security_documents``.

    :param text: JSON
    :param names: the names of the deployment
    :param source: name of the text's source, for messages
    :raises SetupDocumentsError: if it is something else, names a foreign role, or is for other indices
    """
    try:
        document = msgspec.json.decode(text, type=_Document)
    except msgspec.DecodeError as error:
        raise SetupDocumentsError(
            f"{source} is not the JSON of Terraform's output security_documents: {error}."
        ) from error
    if document.version != _VERSION:
        raise SetupDocumentsError(
            f"{source} has version {document.version}; this oktalogger reads version {_VERSION}. Apply the Terraform "
            "modules of the same release."
        )
    foreign = sorted(name for name in {*document.roles, *document.role_mappings} if not name.startswith(ROLE_PREFIX))
    if foreign:
        raise SetupDocumentsError(
            f"{source} names {', '.join(foreign)}: only roles whose names begin with {ROLE_PREFIX} are oktalogger's."
        )
    for name, role in document.roles.items():
        _check_role(name, role, names, source)
    for name, mapping in document.role_mappings.items():
        if odd := sorted(set(mapping) - set(_MEMBERS)):
            raise SetupDocumentsError(f"{source}: the mapping of {name} has {', '.join(odd)}; it takes only "
                                      f"{', '.join(_MEMBERS)}.")  # fmt: skip
    return SecurityDocuments(
        source,
        document.roles,
        document.role_mappings,
        document.master_role_arn,
        _other_release(document, names, source),
        document.domain_arn,
    )


def _other_release(document: _Document, names: IndexNames, source: str) -> tuple[str, ...]:
    shipped = shipped_roles(names.prefix)
    odd = [name for name, role in shipped.items() if _role_facts(document.roles.get(name, {})) != _role_facts(role)]
    if not odd:
        return ()
    return (
        f"In {source} {', '.join(odd)} is not what this release of oktalogger has: apply Terraform of the same "
        "release, then set up again.",
    )


def _check_role(name: str, role: Mapping[str, Any], names: IndexNames, source: str) -> None:
    if odd := sorted(set(role) - _ROLE_KEYS):
        raise SetupDocumentsError(f"{source}: the role {name} has unknown keys: {', '.join(odd)}.")
    if not str(role.get("description", "")).startswith(DESCRIPTION_MARK):
        raise SetupDocumentsError(
            f"{source}: the description of the role {name} must begin with {DESCRIPTION_MARK!r}: by this mark "
            "the setup recognises its own roles."
        )
    patterns = _patterns(role)
    if patterns and names.prefix not in patterns:
        raise SetupDocumentsError(
            f"{source}: the role {name} is for {', '.join(sorted(patterns))}, but the indices of this deployment begin "
            f"with {names.prefix}. Give Terraform's index_prefix and OKTALOGGER_INDEX_PREFIX the same value."
        )


def plan_security(client: OpenSearch, documents: SecurityDocuments) -> SetupPlan:
    """Return what a setup would change in roles and mappings; only reads.

    :param client: the client of an administrator
    :param documents: the roles and mappings to have
    :raises SetupConflictError: if a role of our name is foreign
    :raises OpenSearchLoadError: if another request fails
    """
    steps: list[SetupStep] = []
    try:
        for name, wanted in documents.roles.items():
            steps.append(_plan_role(name, _read(client, ROLES_API, name), wanted))
        for name, members in documents.mappings.items():
            steps.append(_plan_mapping(name, _read(client, MAPPINGS_API, name), members))
    except OpenSearchRequestError as error:
        if not plugin_missing(error):
            raise
        return SetupPlan(notices=("This cluster has no security plugin: roles and role mappings were left out.",))
    return SetupPlan(tuple(steps), _notices(documents))


def _notices(documents: SecurityDocuments) -> tuple[str, ...]:
    if documents.mappings:
        return documents.notices
    return (
        *documents.notices,
        f"This setup maps no users, because {documents.source} name none. Use Terraform's documents, or let an "
        f"administrator map them with PUT {MAPPINGS_API}/ROLE.",
    )


def _read(client: OpenSearch, api: str, name: str) -> Mapping[str, Any] | None:
    answer = call(client, "GET", f"{api}/{name}", doing=f"to show {_kind(api)} {name}", ignore=(404,))
    found: Mapping[str, Any] | None = answer.get(name)
    return found


def _put(api: str, name: str, body: Mapping[str, Any], client: OpenSearch) -> None:
    call(client, "PUT", f"{api}/{name}", doing=f"to put {_kind(api)} {name}", body=body)


def _kind(api: str) -> str:
    return "the role" if api == ROLES_API else "the mapping of the role"


def _plan_role(name: str, found: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> SetupStep:
    do = partial(_put, ROLES_API, name, wanted)
    if found is None:
        return SetupStep(kind="role", name=name, action="create", do=do)
    if (
        found.get("reserved")
        or found.get("static")
        or not str(found.get("description", "")).startswith(DESCRIPTION_MARK)
    ):
        raise SetupConflictError(
            f"There is a role {name} that oktalogger did not make (its description does not begin with "
            f"{DESCRIPTION_MARK!r}). Nothing was changed. Rename or delete it."
        )
    ours, theirs = _patterns(wanted), _patterns(found)
    if ours and theirs and ours.isdisjoint(theirs):
        raise SetupConflictError(
            f"The role {name} belongs to another deployment, for the indices {', '.join(sorted(theirs))}. Nothing was "
            "changed. One cluster takes one index prefix; if that deployment is gone, delete the role."
        )
    changes = lines_of_change(_role_facts(found), _role_facts(wanted))
    return SetupStep(kind="role", name=name, action="change" if changes else "unchanged", changes=changes, do=do)


def _plan_mapping(role: str, found: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> SetupStep:
    changes = lines_of_change(_mapping_facts(found or {}), _mapping_facts(wanted))
    action: Action = "unchanged" if not changes else "create" if found is None else "change"
    members = {key: list(wanted.get(key, ())) for key in _MEMBERS}
    do = partial(_put, MAPPINGS_API, role, members)
    return SetupStep(kind="role mapping", name=role, action=action, changes=changes, do=do)


def _patterns(role: Mapping[str, Any]) -> set[str]:
    """Return the patterns that hold the deployment's prefix: those with a wildcard, and the names that they cover."""
    patterns = {pattern for entry in role.get("index_permissions") or () for pattern in entry["index_patterns"]}
    stems = {pattern.removesuffix("-*") for pattern in patterns if pattern.endswith("-*")}
    return stems & patterns


def _role_facts(role: Mapping[str, Any]) -> set[str]:
    """Break a role into single statements, so that order and the server's additions make no difference."""
    facts = {f"description: {role.get('description', '')}"}
    facts |= {f"cluster: {action}" for action in role.get("cluster_permissions") or ()}
    for entry in role.get("index_permissions") or ():
        for pattern in entry.get("index_patterns") or ():
            facts |= {f"{pattern}: {action}" for action in entry.get("allowed_actions") or ()}
            facts |= {f"{pattern}: {key} {entry[key]}" for key in ("dls", "fls", "masked_fields") if entry.get(key)}
    for entry in role.get("tenant_permissions") or ():
        for pattern in entry.get("tenant_patterns") or ():
            facts |= {f"tenant {pattern}: {action}" for action in entry.get("allowed_actions") or ()}
    return facts


def _mapping_facts(mapping: Mapping[str, Any]) -> set[str]:
    facts = {f"{word} {one}" for key, word in _MEMBERS.items() for one in mapping.get(key) or ()}
    return facts | {f"backend role {one} with others" for one in mapping.get("and_backend_roles") or ()}
