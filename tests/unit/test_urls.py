"""Addresses of screens: what messages and links have in common, and what each adds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from oktalogger.urls import discover_url, rejected_url, system_log_url, window_discover_url, window_system_log_url
from oktalogger.window import Window

WINDOW = Window(datetime(2026, 11, 23, 10, tzinfo=UTC), datetime(2026, 11, 23, 10, tzinfo=UTC) + timedelta(minutes=5))


@pytest.mark.parametrize("domain", ["okta.com", "okta-emea.com", "okta.mil", "trexcloud.com"])
def test_the_console_of_each_of_oktas_domains(domain: str) -> None:
    url = urlsplit(window_system_log_url(f"https://Company.{domain}", WINDOW) or "")
    assert (url.netloc, url.path) == (f"company-admin.{domain}", "/report/system_log_2")


def test_one_windows_system_log() -> None:
    url = window_system_log_url("https://company.okta.com", WINDOW, filter='eventType eq "a.b"', q="ignored")
    assert parse_qs(urlsplit(url or "").query) == {
        "search": ['eventType eq "a.b"'],
        "fromTime": ["2026-11-23T10:00:00Z"],
        "toTime": ["2026-11-23T10:05:00Z"],
        "locale": ["Etc/UTC"],
        "view": ["list"],
    }


def test_a_custom_domain_needs_the_consoles_address() -> None:
    assert window_system_log_url("https://login.company.example", WINDOW) is None
    url = window_system_log_url("https://login.company.example", WINDOW, admin_url="https://admin.company.example/")
    assert (url or "").startswith("https://admin.company.example/report/system_log_2?search=&fromTime=")


def test_a_template_stays_a_template() -> None:
    search = system_log_url("https://company-admin.okta.com", search='uuid eq "{{_source.uuid}}"')
    assert search == "https://company-admin.okta.com/report/system_log_2?search=uuid+eq+%22{{_source.uuid}}%22"
    assert system_log_url("https://{{_source.oktalogger.org}}").startswith("https://{{_source.oktalogger.org}}/")
    found = discover_url("https://d/", "uuid:{{_source.uuid}}", since="now-90d", language="lucene")
    assert found == (
        "https://d/app/data-explorer/discover#?_g=(time:(from:now-90d,to:now))"
        "&_q=(query:(language:lucene,query:'uuid:{{_source.uuid}}'))"
    )


@pytest.mark.parametrize("index_pattern", [None, "p"])
def test_a_query_in_an_address_cannot_break_out(index_pattern: str | None) -> None:
    url = discover_url("https://d", 'a:"it\'s" AND b:!c #&', since="now-1d", index_pattern=index_pattern)
    assert "it!'s" in url
    assert "b:!!c" in url
    fragment = url.partition("#")[2]
    assert not set(fragment) & set('" #')
    assert fragment.count("&") == (1 if index_pattern is None else 2)


def test_discover_for_one_window() -> None:
    url = window_discover_url("https://d/_dashboards/", WINDOW, index_pattern="9a-b", org="company.okta.com")
    base, _, fragment = url.partition("#?")
    assert base == "https://d/_dashboards/app/data-explorer/discover"
    state = dict(part.split("=", 1) for part in unquote(fragment).split("&"))
    assert state == {
        "_a": "(discover:(columns:!(eventType,outcome.result,actor.alternateId,client.ipAddress,displayMessage),"
        "isDirty:!f,sort:!()),metadata:(indexPattern:'9a-b',view:discover))",
        "_g": "(filters:!(),refreshInterval:(pause:!t,value:0),"
        "time:(from:'2026-11-23T10:00:00Z',to:'2026-11-23T10:04:59.999Z'))",
        "_q": "(filters:!(),query:(language:kuery,query:'oktalogger.org:\"company.okta.com\"'))",
    }


def test_discover_for_what_was_refused() -> None:
    url = unquote(rejected_url("https://d", index_pattern="okta-rejected", run_id="manual__2026-11-23T10:00:00+00:00"))
    assert "indexPattern:okta-rejected," in url
    assert "time:(from:now-180d,to:now)" in url
    assert "query:'run_id:\"manual__2026-11-23T10:00:00+00:00\"'" in url
