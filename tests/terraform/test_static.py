"""What can be said of the code without applying anything."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.terraform.workspace import EXAMPLES, MODULES, SOURCE
from tools.terraform_cli import run_terraform
from tools.terraform_docs import read_module

if TYPE_CHECKING:
    from tests.terraform.workspace import Workspace

pytestmark = pytest.mark.xdist_group("static")

FOLDERS = [".", *(f"modules/{name}" for name in MODULES), *(f"examples/{name}" for name in EXAMPLES)]


def test_format(workspace: Workspace) -> None:
    # Where the files are, not in the copy, in which other tests leave theirs. With -check nothing is written.
    command = ("fmt", "-check", "-diff", "-recursive", "-no-color")
    done = run_terraform(*command, folder=SOURCE, environ=workspace.environ, check=False)
    assert done.returncode == 0, f"run terraform fmt -recursive in terraform/:\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("folder", [".", *(f"examples/{name}" for name in EXAMPLES)])
def test_validate(workspace: Workspace, folder: str) -> None:
    """The root validates the modules too."""
    workspace.init(folder)
    done = run_terraform("validate", "-json", folder=workspace.root / folder, environ=workspace.environ, check=False)
    report = json.loads(done.stdout)
    assert report["diagnostics"] == [], json.dumps(report["diagnostics"], indent=2)


@pytest.mark.parametrize("folder", FOLDERS)
def test_variables_and_outputs_are_described_and_typed(folder: str) -> None:
    module = read_module(SOURCE / folder)
    for variable in module.variables:
        assert len(variable.description) > 5, f"{folder}: variable {variable.name} has no description"
        assert variable.type, f"{folder}: variable {variable.name} has no type"
        assert not re.search(r"\bany\b", variable.type), f"{folder}: {variable.name} is any"
    for output in module.outputs:
        assert len(output.description) > 5, f"{folder}: output {output.name} has no description"


@pytest.mark.parametrize("folder", FOLDERS)
def test_that_no_provider_but_aws_is_needed(folder: str) -> None:
    assert read_module(SOURCE / folder).providers == {"aws": {"source": "hashicorp/aws", "version": ">= 5.100, < 6.0"}}


@pytest.mark.parametrize(
    "gone",
    [
        r"data\.aws_region\.\w+\.name\b",
        r"\bkibana_endpoint\b",
        r'"aws_flow_log"[^}]*\blog_group_name\s*=',
        r"\bvpc\s*=\s*true\b",
        r"\bcpu_core_count\b",
        r"\bsaml_options\.\w+",
        r"\bs3_us_east_1_regional_endpoint\b",
    ],
)
def test_that_nothing_is_used_that_provider_6_lacks(gone: str) -> None:
    """Of its upgrade guide what touches the resources that are here. 6.x itself is not on every machine."""
    for file in SOURCE.rglob("*.tf"):
        assert not re.search(gone, file.read_text()), f"{file}: {gone}"


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if not folder.startswith("examples")])
def test_that_provider_blocks_are_the_callers(folder: str) -> None:
    """A module with a provider block can be used neither with count nor for another region."""
    assert not [file for file in (SOURCE / folder).glob("*.tf") if 'provider "' in file.read_text()]


def test_that_account_numbers_are_those_of_documentation() -> None:
    for file in SOURCE.rglob("*"):
        if file.suffix in {".tf", ".hcl", ".md", ".json"} and ".terraform" not in file.parts:
            assert set(re.findall(r"(?<![\d-])\d{12}(?!\d)", file.read_text())) <= {"123456789012"}, file
