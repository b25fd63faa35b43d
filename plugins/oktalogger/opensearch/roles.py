"""Reads the OpenSearch roles of ``include/opensearch/roles``, and names the role that has given permissions."""

from __future__ import annotations

import string
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oktalogger.resources import resource

if TYPE_CHECKING:
    from collections.abc import Iterable

ROLE_PREFIX: Final = "oktalogger_"
"""How the names of our roles begin; no other role is ever read, changed or mapped."""
ROLES: Final = ("oktalogger_loader", "oktalogger_sync", "oktalogger_analyst")
"""In the order in which they are suggested to somebody who lacks a permission that several of them have."""
MASKED_ANALYST: Final = "oktalogger_analyst_masked"
"""For people who look at events and need not know whom they are about. It is made on demand, and not by Terraform."""
_FILES: Final = {MASKED_ANALYST: f"opensearch/optional-roles/{MASKED_ANALYST}.json"}
_ALERTING: Final = "/alerting/"
DESCRIPTION_MARK: Final = "oktalogger:"
"""How the descriptions of our roles and policies begin: they have no other place for a mark."""


def shipped_roles(index_prefix: str) -> dict[str, dict[str, Any]]:
    """Return the roles of this package, by name, as the security plugin's API takes them.

    :param index_prefix: the beginning of every index name of the deployment
    :raises ResourceError: if a file is missing
    """
    return {name: _role(name, index_prefix) for name in ROLES}


def masked_analyst(index_prefix: str) -> dict[str, Any]:
    """Return the role :data:`MASKED_ANALYST`, as the security plugin's API takes it.

    :param index_prefix: the beginning of every index name of the deployment
    :raises ResourceError: if its file is missing
    """
    return _role(MASKED_ANALYST, index_prefix)


def role_that_allows(permissions: Iterable[str]) -> str | None:
    """Name our role that has all of these permissions, on any index; None if no single role does.

    :param permissions: names of actions, as OpenSearch gives them when it refuses
    :raises ResourceError: if a role's file is missing
    """
    wanted = tuple(permissions)
    # The loader's role may look at monitors as well, and who lacks a right on them is mostly about to write some.
    is_alerting = any(_ALERTING in one for one in wanted)
    names: tuple[str, ...] = ("oktalogger_sync", *ROLES) if is_alerting else ROLES
    for name in names:
        role = _role(name, "")
        allowed = [
            *role["cluster_permissions"],
            *(action for entry in role["index_permissions"] for action in entry["allowed_actions"]),
        ]
        if wanted and all(any(fnmatchcase(one, pattern) for pattern in allowed) for one in wanted):
            return name
    return None


def _role(name: str, index_prefix: str) -> dict[str, Any]:
    # Terraform's ${index_prefix} is string.Template's too.
    text = string.Template(resource(_FILES.get(name, f"opensearch/roles/{name}.json")).read_text(encoding="utf-8"))
    role: dict[str, Any] = msgspec.json.decode(text.substitute(index_prefix=index_prefix))
    return role
