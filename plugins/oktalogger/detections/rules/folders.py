"""Merges the compiled rules of several folders, and refuses duplicate ids and names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oktalogger.detections.exclusions import aimless
from oktalogger.detections.rules.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from oktalogger.detections.model import CompiledDetection, Exclusion
    from oktalogger.detections.rules.compiler import Compiled


def merge_folders(compiled: Mapping[Path, Compiled]) -> Compiled:
    """Merge the compiled rules of several folders.

    :param compiled: the result of ``compile_folder`` for each
    """
    # Workers use the rest of this, and have no use for a compiler.
    from oktalogger.detections.rules.compiler import Compiled

    several = len(compiled) > 1
    problems = [
        replace(problem, file=str(folder / problem.file)) if several else problem
        for folder, one in compiled.items()
        for problem in one.problems
    ]
    problems += find_doubles({folder: one.detections for folder, one in compiled.items()})
    detections = tuple(detection for one in compiled.values() for detection in one.detections)
    exclusions = tuple(exclusion for one in compiled.values() for exclusion in one.exclusions)
    problems += aimless_problems(detections, exclusions)
    return Compiled(
        detections,
        {id: rule for one in compiled.values() for id, rule in one.rules.items()},
        tuple(problems),
        exclusions,
    )


def aimless_problems(detections: Sequence[CompiledDetection], exclusions: Sequence[Exclusion]) -> list[Problem]:
    """Find filters and exceptions that name a rule which is in none of the folders.

    :param detections: the rules of all folders
    :param exclusions: the filters and exceptions of all folders
    """
    return [
        Problem(one.file, one.line, f"it names the rule {name!r}, which is in no folder here, so it leaves nothing out")
        for one, name in aimless(detections, exclusions)
    ]


def find_doubles(detections: Mapping[Path, Sequence[CompiledDetection]]) -> list[Problem]:
    """Find rules that have the id or the name of a rule in another folder.

    Monitors, matches and alerts depend on the id, and people choose rules by name.

    :param detections: the rules of each folder
    """
    return list(_doubles(detections))


def _doubles(detections: Mapping[Path, Sequence[CompiledDetection]]) -> Iterator[Problem]:
    first: dict[tuple[str, str], tuple[Path, CompiledDetection]] = {}
    for folder, rules in detections.items():
        for rule in rules:
            for what, value in (("id", rule.id), ("name", rule.name)):
                other, twin = first.setdefault((what, value), (folder, rule))
                if other != folder:
                    yield Problem(
                        str(folder / rule.file),
                        rule.line,
                        f"the {what} {value} already belongs to {other / twin.file}. Give this rule its own id and "
                        "file name, or, to use your copy in place of ours, name your folder alone in "
                        "OKTALOGGER_DETECTIONS_DIR",
                    )
                    break
