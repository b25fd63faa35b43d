"""Turns what OpenSearch, a proxy or AWS answers into a typed error that says what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oktalogger.opensearch.errors import (
    CollectionTypeError,
    IndexBlockedError,
    IndexConflictError,
    IndexMissingError,
    OpenSearchAuthenticationError,
    OpenSearchLoadError,
    OpenSearchPermissionError,
    OpenSearchRequestError,
    OpenSearchTlsError,
    OpenSearchUnavailableError,
)
from oktalogger.opensearch.roles import role_that_allows
from oktalogger.resources import ResourceError

if TYPE_CHECKING:
    from opensearchpy import exceptions

SETUP_DAG: Final = "okta_opensearch_setup"
MAPPINGS_API: Final = "/_plugins/_security/api/rolesmapping"
_LONGEST_REASON = 1000
# The security plugin: no permissions for [a, b] and User [name=x, backend_roles=[r, s], requestedTenant=null]
# A permission may itself hold brackets: indices:data/write/bulk[s]
_NO_PERMISSIONS = re.compile(r"no permissions for \[(?P<permissions>.*?)\](?: and |$)")
_USER = re.compile(r"User \[name=(?P<name>.*?), backend_roles=\[(?P<roles>.*?)\]")
# The security plugin's own API: No permission to access REST API: User x with Security roles [a, b] does not have any
_NO_SECURITY_API = re.compile(r"No permission to access REST API: User (?P<name>.+?) with Security [Rr]oles")
# botocore, when it could not get the credentials to sign with; it ends in a connection error of opensearch-py.
_NO_CREDENTIALS = re.compile(r"when calling the (AssumeRole\w*|GetRoleCredentials) operation")
# Amazon OpenSearch Serverless, collections of the types TIMESERIES and VECTORSEARCH.
_NO_IDS = "Document ID is not supported in create/index operation request"
_PLUGIN_MISSING = "no handler found for uri"
# What only the setup does where roles are told apart.
_SETUP_ONLY: Final = (
    "indices:admin/aliases",
    "indices:admin/index_template/put",
    "indices:admin/mapping/put",
    "indices:admin/settings/update",
)
# AWS answers these with 403, before OpenSearch has seen the request.
_AWS_UNKNOWN = re.compile(
    r"security token|signature|UnrecognizedClient|InvalidClientTokenId|Missing Authentication|ExpiredToken"
    r"|Credential should be scoped|x-amz-content-sha256",
    re.IGNORECASE,
)
_TLS_FOR_GOOD = re.compile(
    r"certificate|hostname|wrong.version.number|unknown.ca|bad.*cert|http.request|unsupported.protocol|handshake.failure"
    r"|record.layer|SSL_ERROR_SYSCALL.*cert",
    re.IGNORECASE,
)
_NAME_UNKNOWN = re.compile(r"NameResolution|getaddrinfo|Name or service not known|nodename nor servname|resolve", re.I)
_REFUSED = re.compile(r"refused", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Failure:
    """One refusal, of a whole request or of one item in a bulk.

    :param status: the HTTP status; None if there was no answer
    :param error_type: OpenSearch's name of the error, or that of the exception if there was no answer
    :param reason: OpenSearch's words with those of its causes, or what else came back, cut to a readable length
    """

    status: int | None
    error_type: str
    reason: str

    @classmethod
    def of(cls, error: exceptions.TransportError) -> Failure:
        """Read an opensearch-py exception."""
        status = error.args[0] if error.args and isinstance(error.args[0], int) else None
        info = error.args[2] if len(error.args) > 2 else None
        if status is None:
            words = str(error.args[1]) if len(error.args) > 1 else str(error)
            return cls(None, type(info if isinstance(info, Exception) else error).__name__, shorten(words))
        detail = info.get("error") if isinstance(info, dict) else None
        if isinstance(detail, dict):
            return cls(status, str(detail.get("type", "")), shorten(reason_of(detail)))
        if isinstance(info, dict):
            # AWS in front of OpenSearch: {"Message": "User: ... is not authorized to perform: es:ESHttpPost"}
            said = info.get("Message") or info.get("message") or detail or info
            return cls(status, "", shorten(str(said)))
        return cls(status, "", shorten(str(error.args[1]) if len(error.args) > 1 else ""))

    @property
    def said(self) -> str:
        """Status, type and reason in one line."""
        status = "no answer" if self.status is None else f"HTTP {self.status}"
        return ", ".join(part for part in (status, self.error_type, self.reason) if part)


def shorten(text: str) -> str:
    """Put text on one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"


