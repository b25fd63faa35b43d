"""Describes what is wrong with a rule: one sentence, with file and line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something about a rule file that its author should know.

    :param file: the file, relative to the folder of detections
    :param line: counted from 1
    :param message: one sentence, without a full stop
    :param is_warning: whether the rule can still be used
    """

    file: str
    line: int
    message: str
    is_warning: bool = False

    def __str__(self) -> str:
        kind = "warning: " if self.is_warning else ""
        return f"{self.file}:{self.line}: {kind}{self.message}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


class DetectionsError(ValueError):
    """Rules cannot be used; the message holds one line for each problem.

    :param problems: what is wrong
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


class RuleError(ValueError):
    """One fault of a rule; the caller adds the file.

    :param message: one sentence, without a full stop
    :param line: where in the file, if that is known here
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line
