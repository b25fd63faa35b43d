"""Lists what the load runs with, its licences and known vulnerabilities: ``python -m tools.supply_chain COMMAND``.

Runs in ``.venvs/supply-chain``, whose tools are locked like everything else. What the load runs with is the part of an
Airflow line's lock file that can be reached from ``requirements.txt``: test tools are left out.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from license_expression import AND, ExpressionError, LicenseSymbol, get_spdx_licensing

ROOT: Final = Path(__file__).resolve().parent.parent
LINES: Final = ("3.3", "3.2", "3.0", "2.11")
BUILD: Final = ROOT / "build"

ALLOWED: Final = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python", "ISC", "MIT", "MIT-0", "MIT-CMU",
        "MPL-2.0", "PSF-2.0", "Python-2.0", "Python-2.0.1", "Unlicense", "ZPL-2.1", "Zlib",
    }
)  # fmt: skip
"""SPDX ids: permissive, or like MPL-2.0 reaching no further than its own files."""

# Licences of packages that name no SPDX id: classifiers, and free text.
_SAID: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Zope Public License": "ZPL-2.1",
}
# Read by a person, each with the reason.
REVIEWED: Final = {
    "text-unidecode": "Artistic License or GPL, at our choice: the former",
}

_RUN_TIME = """
import json, re, sys
from importlib.metadata import PackageNotFoundError, distribution
from packaging.requirements import Requirement
def normal(name): return re.sub(r"[-_.]+", "-", name).lower()
seen, queue = set(), [Requirement(line) for line in json.load(sys.stdin)]
while queue:
    wanted = queue.pop()
    key = (normal(wanted.name), frozenset(wanted.extras))
    if key in seen: continue
    try: found = distribution(wanted.name)
    except PackageNotFoundError: continue  # an extra's package for another platform, or one that the lock left out
    seen.add(key)
    for line in found.requires or ():
        needed = Requirement(line)
        extras = wanted.extras or {""}
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            queue.append(needed)
print(json.dumps(sorted({name for name, _ in seen})))
"""


class SupplyChainError(Exception):
    """A check could not be made; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence that one package declares."""

    package: str
    version: str
    said: str

    @property
    def allowed(self) -> bool:
        """Whether the licence is on the list, or a person has read it."""
        return self.package in REVIEWED or _is_allowed(self.said)


def _is_allowed(said: str) -> bool:
    parts = [_SAID.get(part.strip(), part.strip()) for part in said.split(";")]
    licensing = get_spdx_licensing()
    try:
        # Classifiers do not say whether they are a choice: all must do.
        parsed = [licensing.parse(part, validate=True) for part in parts if part != "DFSG approved"]
    except ExpressionError:
        return False
    return bool(parsed) and all(map(_holds, parsed))


def _holds(expression: Any) -> bool:
    if isinstance(expression, LicenseSymbol):
        return expression.key in ALLOWED
    if not getattr(expression, "args", ()):
        return False
    return (all if isinstance(expression, AND) else any)(_holds(one) for one in expression.args)


def normal(name: str) -> str:
    """Return a package's name as the registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _python(line: str) -> Path:
    python = ROOT / ".venvs" / f"airflow-{line}" / "bin" / "python"
    if not python.exists():
        raise SupplyChainError(f"There is no environment airflow-{line}. Make it: python3 tools/env.py airflow-{line}")
    return python


def _run(command: list[str], given: str | None = None) -> str:
    done = subprocess.run(command, input=given, text=True, capture_output=True, cwd=ROOT, timeout=600)  # noqa: S603
    if done.returncode:
        raise SupplyChainError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


@functools.cache
def run_time(line: str) -> tuple[str, ...]:
    """Return the packages that the load needs on an Airflow line.

    :param line: such as ``3.3``
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names: list[str] = json.loads(_run([str(_python(line)), "-c", _RUN_TIME], json.dumps(project["dependencies"])))
    if not {"apache-airflow", "requests", "cryptography"} <= set(names):
        raise SupplyChainError(f"The environment airflow-{line} differs from its lock file: make it again.")
    return tuple(names)


@functools.cache
def licences(line: str) -> tuple[Licence, ...]:
    """Return the licence that each of these packages declares."""
    command = [_tool("pip-licenses"), f"--python={_python(line)}", "--format=json", "--from=mixed", "--with-system"]
    wanted = set(run_time(line))
    found = [
        Licence(normal(one["Name"]), one["Version"], one["License"])
        for one in json.loads(_run(command))
        if normal(one["Name"]) in wanted
    ]
    if unknown := wanted - {one.package for one in found}:
        raise SupplyChainError(f"pip-licenses says nothing of {', '.join(sorted(unknown))}.")
    return tuple(sorted(found, key=lambda one: one.package))


def run_time_lock(line: str) -> str:
    """Return the part of a line's lock file that the load needs, hashes included."""
    wanted = set(run_time(line))
    lock = (ROOT / "requirements" / f"airflow-{line}.txt").read_text()
    entries = re.findall(r"^[A-Za-z0-9][^\n]*(?:\n[ \t]+[^\n]*)*", lock, re.MULTILINE)
    kept = [entry for entry in entries if normal(re.split(r"[\[=<> ;]", entry, maxsplit=1)[0]) in wanted]
    return "\n".join(re.sub(r"\n\s+#[^\n]*", "", entry) for entry in kept) + "\n"


