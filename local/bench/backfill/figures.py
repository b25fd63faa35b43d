"""Writes the figures of a run, and checks them against their limits."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from local.bench.backfill.scenario import run

if TYPE_CHECKING:
    from local.bench.backfill.scenario import Outcome, Scenario

LEAST_SHARE: Final = 0.97
MOST_SHARE: Final = 1.0
MOST_OVER: Final = 0.02
# If pages of a few events are made, most of the time goes by in handing over between threads.
_SWITCH_SECONDS: Final = 0.0002


def figures(scenario: Scenario, outcome: Outcome) -> dict[str, Any]:
    """Return what is written of one run. Parts are parts of 1."""
    return {
        "limit": scenario.limit,
        "share_used": round(outcome.share_used(scenario), 4),
        "violations": outcome.violations,
        "late_windows": outcome.late_windows,
        "requests_over_minimum": round(outcome.requests_over_minimum, 4),
        "share": scenario.settings.backfill_share,
        "chunk": str(scenario.chunk),
        "windows": outcome.windows,
        "requests": outcome.requests,
        "hours": round(outcome.minutes / 60, 2),
        "live_windows": outcome.live_windows,
        "quiet_windows": outcome.quiet_windows,
        "quiet_requests": outcome.quiet_requests,
        "live_slowest_seconds": round(outcome.latest_seconds, 1),
        "most_requests_in_a_minute": outcome.most_in_a_minute,
        "lost": outcome.lost,
        "unknown": outcome.unknown,
    }


def problems(row: dict[str, Any]) -> list[str]:
    """Return what is not as it has to be, in sentences."""
    found = []
    if not LEAST_SHARE <= row["share_used"] <= MOST_SHARE + 0.01:
        found.append(f"{row['share_used']:.1%} of the share was used: it has to be {LEAST_SHARE:.0%} to 100 %")
    if row["requests_over_minimum"] > MOST_OVER:
        found.append(f"{row['requests_over_minimum']:.1%} more requests than the least possible")
    if row["quiet_requests"] != row["quiet_windows"]:
        found.append(f"{row['quiet_windows']} quiet windows cost {row['quiet_requests']} requests")
    found += [f"{row[name]:,} {name}" for name in ("violations", "late_windows", "lost", "unknown") if row[name]]
    return [f"at {row['limit']} requests a minute: {problem}" for problem in found]


def measure(scenario: Scenario) -> dict[str, Any]:
    """Run a scenario in this process."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    return figures(scenario, run(scenario))


def line(row: dict[str, Any]) -> str:
    """Say a run in a line."""
    return (
        f"{row['limit']:>5} a minute, windows of {row['chunk']}: {row['requests']:,} requests in "
        f"{row['hours']:,.1f} h, {row['share_used']:.1%} of the share, {row['violations']} violations, "
        f"{row['late_windows']} of {row['live_windows']:,} live windows late, "
        f"{row['requests_over_minimum']:.2%} over the least requests"
    )
