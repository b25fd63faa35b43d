from __future__ import annotations

import pytest

from oktalogger.okta.errors import OktaConfigurationError
from oktalogger.okta.origin import admin_host, is_loopback, org_name, org_origin, same_origin, without_user

ORG = "https://company.okta.com"


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://company.okta.com", ORG),
        (" https://Company.okta.com/ ", ORG),
        ("https://login.company.example:8443", "https://login.company.example:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_org_urls(given: str, origin: str) -> None:
    assert org_origin(given) == origin


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "not the address"),
        ("company.okta.com", "not the address"),
        ("https://", "not the address"),
        ("ftp://company.okta.com", "not the address"),
        ("https://{yourOktaDomain}", "not the address"),
        ("https://company.okta.com:port", "not the address"),
        ("https://company.okta.com:99999", "not the address"),
        ("https://comp any.okta.com", "not the address"),
        ("https://company.okta.com/app/x", "'https://company.okta.com/app/x' has a path"),
        # Somebody pasted a token there.
        (f"https://company.okta.com/{'0' * 42}", "'https://company.okta.com/...' has a path"),
        ("https://company.okta.com?x", "has a path"),
        ("https://company-admin.okta.com", "use 'https://company.okta.com'"),
        ("http://company.okta.com", "not https"),
        ("http://localhost.company.example", "not https"),
    ],
)
def test_what_is_no_org_url(given: str, says: str) -> None:
    with pytest.raises(OktaConfigurationError, match=says):
        org_origin(given)


# As Okta's SDKs refuse them with `-admin`, and trexcloud.com.
DOMAINS = [
    *("okta.com", "oktapreview.com", "okta-emea.com", "okta-gov.com", "okta.mil", "okta-miltest.com"),
    *("trex-gov.com", "trex-govcloud.com", "trexcloud.com"),
]


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_admin_console_is_told_from_the_org_on_each_of_oktas_domains(domain: str) -> None:
    assert org_origin(f"https://company.{domain}") == f"https://company.{domain}"
    with pytest.raises(OktaConfigurationError, match=f"use 'https://company.{domain}', without '-admin'"):
        org_origin(f"https://Company-admin.{domain}".lower())


@pytest.mark.parametrize(
    ("host", "console"),
    [
        ("acme.okta.com", "acme-admin.okta.com"),
        ("ACME.oktapreview.com", "acme-admin.oktapreview.com"),
        ("acme-admin.okta.com", "acme-admin.okta.com"),
        ("acme.okta.mil", "acme-admin.okta.mil"),
        ("login.acme.example", None),
        ("a.b.okta.com", None),
        ("acme.okta.com.evil.example", None),
        ("{{_source.oktalogger.org}}", None),
    ],
)
def test_the_host_of_an_admin_console(host: str, console: str | None) -> None:
    assert admin_host(host) == console


def test_a_password_in_the_org_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(OktaConfigurationError) as caught:
        org_origin("https://user:secret@company.okta.com")
    assert "secret" not in str(caught.value)


def test_http_by_request() -> None:
    assert org_origin("http://okta.test", allow_http=True) == "http://okta.test"


@pytest.mark.parametrize("url", [ORG, f"{ORG}/", f"{ORG}:443/api", "https://COMPANY.OKTA.COM/x?y=@z", f"{ORG}?x"])
def test_same_origin(url: str) -> None:
    assert same_origin(url, ORG)


@pytest.mark.parametrize(
    "url",
    [
        "http://company.okta.com/",
        "https://company.okta.com:8443/",
        "https://company.okta.com.evil.example/",
        "https://evil.example/company.okta.com",
        "https://company.okta.com@evil.example/",
        "https://evil.example@company.okta.com/",
        "https://company.okta.com\\@evil.example/",
        "https://evil.example\\.company.okta.com/",
        "https:\\\\company.okta.com/",
        "https://company.okta.com%2eevil.example/",
        "https://company.okta.com\t.evil.example/",
        "https://company。okta.com/",
        "https://company.okta\t.com/",
        "https://company.okta.com/a\tb",
        "//company.okta.com/",
        "/api/v1/logs",
        "https:///api",
        "https://[::1",
        "",
    ],
)
def test_other_origin(url: str) -> None:
    assert not same_origin(url, ORG)


def test_loopback() -> None:
    assert all(map(is_loopback, ["localhost", "okta.localhost", "127.0.0.1", "127.9.9.9", "::1"]))
    assert not any(map(is_loopback, ["localhost.example", "10.0.0.1", "0.0.0.0", "", "127.0.0.1.example"]))  # noqa: S104


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a:b@host/x?y#z", "https://host/x?y"),
        ("https://a:b@c@host", "https://host"),
        ("https://host/x@y?z@w", "https://host/x@y?z@w"),
        ("a:b@host", "host"),
    ],
)
def test_without_user(url: str, shown: str) -> None:
    assert without_user(url) == shown


@pytest.mark.parametrize(
    ("org_url", "name"),
    [
        ("https://company.okta.com", "company.okta.com"),
        ("https://Company.okta.com:443/", "company.okta.com"),
        ("https://okta.test:8443", "okta.test:8443"),
        ("http://okta.test", "okta.test"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_an_org_is_named_by_its_host_and_a_port_of_its_own(org_url: str, name: str) -> None:
    assert org_name(org_url) == name


@pytest.mark.parametrize(
    ("org_url", "name"),
    [
        ("https://me:secret@acme.okta.com", "acme.okta.com"),
        ("https://acme.okta.com:port", "acme.okta.com"),
        ("https://acme.okta.com/secret path", ""),
        ("secret", ""),
    ],
)
def test_the_name_of_an_address_that_cannot_be_used_holds_no_more_than_its_host(org_url: str, name: str) -> None:
    assert org_name(org_url) == name
