"""Counts events by kind and hour: what sort of thing happened, told by the type of the event.

The kinds follow Okta's catalog of event types (https://developer.okta.com/docs/reference/api/event-types/). A type
belongs to the first kind that takes it, and to ``system`` if none does, so that the kinds of an hour add up to its
events.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from oktalogger.opensearch.request import search
from oktalogger.ui.snapshot import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames
    from oktalogger.ui.snapshot import Kind
    from oktalogger.window import Window

# In the order in which they are tried; each is the beginning of event types.
BEGINNINGS: Final[tuple[tuple[Kind, tuple[str, ...]], ...]] = (
    (
        "factor",
        (
            "user.mfa.",
            "user.authentication.auth_via_mfa",
            "system.mfa.",
            "system.push.",
            "system.sms.send_factor",
            "system.voice.send_mfa",
            "system.email.mfa",
            "device.enrollment.",
        ),
    ),
    ("application access", ("user.authentication.sso", "app.oauth2.", "app.access_request.", "app.generic.unauth")),
    ("sign-in", ("user.session.", "user.authentication.", "policy.evaluate_sign_on", "user.account.lock", "security.")),
    (
        "administration",
        (
            "user.account.privilege.",
            "group.privilege.",
            "iam.",
            "policy.",
            "application.lifecycle.",
            "application.policy.",
            "zone.",
            "network_zone.",
            "system.api_token.",
            "system.idp.",
            "system.log_stream.",
            "system.org.",
            "event_hook.",
            "inline_hook.",
            "oauth2.",
        ),
    ),
    ("directory", ("user.", "group.", "application.", "app.user_management.", "directory.", "device.")),
)
_REST: Final = "system"


def kinds_by_hour(client: OpenSearch, names: IndexNames, org: str, within: Window) -> dict[datetime, tuple[int, ...]]:
    """Count the documents of each kind, in the order of :data:`KINDS`, of each hour that has some. One search.

    :param client: the client
    :param names: the names of the deployment
    :param org: the org's host name
    :param within: the range, of whole hours
    :raises OpenSearchLoadError: if OpenSearch cannot be asked
    """
    answer = search(client, names.alias, _body(org, within), doing=f"to count the kinds of events of {within}")
    found = {}
    for bucket in answer.get("aggregations", {}).get("hours", {}).get("buckets", ()):
        counts = {name: one["doc_count"] for name, one in bucket["kinds"]["buckets"].items()}
        found[datetime.fromtimestamp(bucket["key"] / 1000, UTC)] = tuple(counts.get(kind, 0) for kind in KINDS)
    return found


def kind_of(event_type: str) -> Kind:
    """Return the kind of an event type."""
    for kind, beginnings in BEGINNINGS:
        if event_type.startswith(beginnings):
            return kind
    return _REST


def _body(org: str, within: Window) -> Mapping[str, Any]:
    filters: dict[str, Any] = {}
    before: list[dict[str, Any]] = []
    for kind, beginnings in BEGINNINGS:
        takes = [{"prefix": {"eventType": beginning}} for beginning in beginnings]
        filters[kind] = {"bool": {"should": takes, "minimum_should_match": 1, "must_not": list(before)}}
        before += takes
    published = {"gte": within.start.isoformat(), "lt": within.end.isoformat()}
    return {
        "size": 0,
        "query": {"bool": {"filter": [{"term": {"oktalogger.org": org}}, {"range": {"published": published}}]}},
        "aggs": {
            "hours": {
                "date_histogram": {"field": "published", "fixed_interval": "1h", "min_doc_count": 1},
                "aggs": {"kinds": {"filters": {"filters": filters, "other_bucket_key": _REST}}},
            }
        },
    }
