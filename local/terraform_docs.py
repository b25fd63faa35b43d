"""Keeps the tables of inputs and outputs in terraform/**/README.md in step with the code.

``.venvs/terraform/bin/python -m local.terraform_docs`` writes them; ``tests/terraform/test_docs.py`` looks that it was run.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from local.terraform_cli import ROOT

SOURCE = ROOT / "terraform"
DOCUMENTED = (".", "modules/alarms", "modules/mwaa", "modules/network", "modules/opensearch", "modules/secrets")
_BEGIN, _END = "<!-- made by local/terraform_docs.py -->", "<!-- end -->"
_LONGEST_TYPE = 40


@dataclass(frozen=True, slots=True)
class Variable:
    """One input.

    :param default: as written, None where a value must be given
    :param refusals: what each of its validations says when it refuses a value
    """

    name: str
    description: str
    type: str
    default: str | None
    refusals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """One output."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Module:
    """What a module takes, gives and needs."""

    variables: tuple[Variable, ...]
    outputs: tuple[Output, ...]
    providers: dict[str, dict[str, str]]


@cache
def read_module(folder: Path) -> Module:
    """Read a module's source.

    :param folder: the folder with its ``.tf`` files
    """
    # By name, and only here: no other environment has it, so no type checker can look at it.
    loads = importlib.import_module("hcl2").loads
    documents = [loads(file.read_text()) for file in sorted(folder.glob("*.tf"))]
    settings = [block for document in documents for block in document.get("terraform", ())]
    return Module(
        tuple(_variable(name, body) for name, body in _blocks(documents, "variable")),
        tuple(Output(name, _text(body.get("description", ""))) for name, body in _blocks(documents, "output")),
        {
            name: {key: _text(value) for key, value in body.items()}
            for block in settings
            for needed in block.get("required_providers", ())
            for name, body in needed.items()
            if isinstance(body, dict)
        },
    )


def _blocks(documents: list[dict[str, Any]], kind: str) -> list[tuple[str, dict[str, Any]]]:
    found = [block for document in documents for block in document.get(kind, ())]
    return [(_text(name), body) for block in found for name, body in block.items() if isinstance(body, dict)]


def _variable(name: str, body: dict[str, Any]) -> Variable:
    return Variable(
        name,
        _text(body.get("description", "")),
        re.sub(r"^\$\{(.*)\}$", r"\1", str(body.get("type", "")), flags=re.DOTALL),
        _default(body["default"]) if "default" in body else None,
        tuple(_text(block["error_message"]) for block in body.get("validation", ())),
    )


def _text(written: str) -> str:
    """Take the quotes, or the heredoc's marks and indent, off a string as hcl2 gives it."""
    text = written.removeprefix('"').removesuffix('"')
    heredoc = re.fullmatch(r"<<-?(\w+)\n(.*)\n\s*\1", text, re.DOTALL)
    return textwrap.dedent(heredoc[2]) if heredoc else re.sub(r'\\(["\\])', r"\1", text)


def _default(value: Any) -> str:
    if isinstance(value, dict):
        value = {_text(key): inner for key, inner in value.items() if key != "__is_block__"}
    return value if isinstance(value, str) else json.dumps(value)


def _cell(text: str) -> str:
    """Fit a text into one cell: a list becomes lines."""
    lines = re.sub(r"\n(?! *\* )\s*", " ", text).strip().split("\n")
    return "<br>".join(re.sub(r"^\* ", "• ", line.strip()) for line in lines).replace("|", "\\|")


def tables(module: Module) -> str:
    """Return the Markdown tables of a module's inputs and outputs."""
    lines = ["| input | type | default | what it is |", "| --- | --- | --- | --- |"]
    for variable in module.variables:
        short = variable.type if len(variable.type) <= _LONGEST_TYPE else re.sub(r"\(\{.*\}\)", "({…})", variable.type)
        default = "required" if variable.default is None else f"`{variable.default}`"
        lines.append(f"| `{variable.name}` | `{short}` | {default} | {_cell(variable.description)} |")
    lines += ["", "| output | what it is |", "| --- | --- |"]
    lines += [f"| `{output.name}` | {_cell(output.description)} |" for output in module.outputs]
    return "\n".join(lines)


def with_tables(text: str, module: Module) -> str:
    """Return a README's text with its tables replaced.

    :raises ValueError: where the README has no place for them
    """
    begin, end = text.find(_BEGIN), text.find(_END)
    if not 0 <= begin < end:
        raise ValueError(f"the README has no lines {_BEGIN} and {_END}")
    return f"{text[:begin]}{_BEGIN}\n{tables(module)}\n{text[end:]}"


def main() -> int:
    """Write the tables of every README."""
    for folder in DOCUMENTED:
        readme = SOURCE / folder / "README.md"
        readme.write_text(with_tables(readme.read_text(), read_module(SOURCE / folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
