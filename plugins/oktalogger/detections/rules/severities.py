"""Makes a form of a rule for each of its severities.

OpenSearch Alerting has one severity for a trigger, and everything else (channels, monitors, replay) goes by the
severity of a rule. So a rule whose severity moves is several rules, of which no two find the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from oktalogger.detections.rules.embedded import read_one_selection
from oktalogger.detections.rules.lucene_query import NOTHING
from oktalogger.detections.rules.rule import OWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.detections.rules.problems import Problem
    from oktalogger.detections.rules.rule import Rule


def forms_of(
    detection: CompiledDetection, rule: Rule, variables: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[CompiledDetection, ...], list[Problem]]:
    """Return a rule with its own severity, and a form of it for each other one.

    A condition that can never hold, because it is about an empty list, makes no form.

    :param detection: the rule with its own severity
    :param rule: as it was read
    :param variables: the lists that `expand` fills in, by name
    :return: the forms, the rule with its own severity first, and what is wrong with the conditions
    """
    problems: list[Problem] = []
    forms = []
    taken: list[str] = []
    looked_at: set[str] = set()
    for number, change in enumerate(rule.own.severity):
        path = (OWN, "severity", number, "when")
        selection, more = read_one_selection(rule.document, path, change.when, variables)
        problems += more
        if selection is None or selection.text == NOTHING.text:
            continue
        looked_at |= set(selection.fields)
        form = replace(
            _narrowed(detection, wanted=selection.text, unwanted=taken),
            id=str(uuid5(UUID(detection.id), f"severity/{change.level}")),
            name=f"{detection.name}_{change.level}",
            title=f"{detection.title} ({change.level})",
            severity=change.level,
            form_of=detection.id,
        )
        forms.append(form)
        taken.append(selection.text)
    all_forms = [_narrowed(detection, wanted="", unwanted=taken), *forms]
    fields = tuple(sorted({*detection.fields, *looked_at}))
    return tuple(replace(form, fields=fields) for form in all_forms), problems


def _narrowed(detection: CompiledDetection, *, wanted: str, unwanted: list[str]) -> CompiledDetection:
    """Return a rule for events, or slots of a threshold, of which one condition holds and others do not."""
    if not wanted and not unwanted:
        return detection
    none_of = " OR ".join(f"({text})" for text in unwanted)
    if detection.threshold is not None:
        threshold: Any = replace(detection.threshold, with_query=wanted, without_query=none_of)
        return replace(detection, threshold=threshold)
    texts = [f"({detection.selection})"]
    texts += [f"({wanted})"] if wanted else []
    texts += [f"NOT ({none_of})"] if none_of else []
    return replace(detection, selection=" AND ".join(texts))
