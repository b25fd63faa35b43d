"""The READMEs say what the code does."""

from __future__ import annotations

import re

import pytest

from tests.terraform.workspace import EXAMPLES, SOURCE
from tools.terraform_cli import ROOT
from tools.terraform_docs import DOCUMENTED, read_module, with_tables

pytestmark = pytest.mark.xdist_group("static")

README = (SOURCE / "README.md").read_text()
HOURS = 730


@pytest.mark.parametrize("folder", DOCUMENTED)
def test_that_the_tables_are_of_the_code(folder: str) -> None:
    text = (SOURCE / folder / "README.md").read_text()
    assert text == with_tables(text, read_module(SOURCE / folder)), "run python -m tools.terraform_docs"


@pytest.mark.parametrize("folder", DOCUMENTED)
def test_that_links_lead_somewhere(folder: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (SOURCE / folder / "README.md").read_text().replace("\n", " ")):
        assert target.startswith("https://") or (SOURCE / folder / target).exists(), target


def test_that_every_example_is_named() -> None:
    assert [name for name in EXAMPLES if f"examples/{name}/main.tf" not in README] == []


@pytest.mark.parametrize(("table", "totals"), [("costs", 2), ("serverless costs", 1)])
def test_costs(table: str, totals: int) -> None:
    """The sums are those of the lines above them, and each price says when it was known."""
    rows = README.split(f"<!-- {table} -->")[1].split(f"<!-- end of {table} -->")[0].strip().splitlines()[2:]
    sums = [0.0, 0.0, 0.0]
    found = 0
    for row in rows:
        name, price, per, *counts, known = (cell.strip() for cell in row.removeprefix("|").removesuffix("|").split("|"))
        if name.startswith("**"):
            found += 1
            assert [round(total) for total in sums] == [int(count.strip("*")) for count in counts], name
        else:
            assert re.match(r"2026-\d\d-\d\d", known), name
            factor = {"hour": HOURS, "month": 1}[per]
            sums = [total + float(price) * factor * float(count) for total, count in zip(sums, counts, strict=True)]
    assert found == totals


def test_that_what_holds_a_complaint_is_there() -> None:
    """The rows of the troubleshooting name tests; they exist."""
    page = (SOURCE / "troubleshooting.md").read_text()
    rows = page.split("| what you see |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(rows) > 15
    for row in rows:
        for name in re.findall(r"`([\w.]+\.(?:py|hcl)(?:::\w+)?)`", row.rsplit(" | ", 1)[1]):
            file, _, test = name.partition("::")
            path = (SOURCE / "tests" if file.endswith(".hcl") else ROOT / "tests" / "terraform") / file
            assert path.is_file(), name
            assert not test or f"def {test}(" in path.read_text(), name


def test_that_the_number_of_validations_is_right() -> None:
    count = sum(len(variable.refusals) for folder in DOCUMENTED for variable in read_module(SOURCE / folder).variables)
    assert f"{count} validations" in README
