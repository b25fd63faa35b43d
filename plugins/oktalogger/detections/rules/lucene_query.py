"""Writing the query_string text of a detection.

A document-level monitor does three things to the text before it runs it: it renames each field by searching the text
for ``field:``, it looks for ``_exists_:field`` between blanks, and it turns every run of white space into one blank
(DocLevelMonitorQueries of the Alerting plugin, 2.19 to 3.4). So a value never holds a bare colon, and blanks in values
are escaped one by one. A bucket-level monitor fills in ``{{...}}``, so a value never holds two braces in a row.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from oktalogger.detections.rules import lucene_regex as regex
from oktalogger.detections.rules.fields import EVENT_TYPE, is_spelled_by_okta
from oktalogger.detections.rules.problems import RuleError
from oktalogger.pipeline.added_fields import LONGEST_KEYWORD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oktalogger.detections.rules.fields import Field

# Where the load notes which fields hold a text that the index leaves out.
_TOO_LONG: Final = "oktalogger.too_long"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]*")
_WORDS: Final = frozenset({"AND", "OR", "NOT", "TO"})
_QUOTED_SPECIAL: Final = re.compile(r'[\\":{}\s]')
_NUMBERS: Final = frozenset({"byte", "integer", "long"})
_LONGEST_PATTERN: Final = 300
# `index.max_regex_length`, as it is by default.
_LONGEST_REGEX: Final = 1000
# Of a `long`.
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1
_COMPARISONS: Final = frozenset({"<", "<=", ">", ">="})


class Wildcard(Enum):
    """A part of a text that stands for others."""

    MANY = "*"
    ONE = "?"


Part = str | Wildcard


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of a query.

    :param text: as it stands in a query
    :param field: the field, where it says that this field has a value
    :param value: that value, as it stands behind the colon
    :param is_negative: whether it stands under a NOT, which a query cannot consist of alone
    """

    text: str
    field: str | None = None
    value: str | None = None
    is_negative: bool = False

    @property
    def standing_alone(self) -> str:
        """The text where it is a whole query, or one of several alternatives."""
        return f"(*:* AND {self.text})" if self.is_negative else self.text


NOTHING: Final = Clause("(NOT *:*)")


def both(clauses: Sequence[Clause]) -> Clause:
    """Join clauses that must all hold."""
    if len(clauses) == 1:
        return clauses[0]
    ordered = sorted(clauses, key=lambda clause: clause.is_negative)
    texts = [clause.text for clause in ordered]
    if ordered[0].is_negative:
        texts.insert(0, "*:*")
    return Clause("(" + " AND ".join(texts) + ")")


def either(clauses: Sequence[Clause]) -> Clause:
    """Join clauses of which one must hold."""
    if len(clauses) == 1:
        return clauses[0]
    fields = {clause.field for clause in clauses}
    values = [clause.value for clause in clauses if clause.value is not None]
    if len(fields) == 1 and None not in fields and len(values) == len(clauses):
        return Clause(f"{fields.pop()}:({' OR '.join(values)})")
    return Clause("(" + " OR ".join(clause.standing_alone for clause in clauses) + ")")


def negate(clause: Clause) -> Clause:
    """Say the opposite."""
    text = clause.standing_alone
    return Clause(f"NOT {text}" if text.startswith("(") or clause.field else f"NOT ({text})", is_negative=True)


def exists(field: Field) -> Clause:
    """Say that a field has a value, also one that is too long for the index, whose name the load notes.

    What the load itself adds is never too long.
    """
    there = f"_exists_:{field.path}"
    if field.type != "keyword" or field.path.startswith("oktalogger."):
        return Clause(there)
    return Clause(f"({there} OR {_TOO_LONG}:{field.path})")


def text(field: Field, parts: Sequence[Part], *, cased: bool = False) -> Clause:
    """Say that a field has a value, with wildcards or without. Letters count in either case unless said otherwise.

    :param field: the field
    :param parts: the value
    :param cased: whether upper and lower case differ
    :raises RuleError: where the field cannot have such a value
    """
    if parts and all(part is Wildcard.MANY for part in parts):
        return exists(field)
    literal = "".join(part for part in parts if isinstance(part, str))
    is_literal = all(isinstance(part, str) for part in parts)
    if field.type == "keyword":
        if len(literal) > LONGEST_KEYWORD:
            raise RuleError(
                f"`{field.path}` is searched for a text of {len(literal):,} characters, and the index keeps texts of "
                f"{LONGEST_KEYWORD:,} at most; look for a part of it"
            )
        ignore_case = not (cased or field.is_exact)
        if is_literal:
            return _literal(field, literal, ignore_case)
        return _pattern(field, parts, ignore_case or (field.path == EVENT_TYPE and not cased))
    if not is_literal:
        hint = "; use `|cidr`, like 10.0.0.0/8" if field.type == "ip" else ""
        raise RuleError(f"`{field.path}` is of the type {field.type}, which cannot be searched by parts{hint}")
    if field.type == "ip":
        return cidr(field, literal) if "/" in literal else _address(field, literal)
    if field.type == "boolean":
        if literal.lower() not in ("true", "false"):
            raise RuleError(f"`{field.path}` is true or false, not {literal!r}")
        return _is(field, literal.lower())
    return number(field, literal)


