"""Translates the regular expressions of Sigma rules into Lucene's, which are others.

Lucene's match a whole term, so there are no anchors; they know no look-around, back references or lazy repeats; and
characters like ``~`` and ``#`` mean something. What Lucene cannot say is an error here, not a query that never matches.
Python's own parser reads them, because a second one would understand patterns differently. Written by hand, because no
library writes Lucene's expressions. How complex an expression may be is for OpenSearch to say (see ``engine``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from oktalogger.detections.rules.strict import character_name

sre: Any = import_module("re._constants")
sre_parser: Any = import_module("re._parser")

MOST_REPEATS: Final = 1000
# OpenSearch judges how complex an expression is, but 3.4.0 first writes out its repeats: (a{1000}){1000} kept it busy
# for two seconds and filled a heap of 512 MB. 2.19.4 takes no more than a thousand states at all.
MOST_CHARACTERS: Final = 10_000

# How Lucene writes the empty text; an alternative with nothing in it makes it quietly match nothing at all.
_NOTHING: Final = "()"
_ANYTHING: Final = ".*"
_SPECIAL: Final = frozenset('.?+*|{}[]()"\\#@&<>~^$/:- ')
_CLASSES: Final[dict[Any, tuple[tuple[int, int], ...]]] = {
    sre.CATEGORY_DIGIT: ((48, 57),),
    sre.CATEGORY_WORD: ((48, 57), (65, 90), (95, 95), (97, 122)),
}
# Lucene's own, because no query may hold a tab or a line break.
_SPACE: Final = "\\s"
_NEGATED: Final = {
    sre.CATEGORY_NOT_DIGIT: sre.CATEGORY_DIGIT,
    sre.CATEGORY_NOT_WORD: sre.CATEGORY_WORD,
    sre.CATEGORY_NOT_SPACE: sre.CATEGORY_SPACE,
}
# Of those with an upper and a lower case.
_LAST_LETTER: Final = 0x1E943
_LAST_ASCII: Final = 0x7F
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
    """Write literal text as a Lucene regular expression.

    :raises RegexError: if it holds what no monitor's query can hold
    """
    return "".join(_literal(ord(character), ignore_case) for character in text)


def to_lucene(pattern: str, *, ignore_case: bool = False) -> str:
    """Translate a pattern that may match anywhere in a text into one that matches the whole term.

    :param pattern: as the rule writes it
    :param ignore_case: whether upper and lower case are the same
    :raises RegexError: if Lucene cannot say it
    """
    try:
        parsed = sre_parser.parse(pattern, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        raise RegexError(f"it is not valid: {error}") from error
    if parsed.state.flags & re.MULTILINE:
        raise RegexError("it lets ^ and $ match at each line, by the flag m, which OpenSearch's expressions lack")
    if (characters := _written_out(parsed)) > MOST_CHARACTERS:
        raise RegexError(
            f"with its repeats written out it has {characters:,} characters, more than {MOST_CHARACTERS:,}, and "
            "OpenSearch could run out of memory over it; repeat less often"
        )
    ignore_case = ignore_case or bool(parsed.state.flags & re.IGNORECASE)
    branches = [_anchored(items, ignore_case) or _NOTHING for items in _unfold(list(parsed))]
    return branches[0] if len(branches) == 1 else "(" + "|".join(branches) + ")"


def _written_out(items: Any) -> int:
    """Count the characters of an expression in which every repeat is written out."""
    total = 0
    for operator, value in items:
        if operator is sre.BRANCH:
            total += sum(_written_out(branch) for branch in value[1])
        elif operator is sre.SUBPATTERN:
            total += _written_out(value[3])
        elif operator in _REPEATS:
            lowest, highest, inner = value
            times = lowest + 1 if highest is sre.MAXREPEAT else highest
            total += int(times) * _written_out(inner)
        else:
            total += 1
    return total


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
    at_start = at_end = False
    while items and items[0][0] is sre.AT and items[0][1] in _STARTS:
        at_start, items = True, items[1:]
    while items and items[-1][0] is sre.AT and items[-1][1] in _ENDS:
        at_end, items = True, items[:-1]
    return ("" if at_start else _ANYTHING) + _sequence(items, ignore_case) + ("" if at_end else _ANYTHING)


def _sequence(items: Any, ignore_case: bool) -> str:
    return "".join(_item(operator, value, ignore_case) for operator, value in items)


def _item(operator: Any, value: Any, ignore_case: bool) -> str:
    if operator is sre.LITERAL:
        return _literal(value, ignore_case)
    if operator is sre.NOT_LITERAL:
        return _set([(sre.NEGATE, None), (sre.LITERAL, value)], ignore_case)
    if operator is sre.ANY:
        return "."
    if operator is sre.IN:
        return _set(value, ignore_case)
    if operator is sre.BRANCH:
        return "(" + "|".join(_sequence(branch, ignore_case) or _NOTHING for branch in value[1]) + ")"
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
        raise RegexError(f"it repeats something more than {MOST_REPEATS} times")
    body = _sequence(inner, ignore_case)
    if len(inner) != 1 or inner[0][0] not in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN, sre.SUBPATTERN):
        body = f"({body})"
    return body + _times(lowest, None if endless else highest)


def _set(members: _Items, ignore_case: bool) -> str:
    negated = bool(members) and members[0][0] is sre.NEGATE
    members = members[1:] if negated else members
    if any(operator is sre.CATEGORY and value in _NEGATED for operator, value in members):
        if len(members) > 1:
            raise RegexError("it has a negated class like \\D inside brackets, which OpenSearch's expressions lack")
        members, negated = [(sre.CATEGORY, _NEGATED[members[0][1]])], not negated
    ranges: list[tuple[int, int]] = []
    spaces = ""
    for operator, value in members:
        if operator is sre.CATEGORY and value is sre.CATEGORY_SPACE:
            spaces = _SPACE
        elif operator is sre.CATEGORY:
            ranges += _CLASSES[value]
        else:
            given = value if operator is sre.RANGE else (value, value)
            ranges += _cases((given,), ignore_case)
    return f"[{'^' if negated else ''}{spaces}{''.join(_range(low, high) for low, high in ranges)}]"


def _times(lowest: int, highest: int | None) -> str:
    if highest is None:
        return {0: "*", 1: "+"}.get(lowest, f"{{{lowest},}}")
    if (lowest, highest) == (0, 1):
        return "?"
    return f"{{{lowest}}}" if lowest == highest else f"{{{lowest},{highest}}}"


def _cases(ranges: tuple[tuple[int, int], ...], ignore_case: bool) -> tuple[tuple[int, int], ...]:
    """Add the other cases of letters."""
    if not ignore_case:
        return ranges
    result = list(ranges)
    for low, high in ranges:
        letters = range(low, min(high, _LAST_LETTER) + 1)
        others = sorted({case for code in letters for case in _other_cases(code)} - set(letters))
        for code in others:
            if result[-1] != (low, high) and result[-1][1] == code - 1:
                result[-1] = (result[-1][0], code)
            else:
                result.append((code, code))
    return tuple(result)


def _other_cases(code: int) -> set[int]:
    character = chr(code)
    # Among those that fold to the same letter is the sigma that stands at the end of Greek words. English letters have
    # such relatives too (the sign for kelvin), which nobody means.
    same = _folded().get(character.casefold(), "") if code > _LAST_ASCII else ""
    return {ord(case) for case in (character.lower(), character.upper(), *same) if len(case) == 1} - {code}


@lru_cache(maxsize=1)
def _folded() -> dict[str, str]:
    groups: dict[str, str] = {}
    for code in range(_LAST_ASCII + 1, _LAST_LETTER + 1):
        folded = chr(code).casefold()
        if len(folded) == 1 and ord(folded) > _LAST_ASCII:
            groups[folded] = groups.get(folded, "") + chr(code)
    return {folded: letters for folded, letters in groups.items() if len(letters) > 1}


def _literal(code: int, ignore_case: bool) -> str:
    cases = sorted(low for low, _ in _cases(((code, code),), ignore_case))
    return _quote(chr(code)) if len(cases) == 1 else "[" + "".join(_quote(chr(case)) for case in cases) + "]"


def _range(low: int, high: int) -> str:
    return _quote(chr(low)) if low == high else f"{_quote(chr(low))}-{_quote(chr(high))}"


def _quote(character: str) -> str:
    if character.isspace() and character != " ":
        # A document-level monitor splits its query at white space and joins it again with blanks.
        raise RegexError(f"it holds a {character_name(character)}, which a monitor may turn into a blank")
    return "\\" + character if character in _SPECIAL else character
