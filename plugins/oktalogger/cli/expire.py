"""Deletes rejected events, matches and ledger entries that are older than the settings keep them.

For administrators: no role of oktalogger may do it. Without --confirm nothing is changed. Loads may go on.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from oktalogger.cli.environment import opensearch_client
from oktalogger.opensearch.names import IndexNames
from oktalogger.settings import load_settings

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "expire", help="delete what is too old beside the months, as an administrator", description=__doc__
    )
    parser.add_argument("--confirm", action="store_true", help="delete; without it, only say how much")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Delete what is too old in the OpenSearch that the environment names.

    :return: 0
    """
    from oktalogger.opensearch.expiry import delete_expired, expired

    settings = load_settings()
    client = opensearch_client()
    now = datetime.now(UTC)
    found = expired(client, IndexNames(settings.index_prefix), settings, now=now)
    if arguments.confirm:
        delete_expired(client, found, now=now)
    if arguments.json:
        text = json.dumps({"confirmed": arguments.confirm, "indices": [one.as_dict() for one in found]}, indent=2)
    else:
        done = "deleted" if arguments.confirm else "to delete"
        lines = [f"{one.index}: {one.older:,} documents older than {one.days} days {done}" for one in found]
        text = "\n".join(lines) or "Everything is kept for ever: see OKTALOGGER_REJECTED_DAYS."
    sys.stdout.write(text + "\n")
    return 0
