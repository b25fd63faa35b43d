"""Finds personal data inside other texts of an event: messages, addresses of pages, JSON inside JSON."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

import msgspec

from oktalogger.privacy.places import ALWAYS_KEPT, NOBODY, OKTAS_WORDS
from oktalogger.privacy.replacements import REMOVED, parse_address

if TYPE_CHECKING:
    from oktalogger.privacy.policy import Policy
    from oktalogger.privacy.replacements import Replacements

_encode = msgspec.json.Encoder().encode
# A shorter name would be found everywhere.
_SHORTEST: Final = 3
# A longer one is found inside words as well: behind %3D, or beside an underscore.
_UNMISTAKABLE: Final = 8
_MAIL: Final = re.compile(r"[^\s\"'\\<>()\[\]{},:;=&?/@%|]+(?:@|%40)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_IPV4: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_IPV6: Final = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
# Parts of both that a search finds fast, because it begins with a fixed character.
_LIKE_IPV4: Final = re.compile(r"\.\d{1,3}\.\d{1,3}\.\d")
_BEFORE: Final = 4
_BEHIND: Final = 3
_LIKE_IPV6: Final = re.compile(r":[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:")
# Versions of browsers look like addresses.
_USER_AGENT: Final = "client.userAgent.rawUserAgent"


class Texts:
    """Replaces in the texts of one event what is known to be personal data of it, and what looks like it.

    :param policy: what happens to mail addresses and addresses
    :param replacements: makes what stands for them
    """

    def __init__(self, policy: Policy, replacements: Replacements) -> None:
        self._mail = policy.of("mail")
        self._addresses = policy.of("addresses")
        self._replacements = replacements

    def replace_in(self, event: dict[str, Any], known: dict[str, str | None], done: dict[str, None]) -> bytes:
        """Replace, and return the event's JSON.

        :param event: the event, without the values of ``known`` in the places where they belong; changed
        :param known: values that were redacted, and what stands for each, None where nothing does
        :param done: what was done, which this adds to
        """
        encoded = _encode(event)
        text = encoded.decode()
        lower = text.lower()
        found: dict[str, str] = {}
        for value, new in known.items():
            if len(value) >= _SHORTEST and _needle(value) in lower:
                for form, written in _forms(value):
                    if written in lower:
                        found[form] = new or REMOVED
        if not found and not self._looks_personal(text, event, known):
            return encoded
        # The longest first: a name may stand in a mail address.
        ordered = sorted(found.items(), key=lambda pair: -len(pair[0]))
        made = {new for new in known.values() if new}
        self._walk(event, "", ordered, made, done)
        return _encode(event)

    def _looks_personal(self, text: str, event: dict[str, Any], known: dict[str, str | None]) -> bool:
        """Return whether a text holds something like a mail address or an address. Most do not: this is quick."""
        if self._mail != "keep" and ("@" in text or "%40" in text):
            return True
        if self._addresses == "keep":
            return False
        found: list[str] = []
        for like in _LIKE_IPV4.finditer(text):
            # Its beginning stands before the first dot: only there is it looked for, because this is the hot path.
            found += _IPV4.findall(text, max(0, like.start() - _BEFORE), like.end() + _BEHIND)
        if "::" in text or _LIKE_IPV6.search(text):
            found += _IPV6.findall(text)
        if not found:
            return False
        made = set(known.values())
        client: Any = event.get("client")
        agent = str(client.get("userAgent")) if type(client) is dict else ""
        return any(one not in made and one not in agent and parse_address(one) is not None for one in found)

    def _walk(self, value: Any, path: str, known: list[tuple[str, str]], made: set[str], done: dict[str, None]) -> Any:
        if type(value) is str:
            if path in ALWAYS_KEPT or value in made:
                return value
            new = self._replaced(value, path, [] if path in OKTAS_WORDS else known, made)
            if new != value:
                done[f"{path}=text"] = None
            return new
        if type(value) is dict:
            for key, inner in value.items():
                value[key] = self._walk(inner, f"{path}.{key}" if path else key, known, made, done)
        elif type(value) is list:
            value[:] = [self._walk(inner, path, known, made, done) for inner in value]
        return value

    def _replaced(self, text: str, path: str, known: list[tuple[str, str]], made: set[str]) -> str:
        lower = text.lower()
        for form, new in known:
            if form in lower:
                text = _pattern(form).sub(lambda _, new=new: new, text)  # type: ignore[misc]
        if self._mail != "keep" and ("@" in text or "%40" in text):
            text = _MAIL.sub(self._of_mail, text)
        if self._addresses != "keep" and path != _USER_AGENT:
            if "." in text:
                text = _IPV4.sub(lambda found: self._of_address(found[0], made), text)
            if ":" in text:
                text = _IPV6.sub(lambda found: self._of_address(found[0], made), text)
        return text

    def _of_mail(self, found: re.Match[str]) -> str:
        mail = found[0].replace("%40", "@")
        if mail.lower() in NOBODY:
            return found[0]
        return self._replacements.of(mail, "mail", self._mail) or REMOVED

    def _of_address(self, text: str, made: set[str]) -> str:
        if text in made or parse_address(text) is None:
            return text
        return self._replacements.of(text, "addresses", self._addresses) or REMOVED


@lru_cache(maxsize=16_384)
def _needle(value: str) -> str:
    """Return a part of a value that every form of it has, in lower case."""
    longest: str = max(re.findall(r"[a-z0-9]+", value.lower()), key=len, default="")
    return longest if len(longest) >= _SHORTEST and parse_address(value) is None else value.lower()[:_SHORTEST]


@lru_cache(maxsize=16_384)
def _forms(value: str) -> tuple[tuple[str, str], ...]:
    """Return how a value may be written in another text: in an address, in JSON, and in JSON inside that.

    :return: each form in lower case, and the same as the event's own JSON has it
    """
    in_json = _in_json(value)
    forms = (value, in_json, json.dumps(value)[1:-1], json.dumps(json.dumps(value)[1:-1])[1:-1])
    in_address = (quote(value, safe=""), quote_plus(value), value.replace("/", "\\/"))
    return tuple((form, _in_json(form)) for form in dict.fromkeys(form.lower() for form in (*forms, *in_address)))


def _in_json(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]


@lru_cache(maxsize=16_384)
def _pattern(form: str) -> re.Pattern[str]:
    escaped = re.escape(form)
    if len(form) < _UNMISTAKABLE:
        escaped = rf"(?<!\w){escaped}(?!\w)"
    return re.compile(escaped, re.IGNORECASE)
