"""Makes addresses with gaps in them, which the page fills in for each finding."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote_plus, urlsplit

from oktalogger.okta.origin import admin_host
from oktalogger.urls import discover_url, system_log_url
from oktalogger.window import Window, format_instant

_ANY: Final = Window(datetime(2001, 1, 1, tzinfo=UTC), datetime(2001, 1, 2, tzinfo=UTC))


def events_template(dashboards_url: str | None, index_pattern: str) -> str:
    """Return the address of events in Discover, with ``{query}`` (Lucene, in Rison), ``{since}`` and ``{until}``.

    :param dashboards_url: address of OpenSearch Dashboards; without it there is no address
    :param index_pattern: id of the index pattern
    """
    if not dashboards_url:
        return ""
    return discover_url(
        dashboards_url,
        "{query}",
        since="{since}",
        until="{until}",
        language="lucene",
        index_pattern=index_pattern,
        columns=("eventType", "outcome.result", "actor.alternateId", "client.ipAddress", "displayMessage"),
    )


def system_log_template(org: str, console_url: str | None = None) -> str:
    """Return the address of Okta's System Log with ``{search}``, ``{since}`` and ``{until}`` in it.

    :param org: the org's name, a host and perhaps a port
    :param console_url: its Admin Console, if the address does not follow from the host
    :return: the address, or an empty text if nobody knows that of the Admin Console
    """
    host = admin_host(urlsplit(f"//{org}").hostname or "")
    console = console_url or (f"https://{host}" if host else "")
    if not console:
        return ""
    url = system_log_url(console, search="{search}", window=_ANY)
    for instant, name in ((_ANY.start, "{since}"), (_ANY.end, "{until}")):
        url = url.replace(quote_plus(format_instant(instant)), name)
    return url