def matches(field: Field, pattern: str, *, ignore_case: bool = False) -> Clause:
    """Say that a field matches a regular expression.

    :raises RuleError: where OpenSearch's expressions cannot say it, or the field is no text
    """
    if field.type != "keyword":
        raise RuleError(f"`{field.path}` is of the type {field.type}, which has no text for a regular expression")
    try:
        return _regex(field, regex.to_lucene(pattern, ignore_case=ignore_case or field.is_code))
    except regex.RegexError as error:
        raise RuleError(f"the regular expression {pattern!r} cannot be used: {error}") from None


def cidr(field: Field, network: str) -> Clause:
    """Say that an address lies in a network.

    :raises RuleError: where the field holds no addresses, or the network is none
    """
    if field.type != "ip":
        raise RuleError(f"`{field.path}` holds no IP addresses, so `cidr` has no meaning for it")
    try:
        return _is(field, _quote(str(ip_network(network, strict=False))))
    except ValueError as error:
        raise RuleError(f"`{field.path}` is compared with {network!r}, which is no network: {error}") from None


def number(field: Field, value: str) -> Clause:
    """Say that a field has a number.

    :raises RuleError: where the field holds no numbers, or the value is none
    """
    _check_number(field)
    try:
        return _is(field, _quote(str(int(value))))
    except ValueError:
        raise RuleError(f"`{field.path}` holds whole numbers, not {value!r}") from None


def compare(field: Field, operator: str, value: float) -> Clause:
    """Say that a field's number is less or more than another.

    :param operator: one of ``<``, ``<=``, ``>``, ``>=``
    :raises RuleError: where the field holds no numbers
    """
    if operator not in _COMPARISONS:
        raise ValueError(operator)
    _check_number(field)
    if value % 1:
        # Fields hold whole numbers, so that the next one says the same without a fraction.
        operator, value = ("<=", math.floor(value)) if operator.startswith("<") else (">=", math.ceil(value))
    whole = int(value)
    if not _LEAST <= whole <= _MOST:
        raise RuleError(f"`{field.path}` is compared with {whole}, which is more than the index can hold")
    if whole >= 0:
        return _is(field, f"{operator}{whole}")
    # The short form does not take a minus sign.
    low, high = ("*", whole) if operator.startswith("<") else (whole, "*")
    return _is(field, f"{'{' if operator == '>' else '['}{low} TO {high}{'}' if operator == '<' else ']'}")


def _check_number(field: Field) -> None:
    if field.type == "date":
        raise RuleError(
            f"`{field.path}` is a time, and a monitor looks at new events only; for the hour of the day use "
            "`oktalogger.published_hour` (UTC)"
        )
    if field.type not in _NUMBERS:
        raise RuleError(f"`{field.path}` is of the type {field.type}, which cannot be compared with a number")


def _literal(field: Field, literal: str, ignore_case: bool) -> Clause:
    literal = field.spell(literal)
    if not ignore_case or literal.lower() == literal.upper():
        return _is(field, _quote(literal))
    return _regex(field, _escape(literal, ignore_case=True))


def _pattern(field: Field, parts: Sequence[Part], ignore_case: bool) -> Clause:
    spelled = [field.spell(part) if isinstance(part, str) else part for part in parts]
    plain = "".join(part.value if isinstance(part, Wildcard) else part for part in spelled)
    is_plain = all(isinstance(part, Wildcard) or _PLAIN.fullmatch(f"a{part}") for part in spelled)
    if field.path == EVENT_TYPE and is_plain and (not ignore_case or is_spelled_by_okta(plain)):
        return _is(field, plain)
    if sum(len(part) for part in spelled if isinstance(part, str)) > _LONGEST_PATTERN:
        raise RuleError(f"`{field.path}` is searched for a part longer than {_LONGEST_PATTERN} characters")
    wild = {Wildcard.MANY: ".*", Wildcard.ONE: "."}
    body = "".join(
        wild[part] if isinstance(part, Wildcard) else _escape(part, ignore_case=ignore_case) for part in spelled
    )
    return _regex(field, body)


def _escape(literal: str, *, ignore_case: bool) -> str:
    try:
        return regex.escape(literal, ignore_case=ignore_case)
    except regex.RegexError as error:
        raise RuleError(f"the value {literal!r} cannot be searched: {error}") from None


def _address(field: Field, literal: str) -> Clause:
    try:
        return _is(field, _quote(str(ip_address(literal))))
    except ValueError:
        raise RuleError(f"`{field.path}` is an IP address, not {literal!r}") from None


def _regex(field: Field, expression: str) -> Clause:
    if len(expression) > _LONGEST_REGEX:
        raise RuleError(
            f"`{field.path}` is compared with a text or an expression that is too long: it becomes a regular "
            f"expression of {len(expression)} characters, and OpenSearch takes {_LONGEST_REGEX}; look for a part of it"
        )
    return _is(field, f"/{expression}/")


def _is(field: Field, value: str) -> Clause:
    return Clause(f"{field.path}:{value}", field.path, value)


def _quote(literal: str) -> str:
    if _PLAIN.fullmatch(literal) and literal not in _WORDS:
        return literal
    return '"' + _QUOTED_SPECIAL.sub(_quoted, literal) + '"'


def _quoted(found: re.Match[str]) -> str:
    character = found[0]
    return f"\\u{ord(character):04x}" if character.isspace() and character != " " else "\\" + character
