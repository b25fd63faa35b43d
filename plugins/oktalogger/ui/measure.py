"""Measures a snapshot: asks OpenSearch for everything that the Okta page shows of one org.

Counting 90 days costs what a run of reconcile costs. So all hours are counted once an hour, and between that, after
each load, only those of the last day, in a handful of small searches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.monitors.api import AlertingClient
from oktalogger.opensearch.errors import OpenSearchPermissionError
from oktalogger.opensearch.inventory import OpenSearchCensus
from oktalogger.opensearch.request import search
from oktalogger.pipeline.coverage import coverage
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.ui.addresses import events_template, system_log_template
from oktalogger.ui.found import ReadFindings, merge_findings, read_alerts, read_findings, rule_texts
from oktalogger.ui.hours import page_hours
from oktalogger.ui.kinds import kinds_by_hour
from oktalogger.ui.problems import Problems, find_problems
from oktalogger.ui.snapshot import PageHour, Snapshot, Standing, first_hour
from oktalogger.window import HOUR, Window, hour_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames
    from oktalogger.pipeline.ledger import LedgerEntry
    from oktalogger.settings import Settings
    from oktalogger.ui.snapshot import PageFinding

ALL_AFTER: Final = timedelta(minutes=55)
"""How long the numbers of old hours stay as they are."""
RECOUNTED: Final = timedelta(hours=25)
"""How far back each snapshot counts anew: reconcile reads the hour that ended a day ago."""
_DAY: Final = timedelta(days=1)
_MOST_REASONS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredOrg:
    """An org, and where its events are.

    :param client: OpenSearch
    :param names: the names of the deployment
    :param org: the org's host name
    :param conn_id: its Airflow connection
    :param settings: of the deployment
    :param filter: Okta's filter expression that the loads read through
    :param q: Okta's keyword search, likewise
    :param console_url: the org's Admin Console, if it does not follow from its host
    :param dashboards_url: OpenSearch Dashboards
    :param index_pattern: id of the index pattern there
    :param folders: the folders of rules, separated by commas; None takes those of the settings
    """

    client: OpenSearch
    names: IndexNames
    org: str
    conn_id: str
    settings: Settings
    filter: str | None = None
    q: str | None = None
    console_url: str | None = None
    dashboards_url: str | None = None
    index_pattern: str | None = None
    folders: str | None = None


def measure(of: MeasuredOrg, *, now: datetime, previous: Snapshot | None = None) -> Snapshot:
    """Measure one org.

    :param of: the org
    :param now: the time, in UTC
    :param previous: the snapshot before this one, whose old hours are taken over for an hour
    :return: a snapshot, which may be larger than Airflow's store should hold
    :raises OpenSearchLoadError: if OpenSearch cannot be asked
    """
    exactly, now = now, now.replace(microsecond=0)
    shown = Window(first_hour(now), hour_of(now) + HOUR)
    old = _usable(previous, of, now)
    counted = shown if old is None else Window(max(shown.start, hour_of(now - RECOUNTED)), shown.end)
    census = OpenSearchCensus(of.client, of.names)
    # The load that this snapshot follows has written to the ledger a moment ago.
    census.refresh()
    ledger = _ReadOnce(LedgerStore(of.client, of.names), of.org, counted)
    settings = of.settings
    asked_since = _asked_since(ledger.read, old)
    due = now - settings.interval - settings.hold_back
    found = coverage(
        ledger,
        census,
        of.org,
        counted,
        # A load that ended within this second has to be held against the index as well.
        now=exactly,
        kept=settings.retention,
        filter=of.filter,
        q=of.q,
    )
    hours = page_hours(
        found,
        [entry for entry in ledger.read if entry.reads_for(of.filter, of.q)],
        kinds_by_hour(of.client, of.names, of.org, counted),
        asked=Window(asked_since, due) if asked_since is not None and asked_since < due else None,
        now=now,
    )
    read, unread = _findings(of, shown)
    problems = find_problems(of.client, of.names, settings, of.folders, monitors=old is None)
    return Snapshot(
        org=of.org,
        conn_id=of.conn_id,
        made_at=now,
        counted_at=now if old is None else old.counted_at,
        hours=(*_kept_hours(old, shown.start, counted.start), *hours),
        standing=_standing(of, ledger.read, read.findings, old, shown, now),
        rules=rule_texts(read.rules, problems.detections),
        findings=read.findings,
        left_out=read.left_out,
        **_problems(problems, old, unread),
        asked_since=asked_since,
        console_url=system_log_template(of.org, of.console_url),
        events_url=events_template(of.dashboards_url, of.index_pattern or of.names.alias),
    )


def _usable(previous: Snapshot | None, of: MeasuredOrg, now: datetime) -> Snapshot | None:
    if previous is None or previous.org != of.org or not previous.hours:
        return None
    return previous if timedelta(0) <= now - previous.counted_at < ALL_AFTER else None


def _kept_hours(old: Snapshot | None, start: datetime, end: datetime) -> Sequence[PageHour]:
    return () if old is None else [hour for hour in old.hours if start <= hour.start < end]


def _asked_since(entries: Iterable[LedgerEntry], old: Snapshot | None) -> datetime | None:
    begun = [entry.window_start for entry in entries if entry.kind == "scheduled"]
    if old is not None and old.asked_since is not None:
        begun.append(old.asked_since)
    return min(begun, default=None)


def _findings(of: MeasuredOrg, shown: Window) -> tuple[ReadFindings, tuple[str, ...]]:
    """Read matches and alerts; say if this user may not read the alerts."""
    matches = read_findings(of.client, of.names, of.org, shown)
    try:
        alerts = read_alerts(AlertingClient(of.client), of.org, shown)
    except OpenSearchPermissionError as error:
        return matches, (f"Alerts of OpenSearch's monitors are not shown: {error}",)
    return merge_findings(matches, alerts), ()


def _problems(found: Problems, old: Snapshot | None, unread: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return what is wrong; of monitors, what was when they were last asked."""
    ailing = found.monitors if old is None else old.ailing
    unasked = found.notes if old is None else old.unasked
    return {
        "problems": (*found.rules, *ailing),
        "ailing": ailing,
        "notes": (*unasked, *unread),
        "unasked": unasked,
    }


