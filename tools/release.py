"""Builds a release in ``build/release``: ``python -m tools.release``, or ``make release``.

The wheel, the package for Amazon MWAA with the same wheel in it, the bills of materials that ``make sbom`` wrote, and
``SHA256SUMS`` of all of them. The same checkout makes the same bytes, so anybody can build a release again and compare.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from deploy.mwaa.package import PackageError, make_package, write_zip

ROOT: Final = Path(__file__).resolve().parent.parent
BUILD: Final = ROOT / "build"
REPOSITORY: Final = "https://github.com/oktalogger/oktalogger"
LINES: Final = ("3.3", "2.11")
"""The Airflow lines whose bill of materials a release carries: those that every test runs on."""


class ReleaseError(Exception):
    """The release cannot be built; the message says what to do."""


def version_of(source: Path) -> str:
    """Return the version of a checkout, as the wheel has it."""
    text = (source / "plugins" / "oktalogger" / "__init__.py").read_text()
    [version] = re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    return str(version)


def notes_of(changelog: str, version: str) -> tuple[str, str]:
    """Return a version's release date and its text in the changelog.

    :param changelog: the text of CHANGELOG.md
    :raises ReleaseError: if the changelog has no such version
    """
    found = re.search(
        rf"^## \[{re.escape(version)}\] - ([^\n]+)\n(.*?)(?=^## |^\[|\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    if not found or not found[2].strip():
        raise ReleaseError(f"CHANGELOG.md says nothing of {version}. Write the section `## [{version}] - DATE`.")
    return found[1], found[2].strip() + "\n"


def with_whole_links(text: str, address: str) -> str:
    """Return a text whose links to files of the checkout lead to their pages at GitHub, as release notes need it.

    :param address: of the checkout's files there
    """
    return re.sub(r"\]\((?![a-z]+:|#)", f"]({address}/", text)


def check_tag(tag: str, version: str, date: str) -> None:
    """Refuse a tag of another version than the checkout's, and an unfinished changelog.

    :param date: the release date in the changelog
    :raises ReleaseError: if tag or date is wrong
    """
    if tag != f"v{version}":
        raise ReleaseError(
            f"The tag {tag} is not that of the version {version} in plugins/oktalogger/__init__.py, v{version}. "
            "Correct one of them."
        )
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", date):
        raise ReleaseError(f"CHANGELOG.md calls {version} {date!r}. Write the day of the release there, and tag again.")


def make_release(source: Path, bills: Path, target: Path) -> list[Path]:
    """Build a release.

    :param source: a checkout
    :param bills: the folder with ``sbom-airflow-LINE.cdx.json`` of each of :data:`LINES`
    :param target: a folder, which is emptied first
    :return: the files made, ``SHA256SUMS`` last
    :raises ReleaseError: if a bill of materials is missing
    :raises PackageError: if the wheel cannot be built
    """
    version = version_of(source)
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    for line in LINES:
        bill = bills / f"sbom-airflow-{line}.cdx.json"
        if not bill.is_file():
            raise ReleaseError(f"There is no {bill.name} in {bills}. Make it: AIRFLOW_LINE={line} make sbom")
        shutil.copyfile(bill, target / f"oktalogger-{version}-{bill.name}")
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "mwaa"
        files = make_package(source, package)
        members = {str(file.relative_to(package)): file.read_bytes() for file in files}
        write_zip(members, target / f"oktalogger-{version}-mwaa.zip")
        with zipfile.ZipFile(package / "plugins.zip") as plugins:
            [wheel] = plugins.namelist()
            plugins.extract(wheel, target)
    return [*sorted(target.iterdir()), _write_sums(target)]


def _write_sums(folder: Path) -> Path:
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(folder.iterdir())]
    sums = folder / "SHA256SUMS"
    sums.write_text("".join(lines))
    return sums


def main() -> int:
    """Build the release of this checkout, and print its files."""
    parser = argparse.ArgumentParser(prog="python -m tools.release", description="Put together what a release has.")
    parser.add_argument("--tag", help="the tag that is released: refused unless it fits the version and the changelog")
    arguments = parser.parse_args()
    try:
        version = version_of(ROOT)
        date, notes = notes_of((ROOT / "CHANGELOG.md").read_text(), version)
        if arguments.tag:
            check_tag(arguments.tag, version, date)
        files = make_release(ROOT, BUILD, BUILD / "release")
        (BUILD / "release-notes.md").write_text(with_whole_links(notes, f"{REPOSITORY}/blob/v{version}"))
    except (ReleaseError, PackageError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for file in files:
        print(f"{file.stat().st_size:>10,}  {file.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
