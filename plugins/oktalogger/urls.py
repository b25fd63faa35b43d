"""Addresses of screens that show just one window's events. No Airflow here, and nothing secret in any address."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from oktalogger.window import format_instant

if TYPE_CHECKING:
    from oktalogger.window import Window

# Okta's own domains: there the Admin Console of `company` is `company-admin`. A custom domain has none to be guessed.
_OKTA_ORG = re.compile(
    r"(?P<name>[a-z0-9-]+)\.(?P<domain>(?:okta|oktapreview|okta-emea|okta-gov|trexcloud)\.com|okta\.mil)"
)
_COLUMNS = ("eventType", "outcome.result", "actor.alternateId", "client.ipAddress", "displayMessage")


def okta_system_log_url(
    org_url: str,
    window: Window,
    *,
    filter: str | None = None,
    q: str | None = None,
    admin_url: str | None = None,
) -> str | None:
    """Return the address of the System Log in Okta's Admin Console, for one window.

    The form of the address is what the Admin Console itself shows after a search.

    :param org_url: address of the org
    :param window: what to show
    :param filter: SCIM filter of the load, which the search field takes as it is
    :param q: keywords of the load, which it takes as well
    :param admin_url: address of the Admin Console, where it does not follow from the org's
    :return: the address, or None where nobody knows that of the Admin Console
    """
    base = (admin_url or _admin_url(org_url) or "").rstrip("/")
    if not base:
        return None
    query = {
        "search": filter or q or "",
        "fromTime": format_instant(window.start),
        "toTime": format_instant(window.end),
        "locale": "Etc/UTC",
        "view": "list",
    }
    return f"{base}/report/system_log_2?{urlencode(query)}"


def _admin_url(org_url: str) -> str | None:
    match = _OKTA_ORG.fullmatch((urlsplit(org_url).hostname or "").lower())
    return f"https://{match['name']}-admin.{match['domain']}" if match else None


def discover_url(dashboards_url: str, window: Window, *, index_pattern: str, org: str) -> str:
    """Return the address of Discover in OpenSearch Dashboards (2.10 and later), for one org's events of one window.

    :param dashboards_url: address of OpenSearch Dashboards, on Amazon OpenSearch Service with ``/_dashboards``
    :param window: what to show, by ``published``
    :param index_pattern: id of the index pattern
    :param org: what the documents say in ``oktalogger.org``
    """
    # Discover's range holds both of its ends, a window only the first.
    last = window.end - timedelta(milliseconds=1)
    return _discover(
        dashboards_url,
        index_pattern,
        columns=_COLUMNS,
        since=format_instant(window.start),
        until=format_instant(last),
        query=f'oktalogger.org:"{org}"',
    )


def rejected_url(dashboards_url: str, *, index_pattern: str, run_id: str) -> str:
    """Return the address of Discover for the events that OpenSearch refused in one run.

    :param dashboards_url: as for :func:`discover_url`
    :param index_pattern: id of the index pattern of the rejected events
    :param run_id: what these documents say in ``run_id``
    """
    return _discover(
        dashboards_url,
        index_pattern,
        columns=("reason_type", "reason", "event"),
        since="now-180d",
        until="now",
        query=f'run_id:"{run_id}"',
    )


def _discover(
    dashboards_url: str, index_pattern: str, *, columns: tuple[str, ...], since: str, until: str, query: str
) -> str:
    shown = ",".join(_rison(column) for column in columns)
    state = {
        "_a": f"(discover:(columns:!({shown}),isDirty:!f,sort:!()),"
        f"metadata:(indexPattern:{_rison(index_pattern)},view:discover))",
        "_g": f"(filters:!(),refreshInterval:(pause:!t,value:0),time:(from:{_rison(since)},to:{_rison(until)}))",
        "_q": f"(filters:!(),query:(language:kuery,query:{_rison(query)}))",
    }
    fragment = "&".join(f"{name}={quote(value, safe='!():,*@._-')}" for name, value in state.items())
    return f"{dashboards_url.rstrip('/')}/app/data-explorer/discover#?{fragment}"


def _rison(text: str) -> str:
    """Return a string in Rison, the notation of Dashboards' addresses (https://github.com/Nanonid/rison)."""
    return "'" + text.replace("!", "!!").replace("'", "!'") + "'"
