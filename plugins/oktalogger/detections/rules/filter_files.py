"""Reads what leaves events out of rules: Sigma filters, for good, and exceptions, with an owner, a reason and an end.

A filter is a document of its own in any rule file. Exceptions stand in ``exceptions.yml``. Both may name rules of
another folder, so that rules of the pack can be tuned without a copy. Their events are selected as those of a rule are.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.model import Exclusion
from oktalogger.detections.rules.embedded import OKTA_LOG, read_one_selection, read_selections
from oktalogger.detections.rules.problems import Problem, RuleError
from oktalogger.detections.rules.yaml_source import EXCEPTIONS_FILE, read_documents

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from oktalogger.detections.rules.yaml_source import YamlDocument

_FILTER_KEYS: Final = (
    *("title", "id", "name", "taxonomy", "status", "description", "license", "author", "references", "date"),
    *("modified", "logsource", "filter", "tags", "related", "scope"),
)
_EXCEPTION_KEYS: Final = ("rule", "match", "owner", "reason", "until")
_LISTED: Final = "exceptions"


def is_filter(document: YamlDocument) -> bool:
    """Say whether a document is a Sigma filter."""
    return "filter" in document.data and not {"detection", "correlation"} & set(document.data)


def read_filter(
    document: YamlDocument, variables: Mapping[str, tuple[str, ...]]
) -> tuple[Exclusion | None, list[Problem]]:
    """Read a Sigma filter.

    :param document: the filter
    :param variables: the lists that `expand` fills in, by name
    :return: what it leaves out, ``None`` if it cannot be used; and what is wrong with it
    """
    problems = [
        document.problem(f"`{key}` is not a key of a filter", str(key))
        for key in document.data
        if str(key) not in _FILTER_KEYS
    ]
    given = document.data["filter"]
    if not isinstance(given, dict):
        return None, [*problems, document.problem("`filter` must be a mapping", "filter")]
    if document.data.get("logsource") not in (OKTA_LOG, {"product": "okta"}):
        problems.append(document.problem("the filter's `logsource` must say `product: okta`", "logsource"))
    title = document.data.get("title")
    if not isinstance(title, str) or not title.strip():
        problems.append(document.problem("the filter needs a `title`"))
    try:
        rules = _filtered_rules(document, given.get("rules"))
    except RuleError as error:
        return None, [*problems, Problem(document.file, error.line or document.line(), str(error))]
    kept, more = read_selections(document, "filter", "rules", variables)
    problems += more
    if kept is None or any(not problem.is_warning for problem in problems):
        return None, problems
    query = f"(*:* AND NOT ({kept.text}))"
    return Exclusion(str(title), rules, query, kept.fields, file=document.file, line=document.line()), problems


def read_exceptions(folder: Path, variables: Mapping[str, tuple[str, ...]]) -> tuple[list[Exclusion], list[Problem]]:
    """Read the exceptions of a folder of rules; a missing file is an empty one.

    :param variables: the lists that `expand` fills in, by name
    :return: the exceptions that can be used, and what is wrong with the others
    """
    path = folder / EXCEPTIONS_FILE
    if not path.is_file():
        return [], []
    documents, problems = read_documents(path.read_bytes(), EXCEPTIONS_FILE)
    found: list[Exclusion] = []
    for document in documents:
        listed = document.data.get(_LISTED)
        if set(document.data) != {_LISTED} or not isinstance(listed, list):
            problems.append(document.problem(f"the file must hold one key, `{_LISTED}`, with a list"))
            continue
        for number, given in enumerate(listed):
            try:
                exception, more = _exception(document, number, given, variables)
            except RuleError as error:
                line = error.line or document.line(_LISTED, number)
                problems.append(Problem(document.file, line, str(error)))
                continue
            problems += more
            if exception is not None:
                found.append(exception)
    return found, problems


def _exception(
    document: YamlDocument, number: int, given: Any, variables: Mapping[str, tuple[str, ...]]
) -> tuple[Exclusion | None, list[Problem]]:
    if not isinstance(given, dict):
        raise RuleError(f"an exception is a mapping with {', '.join(_EXCEPTION_KEYS)}")
    for key in given:
        if key not in _EXCEPTION_KEYS:
            raise RuleError(
                f"an exception has no key `{key}`; it takes {', '.join(_EXCEPTION_KEYS)}",
                document.line(_LISTED, number, str(key)),
            )
    texts = {}
    for key in ("owner", "reason"):
        value = given.get(key)
        if not isinstance(value, str) or not value.strip():
            raise RuleError(f"an exception needs `{key}`, as a text")
        texts[key] = value.strip()
    rule = given.get("rule")
    rules = [rule] if isinstance(rule, str) else rule
    if not isinstance(rules, list) or not rules or not all(isinstance(one, str) and one.strip() for one in rules):
        raise RuleError("an exception needs `rule`, the name or id of a rule, or a list of them")
    until = _day(given.get("until"), document.line(_LISTED, number, "until"))
    matched, problems = read_one_selection(document, (_LISTED, number, "match"), given.get("match"), variables)
    if matched is None:
        return None, problems
    exclusion = Exclusion(
        texts["reason"],
        tuple(rules),
        matched.text,
        matched.fields,
        owner=texts["owner"],
        until=until.isoformat(),
        file=document.file,
        line=document.line(_LISTED, number),
    )
    return exclusion, problems


def _day(value: Any, line: int) -> date:
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise RuleError("an exception needs `until`, its last day, like 2026-12-31", line) from None


def _filtered_rules(document: YamlDocument, given: Any) -> tuple[str, ...]:
    line = document.line("filter", "rules")
    if given == "any" or given == []:
        return ()
    rules = [given] if isinstance(given, str) else given
    if not isinstance(rules, list) or not all(isinstance(rule, str) and rule.strip() for rule in rules):
        raise RuleError("a filter needs `rules`: a name or id of a rule, a list of them, or `any`", line)
    return tuple(rules)
