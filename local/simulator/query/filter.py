"""The ``filter`` parameter: SCIM expressions, as far as the System Log takes them.

``eq ne gt ge lt le sw ew co pr``, ``and``, ``or``, ``not ( )``, ``( )``; values are JSON. Attribute names keep their
case, operators need not. Okta's documentation uses snake_case names beside camelCase ones, so both are taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from local.simulator.errors import bad_request, unsupported

_OPERATORS = ("eq", "co", "sw", "pr", "gt", "ge", "lt", "le")
_LATER_OPERATORS = ("ne", "ew")
_TOKEN = re.compile(r'\s*(?:(?P<paren>[()])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[^\s()"]+))')
_SNAKE = re.compile(r"_([a-z])")
_SEVERITIES = {"DEBUG": 0, "INFO": 1, "WARN": 2, "ERROR": 3}
_NO_CONTAINS = ("debugContext.debugData.url", "debugContext.debugData.requestUri")
_PLACE = {"city", "state", "country", "postalCode", "geolocation.lat", "geolocation.lon"}
_NETWORK = {"asNumber", "asOrg", "isp", "domain", "isProxy"}
_ENTITY = {"id", "type", "alternateId", "displayName"}
_FREE = ("actor.detailEntry.", "target.detailEntry.", "debugContext.debugData.", "transaction.detail.", "device.")


def _fields() -> frozenset[str]:
    groups: dict[str, set[str]] = {
        "": {"uuid", "eventType", "version", "severity", "legacyEventType", "displayMessage"},
        "actor.": _ENTITY,
        "target.": _ENTITY,
        "client.": {"id", "zone", "device", "ipAddress", "userAgent.rawUserAgent", "userAgent.os", "userAgent.browser"},
        "client.geographicalContext.": _PLACE,
        "outcome.": {"result", "reason"},
        "transaction.": {"id", "type"},
        "authenticationContext.": {
            "authenticationProvider", "credentialProvider", "credentialType", "interface", "externalSessionId",
            "rootSessionId", "authenticationStep", "issuer.id", "issuer.type",
        },
        "securityContext.": _NETWORK | {"risk.level", "userBehaviors.name", "userBehaviors.result"},
        "request.ipChain.": {"ip", "version", "source"},
        "request.ipChain.geographicalContext.": _PLACE,
    }  # fmt: skip
    return frozenset(prefix + name for prefix, names in groups.items() for name in names)


FIELDS = _fields()


@dataclass(frozen=True, slots=True)
class Comparison:
    """One attribute held against one value."""

    path: tuple[str, ...]
    operator: str
    value: str | int | float | bool | None

    def matches(self, event: dict[str, Any]) -> bool:
        """Whether any value at the path compares so; for ``ne``, whether none is equal."""
        found = [value for value in _at(event, self.path) if value is not None]
        if self.operator == "pr":
            return any(value not in ("", [], {}) for value in found)
        if self.operator == "ne":
            return all(value != self.value for value in found)
        if self.operator == "eq" and self.value is None:
            return not found
        return any(_compare(self.operator, value, self.value, self.path[-1]) for value in found)


@dataclass(frozen=True, slots=True)
class Both:
    """``and``. Two conditions on ``target`` may be met by two of its members, as Okta says."""

    left: Expression
    right: Expression

    def matches(self, event: dict[str, Any]) -> bool:
        """Whether both sides match."""
        return self.left.matches(event) and self.right.matches(event)


@dataclass(frozen=True, slots=True)
class Either:
    """``or``."""

    left: Expression
    right: Expression

    def matches(self, event: dict[str, Any]) -> bool:
        """Whether a side matches."""
        return self.left.matches(event) or self.right.matches(event)


@dataclass(frozen=True, slots=True)
class Not:
    """``not``."""

    inner: Expression

    def matches(self, event: dict[str, Any]) -> bool:
        """Whether the inner expression does not match."""
        return not self.inner.matches(event)


Expression = Comparison | Both | Either | Not


def _at(value: Any, path: tuple[str, ...]) -> list[Any]:
    if isinstance(value, list):
        return [found for member in value for found in _at(member, path)]
    if not path:
        return [value]
    return _at(value.get(path[0]), path[1:]) if isinstance(value, dict) else []


def _compare(operator: str, found: Any, wanted: Any, name: str) -> bool:
    if operator == "eq":
        return bool(found == wanted)
    if operator in ("co", "sw", "ew"):
        text, part = str(found), str(wanted)
        return part in text if operator == "co" else text.startswith(part) if operator == "sw" else text.endswith(part)
    if name == "severity":
        found, wanted = _SEVERITIES.get(found, -1), _SEVERITIES.get(wanted, -1)
    if isinstance(found, str) != isinstance(wanted, str) or wanted is None:
        return False
    if operator in ("gt", "ge"):
        return bool(found > wanted or (operator == "ge" and found == wanted))
    return bool(found < wanted or (operator == "le" and found == wanted))


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    kind: str
    at: int


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[_Token] = []
        self.next = 0
        at = 0
        stripped = text.rstrip()
        while at < len(stripped):
            match = _TOKEN.match(stripped, at)
            if match is None:
                raise self.wrong(f"Unrecognized character at position {at}.")
            kind = match.lastgroup or ""
            self.tokens.append(_Token(match[kind], kind, match.start(kind)))
            at = match.end()

    def wrong(self, what: str) -> Exception:
        return bad_request(f"Invalid filter '{self.text}': {what}")

    def take(self) -> _Token:
        if self.next >= len(self.tokens):
            raise self.wrong(f"Unexpected end of filter at position {len(self.text)}.")
        self.next += 1
        return self.tokens[self.next - 1]

    def at_word(self, word: str) -> bool:
        token = self.tokens[self.next] if self.next < len(self.tokens) else None
        return token is not None and token.kind == "word" and token.text.lower() == word

    def either(self) -> Expression:
        left = self.both()
        while self.at_word("or"):
            self.take()
            left = Either(left, self.both())
        return left

    def both(self) -> Expression:
        left = self.one()
        while self.at_word("and"):
            self.take()
            left = Both(left, self.one())
        return left

    def one(self) -> Expression:
        if self.at_word("not"):
            self.take()
            if self.tokens[self.next : self.next + 1] and self.tokens[self.next].text != "(":
                raise self.wrong(f"Expected '(' after 'not' at position {self.tokens[self.next].at}.")
            return Not(self.one())
        token = self.take()
        if token.text == "(" and token.kind == "paren":
            inner = self.either()
            if self.take().text != ")":
                raise self.wrong("Expected ')'.")
            return inner
        if token.kind != "word":
            raise self.wrong(f"Expected an attribute at position {token.at}.")
        return self.comparison(token)

    def comparison(self, attribute: _Token) -> Expression:
        token = self.take()
        operator = token.text.lower()
        if operator not in _OPERATORS and operator not in _LATER_OPERATORS:
            raise self.wrong(
                f"Unrecognized attribute operator '{token.text}' at position {token.at}. "
                f"Expected: {','.join(_OPERATORS)}"
            )
        path = field(attribute.text, operator)
        if operator == "pr":
            return Comparison(path, operator, None)
        value = self.take()
        try:
            return Comparison(path, operator, msgspec.json.decode(value.text, type=str | int | float | bool | None))
        except msgspec.MsgspecError:
            raise self.wrong(f"Invalid value {value.text} at position {value.at}.") from None


def field(name: str, operator: str) -> tuple[str, ...]:
    """The path of an attribute.

    :raises ApiError: for one that a filter cannot use, or not with this operator
    """
    camel = name
    if "." not in name or not name.startswith("device."):
        camel = _SNAKE.sub(lambda match: match[1].upper(), name)
    if ".changeDetails" in camel:
        raise unsupported(operator, camel)
    if camel not in FIELDS and not any(camel.startswith(free) and len(camel) > len(free) for free in _FREE):
        raise bad_request(f"field is not valid: {name}")
    if operator == "co" and camel in _NO_CONTAINS:
        raise unsupported(operator, camel)
    return tuple(camel.split("."))


def parse(text: str) -> Expression:
    """Read a filter.

    :raises ApiError: with Okta's text, saying where it goes wrong
    """
    parser = _Parser(text)
    found = parser.either()
    if parser.next < len(parser.tokens):
        token = parser.tokens[parser.next]
        raise parser.wrong(f"Unexpected token '{token.text}' at position {token.at}.")
    return found
