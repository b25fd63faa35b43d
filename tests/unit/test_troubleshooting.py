"""The troubleshooting page quotes what programs say: each quotation is looked for in the texts of the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
# What Python, OpenSearch's security plugin and AWS say.
OF_OTHERS = {
    "No module named 'oktalogger'",
    "cannot import name",
    "no permissions for [...]",
    "not authorized to perform: es:ESHttp",
}


def quotations() -> list[str]:
    """What the first column quotes, without commands and names; a mark of omission ends one and begins another."""
    cells = re.findall(r"^\| (?!you see)(.*?) \| ", PAGE, re.MULTILINE)
    quoted = [text for cell in cells for text in re.findall(r"`([^`]+)`", cell)]
    parts = [part.strip(" .") for text in quoted if " " in text for part in text.split("…")]
    return sorted({part for part in parts if " " in part} - OF_OTHERS)


def texts() -> Iterator[str]:
    """The literal texts of the code; a value in one is a mark of omission."""
    for folder in ("plugins", "local", "tools", "dags"):
        for file in (ROOT / folder).rglob("*.py"):
            nodes = list(ast.walk(ast.parse(file.read_text())))
            docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
            for node in nodes:
                if isinstance(node, ast.JoinedStr):
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
                    yield node.value


@pytest.fixture(scope="module")
def said() -> str:
    return "\n".join([*texts(), (ROOT / "Makefile").read_text()])


@pytest.mark.parametrize("quotation", quotations())
def test_the_words_of_an_error_are_those_of_the_code(quotation: str, said: str) -> None:
    known = re.escape(quotation)
    for name in (r"python3", r"8080"):
        known = known.replace(name, r"\S+")
    assert re.search(known, said), f"{quotation!r} is said nowhere"
