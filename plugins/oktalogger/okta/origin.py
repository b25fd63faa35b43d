"""Checks that a token goes to the org's own origin only, over TLS. Knows Okta's own domains."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from oktalogger.okta.errors import OktaConfigurationError

# Excludes what two URL parsers could read differently: user part, backslash, white space, percent-encoding.
_PLAIN_NETLOC = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")
# Okta's own domains, its government and test cells among them: the Admin Console of `company.DOMAIN` is
# `company-admin.DOMAIN`. Okta's SDKs check org URLs against the same list.
OKTA_DOMAINS: Final = (
    "okta.com",
    "oktapreview.com",
    "okta-emea.com",
    "okta-gov.com",
    "okta.mil",
    "okta-miltest.com",
    "trex-gov.com",
    "trex-govcloud.com",
    "trexcloud.com",
)
_OKTA_HOST = re.compile(rf"(?P<org>[a-z0-9-]+)\.(?P<domain>{'|'.join(map(re.escape, OKTA_DOMAINS))})")
_ADMIN = "-admin"
_DEFAULT_PORTS = {"https": 443, "http": 80}


def org_origin(org_url: str, *, allow_http: bool = False) -> str:
    """Check an org's address and return its ``scheme://host[:port]``.

    :param org_url: the org's address as people copy it, such as ``https://company.okta.com/``.
    :param allow_http: accept ``http`` for a host that is not this machine.
    :raises OktaConfigurationError: if it is not the address of an org, or if a token would be sent unencrypted.
    """
    parts = _split(org_url.strip())
    # Scheme and host only: if somebody pastes a token behind the host, it must not reach a log.
    shown = re.sub(r"(?<![:/])[/?#].*", "", without_user(org_url.strip()), flags=re.DOTALL)
    if parts is None or parts.scheme not in _DEFAULT_PORTS or _origin(parts) is None:
        raise OktaConfigurationError(
            f"{shown!r} is not the address of an Okta org: give scheme and host only, like https://company.okta.com"
        )
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise OktaConfigurationError(
            f"the org URL {shown + _shown_path(parts)!r} has a path: leave out everything after the host"
        )
    host = parts.hostname or ""
    if admin_host(host) == host:
        raise OktaConfigurationError(
            f"{shown!r} is the Admin Console's address: use {shown.replace(f'{_ADMIN}.', '.', 1)!r}, without {_ADMIN!r}"
        )
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        raise OktaConfigurationError(
            f"the org URL {shown!r} is not https, so the token would travel in the clear: use https, or allow http "
            "expressly for a test server"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _shown_path(parts: SplitResult) -> str:
    """Return a path for a message, if nobody can have pasted a token into it: those are longer than its parts."""
    return parts.path if re.fullmatch(r"(?:/[A-Za-z0-9_.-]{0,20}){1,6}", parts.path) else "/..." if parts.path else ""


def admin_host(host: str) -> str | None:
    """Return the host of an org's Admin Console, or None for a custom domain, which does not tell it.

    :param host: the org's host, or that of its Admin Console.
    """
    found = _OKTA_HOST.fullmatch(host.lower())
    if found is None:
        return None
    return f"{found['org'].removesuffix(_ADMIN)}{_ADMIN}.{found['domain']}"


def org_name(org_url: str) -> str:
    """Return the name by which documents and the ledger know an org: its host, with a port where that is unusual.

    :param org_url: the org's address. One that no client takes still has a name here, for the log line before the
        refusal: its host alone, because what stands before the host may be a password.
    """
    parts = _split(org_url)
    if parts is None:
        return ""
    found = _origin(parts)
    if found is None:
        return parts.hostname or ""
    scheme, host, port = found
    if port == _DEFAULT_PORTS.get(scheme):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def same_origin(url: str, origin: str) -> bool:
    """Return whether scheme, host and port of a URL are those of ``origin``. An ambiguous URL is not."""
    first, second = _split(url), _split(origin)
    if first is None or second is None:
        return False
    wanted = _origin(second)
    return wanted is not None and _origin(first) == wanted


def without_user(url: str) -> str:
    """Return a URL for a message: without user, password and fragment."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    rest = rest[len(authority) :].partition("#")[0]
    return scheme + separator + authority.rpartition("@")[2] + rest


def is_loopback(host: str) -> bool:
    """Return whether a host name can only mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult | None:
    # urlsplit drops control characters silently, so a URL that holds any is refused.
    if any(character <= " " or character == "\x7f" for character in url):
        return None
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _origin(parts: SplitResult) -> tuple[str, str, int] | None:
    if not _PLAIN_NETLOC.fullmatch(parts.netloc) or not parts.hostname:
        return None
    try:
        port = parts.port
    except ValueError:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS.get(parts.scheme, 0)
