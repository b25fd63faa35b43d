"""Breaks good rules as people break them: a letter in a key, a modifier, a value that YAML reads as another, a tab."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_KEY = re.compile(r"^( *(?:- )?)([A-Za-z_][\w.-]*)((?:\|\w+)*):", re.MULTILINE)
_EVENT_TYPE = re.compile(r"(eventType: |- )([a-z_]+(?:\.[a-z_]+){2,})$", re.MULTILINE)
_CODE = re.compile(r"(outcome\.result: )([A-Z]+)$", re.MULTILINE)
_CONDITION = re.compile(r"^( *condition: )(.+)$", re.MULTILINE)


def mutants(text: str, chance: random.Random) -> Iterator[tuple[str, str]]:
    """Yield names of faults, and the rule with each.

    :param text: the part of a rule's file that says what it selects, without tests
    """
    for name, change in _FAULTS.items():
        changed = change(text, chance)
        if changed is not None and changed != text:
            yield name, changed


def _misspelt(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word))
    kind = chance.randrange(3)
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at] + word[at:]
    other = chance.choice("abdefgiklmnoprstu".replace(word[at].lower(), ""))
    return word[:at] + other + word[at + 1 :]


def _one_of(
    pattern: re.Pattern[str], text: str, chance: random.Random, wanted: Callable[[re.Match[str]], bool] = lambda _: True
) -> re.Match[str] | None:
    found = [match for match in pattern.finditer(text) if wanted(match)]
    return chance.choice(found) if found else None


def _put(text: str, match: re.Match[str], group: int, new: str) -> str:
    return text[: match.start(group)] + new + text[match.end(group) :]


def _field(text: str, chance: random.Random) -> str | None:
    found = _one_of(_KEY, text, chance, lambda match: "." in match[2] or match[2] == "eventType")
    return found and _put(text, found, 2, _misspelt(found[2], chance))


def _key(*keys: str) -> Callable[[str, random.Random], str | None]:
    def change(text: str, chance: random.Random) -> str | None:
        found = _one_of(_KEY, text, chance, lambda match: match[2] in keys)
        return found and _put(text, found, 2, _misspelt(found[2], chance))

    return change


def _modifier(text: str, chance: random.Random) -> str | None:
    found = _one_of(_KEY, text, chance, lambda match: bool(match[3]))
    if found is None:
        return None
    return _put(text, found, 3, "|" + _misspelt(found[3].split("|")[1], chance))


def _event_type(text: str, chance: random.Random) -> str | None:
    found = _one_of(_EVENT_TYPE, text, chance)
    return found and _put(text, found, 2, _misspelt(found[2], chance))


def _code(text: str, chance: random.Random) -> str | None:
    found = _one_of(_CODE, text, chance)
    return found and _put(text, found, 2, _misspelt(found[2], chance))


def _condition(text: str, chance: random.Random) -> str | None:
    found = _one_of(_CONDITION, text, chance)
    if found is None:
        return None
    words = found[2].split()
    at = chance.randrange(len(words))
    if len(words[at]) < 2:
        return None
    words[at] = _misspelt(words[at], chance)
    return _put(text, found, 2, " ".join(words))


def _to(pattern: re.Pattern[str], *values: str) -> Callable[[str, random.Random], str | None]:
    def change(text: str, chance: random.Random) -> str | None:
        found = _one_of(pattern, text, chance)
        return found and _put(text, found, 2, chance.choice(values))

    return change


def _replaced(old: str, new: str) -> Callable[[str, random.Random], str | None]:
    return lambda text, _: text.replace(old, new, 1) if old in text else None


def _line(change: Callable[[str], str]) -> Callable[[str, random.Random], str | None]:
    def changed(text: str, chance: random.Random) -> str | None:
        lines = text.splitlines()
        inside = [at for at, line in enumerate(lines) if line.startswith("    ")]
        if not inside:
            return None
        at = chance.choice(inside)
        lines[at] = change(lines[at])
        return "\n".join(lines) + "\n"

    return changed


_FAULTS: dict[str, Callable[[str, random.Random], str | None]] = {
    "field": _field,
    "field again": _field,
    "modifier": _modifier,
    "no such modifier": lambda text, chance: (
        (found := _one_of(_KEY, text, chance, lambda match: "." in match[2])) and _put(text, found, 3, "|like")
    ),
    "event type": _event_type,
    "event type again": _event_type,
    "event type is a number": _to(_EVENT_TYPE, "10", "1.10", "0x1f", "10:30", "01234"),
    "event type is a flag": _to(_EVENT_TYPE, "yes", "NO", "true", "off"),
    "event type is nothing": _to(re.compile(r"(eventType: )([a-z_.]+)$", re.MULTILINE), "null", "~", "[]", "{}"),
    "outcome": _code,
    "outcome is a flag": _to(_CODE, "yes", "NO", "false"),
    "section": _key("detection", "logsource", "correlation"),
    "part of a section": _key("condition", "product", "service", "group-by", "timespan", "rules", "type"),
    "condition": _condition,
    "condition again": _condition,
    "name of a rule": _key("name"),
    "group_by": _replaced("group-by:", "group_by:"),
    "a blank that is none": _replaced("condition: ", "condition: \u00a0"),
    "a mark that nobody sees": _replaced("eventType:", "eventType\u200b:"),
    "tab": _line(lambda line: "\t" + line.lstrip()),
    "no colon": _line(lambda line: line.replace(":", "", 1)),
    "open quote": _line(lambda line: line.rstrip() + " 'x"),
    "indented less": _line(lambda line: line[1:]),
    "twice": _line(lambda line: f"{line}\n{line}"),
    "list not filled in": _replaced("|expand", ""),
    "list of another name": lambda text, chance: (
        (found := re.search(r"%(\w+)%", text)) and _put(text, found, 1, _misspelt(found[1], chance))
    ),
    "filled in where no list is": _replaced("outcome.result:", "outcome.result|expand:"),
}
