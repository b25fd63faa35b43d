"""``python -m oktalogger archive``: check what is in the archive."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from oktalogger.cli.environment import EnvironmentConfigError, required_archive
from oktalogger.cli.exit_codes import EXIT_FAILED
from oktalogger.pipeline.archive.checking import ArchiveCheck, check_archive, orgs_of
from oktalogger.settings import load_settings

if TYPE_CHECKING:
    import argparse

_SHOWN: Final = 20
_WRONG: Final = ("missing", "changed", "foreign", "overwritten", "broken")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    archive = commands.add_parser("archive", help="check the archive", description=__doc__)
    actions = archive.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="say what is missing, changed or foreign, and whether the seals hold")
    check.add_argument("--org", help="host name of the org (default: all in the archive)")
    check.add_argument("--names-only", action="store_true", help="do not read the objects of events")
    check.add_argument("--seal", metavar="SHA256", help="hash of a seal, kept elsewhere, that must be in the chain")
    check.add_argument("--json", action="store_true", help="print JSON")
    check.set_defaults(run=run_check)


def run_check(arguments: argparse.Namespace) -> int:
    """Check the archive that ``OKTALOGGER_ARCHIVE`` names.

    :return: 0 if nothing is wrong, else 1
    """
    store = required_archive(load_settings())
    orgs = [arguments.org] if arguments.org else orgs_of(store)
    if not orgs:
        raise EnvironmentConfigError(f"There is nothing in {store.where}. Correct OKTALOGGER_ARCHIVE, or load first.")
    if arguments.seal and len(orgs) > 1:
        raise EnvironmentConfigError(f"--seal is of one org: say which with --org ({', '.join(orgs)}).")
    found = {org: check_archive(store, org, content=not arguments.names_only, trusted=arguments.seal) for org in orgs}
    if arguments.json:
        said = {org: {**asdict(check), "sound": check.sound} for org, check in found.items()}
        sys.stdout.write(json.dumps(said, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(line for org, check in found.items() for line in _lines(org, check)) + "\n")
    return 0 if all(check.sound for check in found.values()) else EXIT_FAILED


def _lines(org: str, check: ArchiveCheck) -> list[str]:
    lines = [
        f"{org}: {'sound' if check.sound else 'NOT SOUND'}. {check.objects:,} objects with {check.events:,} events, "
        f"{check.manifests:,} manifests ({len(check.unsealed):,} not sealed yet), {check.seals:,} seals"
    ]
    if check.newest_seal is not None:
        lines.append(f"  newest seal: {check.newest_seal[0]}, SHA-256 {check.newest_seal[1]}")
    if check.unclaimed:
        lines.append(f"  {len(check.unclaimed):,} objects of loads that came to no end: they prove nothing")
    for what in _WRONG:
        some: list[str] = getattr(check, what)
        lines += [f"  {what}: {one}" for one in some[:_SHOWN]]
        if len(some) > _SHOWN:
            lines.append(f"  {what}: {len(some) - _SHOWN:,} more (--json names them)")
    return lines
