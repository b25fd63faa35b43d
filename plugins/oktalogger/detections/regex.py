"""From the regular expressions of Sigma rules to those of Lucene, which are others.

Lucene's match a whole term, so there are no anchors; they know no look-around, back references or lazy repeats; and
characters like ``~`` and ``#`` mean something. What Lucene cannot say is an error here, not a query that never matches.
The reading is done by Python's own parser, because a second one would understand patterns differently.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, Final

sre: Any = import_module("re._constants")
sre_parser: Any = import_module("re._parser")

# Lucene unrolls repeats into states, of which a query may have 10,000.
MOST_REPEATS: Final = 1000

_SPECIAL: Final = frozenset('.?+*|{}[]()"\\#@&<>~^$/:- ')
_CLASSES: Final = {
    sre.CATEGORY_DIGIT: "0-9",
    sre.CATEGORY_WORD: "A-Za-z0-9_",
    sre.CATEGORY_SPACE: "\\ ",
}
_NEGATED: Final = {
    sre.CATEGORY_NOT_DIGIT: sre.CATEGORY_DIGIT,
    sre.CATEGORY_NOT_WORD: sre.CATEGORY_WORD,
    sre.CATEGORY_NOT_SPACE: sre.CATEGORY_SPACE,
}
_REPEATS: Final = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_STARTS: Final = (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING)
_ENDS: Final = (sre.AT_END, sre.AT_END_STRING)
_NAMES: Final = {
    sre.ASSERT: "a look-ahead or look-behind",
    sre.ASSERT_NOT: "a negative look-ahead or look-behind",
    sre.GROUPREF: "a back reference",
    sre.GROUPREF_EXISTS: "a conditional group",
    sre.ATOMIC_GROUP: "an atomic group",
}

_Items = list[tuple[Any, Any]]


class RegexError(ValueError):
    """A regular expression cannot be said in Lucene's; the message says what stands in the way."""


def escape(text: str, *, ignore_case: bool = False) -> str:
    """Write literal text as a Lucene regular expression."""
    return "".join(_letter(character, ignore_case=ignore_case) for character in text)


