"""Reads the texts in which Okta writes objects into one field: JSON, ``{k=v, k=v}``, and JSON inside JSON."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, Final

from oktalogger.pipeline.added_fields import LONGEST_KEYWORD

# Of one target, and of one value: a policy with all its rules would otherwise become a thousand terms.
_MOST_CHANGES: Final = 200
_LONGEST_VALUE: Final = 512
_DEEPEST: Final = 16
# Longer JSON text is not read: a task's memory is that of a few pages.
_LONGEST_JSON: Final = 262_144

_BEHAVIOUR = re.compile(r"(?:^\{?|,)\s*+([^\s=,{}][^=,{}]*+)=([A-Z_]+)")
# Some events name the class of the object before it: `Risk{level=HIGH}`.
_OPENING = re.compile(r"^\w*\{")
_PAIR = re.compile(r"(?:^|,\s+)([A-Za-z_]\w*)=")


def parse_json(value: Any) -> Any:
    """Read JSON text that holds an object or a list.

    :return: what the text holds, None if it is other text, and a value that is not text unchanged
    """
    if type(value) is not str:
        return value
    text = value.strip()
    if not text.startswith(("{", "[")) or len(text) > _LONGEST_JSON:
        return None
    return _json(text) if len(text) <= LONGEST_KEYWORD else _json.__wrapped__(text)


def parse_json_object(value: Any) -> dict[str, Any]:
    """Read JSON text that holds an object, or take the object itself; anything else gives an empty mapping."""
    found = parse_json(value)
    return found if type(found) is dict else {}


def parse_pairs(value: Any) -> dict[str, Any]:
    """Read Okta's ``{reasons=Anomalous Location, Anomalous Device, level=HIGH}``; values may hold commas.

    Some events carry JSON text, or an object, in the same place. What cannot be read gives an empty mapping; the text
    itself is kept in the event and under ``oktalogger.debug``.
    """
    found = parse_json_object(value)
    if found or type(value) is not str or len(value) > LONGEST_KEYWORD:
        return found
    return _pairs(value)


def parse_behaviours(value: Any) -> tuple[tuple[str, str], ...]:
    """Read Okta's ``{New Device=POSITIVE, New IP=NEGATIVE}``, or a list of such, into pairs of name and result."""
    found = parse_json(value)
    if type(found) is dict:
        return tuple((str(name), str(result)) for name, result in found.items())
    if type(found) is list:
        return tuple(pair for item in found for pair in _behaviour(item))
    return _behaviours(value) if type(value) is str and len(value) <= LONGEST_KEYWORD else ()


def what_changed(details: Any) -> list[str]:
    """Say what differs between the two sides of a target's ``changeDetails``.

    Okta writes a policy rule's action as JSON text inside: it is taken apart like the rest.

    :param details: the object with ``from`` and ``to``
    :return: texts such as ``appSignOn.access: DENY -> ALLOW``, ``null`` for a side without the key; at most 200
    """
    found = parse_json_object(details)
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    _flatten(found.get("from"), "", before)
    _flatten(found.get("to"), "", after)
    changed = [
        f"{path}: {before.get(path, 'null')} -> {after.get(path, 'null')}"
        for path in sorted({*before, *after})
        if before.get(path, "null") != after.get(path, "null")
    ]
    return changed[:_MOST_CHANGES]


def _flatten(value: Any, path: str, into: dict[str, str], depth: int = 0) -> None:
    inner = parse_json(value)
    if type(inner) is dict and depth < _DEEPEST:
        for key, item in inner.items():
            _flatten(item, f"{path}.{key}" if path else str(key), into, depth + 1)
    elif path:
        text = value if type(value) is str else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        into[path[-_LONGEST_VALUE:]] = text[:_LONGEST_VALUE]


def _behaviour(item: Any) -> tuple[tuple[str, str], ...]:
    if type(item) is dict and item.get("name"):
        return ((str(item["name"]), str(item.get("result"))),)
    return _behaviours(item) if type(item) is str and len(item) <= LONGEST_KEYWORD else ()


@lru_cache(maxsize=1024)
def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@lru_cache(maxsize=1024)
def _pairs(text: str) -> dict[str, str]:
    body = _OPENING.sub("", text.strip(), count=1).removesuffix("}")
    marks = list(_PAIR.finditer(body))
    if not marks:
        return {}
    ends = [mark.start() for mark in marks[1:]] + [len(body)]
    return {mark.group(1): body[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)}


@lru_cache(maxsize=1024)
def _behaviours(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((name.strip(), result) for name, result in _BEHAVIOUR.findall(text))
