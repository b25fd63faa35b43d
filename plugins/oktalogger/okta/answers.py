"""Reads Okta's answers: a page of items, or a typed error with advice.

Codes and statuses: Okta, "System Log query" (errors), "Error codes", and the OAuth 2.0 pages of the org authorization
server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from oktalogger.okta import errors
from oktalogger.okta import rate_limit as rate
from oktalogger.okta.origin import without_user
from oktalogger.okta.split import split_array

if TYPE_CHECKING:
    from oktalogger.okta.endpoint import Advice, Endpoint
    from oktalogger.okta.exchange import Reply


_CHALLENGE_PARAMETER = re.compile(r'([a-z_]+)="([^"]*)"')
_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)
_MAX_WORDS = 500
_MAX_CAUSES = 10


@dataclass(frozen=True, slots=True)
class Envelope:
    """The parts of an error answer; those that it lacks are empty."""

    code: str | None = None
    summary: str = ""
    causes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return code, summary and causes in one line."""
        line = " ".join(part for part in (self.code, self.summary) if part)
        return f"{line} ({'; '.join(self.causes)})" if self.causes else line


def envelope_of(reply: Reply) -> Envelope:
    """Return code, summary and causes of an error answer; empty if it holds none."""
    try:
        body: Any = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    if not isinstance(body, dict):
        body = {}
    challenge = dict(_CHALLENGE_PARAMETER.findall(reply.headers.get("WWW-Authenticate", "")))
    code = body.get("errorCode") or body.get("error") or challenge.get("error")
    summary = body.get("errorSummary") or body.get("error_description") or challenge.get("error_description")
    return Envelope(_words(code) or None, _words(summary), _causes(body.get("errorCauses")))


def looks_like_html(reply: Reply) -> bool:
    """Return whether a body is a web page, the usual answer of proxies and login pages."""
    return "html" in reply.headers.get("Content-Type", "").lower() or reply.body.lstrip()[:1] == b"<"


def kind_of_body(reply: Reply) -> str:
    """Describe a body for a message: ``HTML titled '...'``, ``an empty body``, ``something that is not JSON``."""
    if looks_like_html(reply):
        title = _TITLE.search(reply.body[:10_000].decode("utf-8", "replace"))
        return f"HTML titled {_words(title[1])!r}" if title and title[1].strip() else "HTML"
    if not reply.body:
        return "an empty body"
    return "JSON that Okta does not send" if reply.body.lstrip()[:1] in b'{["' else "something that is not JSON"


def _causes(causes: object) -> tuple[str, ...]:
    if not isinstance(causes, list):
        return ()
    words = [_words(cause.get("errorSummary")) for cause in causes[:_MAX_CAUSES] if isinstance(cause, dict)]
    return tuple(word for word in words if word)


