"""``python -m oktalogger take-over INDEX``: store the events of another index, each once.

For events that Okta has deleted and that only an older index still has. What is there already stays as it is, so the
command may be run again at any time. It writes nothing to the ledger: nobody can say whether the other index is
complete.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from oktalogger.cli.environment import (
    OKTA_URL,
    OPENSEARCH_URL,
    OPENSEARCH_VARIABLES,
    OTHER_OPENSEARCH_VARIABLES,
    EnvironmentConfigError,
    opensearch_client,
    other_opensearch_client,
    redaction_key,
)
from oktalogger.cli.exit_codes import EXIT_REJECTED
from oktalogger.okta.origin import org_name
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.scroll import scroll
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.pipeline.document import Stamp
from oktalogger.pipeline.take_over import take_over
from oktalogger.privacy.redactor import make_redactor
from oktalogger.setting_readers import hosts
from oktalogger.settings import load_settings
from oktalogger.window import Window, format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from oktalogger.pipeline.take_over import TakenOver

log = logging.getLogger(__name__)

# No event is older than Okta itself.
_FIRST_YEAR: Final = "2009-01-01T00:00:00Z"
_EVERY: Final = 50_000


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "take-over",
        help="store the events of another index, each once",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="The index may be on another cluster. The variables "
        + ", ".join(OTHER_OPENSEARCH_VARIABLES[name] for name in OPENSEARCH_VARIABLES[:3])
        + " and so on then say where it is and how to log in, like those without OTHER.",
    )
    parser.add_argument("index", metavar="INDEX", help="an index, alias or pattern that holds Okta's events")
    parser.add_argument("--org", help=f"host name of the Okta org, such as company.okta.com (default: {OKTA_URL})")
    parser.add_argument("--from", dest="since", default=_FIRST_YEAR, metavar="INSTANT", help="leave out what is older")
    parser.add_argument("--to", dest="until", metavar="INSTANT", help="leave out this and what is newer (default: now)")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Take over the events of the index that the arguments name.

    :return: 0, or 3 if some documents were rejected
    """
    settings = load_settings()
    now = datetime.now(UTC)
    until = parse_instant(arguments.until, name="--to") if arguments.until else now
    window = Window(parse_instant(arguments.since, name="--from"), until)
    names = IndexNames(settings.index_prefix)
    is_own = arguments.index == names.alias or arguments.index.startswith(f"{names.alias}-")
    if is_own and not os.environ.get(OTHER_OPENSEARCH_VARIABLES[OPENSEARCH_URL]):
        other = OTHER_OPENSEARCH_VARIABLES[OPENSEARCH_URL]
        raise EnvironmentConfigError(f"{arguments.index} is oktalogger's own. Name another index, or set {other}.")
    store = OpenSearchStore(opensearch_client(), names, shards=settings.shards, replicas=settings.replicas)
    stamp = Stamp(
        org=_org(arguments.org),
        window=window,
        run_id=f"take_over__{now.isoformat(timespec='microseconds')}",
        kind="backfill",
        horizon=settings.horizon,
    )
    store.prepare()
    redactor = make_redactor(settings.redact, redaction_key())
    pages = scroll(other_opensearch_client(), arguments.index)
    counts = take_over(pages, store, stamp, redactor=redactor, on_stored=_reporter())
    _print(counts, window, arguments, names)
    return EXIT_REJECTED if counts.rejected else 0


def _org(named: str | None) -> str:
    if named:
        try:
            (host,) = hosts(named)
        except ValueError:
            raise EnvironmentConfigError(f"--org {named!r} is not a host name like company.okta.com.") from None
        return host
    url = os.environ.get(OKTA_URL, "").strip()
    if not url:
        raise EnvironmentConfigError(f"Nothing says which org the events are of. Give --org, or set {OKTA_URL}.")
    return org_name(url)


def _reporter() -> Callable[[TakenOver], None]:
    said = 0

    def report(counts: TakenOver) -> None:
        nonlocal said
        if counts.read >= said + _EVERY:
            said = counts.read
            log.info("%d documents read, %d events created", counts.read, counts.created)

    return report


def _print(counts: TakenOver, window: Window, arguments: argparse.Namespace, names: IndexNames) -> None:
    if arguments.json:
        text = json.dumps({"index": arguments.index, "window": str(window), **counts.as_dict()}, indent=2)
    else:
        text = (
            f"{arguments.index}: read {counts.read} documents, created {counts.created} events, already there "
            f"{counts.existing}, rejected {counts.rejected}, left out {counts.left_out} that are not from "
            f"{format_instant(window.start)} to {format_instant(window.end)}"
        )
    sys.stdout.write(text + "\n")
    if counts.drifted_fields:
        log.warning(
            "%d events have parts that do not fit the mapping, and were stored without them: %s. The parts are kept in "
            "oktalogger.unmapped.",
            counts.drifted,
            ", ".join(f"{field} ({number})" for field, number in sorted(counts.drifted_fields.items())),
        )
    if counts.rejected:
        log.warning("%d documents could not be stored: whole, with the reason, in %s", counts.rejected, names.rejected)
