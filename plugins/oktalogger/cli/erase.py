"""Takes one person out of everything that is stored in OpenSearch. For administrators: no role of oktalogger may do it.

Without --confirm nothing is changed. The events stay, without the person. Loads may go on.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from oktalogger.cli.environment import opensearch_client
from oktalogger.cli.exit_codes import EXIT_FAILED
from oktalogger.opensearch.names import IndexNames
from oktalogger.settings import load_settings
from oktalogger.text import one_line

if TYPE_CHECKING:
    import argparse

    from oktalogger.pipeline.erasure import Erasure


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "erase", help="take a person out of all events, as an administrator", description=__doc__
    )
    parser.add_argument(
        "--user", required=True, metavar="ID", help="Okta's id of the person, like 00u1a2b3c4D5E6F7G8h9"
    )
    parser.add_argument(
        "--login",
        action="append",
        default=[],
        help="a login or mail address that the events with that id do not tell; may be given several times",
    )
    parser.add_argument("--confirm", action="store_true", help="change what was found; without it, only say what it is")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Erase the person that the arguments name from the OpenSearch that the environment names.

    :return: 0, or 1 if something still names the person, or could not be looked at
    """
    from oktalogger.pipeline.erase import erase

    names = IndexNames(load_settings().index_prefix)
    client = opensearch_client()
    result = erase(client, names, arguments.user, logins=arguments.login, dry_run=not arguments.confirm)
    text = json.dumps(result.as_dict(), indent=2) if arguments.json else "\n".join(_lines(result))
    sys.stdout.write(text + "\n")
    return EXIT_FAILED if result.left or result.unseen else 0


def _lines(result: Erasure) -> list[str]:
    person = result.person
    known = ", ".join(map(one_line, (*person.logins, *person.names))) or "by nothing else"
    lines = [f"{one_line(person.id)} is known as: {known}"]
    for index, found in result.found.items():
        counts = f": {result.before[index]:,} before, {result.after[index]:,} after" if index in result.after else ""
        lines.append(f"{index}: {found:,} documents name this person{counts}")
    lines.append(f"alerts: {result.alerts:,} name this person")
    for index, left in result.left.items():
        lines.append(f"{index}: {left:,} documents still do, because loads stored them meanwhile: run this again")
    lines += result.unseen
    lines.append("Nothing was changed: this needs --confirm." if result.dry_run else "Done.")
    return lines
