"""What others run of this project (hooks, workflows, forms) runs what is there, with no more rights than it needs."""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from configparser import ConfigParser
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from local.paths import ROOT
from tools.testing import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

GITHUB = ROOT / ".github"
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in sorted((GITHUB / "workflows").glob("*.yml"))}
JOBS = [(file, name) for file, workflow in WORKFLOWS.items() for name in workflow["jobs"]]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
MAY_WRITE = {("release.yml", "publish"): {"contents": "write"}}
OF_GITHUB = {"gh"}  # programs that GitHub's machines have


def steps(file: str) -> Iterator[dict[str, Any]]:
    for job in WORKFLOWS[file]["jobs"].values():
        yield from job.get("steps", ())


def test_the_hooks_of_pre_commit_run_what_make_check_runs() -> None:
    [stage] = [stage for stage in STAGES if stage.name == "check"]
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local", "a hook from elsewhere has versions of its own"
    variables = [f"{name}={value}" for name, value in stage.variables.items()]
    wanted = [[f".venvs/{stage.environment}/bin/{program}", *rest] for program, *rest in stage.commands]
    found = [shlex.split(hook["entry"]) for hook in repository["hooks"]]
    without_variables = [entry[1 + len(variables) :] if entry[0] == "env" else entry for entry in found]
    assert without_variables == wanted
    assert all(entry[1 : 1 + len(variables)] == variables for entry in found if entry[0] == "env")
    assert all(hook["language"] == "system" and hook["pass_filenames"] is False for hook in repository["hooks"])


def test_editors_and_ruff_agree_on_the_length_of_a_line() -> None:
    editor = ConfigParser()
    editor.read_string("[top]\n" + (ROOT / ".editorconfig").read_text())
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]
    assert editor["*"].getint("max_line_length") == ruff["line-length"]


def test_there_are_the_workflows() -> None:
    assert set(WORKFLOWS) == {"ci.yml", "release.yml"}


@pytest.mark.parametrize("file", WORKFLOWS)
def test_every_command_of_a_workflow_exists(file: str) -> None:
    found = [line for step in steps(file) for line in step.get("run", "").splitlines()]
    for line in found:
        program, *arguments = shlex.split(line)
        if program == "make":
            assert arguments[0] in TARGETS, line
        elif "/" in program:
            assert os.access(ROOT / program, os.X_OK), line
        else:
            assert program in OF_GITHUB, line
    assert found


@pytest.mark.parametrize(("file", "job"), JOBS)
def test_a_job_may_read_and_no_more(file: str, job: str) -> None:
    workflow = WORKFLOWS[file]
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["jobs"][job].get("permissions") == MAY_WRITE.get((file, job))


@pytest.mark.parametrize(("file", "job"), JOBS)
def test_what_may_write_runs_nothing_of_the_checkout(file: str, job: str) -> None:
    if (file, job) in MAY_WRITE:
        used = [step.get("uses", "") for step in WORKFLOWS[file]["jobs"][job]["steps"]]
        assert not [name for name in used if name.startswith(("./", "actions/checkout"))]


@pytest.mark.parametrize(("file", "job"), JOBS)
def test_a_job_ends(file: str, job: str) -> None:
    body = WORKFLOWS[file]["jobs"][job]
    if called := body.get("uses"):
        assert (ROOT / called).is_file()
        assert "workflow_call" in WORKFLOWS[called.rpartition("/")[2]][True], "YAML reads the key `on` as true"
    else:
        assert body["timeout-minutes"] <= 90


@pytest.mark.parametrize("file", WORKFLOWS)
def test_an_action_is_pinned_by_its_commit_with_its_release_beside_it(file: str) -> None:
    lines = re.findall(r"uses: (.+)$", (GITHUB / "workflows" / file).read_text(), re.MULTILINE)
    for line in lines:
        assert line.startswith("./") or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
    assert lines


@pytest.mark.parametrize("file", WORKFLOWS)
def test_a_checkout_leaves_no_credentials_behind_and_nothing_needs_a_secret(file: str) -> None:
    assert "secrets." not in (GITHUB / "workflows" / file).read_text()
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False


def test_the_makefile_s_python_is_one_that_a_job_sets_up() -> None:
    for file, workflow in WORKFLOWS.items():
        version = workflow["env"]["PYTHON"].removeprefix("python")
        for step in steps(file):
            if step.get("uses", "").startswith("actions/setup-python"):
                assert version in step["with"]["python-version"].split()


@pytest.mark.parametrize("name", ["bug_report.yml", "feature_request.yml"])
def test_a_form_asks_for_something(name: str) -> None:
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / name).read_text())
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in asked}) == len(asked)
    assert any(field.get("validations", {}).get("required") for field in asked)


def test_addresses_in_forms_lead_to_files_of_this_project() -> None:
    repository = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source"]
    files = [*GITHUB.rglob("*.yml"), *GITHUB.rglob("*.md"), ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"]
    found = [address for file in files for address in re.findall(r"https://github\.com/[^\s)>#]+", file.read_text())]
    for address in found:
        assert address.startswith(repository), address
        if path := re.fullmatch(rf"{repository}/(?:blob|tree)/main/(.+)", address):
            assert (ROOT / path[1]).exists(), address
    assert found


def test_every_stage_is_in_the_table_of_stages() -> None:
    page = (ROOT / "docs" / "development.md").read_text().partition("\n### Which stages a change needs\n")[2]
    table = page.partition("\n## ")[0]
    named = {
        name
        for row in re.findall(r"^\| .* \| (.*) \|$", table, re.MULTILINE)
        for name in re.findall(r"`([^` ]+)`", row)
    }
    assert named == {stage.name for stage in STAGES}
    for row in re.findall(r"^\| (`.*) \| .* \|$", table, re.MULTILINE):
        folders = [name for name in re.findall(r"`([^`]+)`", row) if "*" not in name]
        assert all((ROOT / name).exists() or list((ROOT / "plugins/oktalogger").glob(name)) for name in folders), row
