"""Keeps the tables of inputs and outputs in terraform/**/README.md in step with the code.

Run ``python -m tools.terraform_docs`` in the environment ``terraform`` after a change of inputs or outputs; a test in
``tests/terraform`` fails where that was forgotten.

It stands in for terraform-docs, which PyPI, npm and Debian lack: it would take Go, or a download that no lock file
pins. The tests need :func:`read_module` either way, because terraform-docs does not read the messages of validations
(its issue 674).
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tools.terraform_cli import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = ROOT / "terraform"
DOCUMENTED = (
    ".",
    "modules/alarms",
    "modules/archive",
    "modules/mwaa",
    "modules/network",
    "modules/opensearch",
    "modules/secrets",
    "modules/serverless",
)
_BEGIN, _END = "<!-- made by tools/terraform_docs.py -->", "<!-- end -->"
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
    # By name, and only here: it comes with checkov, and no other environment has it for a type checker to look at.
    loads = importlib.import_module("hcl2").loads
    documents = [loads(file.read_text()) for file in sorted(folder.glob("*.tf"))]
    return Module(
        tuple(_variable(name, body) for name, body in _blocks(documents, "variable")),
        tuple(Output(name, _one(body, "description")) for name, body in _blocks(documents, "output")),
        {
            name: body
            for document in documents
            for settings in document.get("terraform", ())
            for needed in settings.get("required_providers", ())
            for name, (body,) in needed.items()
        },
    )


def _blocks(documents: list[dict[str, Any]], kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [(name, body) for document in documents for block in document.get(kind, ()) for name, body in block.items()]


def _one(body: dict[str, Any], attribute: str) -> str:
    # The reader gives each attribute as a list, for there may be several blocks of one name.
    return str(body.get(attribute, [""])[0])


def _variable(name: str, body: dict[str, Any]) -> Variable:
    return Variable(
        name,
        _one(body, "description"),
        re.sub(r"\$\{(.*)\}", r"\1", _one(body, "type"), flags=re.DOTALL),
        json.dumps(body["default"][0]) if "default" in body else None,
        tuple(_one(block, "error_message") for block in body.get("validation", ())),
    )


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