def _words(value: object) -> str:
    """Return a text on one line, shortened; empty if the value is not text."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text if len(text) <= _MAX_WORDS else text[:_MAX_WORDS] + "..."


ApiError = TypeVar("ApiError", bound=errors.OktaApiError)

_DPOP_ADVICE = (
    "A proof holds the time and the URL of the request: check this machine's clock, and that no proxy in between "
    "sends Okta another host name than the connection's."
)
_HOST_ADVICE = "Check the org URL in the connection, and the proxy between here and Okta, if there is one."

_LOGIN_CODES = {"E0000004", "E0000005", "E0000011", "invalid_client", "unauthorized_client", "invalid_token"}
_SCOPE_CODES = {"insufficient_scope", "invalid_scope"}
_DPOP_CODES = {"invalid_dpop_proof", "use_dpop_nonce"}

_page_decoder = msgspec.json.Decoder(list[msgspec.Raw])


def items_of(reply: Reply, endpoint: Endpoint, *, login_advice: str) -> list[msgspec.Raw]:
    """Return each item of a page as the bytes that Okta sent, also an item that cannot be read.

    :param endpoint: the endpoint that answered.
    :param login_advice: what to do when the credentials are refused.
    :raises OktaApiError: the subclass that fits, when Okta answered with an error.
    :raises OktaConnectionError: if the body is cut off.
    :raises OktaProtocolError: if something other than Okta's API answered.
    """
    if reply.status != 200:
        raise error_of(reply, endpoint.advice(login=login_advice))
    try:
        return _page_decoder.decode(reply.body)
    except msgspec.ValidationError as error:
        raise protocol_error(reply, f"JSON, but not an array of {endpoint.items}") from error
    except (msgspec.DecodeError, RecursionError) as error:
        items = split_array(reply.body)
        if items is not None:
            return [msgspec.Raw(item) for item in items]
        if reply.body[:1] in (b"[", b"") and not looks_like_html(reply):
            raise errors.OktaConnectionError(
                f"The answer to {reply.request} is cut off or damaged: {len(reply.body)} bytes came "
                f"({_request_id(reply)}).",
                advice="Okta or a proxy in between is in trouble.",
            ) from error
        raise protocol_error(reply, kind_of_body(reply)) from error


def error_of(reply: Reply, advice: Advice) -> errors.OktaError:
    """Return the error that fits an unsuccessful answer.

    :param advice: what to do about each kind of refusal.
    """
    envelope = envelope_of(reply)
    if reply.status == 429:
        return _rate_limit_error(reply, envelope)
    if reply.status >= 500:
        in_trouble = "Okta is in trouble or in maintenance: see https://status.okta.com."
        return _api_error(errors.OktaServerError, "Okta could not answer", reply, envelope, in_trouble)
    if reply.status < 400:
        target = reply.headers.get("Location")
        kind = f"no {advice.wanted}"
        if target:
            kind = f"a redirect to {without_user(target).partition('?')[0]}, which is not followed"
        return protocol_error(reply, kind)
    if envelope.code is None and (reply.status == 407 or looks_like_html(reply)):
        return protocol_error(reply, kind_of_body(reply))
    return _refusal(reply, envelope, advice)


def is_invalid_token(reply: Reply) -> bool:
    """Return whether an answer says that the access token is invalid or expired."""
    return reply.status == 401 and envelope_of(reply).code in (None, "E0000011", "invalid_token")


def nonce_asked_for(reply: Reply) -> bool:
    """Return whether an answer asks for a nonce in the DPoP proof, and gives one (RFC 9449, sections 8 and 9)."""
    return reply.status in (400, 401) and "DPoP-Nonce" in reply.headers and envelope_of(reply).code == "use_dpop_nonce"


def protocol_error(reply: Reply, kind: str) -> errors.OktaProtocolError:
    """Return the error for an answer that does not come from Okta's API.

    :param kind: what came instead.
    """
    return errors.OktaProtocolError(
        f"{reply.request} was answered with {kind} (status {reply.status}, "
        f"{reply.headers.get('Content-Type', 'no content type')}, {_request_id(reply)}): this is not Okta's API.",
        advice=_HOST_ADVICE,
    )


_KINDS: dict[int, type[errors.OktaApiError]] = {401: errors.OktaAuthenticationError, 403: errors.OktaPermissionError}


def _refusal(reply: Reply, envelope: Envelope, advice: Advice) -> errors.OktaApiError:
    code = envelope.code or ""
    if envelope.code is None and reply.request_id is None and reply.body:
        # Okta numbers each request, and gives a code. It stays an error that a retry may mend: see `may_pass`.
        kind = _KINDS.get(reply.status, errors.OktaRequestError)
        return _api_error(kind, "What answers does not seem to be Okta", reply, envelope, _HOST_ADVICE)
    if code in _SCOPE_CODES:
        return _api_error(errors.OktaScopeError, "A scope is missing", reply, envelope, advice.scope)
    if code in _DPOP_CODES or "DPoP proof" in envelope.summary:
        what = "Okta refuses the DPoP proof"
        return _api_error(errors.OktaAuthenticationError, what, reply, envelope, _DPOP_ADVICE + _clock_advice(reply))
    if reply.status == 401 or code in _LOGIN_CODES:
        what = "Okta refuses the login"
        return _api_error(errors.OktaAuthenticationError, what, reply, envelope, advice.login + _clock_advice(reply))
    if reply.status == 403:
        return _api_error(errors.OktaPermissionError, "Okta denies access", reply, envelope, advice.permission)
    to_do = _HOST_ADVICE if reply.status in (404, 405) else advice.request
    return _api_error(errors.OktaRequestError, "Okta refuses the request", reply, envelope, to_do)


def _rate_limit_error(reply: Reply, envelope: Envelope) -> errors.OktaRateLimitError:
    rate_limit = rate.from_headers(reply.headers)
    reset = rate.seconds_until_reset(reply.headers, now=datetime.now(UTC))
    concurrency = rate_limit is not None and rate_limit.is_concurrency
    if concurrency:
        what = "Too many requests reach the org at the same moment (concurrency limit)"
        advice = "Run fewer tasks at once."
    else:
        what = f"The rate limit is used up{'' if reset is None else f' and resets in {reset:.0f} s'}"
        advice = "Everything that uses this org shares it: see Reports > Rate Limits in the Admin Console."
    error = _api_error(errors.OktaRateLimitError, what, reply, envelope, advice)
    error.kind = "concurrency" if concurrency else "rate"
    error.reset_in_seconds = reset
    return error


def _clock_advice(reply: Reply) -> str:
    """Return a sentence about this machine's clock if it is wrong, because a signed login depends on it."""
    theirs = rate.date_of(reply.headers)
    ahead = 0.0 if theirs is None else (datetime.now(UTC) - theirs).total_seconds()
    if abs(ahead) < 30:
        return ""
    return f" This machine's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} Okta's."


def _api_error(kind: type[ApiError], what: str, reply: Reply, envelope: Envelope, advice: str) -> ApiError:
    said = str(envelope).rstrip(".") or f"with {kind_of_body(reply)}"
    return kind(
        f"{what}: {reply.status} {said}. This was {reply.request}, {_request_id(reply)}.",
        advice=advice,
        status=reply.status,
        code=envelope.code,
        summary=envelope.summary,
        causes=envelope.causes,
        request_id=reply.request_id,
        url=without_user(reply.url),
    )


def _request_id(reply: Reply) -> str:
    return f"request id {reply.request_id}" if reply.request_id else "no request id"
