"""Applies filters and exceptions to rules, whatever folder either comes from.

The events of a filter are gone for the rule. Those of an exception raise no alert up to its last day, and are kept as
excepted; after that day the query itself no longer leaves them out, with no sync and no run of anything.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oktalogger.detections.model import CompiledDetection, Exclusion


def with_exclusions(
    detections: Iterable[CompiledDetection], exclusions: Sequence[Exclusion]
) -> tuple[CompiledDetection, ...]:
    """Return rules with the filters and exceptions that name them."""
    return tuple(_with(detection, exclusions) for detection in detections)


def aimless(
    detections: Sequence[CompiledDetection], exclusions: Iterable[Exclusion]
) -> Iterator[tuple[Exclusion, str]]:
    """Yield each exclusion that names a rule which is not there, with that name."""
    known = {name for detection in detections for name in _names(detection)}
    for exclusion in exclusions:
        for name in exclusion.rules:
            if name not in known:
                yield exclusion, name


def ended(detections: Iterable[CompiledDetection], today: date) -> tuple[Exclusion, ...]:
    """Return the exceptions whose last day is over: their events alert again."""
    found = (exception for detection in detections for exception in detection.exceptions)
    return tuple(dict.fromkeys(one for one in found if date.fromisoformat(one.until) < today))


def ended_sentence(exception: Exclusion) -> str:
    """Say of an exception that its last day is over, and what to do."""
    return (
        f"the exception of {exception.owner} for {', '.join(exception.rules)} ended on {exception.until}, so these "
        f"events alert again ({exception.title}); remove it, or give it another `until`"
    )


def _with(detection: CompiledDetection, exclusions: Sequence[Exclusion]) -> CompiledDetection:
    names = _names(detection)
    mine = [one for one in exclusions if not one.rules or names & set(one.rules)]
    if not mine:
        return detection
    filters = [one for one in mine if not one.until]
    selection = detection.selection
    if filters:
        selection = " AND ".join([f"({selection})", *(f"NOT {one.query}" for one in filters)])
    return replace(
        detection,
        selection=selection,
        exceptions=tuple(one for one in mine if one.until),
        fields=tuple(sorted({*detection.fields, *(field for one in mine for field in one.fields)})),
    )


def _names(detection: CompiledDetection) -> set[str]:
    rule_id = detection.form_of or detection.id
    return {detection.id, rule_id, detection.name, PurePosixPath(detection.file).stem, *detection.counts}