def reason_of(detail: dict[str, Any]) -> str:
    """Join the reason of an error with those of its causes, without saying anything twice."""
    reasons: list[str] = []
    at: Any = detail
    while isinstance(at, dict):
        reason = str(at.get("reason") or at.get("type") or "")
        if reason and not any(reason in earlier for earlier in reasons):
            reasons.append(reason)
        at = at.get("caused_by")
    return ": ".join(reasons)


def error_for(failure: Failure, *, doing: str, index: str | None = None) -> OpenSearchLoadError:
    """Choose the typed error for a refusal.

    :param failure: what came back
    :param doing: what it was asked, to follow "OpenSearch refused" in a sentence: ``to make the index x``
    :param index: the index or alias concerned
    """
    facts: dict[str, Any] = {
        "status": failure.status,
        "error_type": failure.error_type or None,
        "reason": failure.reason,
        "index": index,
    }
    if failure.status is None:
        return _no_answer(failure, doing, facts)
    head = f"OpenSearch refused {doing} ({failure.said})."
    if failure.error_type == "cluster_block_exception" and failure.status != 503:
        return IndexBlockedError(f"{head} {_unblock(failure)}", **facts)
    if failure.status == 401 or (failure.status == 403 and _AWS_UNKNOWN.search(failure.reason)):
        return OpenSearchAuthenticationError(
            f"{head} It does not know these credentials: check the connection's user and password, certificate, "
            "or for AWS the role, its region, and the clock of this machine.",
            **facts,
        )
    if failure.status == 403:
        return _forbidden(failure, head, facts)
    if failure.error_type == "index_not_found_exception":
        return IndexMissingError(
            f"{head} The index is gone or was never made: the next run makes it before it loads.", **facts
        )
    if failure.error_type == "index_closed_exception":
        return IndexBlockedError(f"{head} The index is closed: open it (POST <index>/_open).", **facts)
    if (others := _in_the_way(failure, head, facts)) is not None:
        return others
    if failure.status == 429:
        return OpenSearchUnavailableError(f"{head} It has too much to do: try again later.", **facts)
    if failure.status >= 500 or failure.status == 408:
        unknown = failure.status in (408, 500, 502, 503, 504)
        return OpenSearchUnavailableError(
            f"{head} The server, or a proxy before it, cannot serve this now: look at the cluster's health.",
            outcome_unknown=unknown,
            **facts,
        )
    return OpenSearchRequestError(f"{head} {_advice(failure)}".rstrip(), **facts)


_NAME_TAKEN = frozenset(
    {"invalid_alias_name_exception", "invalid_index_name_exception", "resource_already_exists_exception"}
)
_SETTING_OF_OTHERS = re.compile(
    r"no write index is defined for alias|pipeline with id \[.*\] does not exist|routing is required"
)
_OTHER_PREFIX = (
    "Move what has the name out of the way (reindex it under another name, then delete it), or give oktalogger "
    "another index prefix (OKTALOGGER_INDEX_PREFIX)."
)


def _in_the_way(failure: Failure, head: str, facts: dict[str, Any]) -> OpenSearchLoadError | None:
    if _NO_IDS in failure.reason:
        return CollectionTypeError(
            f"{head} This collection of Amazon OpenSearch Serverless chooses ids itself, so that an event that is "
            "loaded again would be stored again. Make a collection of the type SEARCH, or take a domain.",
            **facts,
        )
    if failure.error_type in _NAME_TAKEN:
        return IndexConflictError(f"{head} {_OTHER_PREFIX}", **facts)
    if _SETTING_OF_OTHERS.search(failure.reason):
        return IndexConflictError(
            f"{head} That comes from the settings or aliases that somebody gave the index, not from a document: "
            "take them back (GET <index>/_settings and GET <index>/_alias show them).",
            **facts,
        )
    return None


def _no_answer(failure: Failure, doing: str, facts: dict[str, Any]) -> OpenSearchLoadError:
    head = f"OpenSearch did not answer when asked {doing} ({failure.error_type}: {failure.reason})."
    if _NO_CREDENTIALS.search(failure.reason):
        return OpenSearchAuthenticationError(
            f"Nothing was asked of OpenSearch: AWS gave no credentials to sign a request with, {doing} "
            f"({failure.reason}). Let the worker's role assume that role: its own policy "
            "must allow it, and that role's trust policy as well.",
            **facts,
        )
    if "ssl" in f"{failure.error_type} {failure.reason}".lower() and _TLS_FOR_GOOD.search(failure.reason):
        return OpenSearchTlsError(
            f"{head} The server's certificate is not trusted for this host, or the port does not speak TLS: check the "
            "host name, name the authority that signed it (ca_certs), and check http against https.",
            **facts,
        )
    if _NAME_UNKNOWN.search(failure.reason):
        advice = "The host name is not known here: check the URL, and the DNS of this machine."
    elif _REFUSED.search(failure.reason):
        advice = "Nothing listens there: check host and port, and whether OpenSearch runs."
    else:
        advice = "Check that OpenSearch runs and can be reached from here; a time-out also comes from overload."
    known = _NAME_UNKNOWN.search(failure.reason) or _REFUSED.search(failure.reason)
    return OpenSearchUnavailableError(f"{head} {advice}", outcome_unknown=not known, **facts)


