"""Declares the dashboard of the pipeline's health."""

from __future__ import annotations

from typing import Final

from tools.dashboards.aggregations import count, metric, over_time, queries, terms
from tools.dashboards.charts import bars, lines, numbers, table
from tools.dashboards.objects import Dashboard, Panel, Search
from tools.dashboards.patterns import EVENTS, LEDGER, REJECTED

_WINDOWS: Final = count("Windows")
_EVENTS: Final = count("Events")
_KIND: Final = terms("kind", "Kind of load")
_STATE: Final = terms("state", "State")
_WINDOW: Final = over_time("window_start")


UNFINISHED: Final = Search(
    "Windows that are not complete",
    LEDGER,
    "NOT state:(complete OR older_than_kept)",
    ("org", "kind", "state", "tries", "window_end", "error", "run_url"),
    "Windows whose newest load runs or failed, with the log of the run.",
)
REFUSED: Final = Search(
    "Rejected events",
    REJECTED,
    "",
    ("reason_type", "reason", "intended_index", "published", "org", "load_kind", "run_id"),
    "Events that OpenSearch refused or that could not be read, kept whole.",
)
LATE: Final = Search(
    "Events that the loads missed",
    EVENTS,
    "oktalogger.load_kind:reconcile",
    ("eventType", "oktalogger.lateness_ms", "oktalogger.org", "oktalogger.run_id"),
    "Events that only a later reading found.",
)
DRIFTED: Final = Search(
    "Events stored without a part",
    EVENTS,
    "oktalogger.drifted:*",
    ("eventType", "oktalogger.drifted", "oktalogger.org"),
    "Events with a field of another type than the mapping's; the part stands as text in oktalogger.unmapped.",
)

DASHBOARD: Final = Dashboard(
    "Health of the pipeline",
    "Whether every window is loaded, how late events are, and what was refused.",
    "now-24h",
    (
        (
            Panel(
                numbers(
                    "Windows in numbers",
                    LEDGER,
                    "",
                    (_WINDOWS,),
                    queries(
                        {
                            "Complete": "state:(complete OR older_than_kept)",
                            "Running": "state:running",
                            "Failed": "NOT state:(complete OR older_than_kept OR running)",
                        }
                    ),
                ),
                24,
                9,
            ),
            Panel(
                numbers(
                    "Events in numbers",
                    LEDGER,
                    "",
                    (
                        metric("sum", "counts.created", "Stored"),
                        metric("sum", "counts.late", "Late"),
                        metric("sum", "counts.rejected", "Rejected"),
                        metric("sum", "counts.drifted", "Without a part"),
                    ),
                ),
                24,
                9,
            ),
        ),
        (
            Panel(
                bars(
                    "Events by kind of load",
                    EVENTS,
                    "",
                    (_EVENTS,),
                    over_time("published"),
                    terms("oktalogger.load_kind", "Kind of load"),
                )
            ),
            Panel(bars("Windows by state", LEDGER, "", (_WINDOWS,), _WINDOW, _STATE)),
        ),
        (
            Panel(
                lines(
                    "Seconds from event to OpenSearch",
                    LEDGER,
                    "kind:scheduled",
                    (
                        metric("avg", "lateness.p50", "Half of the events"),
                        metric("max", "lateness.p95", "95 of 100"),
                        metric("max", "lateness.max", "Slowest"),
                    ),
                    _WINDOW,
                )
            ),
            Panel(
                lines(
                    "Okta's rate limit",
                    LEDGER,
                    "",
                    (metric("max", "rate.limit", "Limit"), metric("min", "rate.remaining", "Fewest left")),
                    _WINDOW,
                )
            ),
        ),
        (
            Panel(
                table(
                    "Loads by kind",
                    LEDGER,
                    "",
                    (
                        _WINDOWS,
                        metric("sum", "counts.read", "Read"),
                        metric("sum", "counts.created", "Stored"),
                        metric("sum", "counts.existing", "Already there"),
                        metric("sum", "counts.requests", "Requests"),
                        metric("avg", "counts.seconds", "Time"),
                    ),
                    (terms("org", "Org"), _KIND),
                ),
                32,
            ),
            Panel(
                bars(
                    "Waiting for Okta's rate limit",
                    LEDGER,
                    "",
                    (metric("sum", "counts.waited_seconds", "Seconds"),),
                    _WINDOW,
                    _KIND,
                ),
                16,
            ),
        ),
        (
            Panel(
                table(
                    "Newest event of each org",
                    EVENTS,
                    "",
                    (
                        metric("max", "published", "Newest event"),
                        metric("max", "oktalogger.ingested_at", "Last stored"),
                        _EVENTS,
                    ),
                    (terms("oktalogger.org", "Org"),),
                ),
                24,
            ),
            Panel(
                table(
                    "Why events were rejected",
                    REJECTED,
                    "",
                    (_EVENTS, metric("max", "at", "Last")),
                    (terms("reason_type", "Reason"), terms("load_kind", "Kind of load")),
                ),
                24,
            ),
        ),
        (Panel(UNFINISHED, 48, 14),),
        (Panel(REFUSED, 24, 14), Panel(LATE, 24, 14)),
        (Panel(DRIFTED, 48, 14),),
    ),
)
