"""Each `run` of `terraform/tests/*.tftest.hcl` as a test of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.terraform.workspace import SOURCE

if TYPE_CHECKING:
    from tests.terraform.workspace import Run, Workspace

pytestmark = pytest.mark.xdist_group("mocks")

RUNS = [
    (f"tests/{file.name}", name)
    for file in sorted((SOURCE / "tests").glob("*.tftest.hcl"))
    for name in re.findall(r'^run "(\w+)"', file.read_text(), re.MULTILINE)
]


@pytest.fixture(scope="module")
def results(workspace: Workspace) -> dict[tuple[str, str], Run]:
    return workspace.test()


@pytest.mark.parametrize(("file", "name"), RUNS)
def test_run(results: dict[tuple[str, str], Run], file: str, name: str) -> None:
    run = results[file, name]
    assert run.status == "pass", run.messages or run.status


def test_that_every_run_is_among_them(results: dict[tuple[str, str], Run]) -> None:
    assert sorted(results) == sorted(RUNS)
