"""Sends metrics to StatsD or OpenTelemetry, whichever Airflow is configured for. Names: docs/metrics.md."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from oktalogger.compat import Stats, flush_stats

if TYPE_CHECKING:
    from oktalogger.pipeline.load import LoadPlan
    from oktalogger.pipeline.load_result import LoadResult
    from oktalogger.pipeline.reconcile import Findings

COUNTERS: Final = (
    "requests",
    "waits",
    "read",
    "created",
    "existing",
    "late",
    "rejected",
    "drifted",
    "altered",
    "retried",
)


def measure_load(result: LoadResult, plan: LoadPlan, *, newest: datetime | None, now: datetime) -> None:
    """Send the counts of one load.

    :param result: the counts
    :param plan: the plan of the load
    :param newest: end of the newest complete window of the org, if somebody knows it
    :param now: the time
    """
    tags = {"org": plan.stamp.org, "kind": plan.stamp.kind}
    for name in COUNTERS:
        Stats.incr(f"oktalogger.load.{name}", getattr(result, name), tags=tags)
    Stats.timing("oktalogger.load.duration", timedelta(seconds=result.seconds), tags=tags)
    Stats.timing("oktalogger.load.waited", timedelta(seconds=result.waited_seconds), tags=tags)
    if result.lateness.count:
        Stats.gauge("oktalogger.load.lateness_max_seconds", result.lateness.max_seconds, tags=tags)
        Stats.gauge("oktalogger.load.lateness_p95_seconds", result.lateness.percentile(95), tags=tags)
    if result.rate_remaining is not None:
        Stats.gauge("oktalogger.load.rate_remaining", result.rate_remaining, tags=tags)
    if newest is not None:
        measure_behind(plan.stamp.org, newest, now)
    flush_stats()


def measure_failure(plan: LoadPlan, *, newest: datetime | None, now: datetime) -> None:
    """Send that a load failed, and how far behind its org is now.

    :param plan: the plan of the load
    :param newest: end of the newest complete window of the org, if somebody knows it
    :param now: the time
    """
    Stats.incr("oktalogger.load.failed", 1, tags={"org": plan.stamp.org, "kind": plan.stamp.kind})
    if newest is not None:
        measure_behind(plan.stamp.org, newest, now)
    flush_stats()


def measure_behind(org: str, newest: datetime, now: datetime) -> None:
    """Send how long ago the newest complete window ended.

    :param org: the org's host name
    :param newest: that window's end
    :param now: the time
    """
    Stats.gauge("oktalogger.load.behind_seconds", (now - newest).total_seconds(), tags={"org": org})
    flush_stats()


def measure_findings(org: str, findings: Findings) -> None:
    """Send the findings of reconcile.

    :param org: the org's host name
    :param findings: the findings
    """
    tags = {"org": org}
    Stats.gauge("oktalogger.reconcile.late", findings.late, tags=tags)
    Stats.gauge("oktalogger.reconcile.late_max_seconds", findings.late_max_seconds, tags=tags)
    Stats.gauge("oktalogger.reconcile.missed_max_seconds", findings.missed_seconds, tags=tags)
    Stats.gauge("oktalogger.reconcile.refused", findings.refused, tags=tags)
    Stats.gauge("oktalogger.reconcile.damaged_hours", len(findings.damaged), tags=tags)
    Stats.gauge("oktalogger.reconcile.gap_seconds", findings.gap_seconds, tags=tags)
    Stats.gauge("oktalogger.reconcile.unread", len(findings.unread), tags=tags)
    flush_stats()


def measure_monitors(ailing: int) -> None:
    """Send how many monitors fail, do not run, or are switched off by hand.

    :param ailing: how many
    """
    Stats.gauge("oktalogger.detections.monitors_ailing", ailing)
    flush_stats()
