"""A release: what is in it, that its hashes are true, and that a tag that does not fit is refused."""

from __future__ import annotations

import hashlib
import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from local.paths import ROOT
from tools.release import LINES, ReleaseError, check_tag, make_release, notes_of, version_of, with_whole_links

if TYPE_CHECKING:
    from pathlib import Path

VERSION = version_of(ROOT)
CHANGELOG = f"""# Changelog

## [{VERSION}] - 2026-12-01

### Added

* A thing.

## [0.0.1] - 2026-01-01

* Another.

[{VERSION}]: https://example.com
"""


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bills")
    for line in LINES:
        (folder / f"sbom-airflow-{line}.cdx.json").write_text(json.dumps({"line": line}))
    return folder


@pytest.fixture(scope="module")
def release(bills: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("release")
    (target / "oktalogger-0.0.1-mwaa.zip").touch()
    make_release(ROOT, bills, target)
    return target


def test_it_has_the_wheel_the_package_the_bills_and_nothing_else(release: Path) -> None:
    assert sorted(file.name for file in release.iterdir()) == sorted(
        [
            "SHA256SUMS",
            f"oktalogger-{VERSION}-mwaa.zip",
            f"oktalogger-{VERSION}-py3-none-any.whl",
            *(f"oktalogger-{VERSION}-sbom-airflow-{line}.cdx.json" for line in LINES),
        ]
    )


def test_the_hashes_are_those_of_the_files(release: Path) -> None:
    lines = (release / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in release.iterdir()}
    del found["SHA256SUMS"]
    assert sums == found


def test_the_package_holds_that_very_wheel(release: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(release / f"oktalogger-{VERSION}-mwaa.zip") as package:
        names = package.namelist()
        package.extract("plugins.zip", tmp_path)
    assert {"requirements.txt", "dags/okta_system_log.py"} < set(names)
    wheel = f"oktalogger-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(tmp_path / "plugins.zip") as plugins:
        assert plugins.read(wheel) == (release / wheel).read_bytes()


def test_the_same_checkout_makes_the_same_bytes(release: Path, bills: Path, tmp_path: Path) -> None:
    make_release(ROOT, bills, tmp_path)
    assert (tmp_path / "SHA256SUMS").read_text() == (release / "SHA256SUMS").read_text()


def test_a_missing_bill_of_materials_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"Make it: AIRFLOW_LINE=3\.3 make sbom"):
        make_release(ROOT, tmp_path, tmp_path / "release")


def test_the_notes_are_the_versions_part_of_the_changelog() -> None:
    assert notes_of(CHANGELOG, VERSION) == ("2026-12-01", "### Added\n\n* A thing.\n")
    assert notes_of(CHANGELOG, "0.0.1") == ("2026-01-01", "* Another.\n")
    with pytest.raises(ReleaseError, match=r"says nothing of 9\.9\.9"):
        notes_of(CHANGELOG, "9.9.9")


def test_links_of_the_notes_lead_to_the_files_at_the_tag() -> None:
    text = "[a](docs/a.md#b), [c](https://example.com), [d](#e)"
    assert with_whole_links(text, "https://x/v1") == "[a](https://x/v1/docs/a.md#b), [c](https://example.com), [d](#e)"


def test_this_checkout_has_notes() -> None:
    _, notes = notes_of((ROOT / "CHANGELOG.md").read_text(), VERSION)
    assert notes.startswith("### ")


def test_a_tag_that_does_not_fit_is_refused() -> None:
    check_tag(f"v{VERSION}", VERSION, "2026-12-01")
    with pytest.raises(ReleaseError, match="is not that of the version"):
        check_tag("v9.9.9", VERSION, "2026-12-01")
    with pytest.raises(ReleaseError, match=r"calls .* 'unreleased'"):
        check_tag(f"v{VERSION}", VERSION, "unreleased")
