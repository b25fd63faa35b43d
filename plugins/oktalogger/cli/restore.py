"""``python -m oktalogger restore``: load a range from the archive instead of Okta."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from oktalogger.cli.environment import OKTA_URL, opensearch_client, redaction_key, required, required_archive
from oktalogger.cli.exit_codes import EXIT_FAILED, EXIT_REJECTED, EXIT_STOPPED
from oktalogger.cli.signals import stop_on_signal
from oktalogger.malloc import limit_heap_growth_of_process
from oktalogger.okta.origin import org_name
from oktalogger.opensearch.inventory import OpenSearchCensus
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.pipeline.archive.catalog import read_catalog
from oktalogger.pipeline.archive.errors import ArchiveDamagedError
from oktalogger.pipeline.archive.noted import AsArchived
from oktalogger.pipeline.coverage import coverage
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.progress import LoadReporter
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.pipeline.restore import parts_of, restorable, restoring
from oktalogger.pipeline.stop import LoadStoppedError, StopSignal
from oktalogger.privacy.redactor import make_redactor
from oktalogger.settings import load_settings
from oktalogger.window import Window, format_instant, gaps, merge, parse_instant

if TYPE_CHECKING:
    import argparse

    from opensearchpy import OpenSearch

    from oktalogger.pipeline.archive.place import ArchiveStore
    from oktalogger.settings import Settings

log = logging.getLogger(__name__)

_COUNTED: Final = ("read", "created", "existing", "rejected")


@dataclass(slots=True)
class _Done:
    """What a restore has done.

    :param windows: how many windows it was to load
    :param absent: what the archive does not have
    """

    windows: int
    absent: list[Window]
    counts: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("restore", help="load a range from the archive", description=__doc__)
    parser.add_argument("--from", dest="since", required=True, metavar="INSTANT", help="like 2026-11-23T10:00:00Z")
    parser.add_argument("--to", dest="until", required=True, metavar="INSTANT", help="end, not part of the range")
    parser.add_argument("--org", help=f"host name of the org (default: that of {OKTA_URL})")
    parser.add_argument("--filter", help="Okta's filter expression, if the loads read through one")
    parser.add_argument("--q", help="Okta's keyword search, if the loads read through one")
    parser.add_argument("--all", action="store_true", help="also load hours that are complete in OpenSearch")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be loaded")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Restore the range that the arguments name.

    :return: 0; 3 if some events were rejected; 1 if a part of the range is not in the archive, or cannot be read there
    """
    within = Window(parse_instant(arguments.since, name="--from"), parse_instant(arguments.until, name="--to"))
    settings = load_settings()
    stop = StopSignal()
    stop_on_signal(stop)
    archive = required_archive(settings)
    org = arguments.org or org_name(required(os.environ, OKTA_URL))
    client, names = opensearch_client(), IndexNames(settings.index_prefix)
    there = restorable(read_catalog(archive, org, within), arguments.filter, arguments.q)
    for sentence in there.damaged:
        log.error("%s", sentence)
    wanted = [within]
    if not arguments.all:
        hours = coverage(LedgerStore(client, names), OpenSearchCensus(client, names), org, within)
        wanted = merge(hour.window for hour in hours if hour.state not in ("complete", "doubled"))
    parts = parts_of(wanted, there)
    done = _Done(len(parts), [part for one in wanted for part in gaps(one, [*there.complete, *there.outlived])])
    done.failed += there.damaged
    if not arguments.dry_run:
        try:
            _load(parts, done, archive, client, names, org, settings, arguments, stop)
        except LoadStoppedError as error:
            log.warning("%s", error)
            return EXIT_STOPPED
    _print(done, arguments)
    if done.absent or done.failed:
        return EXIT_FAILED
    return EXIT_REJECTED if done.counts["rejected"] else 0


def _load(
    parts: list[Window],
    done: _Done,
    archive: ArchiveStore,
    client: OpenSearch,
    names: IndexNames,
    org: str,
    settings: Settings,
    arguments: argparse.Namespace,
    stop: StopSignal,
) -> None:
    """Load one window after the other. One that cannot be read says so in the ledger, and stops no other."""
    store = OpenSearchStore(client, names, shards=settings.shards, replicas=settings.replicas, sleep=stop.sleep)
    store.prepare()
    limit_heap_growth_of_process()
    began = datetime.now(UTC)
    redactor = AsArchived(make_redactor(settings.redact, redaction_key()))
    run_id = f"cli__{began.isoformat(timespec='microseconds')}"
    for part in parts:
        one = restoring(archive, org, part, run_id, filter=arguments.filter, q=arguments.q)
        plan = LoadPlan(
            one.stamp,
            filter=arguments.filter,
            q=arguments.q,
            threads=settings.bulk_threads,
            redactor=redactor,
            keeps=None,
            outlived=one.outlived,
        )
        try:
            result = load_and_record(
                one.source, store, LedgerStore(client, names), plan, on_stored=LoadReporter(log), stop=stop
            )
        except ArchiveDamagedError as error:
            log.error("%s", error)
            done.failed.append(str(error))
            continue
        done.counts.update({name: getattr(result, name) for name in _COUNTED})
        for note in result.notes:
            log.warning("%s", note)
        log.info("%s: %d events read, %d of them new", part, result.read, result.created)
    done.seconds = (datetime.now(UTC) - began).total_seconds()


def _print(done: _Done, arguments: argparse.Namespace) -> None:
    counts = done.counts
    if arguments.json:
        said: dict[str, Any] = {name: counts[name] for name in _COUNTED}
        said |= {"windows": done.windows, "seconds": round(done.seconds, 3), "failed": done.failed}
        said["absent"] = [[format_instant(part.start), format_instant(part.end)] for part in done.absent]
        sys.stdout.write(json.dumps(said, indent=2) + "\n")
        return
    lines = [f"{done.windows:,} windows would be loaded"]
    if not arguments.dry_run:
        lines = [
            f"{done.windows:,} windows: read {counts['read']:,} events, created {counts['created']:,}, already there "
            f"{counts['existing']:,}, rejected {counts['rejected']:,}, {done.seconds:.1f} s"
        ]
    lines += [f"not in the archive: {part}" for part in done.absent]
    lines += [f"failed: {sentence}" for sentence in done.failed]
    sys.stdout.write("\n".join(lines) + "\n")
