"""The mechanical part of plain English: what a docstring says first, and how it says no."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("plugins", "dags", "local", "tools", "deploy")
QUESTION = re.compile(r"(What|From|How|Where|When|Which|Whether|Who|Whose)\b")
# "is no number" for "is not a number". "There is no X" and "is no longer" are fine.
IS_NO = re.compile(r"(?<!there )\b(is|are)\s+no\s+(?!longer\b)\w+", re.IGNORECASE)


def modules() -> Iterator[tuple[str, ast.Module]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def docstrings(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def test_a_module_says_first_what_it_does() -> None:
    found = [name for name, module in modules() if QUESTION.match((ast.get_docstring(module) or "").lstrip())]
    assert found == [], "begin with the verb: 'Reads the existing templates', not 'What is in OpenSearch'"


def test_a_docstring_says_is_not_a() -> None:
    found = [
        f"{name}: {match[0]}"
        for name, module in modules()
        for text in docstrings(module)
        for match in IS_NO.finditer(text)
    ]
    assert found == [], "write 'is not a number', not 'is no number'"
