"""``python -m oktalogger setup``: put templates, retention, roles and role mappings into OpenSearch, and dashboards."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from oktalogger.cli.environment import (
    OPENSEARCH_AWS_REGION,
    EnvironmentConfigError,
    dashboards_client,
    is_serverless,
    opensearch_client,
)
from oktalogger.cli.exit_codes import EXIT_CHANGES
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.roles import MASKED_ANALYST, masked_analyst
from oktalogger.opensearch.setup.apply import apply_setup, plan_setup
from oktalogger.opensearch.setup.dashboards import field_links, plan_dashboards
from oktalogger.opensearch.setup.indices import MONTHS_AHEAD, MOST_MONTHS_AHEAD
from oktalogger.opensearch.setup.log_groups import log_group_notices
from oktalogger.opensearch.setup.security import SecurityDocuments, read_security_documents, shipped_documents
from oktalogger.opensearch.setup.steps import SetupPlan
from oktalogger.settings import load_settings
from oktalogger.urls import okta_links

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("setup", help="set up OpenSearch, as an administrator", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.add_argument(
        "--check", action="store_true", help="like --dry-run, and exit with 3 if anything is to be done"
    )
    parser.add_argument(
        "--documents",
        metavar="FILE",
        help="output of `terraform output -json security_documents` (default: this package's roles, without users)",
    )
    parser.add_argument(
        "--confirm-deletions", action="store_true", help="accept a retention that deletes months at once"
    )
    parser.add_argument(
        "--dashboards", action="store_true", help="import dashboards and index patterns into OpenSearch Dashboards too"
    )
    parser.add_argument(
        "--months-ahead",
        type=_months,
        default=MONTHS_AHEAD,
        metavar="N",
        help=f"make the indices of this month, N more, and those that Okta still keeps (default: {MONTHS_AHEAD})",
    )
    parser.add_argument(
        "--masked-analyst", action="store_true", help=f"also make the role {MASKED_ANALYST}, which sees no person"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Set up the OpenSearch that the environment names.

    :return: 0; with ``--check`` 3 where anything is to be done, by the setup or by hand
    """
    settings = load_settings()
    names = IndexNames(settings.index_prefix)
    documents = _documents(arguments.documents, names)
    if arguments.masked_analyst:
        role = {MASKED_ANALYST: masked_analyst(names.prefix)}
        documents = replace(documents, roles={**documents.roles, **role})
    client = opensearch_client()
    plan = plan_setup(
        client,
        names,
        documents,
        retention_days=settings.retention_days,
        shards=settings.shards,
        replicas=settings.replicas,
        confirm_deletions=arguments.confirm_deletions,
        months_ahead=arguments.months_ahead,
        audit=settings.audit,
        serverless=is_serverless(),
    )
    dashboards = dashboards_client(settings) if arguments.dashboards else None
    if dashboards is not None:
        links = field_links(okta=okta_links(settings.okta_hosts), run_url=None)
        plan += plan_dashboards(dashboards, names, links=links)
    if documents.domain_arn is not None and os.environ.get(OPENSEARCH_AWS_REGION):
        import boto3

        plan += SetupPlan(notices=log_group_notices(boto3.Session(), documents.domain_arn))
    dry_run = arguments.dry_run or arguments.check
    if not dry_run:
        apply_setup(client, plan)
    text = json.dumps({**plan.as_dict(), "dry_run": dry_run}, indent=2) if arguments.json else plan.text()
    sys.stdout.write(text + "\n")
    return EXIT_CHANGES if arguments.check and (plan.changes or plan.by_hand) else 0


def _months(text: str) -> int:
    number = int(text)
    if not 0 <= number <= MOST_MONTHS_AHEAD:
        raise ValueError(text)
    return number


def _documents(file: str | None, names: IndexNames) -> SecurityDocuments:
    if file is None:
        return shipped_documents(names)
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise EnvironmentConfigError(f"--documents: {error}") from error
    return read_security_documents(text, names, source=file)
