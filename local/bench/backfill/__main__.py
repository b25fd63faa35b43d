"""``python -m local.bench.backfill``: 90 days of history beside live loads, under Okta's rate limit.

What runs is the code that Airflow's tasks run (budget, client, paging, load, ledger entries), against the simulated
org over HTTP. The clock is a virtual one, and OpenSearch is replaced by memory, in which each uuid is counted. A page
has 10 events instead of Okta's thousand, because the limit counts requests.

Writes ``build/backfill.json``, one object per limit, and ``build/backfill-five-minutes.json``, the same history in
windows of five minutes. Ends with 1 where a figure is not what it has to be.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from local.bench.backfill.scenario import Outcome, Scenario, run

BUILD: Final = Path("build")
LEAST_SHARE: Final = 0.97
MOST_SHARE: Final = 1.0
MOST_OVER: Final = 0.02
# Where pages of ten events are made, most of the time goes by in handing over between threads.
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
    """Run a scenario and print its line."""
    began = time.monotonic()
    row = figures(scenario, run(scenario))
    print(
        f"{row['limit']:>5} a minute, windows of {row['chunk']}: {row['requests']:,} requests in "
        f"{row['hours']:,.1f} h, {row['share_used']:.1%} of the share, {row['violations']} violations, "
        f"{row['late_windows']} of {row['live_windows']:,} live windows late, "
        f"{row['requests_over_minimum']:.2%} over the least requests ({time.monotonic() - began:.0f} s)",
        flush=True,
    )
    return row


def write(name: str, rows: Any) -> None:
    """Write figures into the build folder."""
    BUILD.mkdir(exist_ok=True)
    (BUILD / name).write_text(json.dumps(rows, indent=2) + "\n")


def main() -> int:
    """Run all limits, then the five-minute windows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limits", type=int, nargs="+", default=[120, 60, 20], help="requests a minute")
    parser.add_argument("--days", type=float, default=90.0)
    parser.add_argument("--seed", default="backfill")
    parser.add_argument("--five-minutes", type=int, default=60, metavar="LIMIT", help="0 leaves this part out")
    arguments = parser.parse_args()
    sys.setswitchinterval(_SWITCH_SECONDS)
    scenario = Scenario(limit=0, days=arguments.days, seed=arguments.seed)
    rows = [measure(replace(scenario, limit=limit)) for limit in arguments.limits]
    write("backfill.json", rows)
    if arguments.five_minutes:
        narrow = replace(scenario, limit=arguments.five_minutes, chunk=timedelta(minutes=5))
        write("backfill-five-minutes.json", measure(narrow))
    wrong = [problem for row in rows for problem in problems(row)]
    print("\n".join(f"NOT AS IT HAS TO BE: {problem}" for problem in wrong) or f"The figures are in {BUILD}/.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
