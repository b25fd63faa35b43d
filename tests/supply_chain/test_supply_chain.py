"""The licence policy on every Airflow line, and the documents that go with a release."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tools import supply_chain
from tools.supply_chain import LINES, REVIEWED, Licence, SupplyChainError, licences, normal, run_time_lock, write_sbom


@pytest.mark.parametrize("line", LINES)
def test_no_package_that_the_load_needs_has_a_licence_off_the_list(line: str) -> None:
    found = licences(line)
    assert len(found) > 100
    assert [one for one in found if not one.allowed] == []


def test_every_review_is_of_a_package_that_is_used() -> None:
    used = {one.package for line in LINES for one in licences(line)}
    assert set(REVIEWED) <= used


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("MIT License; GNU General Public License v2 (GPLv2)", False),
        ("DFSG approved; MIT License", True),
        ("DFSG approved", False),
        ("AGPL-3.0-or-later", False),
        ("LGPL-2.1-only", False),
        ("Apache-2.0 WITH LLVM-exception", False),
        ("UNKNOWN", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_the_policy(said: str, allowed: bool) -> None:
    assert Licence("some-package", "1", said).allowed is allowed


def test_the_bill_of_materials_is_the_run_time_part_of_the_lock(tmp_path: Path) -> None:
    bill, listed = write_sbom("3.3", tmp_path)
    document = json.loads(bill.read_text())
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", "oktalogger")
    components = {normal(one["name"]): one for one in document["components"]}
    assert {"apache-airflow", "requests", "opensearch-py", "pyjwt", "msgspec", "boto3"} <= set(components)
    assert not {"pytest", "mypy", "moto", "ruff"} & set(components), "tools are no part of the load"
    locked = dict(re.findall(r"^([a-zA-Z0-9._-]+)(?:\[.*?\])?==(\S+)", run_time_lock("3.3"), re.MULTILINE))
    assert {normal(name): version for name, version in locked.items()} == {
        name: one["version"] for name, one in components.items()
    }
    for one in components.values():
        assert one["externalReferences"][0]["hashes"], f"{one['name']} has no hash"
    rows = re.findall(r"^\| ([a-z0-9-]+) \| [0-9]\S* \| .+ \|$", listed.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(components)


def fake_audit(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> None:
    """Put a program in the place of pip-audit."""
    program = folder / "pip-audit"
    program.write_text(f"#!{sys.executable}\nimport json, sys\n{code}\n")
    program.chmod(0o755)
    monkeypatch.setattr(supply_chain, "_tool", lambda name: str(folder / name))
    monkeypatch.setattr(supply_chain, "run_time_lock", lambda line: "")


ANSWER = "print(json.dumps({'dependencies': %s}))"


@pytest.mark.parametrize(
    ("code", "status", "says"),
    [
        (ANSWER % "[{'name': 'a', 'version': '1', 'vulns': []}]", 0, "0 advisories"),
        (ANSWER % "[{'name': 'a', 'version': '1', 'vulns': [{'id': 'CVE-1'}]}]", 1, "a 1: CVE-1"),
        (ANSWER % "[{'name': 'a', 'skip_reason': 'not found'}]", 2, "NOT AUDITED"),
        ("sys.exit('no network')", 2, "no network"),
    ],
)
def test_an_audit_that_could_not_be_made_is_no_good_audit(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    code: str,
    status: int,
    says: str,
) -> None:
    fake_audit(monkeypatch, tmp_path, code)
    monkeypatch.setattr("sys.argv", ["supply_chain", "audit"])
    assert supply_chain.main() == status
    output = capsys.readouterr()
    assert says in output.out + output.err


def test_a_line_that_is_not_there_is_named() -> None:
    with pytest.raises(SupplyChainError, match=r"airflow-1\.0"):
        licences("1.0")
