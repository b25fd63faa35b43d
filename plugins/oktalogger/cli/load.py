"""``python -m oktalogger load``: load one window and print the counts."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from oktalogger.cli.environment import OKTA_URL, archive_of, okta_client, opensearch_client, redaction_key, required
from oktalogger.cli.exit_codes import EXIT_REJECTED, EXIT_STOPPED
from oktalogger.cli.signals import stop_on_signal
from oktalogger.malloc import limit_heap_growth_of_process
from oktalogger.okta.origin import org_name
from oktalogger.okta.rate_budget import RateBudget
from oktalogger.okta.system_log import MAX_LIMIT
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.pipeline.document import Stamp
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.progress import LoadReporter
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.pipeline.share import share_of
from oktalogger.pipeline.stop import LoadStoppedError, StopSignal
from oktalogger.privacy.redactor import make_redactor
from oktalogger.settings import load_settings
from oktalogger.window import Window, parse_instant

if TYPE_CHECKING:
    from oktalogger.pipeline.load_result import LoadResult

log = logging.getLogger(__name__)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("load", help="load one window of the System Log", description=__doc__)
    parser.add_argument("--from", dest="since", required=True, metavar="INSTANT", help="like 2026-11-23T10:00:00Z")
    parser.add_argument("--to", dest="until", required=True, metavar="INSTANT", help="end, not part of the window")
    parser.add_argument("--filter", help="Okta's filter expression")
    parser.add_argument("--q", help="Okta's keyword search")
    parser.add_argument("--page-limit", type=_limit, default=1000, metavar="N", help="events per page, 1 to 1000")
    parser.add_argument("--run-id", help="value of oktalogger.run_id in the documents (default: cli and the time)")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Load the window that the arguments name.

    :return: 0, or 3 if some events were rejected
    """
    settings = load_settings()
    window = Window(parse_instant(arguments.since, name="--from"), parse_instant(arguments.until, name="--to"))
    stop = StopSignal()
    stop_on_signal(stop)
    budget = RateBudget(share_of("manual", settings), sleep=stop.sleep)
    client = okta_client(sleep=stop.sleep, gate=budget)
    names = IndexNames(settings.index_prefix)
    store = OpenSearchStore(
        opensearch_client(), names, shards=settings.shards, replicas=settings.replicas, sleep=stop.sleep
    )
    stamp = Stamp(
        org=org_name(required(os.environ, OKTA_URL)),
        window=window,
        run_id=arguments.run_id or f"cli__{datetime.now(UTC).isoformat(timespec='microseconds')}",
        kind="manual",
        horizon=settings.horizon,
    )
    plan = LoadPlan(
        stamp,
        hold_back=settings.hold_back,
        filter=arguments.filter,
        q=arguments.q,
        page_limit=arguments.page_limit,
        threads=settings.bulk_threads,
        redactor=make_redactor(settings.redact, redaction_key()),
        redact_archive=settings.redact_archive,
    )
    archive = archive_of(settings, sleep=stop.sleep)
    store.prepare()
    limit_heap_growth_of_process()
    ledger = LedgerStore(store.client, names)
    with client:
        try:
            result = load_and_record(
                client, store, ledger, plan, archive=archive, on_stored=LoadReporter(log), stop=stop
            )
        except LoadStoppedError as error:
            log.warning("%s", error)
            return EXIT_STOPPED
    _print(result, window, names, as_json=arguments.json)
    return EXIT_REJECTED if result.rejected else 0


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_LIMIT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MAX_LIMIT}")
    return int(text)


def _print(result: LoadResult, window: Window, names: IndexNames, *, as_json: bool) -> None:
    counts: dict[str, Any] = {"window": str(window), **result.as_dict()}
    if as_json:
        text = json.dumps(counts, indent=2)
    else:
        text = (
            f"{window}: read {result.read} events in {result.pages} pages, created {result.created}, "
            f"already there {result.existing}, rejected {result.rejected}, {result.seconds:.1f} s"
        )
    sys.stdout.write(text + "\n")
    for note in result.notes:
        log.warning("%s", note)
    if result.rejected:
        log.warning("OpenSearch refused %d events: whole, with the reason, in %s", result.rejected, names.rejected)
