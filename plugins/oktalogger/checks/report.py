"""Shows what the checks found: as text, and as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oktalogger.checks.model import Line, State

_WORDS: Final[dict[State, str]] = {"ok": "ok", "wrong": "WRONG", "note": "note", "not asked": "not asked"}


def is_fine(lines: Iterable[Line]) -> bool:
    """Say whether nothing is wrong."""
    return not any(line.verdict.state == "wrong" for line in lines)


def text_of(line: Line) -> str:
    """Return one line of the report."""
    name = f"{line.check} ({line.about})" if line.about else line.check
    return f"{_WORDS[line.verdict.state]:9}  {name}: {line.verdict.sentence}"


def summary(lines: Sequence[Line]) -> str:
    """Return the report's last line."""
    counts = {state: sum(line.verdict.state == state for line in lines) for state in _WORDS}
    left_out = sum(bool(line.verdict.because) for line in lines)
    said = f"{counts['ok']} ok, {counts['wrong']} wrong, {counts['note']} to know, {counts['not asked']} not asked"
    said += f" ({left_out} of them because of what is wrong)" if left_out else ""
    return f"{said}." if counts["wrong"] else f"Nothing is wrong: {said}."


def as_dict(lines: Sequence[Line]) -> dict[str, Any]:
    """Return plain values, for JSON and XCom."""
    return {"ok": is_fine(lines), "lines": [line.as_dict() for line in lines]}
