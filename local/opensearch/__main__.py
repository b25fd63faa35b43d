"""Builds and runs a real OpenSearch: ``python -m local.opensearch run --version 2.19.4``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from local import paths
from local.console import progress
from local.opensearch.artifacts import lock
from local.opensearch.build import build
from local.opensearch.errors import OpenSearchLocalError
from local.opensearch.instance import Member
from local.opensearch.releases import DEFAULT_VERSION, VERSIONS
from local.opensearch.server import run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.opensearch", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("versions", help="print the releases with a lock file")
    building = commands.add_parser("build", help="fetch and put together, without starting")
    running = commands.add_parser("run", help="run in the foreground; prints one JSON line when it answers")
    locking = commands.add_parser("lock", help="write the lock file of a release anew")
    for command in (building, running, locking):
        command.add_argument("--version", default=DEFAULT_VERSION, help="(default: %(default)s)")
    for command in (building, running):
        command.add_argument("--security", action="store_true", help="with the security plugin, TLS and a user admin")
    running.add_argument("--port", type=int, default=0, help="HTTP port; 0, the default, takes any that is free")
    running.add_argument("--data", type=Path, help="keep data here (default: a temporary folder, removed at the end)")
    running.add_argument("--heap", default="512m", help="Java's heap (default: %(default)s)")
    running.add_argument("--brief", action="store_true", help="it lives for minutes: compile fast, not well")
    running.add_argument("--node", default="", help="its name in a cluster of several")
    running.add_argument("--members", default="", help="names and ports between nodes: one:9301,two:9302,three:9303")
    running.add_argument("--stay", action="store_true", help="do not end when the process that started this ends")
    return parser


def main() -> int:
    """Do what the command line says."""
    arguments = _parser().parse_args()
    try:
        if arguments.command == "versions":
            print("\n".join(VERSIONS))
        elif arguments.command == "lock":
            print(lock(arguments.version, paths.state() / "artifacts"))
        elif arguments.command == "build":
            print(build(arguments.version, security=arguments.security).home)
        else:
            run(
                arguments.version,
                security=arguments.security,
                port=arguments.port,
                data=arguments.data,
                heap=arguments.heap,
                brief=arguments.brief,
                stay=arguments.stay,
                member=Member.read(arguments.node, arguments.members) if arguments.node else None,
            )
    except (OpenSearchLocalError, OSError) as error:
        progress(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
