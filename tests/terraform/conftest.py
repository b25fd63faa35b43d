from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.terraform.workspace import Run, Workspace

# These tests have an environment of their own: `make terraform-check` runs them in it, other runs leave them out.
collect_ignore_glob = [] if all(map(importlib.util.find_spec, ("checkov", "policy_sentry"))) else ["test_*.py"]


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy of the Terraform code, one for each process of the test run; tests without terraform do without it."""
    from tests.terraform.workspace import Workspace
    from tools.terraform_cli import TerraformError, find_terraform

    if find_terraform() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("There is no terraform on the PATH.")
    made = Workspace(tmp_path_factory.mktemp("terraform"))
    try:
        made.init()
    except TerraformError as error:
        # Once for all tests, and not each with its own.
        pytest.fail(str(error), pytrace=False)
    return made


@pytest.fixture(scope="session")
def stacks(workspace: Workspace) -> dict[str, Run]:
    """The states of ``terraform/tests/policies``, by the name of the run, for the xdist group ``policies``."""
    runs = {name: run for (_, name), run in workspace.test("tests/policies", verbose=True).items()}
    for run in runs.values():
        assert run.status == "pass", run.messages
    return runs