def _unblock(failure: Failure) -> str:
    if "create-index" in failure.reason:
        what = "The cluster makes no new indices, as a rule because its disks are full:"
    elif "read-only-allow-delete" in failure.reason or "read-only / allow delete" in failure.reason:
        what = "The index takes no writes, as a rule because the disk is over its flood-stage watermark:"
    else:
        return "Somebody blocked writes: look at index.blocks.* of the index and cluster.blocks.* of the cluster."
    return f"{what} free or add space; OpenSearch lifts the block by itself, else set it to null."


def _forbidden(failure: Failure, head: str, facts: dict[str, Any]) -> OpenSearchPermissionError:
    user = _USER.search(failure.reason) or _NO_SECURITY_API.search(failure.reason)
    wanted = _NO_PERMISSIONS.search(failure.reason)
    permissions = tuple(filter(None, (part.strip() for part in wanted["permissions"].split(",")))) if wanted else ()
    listed = user.groupdict().get("roles") if user else None
    roles = tuple(filter(None, (part.strip() for part in listed.split(",")))) if listed else ()
    if user is None:
        advice = (
            "The access policy of the domain, or a proxy, does not let this identity in: allow it there first. "
            f"Then map it to a role of OpenSearch (the DAG {SETUP_DAG} does)."
        )
    elif user.re is _NO_SECURITY_API:
        advice = f"Only an administrator of OpenSearch may do that, and {user['name']} is none."
    else:
        advice = _whom_to_map(user["name"], roles, permissions)
    return OpenSearchPermissionError(
        f"{head} {advice}", user=user["name"] if user else None, backend_roles=roles, permissions=permissions, **facts
    )


def _whom_to_map(user: str, backend_roles: tuple[str, ...], permissions: tuple[str, ...]) -> str:
    """Say which role is missing to whom, and the ways to give it."""
    known = f"OpenSearch knows the caller as {user}, but no role mapped to it allows this."
    who = f"the backend role {' or '.join(backend_roles)}" if backend_roles else f"the user {user}"
    if any(permission in _SETUP_ONLY for permission in permissions):
        return (
            f"{known} Index templates, mappings, aliases or settings are missing or older than this version of "
            f"oktalogger, and only the DAG {SETUP_DAG} (or `python -m oktalogger setup`) changes them, with the rights "
            f"of an administrator: run it. Or map {who} to a role that has {', '.join(permissions)}."
        )
    try:
        role = role_that_allows(permissions)
    except ResourceError:  # an incomplete installation must not hide what OpenSearch said
        role = None
    if role is None:
        needed = f" that has {', '.join(permissions)}" if permissions else ""
        return f"{known} Map {who} to a role{needed} (Dashboards: Security, Roles, Mapped users)."
    member = {"backend_roles": [backend_roles[0]]} if backend_roles else {"users": [user]}
    return (
        f"{known} Map {who} to the role {role}, which has {', '.join(permissions)}: run the DAG {SETUP_DAG} (on AWS "
        "Terraform names who is mapped, and setup_from_airflow = true lets the DAG do it), or as an administrator "
        f"PUT {MAPPINGS_API}/{role} {msgspec.json.encode(member).decode()}, which replaces whoever is mapped there."
    )


def plugin_missing(error: OpenSearchLoadError) -> bool:
    """Say whether a request was refused because the plugin that would answer it is not installed."""
    return _PLUGIN_MISSING in (error.reason or "")


def _advice(failure: Failure) -> str:
    if "awareness attributes" in failure.reason:
        return (
            "The domain spreads copies over zones: set the number of replicas so that the copies are a multiple of the "
            "zones, 2 with three zones (OKTALOGGER_REPLICAS)."
        )
    if "maximum shards open" in failure.reason:
        return "The cluster has as many shards as it may: delete old indices, or raise cluster.max_shards_per_node."
    if failure.status == 413:
        return (
            "The request is larger than OpenSearch, or a proxy before it, takes: raise http.max_content_length (on "
            "Amazon OpenSearch Service by a larger instance type), or the proxy's limit."
        )
    if failure.status in (404, 405) or not failure.error_type:
        return "That is not how OpenSearch answers: check that the URL (host, port, path) is OpenSearch's own."
    return ""
