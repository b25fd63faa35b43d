"""Writes an exception into the file of exceptions of a folder of rules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from oktalogger.detections.rules.yaml_source import EXCEPTIONS_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

_HEAD: Final = """\
# Events that raise no alert for a while: they are kept as excepted. Each has an owner, a reason and a last day, after
# which the events alert again. Make the bundle anew after a change (python -m oktalogger detections bundle).
exceptions:
"""


def write_exception(
    folder: Path, rule: str, match: Mapping[str, Sequence[str]], *, owner: str, reason: str, until: date
) -> Path:
    """Append an exception to ``exceptions.yml``, and keep what stands there as it is.

    :param folder: the folder of rules
    :param rule: name or id of a rule, which may be in another folder
    :param match: values by field, which all must be so; one of several values is enough
    :param owner: who answers for it
    :param reason: why
    :param until: its last day
    :return: the file
    """
    path = folder / EXCEPTIONS_FILE
    text = path.read_text(encoding="utf-8") if path.is_file() else _HEAD
    lines = [f"  - rule: {_quoted(rule)}", "    match:"]
    for field, values in match.items():
        if len(values) == 1:
            lines.append(f"      {_quoted(field)}: {_quoted(values[0])}")
        else:
            lines += [f"      {_quoted(field)}:", *(f"        - {_quoted(value)}" for value in values)]
    lines += [f"    owner: {_quoted(owner)}", f"    reason: {_quoted(reason)}", f"    until: {until.isoformat()}"]
    path.write_text(text.rstrip("\n") + "\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def as_literal(value: str) -> str:
    """Return a value so that Sigma takes it as it stands, its wildcards included."""
    return "".join(f"\\{character}" if character in "*?\\" else character for character in value)


def _quoted(text: str) -> str:
    # JSON's texts are YAML's.
    return json.dumps(text, ensure_ascii=False)
