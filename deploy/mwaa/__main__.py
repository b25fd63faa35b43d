"""``python -m deploy.mwaa``: deploy the package to Amazon MWAA, check that it can run there, and start a backfill."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.mwaa.aws import MwaaError, client
from deploy.mwaa.backfill import start_backfill
from deploy.mwaa.bucket import Bucket
from deploy.mwaa.deploy import PACKAGE, dag_files, deploy
from deploy.mwaa.environment import check_ready, read_environment
from deploy.mwaa.ready import POOL, make_pool, ready
from deploy.mwaa.rest import MwaaRestApi
from local.console import progress
from oktalogger.pipeline.backfill import CHUNKS, DEFAULT_CHUNK, ORDERS

if TYPE_CHECKING:
    from collections.abc import Sequence


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m deploy.mwaa", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("deploy", help="bring the package to an environment")
    _environment(one)
    _package(one)
    one.add_argument("--bucket", required=True, help="the environment's bucket")
    one.add_argument(
        "--dags-only", action="store_true", help="leave plugins, requirements and startup script unchanged"
    )
    one.add_argument("--replace", action="store_true", help="replace also what somebody else has put there")
    one.add_argument("--no-wait", action="store_true", help="do not wait for an update; run it again afterwards")
    one.add_argument("--dry-run", action="store_true", help="only say what it would do")
    one.set_defaults(run=_deploy)

    one = commands.add_parser("ready", help="make the pool, and see whether Airflow can run the DAGs")
    _environment(one)
    _package(one)
    one.set_defaults(run=_ready)

    one = commands.add_parser("backfill", help="start a run of okta_system_log_backfill")
    _environment(one)
    one.add_argument(
        "--from", required=True, metavar="TIME", dest="start", help="load from this time on, as 2026-11-20T00:00:00Z"
    )
    one.add_argument(
        "--to", metavar="TIME", dest="end", help="load up to this time, itself not included (default: ten minutes ago)"
    )
    one.add_argument(
        "--chunk", choices=CHUNKS, default=DEFAULT_CHUNK, help="how much one task loads (default: %(default)s)"
    )
    one.add_argument("--order", choices=ORDERS, default=ORDERS[0], help="what is loaded first (default: %(default)s)")
    one.add_argument(
        "--share",
        type=float,
        metavar="PART",
        help="part of Okta's rate limit, as 0.25 (default: the environment's setting)",
    )
    one.add_argument("--okta-conn-id", default="okta_default", metavar="ID", help="the org (default: %(default)s)")
    one.add_argument("--unpause", action="store_true", help="turn the DAG on first, if it is paused")
    one.set_defaults(run=_backfill)
    return parser


def _environment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--environment", required=True, metavar="NAME", help="name of the environment")
    parser.add_argument("--region", help="its region (default: that of the AWS profile, or AWS_REGION)")


def _package(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--package", type=Path, default=PACKAGE, metavar="FOLDER", help="what make mwaa-package made")
    parser.add_argument("--pool", default=POOL, help="name of the pool, as OKTALOGGER_POOL says (default: %(default)s)")


def _deploy(options: argparse.Namespace) -> bool:
    mwaa = client("mwaa", options.region)
    done = deploy(
        mwaa,
        Bucket(client("s3", options.region), options.bucket),
        options.environment,
        package=options.package,
        say=progress,
        dags_only=options.dags_only,
        replace=options.replace,
        dry_run=options.dry_run,
        wait=not options.no_wait,
    )
    if options.dry_run:
        return True
    again = f"--environment {options.environment}"
    if not done:
        progress(
            "The DAGs follow after the update. Run the same command again when this says AVAILABLE: "
            f"aws mwaa get-environment --name {options.environment} --query Environment.Status"
        )
        return True
    if make_pool(MwaaRestApi(mwaa, options.environment), options.pool):
        progress(f"made the pool {options.pool}")
    progress(f"Done. In some minutes Airflow has read the DAGs; see then: python -m deploy.mwaa ready {again}")
    return True


def _ready(options: argparse.Namespace) -> bool:
    mwaa = client("mwaa", options.region)
    check_ready(read_environment(mwaa, options.environment))
    rest = MwaaRestApi(mwaa, options.environment)
    return ready(rest, dag_files(options.package), say=progress, pool=options.pool)


def _backfill(options: argparse.Namespace) -> bool:
    mwaa = client("mwaa", options.region)
    environment = read_environment(mwaa, options.environment)
    check_ready(environment)
    run_id = start_backfill(
        MwaaRestApi(mwaa, options.environment),
        environment,
        {
            "from": options.start,
            "to": options.end,
            "chunk": options.chunk,
            "order": options.order,
            "share": options.share,
        },
        say=progress,
        okta_conn_id=options.okta_conn_id,
        unpause=options.unpause,
    )
    print(run_id)
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command."""
    options = build_parser().parse_args(arguments)
    try:
        return 0 if options.run(options) else 1
    except (MwaaError, OSError) as error:
        progress(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        progress("Interrupted. The steps done so far stay; run the same command again to finish.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
