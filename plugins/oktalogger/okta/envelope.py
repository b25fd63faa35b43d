"""Okta's words in an error answer: its own envelope, OAuth's, or the ``WWW-Authenticate`` challenge.

Okta's envelope has ``errorCode``, ``errorSummary``, ``errorCauses``; the token endpoint answers ``error`` and
``error_description``; a missing scope at a resource may come in the challenge alone. All words are passed on as they
are, cut to a readable length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from oktalogger.okta.transport import Reply

_CHALLENGE_PARAMETER = re.compile(r'([a-z_]+)="([^"]*)"')
_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)
_MAX_WORDS = 500
_MAX_CAUSES = 10


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an error answer says, as far as it says anything."""

    code: str | None = None
    summary: str = ""
    causes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return code, summary and causes in one line."""
        line = " ".join(part for part in (self.code, self.summary) if part)
        return f"{line} ({'; '.join(self.causes)})" if self.causes else line


def envelope_of(reply: Reply) -> Envelope:
    """Return code, summary and causes of an error answer; empty where it holds none."""
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
    """Return whether a body is a web page: what proxies and login walls answer with."""
    return "html" in reply.headers.get("Content-Type", "").lower() or reply.body.lstrip()[:1] == b"<"


def kind_of_body(reply: Reply) -> str:
    """Return what a body is, for a message: ``HTML titled '...'``, ``an empty body``, ``something that is no JSON``."""
    if looks_like_html(reply):
        title = _TITLE.search(reply.body[:10_000].decode("utf-8", "replace"))
        return f"HTML titled {_words(title[1])!r}" if title and title[1].strip() else "HTML"
    if not reply.body:
        return "an empty body"
    return "JSON that Okta does not send" if reply.body.lstrip()[:1] in b'{["' else "something that is no JSON"


def _causes(causes: object) -> tuple[str, ...]:
    if not isinstance(causes, list):
        return ()
    words = [_words(cause.get("errorSummary")) for cause in causes[:_MAX_CAUSES] if isinstance(cause, dict)]
    return tuple(word for word in words if word)


def _words(value: object) -> str:
    """Return a text on one line and of readable length; empty for what is no text."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text if len(text) <= _MAX_WORDS else text[:_MAX_WORDS] + "..."