def _standing(
    of: MeasuredOrg,
    entries: Sequence[LedgerEntry],
    findings: Sequence[PageFinding],
    old: Snapshot | None,
    shown: Window,
    now: datetime,
) -> Standing:
    before = Standing() if old is None else old.standing
    live = sorted((one for one in entries if one.kind == "scheduled"), key=lambda one: one.window_end)
    complete = [one.window_end for one in entries if one.covers_for(of.filter, of.q)]
    late = next((one.lateness for one in reversed(live) if one.is_done and one.lateness), None)
    asked = max((one for one in live if one.rate), key=_updated, default=None)
    done = dict(before.done)
    for one in entries:
        if one.is_done and one.updated_at is not None:
            done[one.kind] = max(done.get(one.kind, one.updated_at), one.updated_at.replace(microsecond=0))
    if findings:
        done["detections"] = max(finding.found_at for finding in findings)
    newest = max([*complete, *([before.newest] if before.newest else [])], default=None)
    return replace(
        before,
        newest=newest,
        lateness=dict(late) if late else before.lateness,
        lateness_of_a_day=max(
            (one.lateness.get("max", 0.0) for one in live if one.window_end > now - _DAY), default=0.0
        ),
        rate=before.rate if asked is None else {**asked.rate, "requests": int(asked.counts.get("requests", 0))},
        rejected=_rejected(of, shown),
        done={name: at.replace(microsecond=0) for name, at in sorted(done.items())},
    )


def _updated(entry: LedgerEntry) -> str:
    return entry.updated_at.isoformat() if entry.updated_at else ""


def _rejected(of: MeasuredOrg, within: Window) -> dict[str, int]:
    at = {"gte": within.start.isoformat(), "lt": within.end.isoformat()}
    body = {
        "size": 0,
        "query": {"bool": {"filter": [{"term": {"org": of.org}}, {"range": {"at": at}}]}},
        "aggs": {"reasons": {"terms": {"field": "reason_type", "size": _MOST_REASONS}}},
    }
    answer = search(of.client, of.names.rejected, body, doing="to count rejected events by reason")
    buckets: list[dict[str, Any]] = answer.get("aggregations", {}).get("reasons", {}).get("buckets", [])
    return {str(bucket["key"]): int(bucket["doc_count"]) for bucket in buckets}


class _ReadOnce:
    """The ledger's entries of one range, read once.

    :param ledger: where they are
    :param org: the org's host name
    :param within: the range, of whole hours
    """

    def __init__(self, ledger: LedgerStore, org: str, within: Window) -> None:
        self.read = list(ledger.entries(org, within))

    def entries(self, org: str, within: Window) -> Sequence[LedgerEntry]:
        """Return them, whatever range of whole hours is asked for: it is the one that was read."""
        return self.read
