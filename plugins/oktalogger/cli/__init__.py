"""Runs oktalogger from the command line, without Airflow: for a first try, for incidents, and for scripts."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import TYPE_CHECKING, Final

from oktalogger import __version__
from oktalogger.cli import (
    archive,
    check,
    coverage,
    detections,
    erase,
    expire,
    load,
    report,
    restore,
    setup,
    take_over,
)
from oktalogger.cli.environment import OKTA_VARIABLES, OPENSEARCH_VARIABLES, EnvironmentConfigError
from oktalogger.cli.exit_codes import EXIT_FAILED, EXIT_STOPPED, EXIT_USAGE
from oktalogger.okta.errors import OktaConfigurationError, OktaError
from oktalogger.opensearch.errors import OpenSearchLoadError
from oktalogger.pipeline.archive.errors import ArchiveError
from oktalogger.pipeline.okta_clock import TooEarlyError
from oktalogger.privacy.replacements import RedactionKeyError
from oktalogger.resources import ResourceError
from oktalogger.settings import SettingsError
from oktalogger.window import WindowError

if TYPE_CHECKING:
    from collections.abc import Sequence


_USAGE: Final = (
    WindowError,
    SettingsError,
    ResourceError,
    EnvironmentConfigError,
    OktaConfigurationError,
    RedactionKeyError,
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with all commands."""
    parser = argparse.ArgumentParser(prog="python -m oktalogger", description=__doc__)
    parser.add_argument("--version", action="version", version=f"oktalogger {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="write more to standard error")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    load.add_parser(commands)
    restore.add_parser(commands)
    archive.add_parser(commands)
    coverage.add_parser(commands)
    report.add_parser(commands)
    setup.add_parser(commands)
    take_over.add_parser(commands)
    erase.add_parser(commands)
    expire.add_parser(commands)
    check.add_parser(commands)
    detections.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    :param argv: the arguments; by default those of the process
    :return: an exit code, see :mod:`oktalogger.cli.exit_codes`
    """
    arguments = build_parser().parse_args(argv)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if arguments.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    # These libraries log every request, and at DEBUG also headers and bodies, which hold credentials.
    for noisy in ("opensearch", "urllib3", "botocore", "boto3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        return int(arguments.run(arguments))
    except _USAGE as error:
        return _say(error, EXIT_USAGE)
    except (OktaError, OpenSearchLoadError, ArchiveError, TooEarlyError) as error:
        return _say(error, EXIT_FAILED)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)  # noqa: T201
        return EXIT_STOPPED


def _say(error: Exception, code: int) -> int:
    print(f"error: {error}{_variables(error)}", file=sys.stderr)  # noqa: T201
    return code


def _variables(error: Exception) -> str:
    """Say what stands for the connection that advice speaks of: there is none without Airflow."""
    if "connection" not in str(error) or not isinstance(error, OktaError | OpenSearchLoadError):
        return ""
    variables = OKTA_VARIABLES if isinstance(error, OktaError) else OPENSEARCH_VARIABLES
    return f" (Here the connection is the variables {', '.join(variables)}.)"
