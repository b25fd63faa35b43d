"""Says in one sentence what an error of several sentences means, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from oktalogger.okta.errors import (
    OktaApiError,
    OktaAuthenticationError,
    OktaCertificateError,
    OktaConnectionError,
    OktaError,
    OktaPermissionError,
    OktaProtocolError,
    OktaRateLimitError,
    OktaScopeError,
    OktaServerError,
    OktaUnknownHostError,
)
from oktalogger.opensearch.errors import (
    OpenSearchAuthenticationError,
    OpenSearchLoadError,
    OpenSearchPermissionError,
    OpenSearchResponseError,
    OpenSearchTlsError,
    OpenSearchUnavailableError,
)
from oktalogger.text import printable

# The end of a sentence, and a space.
_BORDER: Final = re.compile(r"(?<=[\w)\]'`\"%])[.?!] (?=\S)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a person corrects what is wrong with a connection.

    :param host: where the address stands, like ``the host of the connection `okta_default```
    :param login: where the credentials stand
    :param settings: where everything else stands, such as a proxy or the authority to trust
    """

    host: str
    login: str
    settings: str


def one_sentence(text: str) -> str:
    """Join sentences by semicolons."""
    line = " ".join(printable(text).split()).rstrip(". ")
    return f"{_BORDER.sub('; ', line)}."


def is_foreign(error: Exception | None) -> bool:
    """Say whether another server than Okta refused: Okta numbers each request, and gives its errors a code."""
    return isinstance(error, OktaApiError) and error.code is None and error.request_id is None


def of_okta(error: OktaError, origin: str, places: Places) -> str:
    """Say what Okta's refusal means.

    :param error: the refusal
    :param origin: the org's address
    :param places: where to correct it
    """
    said = _said(error)
    if isinstance(error, OktaUnknownHostError):
        return f"There is no host {origin}: correct {places.host}, which reads like https://company.okta.com."
    if isinstance(error, OktaCertificateError):
        return (
            f"The certificate of {origin} is not trusted here: name the authority of your company's proxy in the "
            f"`verify` of {places.settings}, or find out who answers."
        )
    if isinstance(error, OktaConnectionError):
        return (
            f"{origin} cannot be reached from here ({_reason(error)}): correct {places.host}, open the firewall for "
            f"this machine, or name a proxy in {places.settings}."
        )
    if isinstance(error, OktaProtocolError) or is_foreign(error):
        return f"What answers at {origin} is not Okta: correct {places.host}, or the proxy in between."
    if isinstance(error, OktaScopeError):
        return (
            f"The app lacks a scope ({said}): grant it `okta.logs.read` in the Admin Console, on the app's tab Okta "
            "API Scopes."
        )
    if isinstance(error, OktaPermissionError):
        return (
            f"Okta knows {places.login} but denies access to the System Log ({said}): give the admin who made the "
            "token, or the app, the role Read-only Administrator, and check its network zones."
        )
    if isinstance(error, OktaAuthenticationError):
        advice = error.advice.rstrip(".").partition(" This machine's clock is ")
        clock = f", and set this machine's clock right, which is {advice[2]}" if advice[1] else ""
        return f"Okta refuses {places.login} ({said}): correct it, or make a new one in the Admin Console{clock}."
    if isinstance(error, OktaRateLimitError):
        return f"Okta's rate limit is used up ({said}): see who uses the org under Reports, Rate Limits."
    if isinstance(error, OktaServerError):
        return f"{origin} is in trouble ({said}): see https://status.okta.com, and check again later."
    return one_sentence(str(error))


def of_opensearch(error: OpenSearchLoadError, url: str, places: Places) -> str:
    """Say what OpenSearch's refusal means.

    :param error: the refusal
    :param url: the address asked
    :param places: where to correct it
    """
    said = re.search(r"\[Errno -?\d+\] ([^)]*)", error.reason or "")
    reason = _short(said[1] if said else error.reason or "")
    if isinstance(error, OpenSearchTlsError):
        return (
            f"The certificate of {url} is not trusted here, or the port does not speak TLS: name the authority that "
            f"signed it in {places.settings}, or correct {places.host}."
        )
    if isinstance(error, OpenSearchAuthenticationError):
        what = "AWS refuses to sign for" if error.status is None else "OpenSearch refuses"
        return f"{what} {places.login} ({reason or error.status}): correct it."
    if isinstance(error, OpenSearchPermissionError) and error.user is None:
        return (
            f"The access policy of {url}, or a proxy before it, does not let {places.login} in ({reason}): allow it "
            "there."
        )
    if isinstance(error, OpenSearchUnavailableError) and error.status is None:
        return (
            f"{url} cannot be reached from here ({reason}): correct {places.host}, or let this machine through to it."
        )
    if isinstance(error, OpenSearchUnavailableError):
        return f"{url} cannot serve requests now ({error.status} {reason}): look at the cluster's health."
    if isinstance(error, OpenSearchResponseError) or error.status in (404, 405):
        return f"What answers at {url} is not OpenSearch: correct {places.host}, or the proxy in between."
    return one_sentence(str(error))


def _said(error: OktaError) -> str:
    if not isinstance(error, OktaApiError):
        return ""
    words = " ".join(part for part in (str(error.status or ""), error.code or "", error.summary) if part)
    return _short(words)


def _reason(error: OktaError) -> str:
    """Return what stands behind the last colon or in the brackets of a message: the innermost cause."""
    found = re.search(r"gave no (?:whole answer|connection)(?:: | within )(.*?)\.?$", error.message)
    return _short(found[1] if found else error.message)


def _short(text: str) -> str:
    line = " ".join(text.split()).rstrip(". ")
    line = _BORDER.sub("; ", line)
    return line if len(line) <= 200 else f"{line[:199]}…"
