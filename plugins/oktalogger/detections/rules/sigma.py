"""Compiles `detection` and `correlation` with pySigma. Nothing may import this where pySigma can be missing.

The rule is parsed by pySigma, its lists are filled in and its fields renamed by a pySigma processing pipeline, and the
resulting tree of conditions is written as one query_string. That is done by hand, because pysigma-backend-opensearch
needs pySigma below 2 and refuses correlations, and its queries do not respect what a document-level monitor does to a
query's text (see ``lucene_query``).
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.policy import SigmaPolicy
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import FieldMappingTransformation, ValueListPlaceholderTransformation
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import (
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)

from oktalogger.detections.rules import lucene_query as query
from oktalogger.detections.rules.fields import (
    ALWAYS_THERE,
    CODES_OF,
    EVENT_TYPE,
    Field,
    FieldError,
    FieldTable,
    event_types,
    nearest_event_types,
)
from oktalogger.detections.rules.problems import Problem, RuleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oktalogger.detections.rules.yaml_source import YamlDocument

# What an empty list is filled in with: a character of the private use area, which no event holds.
_NOTHING: Final = "\ue000"
_COMPARISONS: Final = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}


class _Patterns:
    """Lets every regular expression pass: what OpenSearch can do is for ``regex`` to say, with its line."""

    error = re.error

    def compile(self, pattern: str, flags: int = 0) -> re.Pattern[str]:
        try:
            return re.compile(pattern, flags)
        except re.error:
            return re.compile("")


# pySigma stops at 200 values. How many OpenSearch takes is checked once the whole query is written (see ``compiler``).
SigmaString.max_placeholder_expansions = 10_000
_POLICY: Final = SigmaPolicy(regex_engine=cast("Any", _Patterns()))


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events a rule selects.

    :param text: a query_string
    :param fields: the index fields that it looks at
    :param clauses: how many clauses OpenSearch makes of it
    :param warnings: what its author should know
    """

    text: str
    fields: tuple[str, ...]
    clauses: int = 0
    warnings: tuple[Problem, ...] = ()


def read_selection(document: YamlDocument, table: FieldTable, variables: Mapping[str, tuple[str, ...]]) -> Selection:
    """Compile the `detection` of a rule.

    :param document: the rule
    :param table: the fields of the index
    :param variables: the lists that `expand` fills in, by name
    :raises RuleError: if it cannot be compiled, with the line if that is known
    """
    try:
        rule = SigmaRule.from_dict(_sigma_part(document.data), policy=_POLICY)
        fields = _resolve_fields(document, rule, table)
        _check_lists(document, rule, variables)
        _pipeline(fields, variables).apply(rule)
        trees = [condition.parsed for condition in rule.detection.parsed_condition]
    except SigmaError as error:
        raise RuleError(_in_own_words(error), document.line("detection")) from error
    by_path = {field.path: (name, field) for name, field in fields.items()}
    writer = _Writer(document, by_path)
    clause = query.either([writer.write(tree) for tree in trees])
    return Selection(clause.standing_alone, tuple(sorted(by_path)), writer.clauses, tuple(writer.warnings))


def read_correlation(document: YamlDocument) -> SigmaCorrelationRule:
    """Parse the `correlation` of a rule.

    :raises RuleError: if pySigma cannot
    """
    try:
        return SigmaCorrelationRule.from_dict(_sigma_part(document.data))
    except SigmaError as error:
        raise RuleError(_in_own_words(error), document.line("correlation")) from error


def _sigma_part(data: dict[str, Any]) -> dict[str, Any]:
    # What the rules module has read and checked is not pySigma's to judge again.
    return {key: data[key] for key in ("title", "name", "logsource", "detection", "correlation") if key in data}


def _pipeline(fields: Mapping[str, Field], variables: Mapping[str, tuple[str, ...]]) -> ProcessingPipeline:
    return ProcessingPipeline(
        items=[
            ProcessingItem(ValueListPlaceholderTransformation()),
            ProcessingItem(FieldMappingTransformation({name: field.path for name, field in fields.items()})),
        ],
        vars={name: list(values) or [_NOTHING] for name, values in variables.items()},
    )


