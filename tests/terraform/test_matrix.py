"""The matrix of plans: terraform refuses what AWS's documented limits do not allow, and nothing else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.terraform.aws_limits import Place, limits, objections
from tests.terraform.matrix import CASES, FRANKFURT, Case

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.terraform.workspace import Run, Workspace

pytestmark = pytest.mark.xdist_group("matrix")

DIRECTORY = "tests/matrix"
NEEDED = {"okta_connections": {"okta_default": {"org_url": "https://company.okta.com"}}}
MODULES = ("", "module.opensearch.", "module.mwaa[0].", "module.network[0].")


def hcl_text(place: Place, cases: Iterable[Case]) -> str:
    """Return a test file with a run for each case, all of them for one place; JSON is HCL."""
    text = 'mock_provider "aws" {\n  source = "./tests/mocks"\n}\n'
    if place == FRANKFURT:
        zones = json.dumps([f"{place.region}{letter}" for letter in "abc"])
        target = "module.network[0].data.aws_availability_zones.this"
        text += f"override_data {{\n  target = {target}\n  values = {{ names = {zones} }}\n}}\n"
        for module in MODULES:
            values = f'{{ id = "{place.region}", name = "{place.region}" }}'
            text += f"override_data {{\n  target = {module}data.aws_region.this\n  values = {values}\n}}\n"
    for case in cases:
        settings = "\n".join(f"    {name} = {json.dumps(value)}" for name, value in (NEEDED | case.values).items())
        text += f'run "{case.name}" {{\n  command = plan\n  variables {{\n{settings}\n  }}\n}}\n'
    return text


@pytest.fixture(scope="module")
def runs(workspace: Workspace) -> dict[str, Run]:
    """The plans by the name of the case; what is refused has a file of its own, because later runs are skipped."""
    home = workspace.root / DIRECTORY
    home.mkdir()
    for case in CASES:
        if case.refused:
            (home / f"{case.name}.tftest.hcl").write_text(hcl_text(case.place, [case]))
    for place in {case.place for case in CASES}:
        taken = [case for case in CASES if not case.refused and case.place == place]
        (home / f"taken_{place.region}.tftest.hcl").write_text(hcl_text(place, taken))
    return {name: run for (_, name), run in workspace.test(DIRECTORY).items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_plan(runs: dict[str, Run], case: Case) -> None:
    run = runs[case.name]
    if not case.refused:
        assert run.status == "pass", run.messages
        return
    assert run.status != "pass", f"planned, although AWS refuses {sorted(case.refused)}"
    named = {found.split()[0] for found in re.findall(r"Invalid value for variable: (.*)", run.messages)}
    assert named, f"refused without a sentence of ours: {run.messages}"
    assert named <= {word for name in case.refused for word in (name, *name.split("."))}, run.messages


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_that_the_matrix_says_what_the_limits_say(case: Case) -> None:
    assert objections(case.values, case.place) == case.refused


def test_that_the_matrix_is_wide() -> None:
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)
    assert len({case.place.region for case in CASES}) == 2
    assert len([case for case in CASES if case.refused]) >= 20
    assert {name for case in CASES for name in case.refused} == {
        *(f"domain.{name}" for name in ("engine_version", "instance_type", "instance_count", "dedicated_master_type")),
        *(f"domain.volume_{name}" for name in ("gib", "iops", "throughput_mib")),
        *(f"mwaa.{name}" for name in ("airflow_version", "min_workers", "max_workers", "schedulers")),
        *("domain.saml", "domain.cognito"),
        *("network.nat_gateways", "existing_vpc.nat_public_ips", "kms_key_arn", "tags"),
    }


def _sourced(part: object) -> Iterator[dict[str, object]]:
    if isinstance(part, dict):
        if "source" in part:
            yield part
        for value in part.values():
            yield from _sourced(value)


def test_that_every_limit_has_its_source() -> None:
    known = limits()
    used = set()
    for part in ("opensearch", "mwaa", "s3", "kms"):
        for name, entry in known[part].items():
            assert isinstance(entry.get("source"), list), f"{part}.{name} has no source"
    for entry in _sourced({name: part for name, part in known.items() if name != "sources"}):
        used |= set(entry["source"])  # type: ignore[call-overload]
    assert used == set(known["sources"]), "a source that is missing, or that nothing comes from"
    for name, source in known["sources"].items():
        assert source.keys() == {"what", "url", "date"}, name
        assert source["url"].startswith("https://"), name
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", known["read"])


def test_that_the_figures_agree_with_each_other() -> None:
    known = limits()["opensearch"]
    families = {kind.split(".")[0] for kind in known["data_nodes"]["types"]}
    assert not families & {*known["own_disks"]["families"], *known["no_gp3"]["families"]}
    for kind, node in known["data_nodes"]["types"].items():
        assert 10 <= node["min_gib"] < node["max_gib"], kind
        assert (node.get("max_iops") is None) == (node.get("max_throughput_mib") is None), kind
        # What comes with the largest volume must be something that the instance can take.
        assert node.get("max_iops", 3000) >= 3000, kind
    for size in limits()["mwaa"]["classes"]["sizes"].values():
        assert size["workers"][0] <= size["workers"][1]
        assert size["schedulers"][0] <= size["schedulers"][1]
