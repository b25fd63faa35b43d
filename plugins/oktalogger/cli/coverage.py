"""``python -m oktalogger coverage``: say which hours are loaded, and prove it against Okta or the archive."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from oktalogger.cli.environment import (
    OKTA_URL,
    okta_client,
    opensearch_client,
    redaction_key,
    required,
    required_archive,
)
from oktalogger.cli.exit_codes import EXIT_FAILED
from oktalogger.okta.origin import org_name
from oktalogger.okta.rate_budget import RateBudget
from oktalogger.okta.system_log import SystemLogQuery
from oktalogger.opensearch.inventory import OpenSearchCensus
from oktalogger.opensearch.names import IndexNames
from oktalogger.pipeline.archive.catalog import read_catalog
from oktalogger.pipeline.archive.errors import ArchiveDamagedError
from oktalogger.pipeline.archive.noted import AsArchived
from oktalogger.pipeline.archive.reading import ArchiveSource
from oktalogger.pipeline.comparison import Comparison, compare_with
from oktalogger.pipeline.coverage import HourCoverage, HourState, coverage
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.pipeline.share import share_of
from oktalogger.privacy.redactor import make_redactor
from oktalogger.settings import Limit, Settings, load_settings
from oktalogger.text import counted, one_line
from oktalogger.window import Window, gaps, hours, parse_instant

if TYPE_CHECKING:
    import argparse

    from oktalogger.privacy.redactor import Redactor

_SHOWN: Final = 10
_NAMES: Final = {"okta": "Okta", "archive": "the archive"}
_WORDS: Final[dict[HourState, str]] = {
    "complete": "yes",
    "expired": "expired",
    "not loaded": "NO",
    "older than Okta keeps": "too old",
    "damaged": "damaged",
    "doubled": "doubled",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("coverage", help="say which hours are loaded", description=__doc__)
    parser.add_argument("--from", dest="since", required=True, metavar="INSTANT", help="like 2026-11-23T10:00:00Z")
    parser.add_argument("--to", dest="until", required=True, metavar="INSTANT", help="end, not part of the range")
    parser.add_argument("--org", help=f"host name of the org (default: that of {OKTA_URL})")
    parser.add_argument("--verify", action="store_true", help="read Okta again and compare value by value")
    parser.add_argument(
        "--against", choices=("okta", "archive"), default="okta", help="what --verify reads (default: okta)"
    )
    parser.add_argument("--json", action="store_true", help="print the hours as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the coverage of the range that the arguments name.

    :return: 0 where all of it is loaded and still there, and the same as in Okta if that was asked; else 1
    """
    within = Window(parse_instant(arguments.since, name="--from"), parse_instant(arguments.until, name="--to"))
    settings = load_settings()
    names = IndexNames(settings.index_prefix)
    client = opensearch_client()
    census = OpenSearchCensus(client, names)
    census.refresh()
    org = arguments.org or org_name(required(os.environ, OKTA_URL))
    found = coverage(LedgerStore(client, names), census, org, within, now=datetime.now(UTC), kept=settings.retention)
    compared: list[Comparison] = []
    unarchived: list[str] = []
    redactor = make_redactor(settings.redact, redaction_key()) if arguments.verify else None
    if arguments.verify and arguments.against == "archive":
        compared, unarchived = _against_archive(settings, census, org, within, redactor)
    elif arguments.verify:
        with okta_client(gate=RateBudget(share_of("reconcile", settings))) as okta:
            for window in hours(within):
                query = SystemLogQuery(since=window.start, until=window.end)
                compared.append(compare_with(okta, census, org, query, redactor))
    if arguments.json:
        sys.stdout.write(json.dumps({**_as_json(org, found, compared), "unarchived": unarchived}, indent=2) + "\n")
    else:
        sys.stdout.write(
            "\n".join([*_table(found, compared, settings.refused_limit, _NAMES[arguments.against]), *unarchived]) + "\n"
        )
    complete = all(hour.well for hour in found) and all(one.exact for one in compared) and not unarchived
    return 0 if complete else EXIT_FAILED


