"""``python -m oktalogger report``: write the Okta page as one HTML file, for audits and incidents."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from oktalogger.cli.environment import OKTA_URL, opensearch_client, required
from oktalogger.cli.exit_codes import EXIT_USAGE
from oktalogger.okta.origin import org_name
from oktalogger.opensearch.names import IndexNames
from oktalogger.settings import load_settings
from oktalogger.ui.html import report_page
from oktalogger.ui.measure import MeasuredOrg, measure

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("report", help="write the Okta page as one HTML file", description=__doc__)
    parser.add_argument("--html", required=True, metavar="FILE", help="the file to write; - for standard output")
    parser.add_argument(
        "--org", action="append", help=f"host name of an org, may be given several times (default: that of {OKTA_URL})"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the page of the last 90 days.

    :return: 0, or 2 if the file cannot be written
    """
    settings = load_settings()
    client = opensearch_client()
    orgs = arguments.org or [org_name(required(os.environ, OKTA_URL))]
    now = datetime.now(UTC)
    snapshots = [
        measure(
            MeasuredOrg(
                client=client,
                names=IndexNames(settings.index_prefix),
                org=org,
                conn_id="okta_default",
                settings=settings,
                dashboards_url=settings.dashboards_url,
            ),
            now=now,
        )
        for org in orgs
    ]
    page = report_page(snapshots)
    if arguments.html == "-":
        sys.stdout.write(page)
        return 0
    try:
        Path(arguments.html).write_text(page, encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"error: The report cannot be written: {error}\n")
        return EXIT_USAGE
    return 0