def _items(detection: SigmaDetection) -> Iterator[SigmaDetectionItem]:
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            yield from _items(item)
        else:
            yield item


def _resolve_fields(document: YamlDocument, rule: SigmaRule, table: FieldTable) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for detection in rule.detection.detections.values():
        for item in _items(detection):
            if item.field is None:
                raise RuleError(
                    "the rule searches for words in no field in particular, which a monitor cannot; "
                    "name the field, for example `displayMessage|contains`",
                    document.line("detection"),
                )
            try:
                fields[item.field] = table.resolve(item.field)
            except FieldError as error:
                raise RuleError(str(error), document.line_of_field("detection", item.field)) from None
    return fields


def _check_lists(document: YamlDocument, rule: SigmaRule, variables: Mapping[str, tuple[str, ...]]) -> None:
    for detection in rule.detection.detections.values():
        for item in _items(detection):
            for value in item.value:
                parts = value.s if isinstance(value, SigmaString) else []
                for part in parts:
                    if isinstance(part, Placeholder) and part.name not in variables:
                        raise RuleError(
                            f"the list %{part.name}% is not in variables.yml; add it there, `{part.name}: []` if it "
                            "is to hold nothing",
                            document.line_of_field("detection", str(item.field)),
                        )


def _in_own_words(error: SigmaError) -> str:
    message = " ".join(str(error).split()).rstrip(".")
    return f"Sigma does not accept the rule: {message}"


class _Writer:
    """Writes a tree of conditions as a query."""

    def __init__(self, document: YamlDocument, fields: Mapping[str, tuple[str, Field]]) -> None:
        self._document = document
        self._fields = fields
        self.warnings: list[Problem] = []
        self.clauses = 0

    def write(self, node: Any) -> query.Clause:
        """Write a node and what hangs below it."""
        if isinstance(node, ConditionAND):
            return query.both([self.write(item) for item in node.args])
        if isinstance(node, ConditionOR):
            return query.either([self.write(item) for item in node.args])
        if isinstance(node, ConditionNOT):
            return query.negate(self.write(node.args[0]))
        if isinstance(node, ConditionFieldEqualsValueExpression):
            name, field = self._fields[node.field]
            self.clauses += _clauses(field, node.value)
            try:
                return self._value(field, node.value)
            except RuleError as error:
                line = self._document.line_of_field("detection", name, _original(node.value))
                raise RuleError(str(error), line) from None
        if isinstance(node, ConditionValueExpression):
            raise RuleError("a value without a field cannot be searched", self._document.line("detection"))
        raise RuleError("the condition says nothing", self._document.line("detection", "condition"))

    def _value(self, field: Field, value: Any) -> query.Clause:
        if isinstance(value, SigmaString):
            return self._text(field, value)
        if isinstance(value, SigmaRegularExpression):
            ignore_case = SigmaRegularExpressionFlag.IGNORECASE in value.flags
            if SigmaRegularExpressionFlag.MULTILINE in value.flags:
                raise RuleError(
                    "`|re|m` lets ^ and $ match at each line, which OpenSearch's expressions cannot; look for the line "
                    "with `|contains`, or write out what stands before and after it"
                )
            return query.matches(field, str(value.regexp), ignore_case=ignore_case)
        if isinstance(value, SigmaCIDRExpression):
            return query.cidr(field, value.cidr)
        if isinstance(value, SigmaExpansion):
            return query.either([self._value(field, part) for part in value.values])
        if isinstance(value, SigmaNull) or (isinstance(value, SigmaExists) and not value):
            self._check_there(field)
        if isinstance(value, SigmaExists):
            return query.exists(field) if value else query.negate(query.exists(field))
        if isinstance(value, SigmaNull):
            return query.negate(query.exists(field))
        if isinstance(value, (SigmaNumber, SigmaBool)):
            # A value of another type than a text is one that Okta never sends for a code.
            self._check_code(field, [str(value.number if isinstance(value, SigmaNumber) else value.boolean)])
        return _scalar(field, value)

    def _text(self, field: Field, value: SigmaString) -> query.Clause:
        parts: list[query.Part] = []
        for part in value.s:
            if isinstance(part, Placeholder):
                raise RuleError(f"the list %{part.name}% is not in variables.yml")
            if isinstance(part, SpecialChars):
                parts.append(query.Wildcard.MANY if part is SpecialChars.WILDCARD_MULTI else query.Wildcard.ONE)
            elif _NOTHING in part:
                return query.NOTHING
            else:
                parts.append(part)
        self._check_code(field, parts)
        return query.text(field, parts, cased=isinstance(value, SigmaCasedString))

    def _check_code(self, field: Field, parts: list[query.Part]) -> None:
        pattern = "".join(part if isinstance(part, str) else part.value for part in parts)
        if field.path == EVENT_TYPE:
            self._check_event_type(pattern)
        elif field.path in CODES_OF and not fnmatch.filter(CODES_OF[field.path], pattern.upper()):
            known = ", ".join(CODES_OF[field.path])
            self._warn(field.path, pattern, f"Okta has no `{field.path}` `{pattern}`; it has {known}")

    def _check_there(self, field: Field) -> None:
        if field.path in ALWAYS_THERE:
            self._warn(field.path, None, f"every event has `{field.path}`, so that it is missing never matches")

    def _warn(self, path: str, value: str | None, message: str) -> None:
        name = next((name for name, field in self._fields.values() if field.path == path), path)
        line = self._document.line_of_field("detection", name, value)
        self.warnings.append(Problem(self._document.file, line, message, is_warning=True))

    def _check_event_type(self, pattern: str) -> None:
        if fnmatch.filter(event_types(), pattern.lower()):
            return
        near = nearest_event_types(pattern)
        hint = f" (did you mean {' or '.join(near)}?)" if near else ""
        message = f"`{pattern}` is not an event type of Okta's published catalogue{hint}"
        line = self._document.line_of_field("detection", EVENT_TYPE, pattern)
        self.warnings.append(Problem(self._document.file, line, message, is_warning=True))