def _against_archive(
    settings: Settings, census: OpenSearchCensus, org: str, within: Window, redactor: Redactor | None
) -> tuple[list[Comparison], list[str]]:
    """Compare each hour with the archive.

    :return: what that found, and what the archive lacks of the range or cannot give back, in sentences
    """
    archive = required_archive(settings)
    compared, unarchived = [], []
    for window in hours(within):
        catalog = read_catalog(archive, org, window)
        source = ArchiveSource(archive, catalog)
        query = SystemLogQuery(since=window.start, until=window.end)
        try:
            compared.append(compare_with(source, census, org, query, AsArchived(redactor)))
        except ArchiveDamagedError as error:
            unarchived.append(str(error))
        unarchived += [sentence for _, sentence in catalog.damaged]
        unarchived += [f"{name} cannot be read, and another reading has its events" for name in source.unreadable]
        unarchived += [f"not in the archive: {part}" for part in gaps(window, catalog.read(None, None))]
    return compared, unarchived


def _as_json(org: str, found: list[HourCoverage], compared: list[Comparison]) -> dict[str, Any]:
    return {
        "org": org,
        "covered": all(hour.covered for hour in found),
        "well": all(hour.well for hour in found),
        "events": sum(hour.events for hour in found),
        "rejected": sum(hour.rejected for hour in found),
        "late": sum(hour.late for hour in found),
        "drifted": sum(hour.drifted for hour in found),
        "hours": [hour.as_dict() for hour in found],
        "compared": [one.as_dict() for one in compared],
    }


def _table(found: list[HourCoverage], compared: list[Comparison], limit: Limit, other: str) -> list[str]:
    by_start = {one.window.start: one for one in compared}
    verify = f"  {other}" if compared else ""
    lines = [f"{'':16} {'covered':9} {'events':>10} {'late':>7} {'rejected':>9} {'drifted':>8}{verify}"]
    for day, of_day in groupby(found, key=lambda hour: hour.window.start.date()):
        day_hours = list(of_day)
        lines.append(_row(str(day), day_hours, ""))
        for hour in day_hours:
            one = by_start.get(hour.window.start)
            lines.append(_row(f"  {hour.window.start:%H:%M}-{hour.window.end:%H:%M}", [hour], _verdict(one)))
            lines += _troubles(hour, limit)
            if one is not None:
                lines += _differences(one, other)
    lines.append(_row("all", found, ""))
    return lines


def _row(name: str, of: list[HourCoverage], more: str) -> str:
    share = sum(hour.well for hour in of)
    covered = _WORDS[of[0].state] if len(of) == 1 else "yes" if share == len(of) else f"{share} of {len(of)}"
    drifted = sum(hour.drifted for hour in of)
    events, late = sum(hour.events for hour in of), sum(hour.late for hour in of)
    return f"{name:16} {covered:9} {events:>10,} {late:>7,} {sum(hour.rejected for hour in of):>9,} {drifted:>8,}{more}"


def _troubles(hour: HourCoverage, limit: Limit) -> list[str]:
    lines = [f"      not loaded: {gap}" for gap in hour.missing]
    if hour.outlived and not hour.missing:
        lines.append("      older than Okta keeps: it was first read over 90 days after it ended")
    refused = hour.rejected + hour.drifted
    if limit.exceeded_by(refused, hour.events + hour.rejected):
        lines.append(
            f"      {counted(refused, 'event was', 'events were')} rejected or stored without a part: more than {limit}"
        )
    if hour.damaged:
        lines.append(
            f"      {counted(hour.expected, 'event')} of the full hour were stored, fewer are there: load it again"
        )
    for index, number in sorted(hour.strays.items()):
        lines.append(f"      {counted(number, 'document')} in {index} should not be there: take the alias from it")
    return lines


def _verdict(one: Comparison | None) -> str:
    if one is None:
        return ""
    rejected = f", {one.rejected:,} of them rejected" if one.rejected else ""
    erased = f", a person was taken out of {one.erased:,} of them" if one.erased else ""
    whole = f", {one.unredacted:,} of them stored in full, though they are to be redacted" if one.unredacted else ""
    return f"  {one.in_okta:,} {'the same' if one.exact else 'NOT THE SAME'}{rejected}{whole}{erased}"


def _differences(one: Comparison, other: str) -> list[str]:
    return [
        *_listed("missing in OpenSearch", one.missing),
        *_listed(f"not in {other}", one.foreign),
        *_listed("more than once in OpenSearch", one.doubled),
        *_listed("not as Okta sent it", one.altered),
    ]


def _listed(what: str, ids: tuple[str, ...]) -> list[str]:
    if not ids:
        return []
    more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return [f"      {what}: {', '.join(map(one_line, ids[:_SHOWN]))}{more}"]
