"""``python -m oktalogger check``: ask every part of a deployment whether it works, and say what is wrong."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oktalogger.checks.airflow import Pool, PoolAnswer
from oktalogger.checks.cluster import Cluster
from oktalogger.checks.dashboards import Dashboards, patterns_of
from oktalogger.checks.deployment import Deployment, check_everything
from oktalogger.checks.okta import Org
from oktalogger.checks.report import as_dict, is_fine, summary, text_of
from oktalogger.checks.rights import ROLES
from oktalogger.checks.sentences import Places
from oktalogger.cli.environment import (
    OKTA_CLIENT_ID,
    OKTA_TOKEN,
    OKTA_URL,
    OPENSEARCH_AWS_REGION,
    OPENSEARCH_CA_CERTS,
    OPENSEARCH_PASSWORD,
    OPENSEARCH_URL,
    OPENSEARCH_USERNAME,
    EnvironmentConfigError,
    dashboards_client,
    is_serverless,
    okta_client,
    opensearch_client,
    opensearch_settings,
)
from oktalogger.cli.exit_codes import EXIT_FAILED
from oktalogger.opensearch.names import IndexNames
from oktalogger.pipeline.share import share_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from oktalogger.settings import Settings

_AIRFLOW_SECONDS: Final = 120


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("check", help="say what is wrong with a deployment", description=__doc__)
    parser.add_argument("--filter", help="Okta's filter expression of the connection, to try it")
    parser.add_argument("--q", help="Okta's keyword search of the connection, to try it")
    parser.add_argument(
        "--role", choices=ROLES, help="whose rights of OpenSearch to ask for (default: loader, and sync with Alerting)"
    )
    parser.add_argument("--airflow", action="store_true", help="ask the Airflow on this machine for its pool, too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask about the deployment that the environment names.

    :return: 0 if nothing is wrong, 1 otherwise
    """
    # What a refused request logs is part of a line already.
    logging.getLogger("oktalogger").setLevel(logging.ERROR)
    lines = []
    for line in check_everything(_deployment(arguments)):
        lines.append(line)
        if not arguments.json and not line.verdict.because:
            sys.stdout.write(f"{text_of(line)}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{json.dumps(as_dict(lines), indent=2) if arguments.json else summary(lines)}\n")
    return 0 if is_fine(lines) else EXIT_FAILED


def _deployment(arguments: argparse.Namespace) -> Deployment:
    return Deployment(
        orgs=lambda settings: [_org(settings, arguments.filter, arguments.q)],
        cluster=_cluster,
        dashboards=_dashboards,
        pool=lambda settings: Pool(name=settings.pool, ask=_ask_airflow if arguments.airflow else _no_airflow),
        role=arguments.role,
    )


def _org(settings: Settings, filter_: str | None, q: str | None) -> Org:
    return Org(
        name=OKTA_URL,
        open=okta_client,
        filter=lambda: filter_,
        q=lambda: q,
        places=_okta_places(os.environ),
        filter_place="--filter" if filter_ else "--q",
        share=share_of("scheduled", settings),
        unusable=(EnvironmentConfigError,),
    )


def _okta_places(environ: Mapping[str, str]) -> Places:
    login = f"the token in {OKTA_TOKEN}" if environ.get(OKTA_TOKEN) else f"the key of the app in {OKTA_CLIENT_ID}"
    return Places(host=OKTA_URL, login=login, settings="the environment, as HTTPS_PROXY or REQUESTS_CA_BUNDLE")


def _opensearch_places(environ: Mapping[str, str]) -> Places:
    if environ.get(OPENSEARCH_AWS_REGION):
        login = "the AWS credentials found here"
    elif environ.get(OPENSEARCH_USERNAME):
        login = f"the user and password in {OPENSEARCH_USERNAME} and {OPENSEARCH_PASSWORD}"
    else:
        login = f"a login without {OPENSEARCH_USERNAME}"
    return Places(host=OPENSEARCH_URL, login=login, settings=OPENSEARCH_CA_CERTS)


def _cluster(settings: Settings) -> Cluster:
    return Cluster(
        name=OPENSEARCH_URL,
        url=lambda: opensearch_settings().url,
        client=cache(opensearch_client),
        names=IndexNames(settings.index_prefix),
        settings=settings,
        places=_opensearch_places(os.environ),
        serverless=is_serverless,
        unusable=(EnvironmentConfigError,),
    )


def _dashboards(settings: Settings) -> Dashboards:
    return Dashboards(
        client=lambda: dashboards_client(settings) if settings.dashboards_api_url or settings.dashboards_url else None,
        patterns=patterns_of(IndexNames(settings.index_prefix)),
        places=replace(
            _opensearch_places(os.environ),
            host="OKTALOGGER_DASHBOARDS_API_URL" if settings.dashboards_api_url else "OKTALOGGER_DASHBOARDS_URL",
        ),
    )


def _no_airflow(name: str) -> PoolAnswer:
    return PoolAnswer(
        None, why="Only Airflow knows its pools: run the DAG okta_check, or give --airflow on its machine."
    )


def _ask_airflow(name: str) -> PoolAnswer:
    """Ask the command line of the Airflow that is installed beside this Python, or on the path."""
    beside = Path(sys.executable).with_name("airflow")
    command = str(beside) if beside.exists() else shutil.which("airflow")
    if command is None:
        return PoolAnswer(None, why="There is no command `airflow` on this machine: run the DAG okta_check instead.")
    try:
        done = subprocess.run(  # noqa: S603
            [command, "pools", "list", "--output", "json"],
            capture_output=True,
            text=True,
            timeout=_AIRFLOW_SECONDS,
            check=True,
        )
        # Whatever Airflow warns of stands before it.
        pools = json.loads(done.stdout[done.stdout.index("[{") :])
    except (subprocess.SubprocessError, OSError, ValueError):
        return PoolAnswer(None, why="`airflow pools list` failed on this machine: run it, and see why.")
    slots = {str(pool["pool"]): int(pool["slots"]) for pool in pools}
    return PoolAnswer(name in slots, slots.get(name))