def _scalar(field: Field, value: Any) -> query.Clause:
    if isinstance(value, SigmaTimestampPart):
        raise RuleError(
            "of a time, a monitor knows `oktalogger.published_hour` and `oktalogger.published_weekday` (UTC) only"
        )
    if isinstance(value, SigmaNumber):
        return query.text(field, [str(value.number)])
    if isinstance(value, SigmaBool):
        return query.text(field, [str(value.boolean).lower()])
    if isinstance(value, SigmaCompareExpression):
        if value.op.name == "NEQ":
            return query.negate(query.number(field, str(value.number)))
        return query.compare(field, _COMPARISONS[value.op.name], value.number.number)
    if isinstance(value, SigmaFieldReference):
        raise RuleError(
            f"`{field.path}` is compared with the field `{value.field}`, which a query cannot do; the loader has to "
            "derive it, as it does `oktalogger.actor_is_target`"
        )
    raise RuleError(f"`{field.path}` is compared in a way that OpenSearch's queries do not know")


def _clauses(field: Field, value: Any) -> int:
    """Count what OpenSearch 2.19 makes of a value: of an address or a number it asks the index and the doc values."""
    if isinstance(value, SigmaExpansion):
        return sum(_clauses(field, part) for part in value.values)
    if isinstance(value, (SigmaExists, SigmaNull)):
        return 2
    return 1 if field.type in ("keyword", "boolean") else 2


def _original(value: Any) -> str | None:
    if isinstance(value, SigmaString):
        return str(value.original)
    if isinstance(value, SigmaRegularExpression):
        return str(value.regexp)
    return str(value.cidr) if isinstance(value, SigmaCIDRExpression) else None