def to_lucene(pattern: str, *, ignore_case: bool = False) -> str:
    """Translate a pattern that may match anywhere in a text into one that matches the whole term.

    :param pattern: as the rule writes it
    :param ignore_case: whether upper and lower case are the same
    :raises RegexError: where Lucene cannot say it
    """
    try:
        parsed = sre_parser.parse(pattern, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        raise RegexError(f"the regular expression {pattern!r} is not valid: {error}") from error
    ignore_case = ignore_case or bool(parsed.state.flags & re.IGNORECASE)
    branches = [_anchored(items, ignore_case) for items in _unfold(list(parsed))]
    return branches[0] if len(branches) == 1 else "(" + "|".join(branches) + ")"


def _unfold(items: _Items) -> list[_Items]:
    """Spread alternatives that hold anchors, so that every anchor stands at the start or the end of a sequence."""
    for place in (0, -1):
        if not items:
            break
        inner = _alternatives(items[place])
        if inner is not None and any(_has_anchor(branch) for branch in inner):
            rest = items[1:] if place == 0 else items[:-1]
            return [
                unfolded for branch in inner for unfolded in _unfold(branch + rest if place == 0 else rest + branch)
            ]
    return [items]


def _alternatives(item: tuple[Any, Any]) -> list[_Items] | None:
    operator, value = item
    if operator is sre.SUBPATTERN and not (value[1] or value[2]):
        inner = list(value[3])
        if len(inner) == 1 and (nested := _alternatives(inner[0])) is not None:
            return nested
        return [inner]
    if operator is sre.BRANCH:
        return [list(branch) for branch in value[1]]
    return None


def _has_anchor(items: _Items) -> bool:
    for item in items:
        if item[0] is sre.AT:
            return True
        inner = _alternatives(item)
        if inner is not None and any(_has_anchor(branch) for branch in inner):
            return True
    return False


def _anchored(items: _Items, ignore_case: bool) -> str:
    before = after = ".*"
    while items and items[0][0] is sre.AT and items[0][1] in _STARTS:
        before, items = "", items[1:]
    while items and items[-1][0] is sre.AT and items[-1][1] in _ENDS:
        after, items = "", items[:-1]
    return before + _sequence(items, ignore_case) + after


def _sequence(items: Any, ignore_case: bool) -> str:
    return "".join(_item(operator, value, ignore_case) for operator, value in items)


def _item(operator: Any, value: Any, ignore_case: bool) -> str:
    if operator is sre.LITERAL:
        return _letter(chr(value), ignore_case=ignore_case)
    if operator is sre.NOT_LITERAL:
        return f"[^{_members([(sre.LITERAL, value)], ignore_case)}]"
    if operator is sre.ANY:
        return "."
    if operator is sre.IN:
        return _set(value, ignore_case)
    if operator is sre.BRANCH:
        return "(" + "|".join(_sequence(branch, ignore_case) for branch in value[1]) + ")"
    if operator is sre.SUBPATTERN:
        _, added, removed, inner = value
        ignores = (ignore_case or bool(added & re.IGNORECASE)) and not removed & re.IGNORECASE
        return f"({_sequence(inner, ignores)})"
    if operator in _REPEATS:
        lowest, highest, inner = value
        return _repeat(lowest, highest, inner, ignore_case)
    if operator is sre.AT:
        raise RegexError("it has an anchor or a word boundary in the middle, which OpenSearch's expressions lack")
    raise RegexError(f"it uses {_NAMES.get(operator, str(operator).lower())}, which OpenSearch's expressions lack")


def _repeat(lowest: int, highest: Any, inner: Any, ignore_case: bool) -> str:
    endless = highest is sre.MAXREPEAT
    if lowest > MOST_REPEATS or (not endless and highest > MOST_REPEATS):
        raise RegexError(
            f"it repeats something more than {MOST_REPEATS} times, which OpenSearch refuses as too complex"
        )
    body = _sequence(inner, ignore_case)
    if len(inner) != 1 or inner[0][0] not in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN, sre.SUBPATTERN):
        body = f"({body})"
    if endless:
        return body + {0: "*", 1: "+"}.get(lowest, f"{{{lowest},}}")
    if (lowest, highest) == (0, 1):
        return body + "?"
    return body + (f"{{{lowest}}}" if lowest == highest else f"{{{lowest},{highest}}}")


def _set(members: _Items, ignore_case: bool) -> str:
    negated = bool(members) and members[0][0] is sre.NEGATE
    members = members[1:] if negated else members
    if any(operator is sre.CATEGORY and value in _NEGATED for operator, value in members):
        if len(members) > 1:
            raise RegexError("it has a negated class like \\D inside brackets, which OpenSearch's expressions lack")
        members, negated = [(sre.CATEGORY, _NEGATED[members[0][1]])], not negated
    return f"[{'^' if negated else ''}{_members(members, ignore_case)}]"


def _members(members: _Items, ignore_case: bool) -> str:
    parts = []
    for operator, value in members:
        if operator is sre.CATEGORY:
            parts.append(_CLASSES[value])
        elif operator is sre.RANGE:
            low, high = value
            parts.append(_range(low, high, ignore_case))
        else:
            parts.append("".join(_quote(other) for other in _cases(chr(value), ignore_case)))
    return "".join(parts)


def _range(low: int, high: int, ignore_case: bool) -> str:
    text = f"{_quote(chr(low))}-{_quote(chr(high))}"
    if ignore_case:
        for first, last, other in (("a", "z", str.upper), ("A", "Z", str.lower)):
            start, end = max(low, ord(first)), min(high, ord(last))
            if start <= end:
                text += f"{other(chr(start))}-{other(chr(end))}"
    return text


def _letter(character: str, *, ignore_case: bool) -> str:
    cases = _cases(character, ignore_case)
    return _quote(character) if len(cases) == 1 else "[" + "".join(_quote(case) for case in cases) + "]"


def _cases(character: str, ignore_case: bool) -> list[str]:
    if not ignore_case:
        return [character]
    both = (character.lower(), character.upper())
    return sorted({case for case in both if len(case) == 1} or {character})


def _quote(character: str) -> str:
    if character.isspace() and character != " ":
        # A document-level monitor splits its query at white space and joins it again with blanks.
        raise RegexError("it holds a tab or a line break, which a document-level monitor turns into a blank")
    return "\\" + character if character in _SPECIAL else character
