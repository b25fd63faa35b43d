"""Declares the dashboard of what the detections found."""

from __future__ import annotations

from typing import Final

from tools.dashboards.aggregations import count, metric, over_time, terms
from tools.dashboards.charts import bars, note, numbers, table
from tools.dashboards.objects import Dashboard, Panel, Search
from tools.dashboards.patterns import MATCHES

_MATCHES: Final = count("Matches")
_EVENTS: Final = metric("sum", "events", "Events")
_LAST: Final = metric("max", "last", "Last")
_SEVERITY: Final = terms("detection.severity", "Severity")
_WORDS: Final = """\
Each match is one rule and one group (an actor, an address, an application) that it fired for. Airflow stores matches
here when it runs the rules: after each load on a cluster without the Alerting plugin, and in replays.

**Monitors of the Alerting plugin keep their alerts themselves:** open Alerting in the menu.\
"""

NEWEST: Final = Search(
    "Findings",
    MATCHES,
    "",
    (
        "detection.severity",
        "detection.title",
        "group",
        "events",
        "last",
        "example",
        "org",
        "notified",
        "run_id",
    ),
    "What the detection rules found, newest first.",
)

DASHBOARD: Final = Dashboard(
    "Findings",
    "What the detection rules found, how bad it is, and whom it is about.",
    "now-7d",
    (
        (
            Panel(numbers("Findings by severity", MATCHES, "", (_MATCHES,), _SEVERITY), 32, 9),
            Panel(note("About findings", _WORDS), 16, 9),
        ),
        (Panel(bars("Findings over time", MATCHES, "", (_MATCHES,), over_time("first"), _SEVERITY), 48),),
        (
            Panel(
                table(
                    "Rules that fired",
                    MATCHES,
                    "",
                    (_MATCHES, _EVENTS, _LAST),
                    (_SEVERITY, terms("detection.title", "Rule", size=50)),
                ),
                height=16,
            ),
            Panel(
                table(
                    "Whom findings are about",
                    MATCHES,
                    "",
                    (_MATCHES, metric("cardinality", "detection.id", "Rules"), _LAST),
                    (terms("group", "Who or what", size=25),),
                ),
                height=16,
            ),
        ),
        (
            Panel(
                table(
                    "ATT&CK techniques",
                    MATCHES,
                    "",
                    (_MATCHES, metric("cardinality", "detection.id", "Rules")),
                    (terms("detection.attack", "Technique", size=25),),
                )
            ),
            Panel(table("Findings by org", MATCHES, "", (_MATCHES, _LAST), (terms("org", "Org"), _SEVERITY))),
        ),
        (Panel(NEWEST, 48, 20),),
    ),
)
