"""Selects detections by the names that a user gives."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oktalogger.detections.model import CompiledDetection


class UnknownRuleError(ValueError):
    """No rule has the given name, id or file."""


def select_detections(detections: Sequence[CompiledDetection], wanted: Sequence[str]) -> tuple[CompiledDetection, ...]:
    """Select detections by name, id or file.

    :param detections: the detections to choose from
    :param wanted: names, ids or files, with ``*`` and ``?`` as wildcards; empty selects all
    :raises UnknownRuleError: if a pattern matches none
    """
    if not wanted:
        return tuple(detections)
    picked: dict[str, CompiledDetection] = {}
    for pattern in wanted:
        found = [detection for detection in detections if _is_meant(detection, pattern)]
        if not found:
            raise UnknownRuleError(f"There is no rule {pattern!r} that can be used.")
        picked |= {detection.id: detection for detection in found}
    return tuple(picked.values())


def _is_meant(detection: CompiledDetection, pattern: str) -> bool:
    names = (detection.name, detection.id, detection.form_of or detection.id, detection.file, Path(detection.file).stem)
    return any(fnmatch(name, pattern) for name in names) or Path(pattern).name == Path(detection.file).name
