"""Decides a request by IAM policies, as AWS describes it, for the parts of the language that our policies use.

Why not a library: moto's engine leaves out conditions of identity policies and takes an unmet one for a denial, and the
others on PyPI answer for a live account. What this does is held against moto's engine where that one is right, and
against AWS's documented rules, in ``test_iam.py``. Whatever a policy uses that is not known here is an error.

Source: AWS IAM User Guide, "Policy evaluation logic" and "JSON policy elements".
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Policy = dict[str, Any]
_KNOWN = {"Sid", "Effect", "Action", "Resource", "Principal", "Condition"}


@dataclass(frozen=True)
class Request:
    """One API call.

    :param principal: ARN of the caller, or the name of a service
    :param context: condition keys and their values
    """

    principal: str
    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def allowed(
    request: Request, identity: Iterable[Policy] = (), resource: Policy | None = None, *, resource_decides: bool = False
) -> bool:
    """Say whether a call within one account is allowed.

    :param request: the call
    :param identity: policies of the caller
    :param resource: policy of what is called, if it has one
    :param resource_decides: whether the caller's policies count only as far as the resource's policy lets them, as with
        KMS keys and the trust policies of roles
    :raises ValueError: where a policy uses something that is not known here
    """
    mine = [statement for policy in identity for statement in statements(policy)]
    its = statements(resource) if resource else []
    account = f"arn:aws:iam::{request.principal.split(':')[4]}:root" if request.principal.startswith("arn:") else None
    named = [statement for statement in its if _names(statement, request.principal)]
    # The account as principal hands the decision to the caller's own policies; it gives nobody anything by itself.
    delegated = any(_applies(s, request, "Allow") for s in its if account and _names(s, account, exactly=True))
    if any(_applies(statement, request, "Deny") for statement in [*mine, *named]):
        return False
    by_identity = any(_applies(statement, request, "Allow") for statement in mine)
    by_name = any(_applies(statement, request, "Allow") for statement in named)
    return by_name or (by_identity and delegated if resource_decides else by_identity)


def statements(policy: Policy) -> list[dict[str, Any]]:
    """Return a policy's statements.

    :raises ValueError: where a statement has an element that is not known here
    """
    found = policy["Statement"]
    listed = found if isinstance(found, list) else [found]
    for statement in listed:
        if unknown := set(statement) - _KNOWN:
            raise ValueError(f"not known here: {', '.join(sorted(unknown))}")
    return listed


def values(element: Any) -> list[str]:
    """Return what may be one string or a list of them as a list."""
    return [element] if isinstance(element, str) else list(element)


def principals(statement: Mapping[str, Any]) -> list[str]:
    """Return all principals of a statement, of whatever kind."""
    principal = statement.get("Principal", [])
    kinds = list(principal.values()) if isinstance(principal, dict) else [principal]
    return [name for kind in kinds for name in values(kind)]


def like(pattern: str, value: str, *, case: bool = True) -> bool:
    """Match IAM's wildcards ``*`` and ``?``."""
    expression = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(expression, value, re.DOTALL if case else re.DOTALL | re.IGNORECASE) is not None


def _names(statement: Mapping[str, Any], principal: str, *, exactly: bool = False) -> bool:
    return any(name == principal or (name == "*" and not exactly) for name in principals(statement))


def _applies(statement: Mapping[str, Any], request: Request, effect: str) -> bool:
    return (
        statement["Effect"] == effect
        and any(like(pattern, request.action, case=False) for pattern in values(statement["Action"]))
        # A trust policy has no resource: it is the role's own.
        and any(like(pattern, request.resource) for pattern in values(statement.get("Resource", "*")))
        and all(
            _holds(operator, wanted, request.context.get(key))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _in_range(pattern: str, value: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(pattern)


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda pattern, value: pattern == value,
    "Bool": lambda pattern, value: pattern.lower() == value.lower(),
    "ArnLike": like,
    "IpAddress": _in_range,
}


def _holds(operator: str, wanted: Any, value: str | None) -> bool:
    if operator not in _OPERATORS:
        raise ValueError(f"not known here: the condition operator {operator}")
    return value is not None and any(_OPERATORS[operator](pattern, value) for pattern in values(wanted))
