"""Builds the addresses of screens that show events, for links and for messages. None of them holds a secret."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlencode, urlsplit

from oktalogger.okta.origin import admin_host
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oktalogger.window import Window

_COLUMNS = ("eventType", "outcome.result", "actor.alternateId", "client.ipAddress", "displayMessage")
# The tags of a Mustache template stay as they are: OpenSearch Alerting fills them in.
_MUSTACHE = "{}"
# What Dashboards puts a field's value in place of.
_VALUE = "{{value}}"


def window_system_log_url(
    org_url: str,
    window: Window,
    *,
    filter: str | None = None,
    q: str | None = None,
    admin_url: str | None = None,
) -> str | None:
    """Return the address of the System Log in Okta's Admin Console, for one window.

    :param org_url: address of the org
    :param window: what to show
    :param filter: SCIM filter of the load, which the search field takes as it is
    :param q: keywords of the load, which it takes as well
    :param admin_url: address of the Admin Console, if it does not follow from the org's
    :return: the address, or None if nobody knows that of the Admin Console
    """
    host = admin_host(urlsplit(org_url).hostname or "")
    console = admin_url or (f"https://{host}" if host else "")
    return system_log_url(console, search=filter or q or "", window=window) if console else None


def system_log_url(console_url: str, *, search: str | None = None, window: Window | None = None) -> str:
    """Return the address of the System Log in an Admin Console, in the form that the console itself shows.

    :param console_url: address of the Admin Console
    :param search: what to put into its search field; Mustache tags in it stay as they are
    :param window: what to show; by default the last days
    """
    query = {} if search is None else {"search": search}
    if window is not None:
        query |= {
            "fromTime": format_instant(window.start),
            "toTime": format_instant(window.end),
            "locale": "Etc/UTC",
            "view": "list",
        }
    screen = f"{console_url.rstrip('/')}/report/system_log_2"
    return f"{screen}?{urlencode(query, safe=_MUSTACHE)}" if query else screen


def window_discover_url(
    dashboards_url: str, window: Window, *, index_pattern: str, org: str, tenant: str | None = None
) -> str:
    """Return the address of Discover for one org's events of one window.

    :param dashboards_url: address of OpenSearch Dashboards, on Amazon OpenSearch Service with ``/_dashboards``
    :param window: what to show, by ``published``
    :param index_pattern: id of the index pattern
    :param org: what the documents say in ``oktalogger.org``
    :param tenant: the tenant that has the index pattern; by default that of whoever looks
    """
    # Discover's range holds both of its ends, a window only the first.
    last = window.end - timedelta(milliseconds=1)
    return discover_url(
        dashboards_url,
        f'oktalogger.org:"{org}"',
        since=format_instant(window.start),
        until=format_instant(last),
        index_pattern=index_pattern,
        columns=_COLUMNS,
        tenant=tenant,
    )


def rejected_url(dashboards_url: str, *, index_pattern: str, run_id: str, tenant: str | None = None) -> str:
    """Return the address of Discover for the events that OpenSearch refused in one run.

    :param dashboards_url: address of OpenSearch Dashboards
    :param index_pattern: id of the index pattern of the rejected events
    :param run_id: what these documents say in ``run_id``
    :param tenant: the tenant that has the index pattern; by default that of whoever looks
    """
    return discover_url(
        dashboards_url,
        f'run_id:"{run_id}"',
        since="now-180d",
        index_pattern=index_pattern,
        columns=("reason_type", "reason", "event"),
        tenant=tenant,
    )


def okta_value_urls(console_url: str) -> dict[str, str]:
    """Return where the ids in an event lead to in an Admin Console, by the event's field.

    :param console_url: address of the Admin Console
    :return: addresses with ``{{value}}`` in place of the id, as Dashboards' field formats take them
    """
    root = console_url.rstrip("/")
    user, group = f"{root}/admin/user/profile/view/{_VALUE}", f"{root}/admin/group/{_VALUE}"
    return {
        "uuid": f"{root}/report/system_log_2?search={quote('uuid eq ')}%22{_VALUE}%22",
        "transaction.id": f"{root}/report/system_log_2?search={quote('transaction.id eq ')}%22{_VALUE}%22",
        "actor.id": user,
        "oktalogger.target.user.id": user,
        "oktalogger.target.group.id": group,
    }


def okta_links(hosts: Sequence[str]) -> dict[str, str]:
    """Return where the ids in events lead to; nothing unless there is one org, whose Admin Console is known.

    :param hosts: of the orgs
    """
    console = admin_host(hosts[0]) if len(hosts) == 1 else None
    return okta_value_urls(f"https://{console}") if console else {}


def discover_url(
    dashboards_url: str,
    query: str,
    *,
    since: str,
    until: str = "now",
    language: Literal["kuery", "lucene"] = "kuery",
    index_pattern: str | None = None,
    columns: Sequence[str] = (),
    tenant: str | None = None,
) -> str:
    """Return the address of Discover in OpenSearch Dashboards (2.10 and later).

    :param dashboards_url: address of OpenSearch Dashboards, on Amazon OpenSearch Service with ``/_dashboards``
    :param query: the query; Mustache tags in it stay as they are
    :param since: the start of the time range: an instant, or one like ``now-7d``
    :param until: its end
    :param language: the language of the query
    :param index_pattern: id of the index pattern; by default Discover's own default
    :param columns: fields to show, with an index pattern
    :param tenant: the tenant of the security plugin to open it in; by default that of whoever looks
    """
    fixed = "" if index_pattern is None else "filters:!(),"
    refresh = "" if index_pattern is None else "refreshInterval:(pause:!t,value:0),"
    state = [
        f"_g=({fixed}{refresh}time:(from:{_rison(since)},to:{_rison(until)}))",
        f"_q=({fixed}query:(language:{language},query:{_quoted(query)}))",
    ]
    if index_pattern is not None:
        shown = ",".join(map(_rison, columns))
        view = f"metadata:(indexPattern:{_rison(index_pattern)},view:discover)"
        state.insert(0, f"_a=(discover:(columns:!({shown}),isDirty:!f,sort:!()),{view})")
    in_tenant = f"?{urlencode({'security_tenant': tenant})}" if tenant else ""
    return f"{dashboards_url.rstrip('/')}/app/data-explorer/discover{in_tenant}#?{'&'.join(state)}"


def _rison(text: str) -> str:
    """Return a string in Rison, the notation of Dashboards' addresses (https://github.com/Nanonid/rison)."""
    plain = text.replace("-", "").replace(".", "").replace("_", "").isalnum() and text.isascii() and text[0].isalpha()
    return text if plain else _quoted(text)


def _quoted(text: str) -> str:
    # In Rison `!` escapes, and a quoted text ends at the next quote.
    escaped = text.replace("!", "!!").replace("'", "!'")
    return "'" + quote(escaped, safe=f"{_MUSTACHE}!'()*:._") + "'"
