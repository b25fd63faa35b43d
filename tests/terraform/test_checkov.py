"""checkov finds nothing, and what it is told to skip is skipped for a reason that is written down."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.workspace import SOURCE

pytestmark = pytest.mark.xdist_group("checkov")


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "checkov"), "--directory", str(SOURCE), "--framework", "terraform"),
            *("--skip-download", "--output", "json", "--soft-fail"),
        ],
        text=True,
        capture_output=True,
        check=True,
        timeout=600,
    )
    results: dict[str, Any] = json.loads(done.stdout)
    return results


def test_that_it_looked(report: dict[str, Any]) -> None:
    assert report["summary"]["passed"] > 150
    assert report["summary"]["parsing_errors"] == 0


def test_findings(report: dict[str, Any]) -> None:
    found = [f"{c['check_id']} {c['check_name']}: {c['resource']}" for c in report["results"]["failed_checks"]]
    assert not found, "\n".join(found)


def test_that_every_skip_is_explained_and_needed(report: dict[str, Any]) -> None:
    used = {(c["check_id"], c["check_result"]["suppress_comment"]) for c in report["results"]["skipped_checks"]}
    written = {
        (check, reason)
        for file in SOURCE.rglob("*.tf")
        for check, reason in re.findall(r"#checkov:skip=(\w+):?(.*)", file.read_text())
    }
    for check, reason in written:
        assert len(reason.split()) >= 5, f"{check} is skipped without a reason"
    assert written == used, "a skip that skips nothing, or one that is not in the code"
