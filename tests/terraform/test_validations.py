"""Every validation refuses something, with its own message, and takes what it should.

Refusals that do not touch each other share a run, so a hundred of them take seconds. Terraform names the variable and
shows the message of the validation that was broken; both are looked for.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.terraform.refusals import ACCEPTED, GOOD, REFUSALS, Refusal
from tests.terraform.workspace import SOURCE
from tools.terraform_docs import DOCUMENTED, read_module

if TYPE_CHECKING:
    from tests.terraform.workspace import Run, Workspace

pytestmark = pytest.mark.xdist_group("mocks")

DIRECTORY = "tests/generated"

# Their validations read each other, and terraform leaves out a validation that reads a value which was refused.
TIED = {
    ".": {"airflow_role_arns", "domain", "existing_vpc", "mwaa", "network"},
    "modules/opensearch": {
        *("dedicated_master_count", "dedicated_master_type", "engine_version", "instance_count", "instance_type"),
        *("volume_gib", "volume_iops", "volume_throughput_mib", "zone_count"),
        *("access", "allowed_ip_ranges", "analyst_arns", "analyst_saml_groups", "cognito", "saml"),
    },
    "modules/archive": {"colder_after_days", "expire_after_days", "object_lock"},
    "modules/mwaa": {"airflow_version", "environment_class", "max_workers", "min_workers", "schedulers"},
}


@dataclass
class Batch:
    """Refusals of one module that can be tried in one run."""

    folder: str
    values: dict[str, Any] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)

    def takes(self, refusal: Refusal) -> bool:
        tied = TIED.get(self.folder, set())
        meet = set(self.values) & set(refusal.values) or (set(self.values) & tied and set(refusal.values) & tied)
        return self.folder == refusal.folder and not meet

    def add(self, refusal: Refusal) -> None:
        self.values |= refusal.values
        self.refusals.append(refusal)


def batches() -> list[Batch]:
    made: list[Batch] = []
    for refusal in REFUSALS:
        batch = next((batch for batch in made if batch.takes(refusal)), None)
        if batch is None:
            batch = Batch(refusal.folder)
            made.append(batch)
        batch.add(refusal)
    return made


def hcl_text(folder: str, *sets: dict[str, Any]) -> str:
    """Return a test file with a run for each set of values, which plans a module with them; JSON is HCL."""
    module = "" if folder == "." else f'  module {{\n    source = "./{folder}"\n  }}\n'
    text = 'mock_provider "aws" {\n  source = "./tests/mocks"\n}\n'
    for number, values in enumerate(sets):
        settings = "\n".join(f"    {name} = {json.dumps(value)}" for name, value in values.items())
        text += f'run "plan_{number}" {{\n  command = plan\n{module}  variables {{\n{settings}\n  }}\n}}\n'
    return text


def sentence(message: str) -> re.Pattern[str]:
    """Return what finds a validation's message, whatever terraform puts in for its ``${…}``."""
    return re.compile(r".{0,80}?".join(re.escape(part) for part in re.split(r"\$\{[^}]*\}", message)))


@pytest.fixture(scope="module")
def answers(workspace: Workspace) -> dict[tuple[str, int], Run]:
    """What terraform says to each batch and to the values that it must take, by the file's name and the run's number.

    What is refused has a file for each run, because the runs that come after one that failed are skipped.
    """
    home = workspace.root / DIRECTORY
    home.mkdir()
    for number, batch in enumerate(batches()):
        (home / f"refused_{number}.tftest.hcl").write_text(hcl_text(batch.folder, GOOD[batch.folder] | batch.values))
    for folder, good in GOOD.items():
        sets = [good | more for more in ({}, *ACCEPTED.get(folder, ()))]
        (home / f"taken_{slug(folder)}.tftest.hcl").write_text(hcl_text(folder, *sets))
    return {
        (file.split("/")[-1].split(".")[0], int(name.removeprefix("plan_"))): run
        for (file, name), run in workspace.test(DIRECTORY).items()
    }


def slug(folder: str) -> str:
    """Return a module's name as a part of a file's name."""
    return folder.split("/")[-1].replace(".", "root")


BATCHES = batches()


@pytest.mark.parametrize(
    ("number", "refusal"),
    [(number, refusal) for number, batch in enumerate(BATCHES) for refusal in batch.refusals],
    ids=lambda value: f"{value.folder}-{value.variable}-{value.nth}" if isinstance(value, Refusal) else "",
)
def test_refused(answers: dict[tuple[str, int], Run], number: int, refusal: Refusal) -> None:
    module = read_module(SOURCE / refusal.folder)
    (variable,) = (variable for variable in module.variables if variable.name == refusal.variable)
    expected = variable.refusals[refusal.nth]
    said = answers[f"refused_{number}", 0].messages
    assert sentence(expected).search(" ".join(said.split())), said
    for others in variable.refusals:
        if others != expected:
            assert not sentence(others).search(" ".join(said.split())), f"another validation refused it: {others}"


def test_that_every_validation_refuses_something() -> None:
    there = {
        (folder, variable.name, nth)
        for folder in DOCUMENTED
        for variable in read_module(SOURCE / folder).variables
        for nth in range(len(variable.refusals))
    }
    assert there == {(refusal.folder, refusal.variable, refusal.nth) for refusal in REFUSALS}


@pytest.mark.parametrize(
    ("folder", "number"), [(folder, number) for folder in GOOD for number in range(1 + len(ACCEPTED.get(folder, ())))]
)
def test_taken(answers: dict[tuple[str, int], Run], folder: str, number: int) -> None:
    run = answers[f"taken_{slug(folder)}", number]
    assert run.status == "pass", run.messages or run.status
