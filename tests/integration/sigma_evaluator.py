"""Judges Sigma rules over events in Python, written from Sigma's specification and apart from the compiler.

It reads a rule as plain values, and an event as Okta sends it. It knows nothing of the index, of queries or of pySigma.
Sigma compares texts without regard to case. Ids and hashes are compared exactly here, because their case is part of
them: that is the one way in which this project deliberately differs.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any

EXACT = {
    "actor.id",
    "authenticationContext.externalSessionId",
    "debugContext.debugData.authnRequestId",
    "debugContext.debugData.dtHash",
    "debugContext.debugData.deviceFingerprint",
    "target.id",
    "transaction.id",
}


def values_of(event: Any, path: str) -> list[Any]:
    """Return the values of a field, of every element where a list is on the way; none where it is null or missing."""
    found = [event]
    for step in path.split("."):
        stepped: list[Any] = []
        for part in found:
            for one in part if isinstance(part, list) else [part]:
                if isinstance(one, dict) and one.get(step) is not None:
                    stepped.append(one[step])
        found = stepped
    return [one for part in found for one in (part if isinstance(part, list) else [part])]


def matches(rule: dict[str, Any], event: dict[str, Any]) -> bool:
    """Say whether the `detection` of a rule selects an event."""
    detection = rule["detection"]
    verdicts = {name: selects(given, event) for name, given in detection.items() if name != "condition"}
    return condition(detection["condition"].split(), verdicts)


def condition(words: list[str], verdicts: dict[str, bool]) -> bool:
    """Judge a condition of names, ``and``, ``or``, ``not``, brackets, ``1 of x*`` and ``all of x*``."""
    text = " ".join(words).replace("(", " ( ").replace(")", " ) ").split()
    position = 0

    def either() -> bool:
        nonlocal position
        result = both()
        while position < len(text) and text[position] == "or":
            position += 1
            result = both() or result
        return result

    def both() -> bool:
        nonlocal position
        result = one()
        while position < len(text) and text[position] == "and":
            position += 1
            result = one() and result
        return result

    def one() -> bool:
        nonlocal position
        word = text[position]
        position += 1
        if word == "not":
            return not one()
        if word == "(":
            result = either()
            position += 1
            return result
        if word in ("1", "all"):
            pattern = text[position + 1]
            position += 2
            some = [verdict for name, verdict in verdicts.items() if pattern == "them" or fnmatchcase(name, pattern)]
            return any(some) if word == "1" else all(some)
        return verdicts[word]

    return either()


def selects(given: Any, event: dict[str, Any]) -> bool:
    """Judge one selection: a mapping, all of which must hold, or a list of mappings, one of which must."""
    if isinstance(given, list):
        return any(selects(one, event) for one in given)
    return all(holds(key, value, event) for key, value in given.items())


def holds(key: str, value: Any, event: dict[str, Any]) -> bool:
    """Judge one field with its modifiers."""
    field, *modifiers = key.split("|")
    found = values_of(event, field)
    if "exists" in modifiers:
        return bool(found) is value
    wanted = value if isinstance(value, list) else [value]
    verdicts = [_one(field, modifiers, one, found) for one in wanted]
    return all(verdicts) if "all" in modifiers else any(verdicts)


def _one(field: str, modifiers: list[str], wanted: Any, found: list[Any]) -> bool:
    if wanted is None:
        return not found
    return any(_fits(field, modifiers, wanted, one) for one in found)


def _fits(field: str, modifiers: list[str], wanted: Any, value: Any) -> bool:
    if "cidr" in modifiers:
        return ip_address(value) in ip_network(wanted)
    for name, compare in (("lte", int.__le__), ("gte", int.__ge__), ("lt", int.__lt__), ("gt", int.__gt__)):
        if name in modifiers:
            return bool(compare(int(value), int(wanted)))
    text, pattern = _text(value), _text(wanted)
    is_cased = "cased" in modifiers or field in EXACT
    if "re" in modifiers:
        flags = re.IGNORECASE if "i" in modifiers else 0
        return re.search(pattern, text, flags) is not None
    before = "*" if {"contains", "endswith"} & set(modifiers) else ""
    after = "*" if {"contains", "startswith"} & set(modifiers) else ""
    return _wild(before + pattern + after, text, is_cased)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _wild(pattern: str, text: str, is_cased: bool) -> bool:
    expression, position = "", 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\" and pattern[position + 1 : position + 2] in ("*", "?", "\\"):
            position += 1
            expression += re.escape(pattern[position])
        else:
            expression += {"*": ".*", "?": "."}.get(character, re.escape(character))
        position += 1
    return re.fullmatch(expression, text, re.DOTALL | (0 if is_cased else re.IGNORECASE)) is not None
