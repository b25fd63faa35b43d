"""Translates the fields that a rule of our own kinds names to index fields."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oktalogger.detections.model import DEFAULT_DEDUP
from oktalogger.detections.rules.fields import FieldError, field_table
from oktalogger.detections.rules.problems import RuleError
from oktalogger.detections.rules.rule import OWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oktalogger.detections.criteria import Absence, FirstSeen
    from oktalogger.detections.rules.rule import Rule


def dedup(rule: Rule) -> tuple[str, ...]:
    """Return the index fields whose values make one alert.

    :raises RuleError: if one cannot be grouped by
    """
    if rule.own.absent is not None:
        return _resolved(rule, rule.own.absent.group_by, "absent", "group-by")
    return DEFAULT_DEDUP if rule.own.dedup is None else _resolved(rule, rule.own.dedup, "dedup")


def first_seen(rule: Rule) -> FirstSeen | None:
    """Return what must be new about an event, in index fields.

    :raises RuleError: if a field cannot be grouped by
    """
    given = rule.own.first_seen
    return given and replace(given, fields=_resolved(rule, given.fields, "first_seen", "fields"))


def absence(rule: Rule) -> Absence | None:
    """Return what is missed, in index fields.

    :raises RuleError: if a field cannot be grouped by
    """
    given = rule.own.absent
    return given and replace(given, group_by=_resolved(rule, given.group_by, "absent", "group-by"))


def fields(rule: Rule) -> tuple[str, ...]:
    """Return the index fields that ``first_seen`` and ``absent`` look at.

    :raises RuleError: if one cannot be grouped by
    """
    news, missed = first_seen(rule), absence(rule)
    return (*(news.fields if news else ()), *(missed.group_by if missed else ()))


def _resolved(rule: Rule, names: Iterable[str], *path: str) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(field_table().resolve_countable(name).path for name in names))
    except FieldError as error:
        raise RuleError(str(error), rule.document.line(OWN, *path)) from None