def write_sbom(line: str, folder: Path = BUILD) -> tuple[Path, Path]:
    """Write the bill of materials (CycloneDX, JSON) and the licence list of an Airflow line.

    :return: their files
    """
    folder.mkdir(parents=True, exist_ok=True)
    bill = folder / f"sbom-airflow-{line}.cdx.json"
    command = [_tool("cyclonedx-py"), "requirements", "--output-reproducible", "--of", "JSON", "--validate"]
    _run([*command, "--pyproject", "pyproject.toml", "-o", str(bill), "-"], run_time_lock(line))
    table = [f"| {one.package} | {one.version} | {one.said} |" for one in licences(line)]
    head = [
        f"# Licences of what the load needs on Airflow {line}",
        "",
        "| package | version | licence |",
        "|---|---|---|",
    ]
    listed = folder / f"licences-airflow-{line}.md"
    listed.write_text("\n".join([*head, *table, ""]))
    return bill, listed


def audit(line: str) -> tuple[list[str], list[str]]:
    """Ask both sources of advisories for vulnerabilities of the packages that the load needs.

    :return: the advisories found, and the questions without an answer
    """
    known: list[str] = []
    unasked: list[str] = []
    for service in ("pypi", "osv"):
        command = [_tool("pip-audit"), "--disable-pip", "--require-hashes", "--progress-spinner=off", "-f", "json"]
        done = subprocess.run(  # noqa: S603
            [*command, "-s", service, "-r", "/dev/stdin"],
            input=run_time_lock(line), text=True, capture_output=True, cwd=ROOT, timeout=600,
        )  # fmt: skip
        try:
            packages = json.loads(done.stdout)["dependencies"]
        except (ValueError, KeyError):
            last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
            unasked.append(f"{service}: {last[:120]}...")
            continue
        for one in packages:
            known += [f"{one['name']} {one['version']}: {bad['id']}" for bad in one.get("vulns", ())]
        skipped = [one for one in packages if "skip_reason" in one]
        if not skipped:
            return known, []
        unasked.append(f"{service}: no answer about {len(skipped)} of {len(packages)} packages")
    return known, unasked


def main() -> int:
    """Run a command.

    :return: 0 if all is well, 1 if something is wrong, 2 if a check could not be made
    """
    parser = argparse.ArgumentParser(prog="python -m tools.supply_chain", description=__doc__)
    parser.add_argument("command", choices=("sbom", "licences", "audit"))
    parser.add_argument(
        "lines", nargs="*", metavar="LINE", help=f"of Airflow: {', '.join(LINES)} (default: {LINES[0]})"
    )
    arguments = parser.parse_args()
    worst = 0
    for line in arguments.lines or LINES[:1]:
        try:
            worst = max(worst, _COMMANDS[arguments.command](line))
        except SupplyChainError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    return worst


def _print_sbom(line: str) -> int:
    for path in write_sbom(line):
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


def _print_licences(line: str) -> int:
    found = licences(line)
    refused = [one for one in found if not one.allowed]
    for one in refused:
        print(f"Airflow {line}: {one.package} {one.version} has the licence {one.said!r}, which is not on the list.")
    print(f"Airflow {line}: {len(found)} packages, {len(refused)} with a licence that is not on the list")
    return int(bool(refused))


def _print_audit(line: str) -> int:
    known, unasked = audit(line)
    for one in known:
        print(f"Airflow {line}: {one}")
    if unasked:
        print(f"Airflow {line}: NOT AUDITED, the advisories could not be read ({'; '.join(unasked)}).", file=sys.stderr)
        print("Run it where the package index's JSON interface, or OSV's, can be reached.", file=sys.stderr)
        return 2
    print(f"Airflow {line}: {len(known)} advisories")
    return int(bool(known))


_COMMANDS: Final = {"sbom": _print_sbom, "licences": _print_licences, "audit": _print_audit}

if __name__ == "__main__":
    sys.exit(main())
