"""``python -m local.bench.backfill``: backfill 90 days during live loads, under Okta's rate limit.

What runs is the code that Airflow's tasks run (budget, client, paging, load, ledger entries), against the simulated
org over HTTP. The clock is a virtual one, and OpenSearch is replaced by memory, in which each uuid is counted. A page
has 5 events instead of Okta's thousand, because the limit counts requests.

Writes ``build/backfill.json``, one object per limit, and ``build/backfill-five-minutes.json``, the same history in
windows of five minutes. Ends with 1 if a figure is not what it has to be.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from local.bench.backfill.figures import line, measure, problems
from local.bench.backfill.scenario import Scenario

BUILD: Final = Path("build")


def write(name: str, rows: Any) -> None:
    """Write figures into the build folder."""
    BUILD.mkdir(exist_ok=True)
    (BUILD / name).write_text(json.dumps(rows, indent=2) + "\n")


def main() -> int:
    """Run all limits, then the five-minute windows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limits", type=int, nargs="+", default=[120, 60, 20], help="requests a minute")
    parser.add_argument("--days", type=float, default=90.0)
    parser.add_argument(
        "--rate", type=float, default=Scenario(limit=0).rate, help="events a minute; 200 stand for each"
    )
    parser.add_argument("--seed", default="backfill")
    parser.add_argument("--five-minutes", type=int, default=60, metavar="LIMIT", help="0 leaves this part out")
    arguments = parser.parse_args()
    scenario = Scenario(limit=0, days=arguments.days, rate=arguments.rate, seed=arguments.seed)
    scenarios = [replace(scenario, limit=limit) for limit in arguments.limits]
    if arguments.five_minutes:
        scenarios.append(replace(scenario, limit=arguments.five_minutes, chunk=timedelta(minutes=5)))
    began = time.monotonic()
    rows = []
    # Each has a clock and an org of its own, so they may run side by side.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as processes:
        for row in processes.map(measure, scenarios):
            print(f"{time.monotonic() - began:>5.0f} s {line(row)}", flush=True)
            rows.append(row)
    if arguments.five_minutes:
        write("backfill-five-minutes.json", rows.pop())
    write("backfill.json", rows)
    wrong = [problem for row in rows for problem in problems(row)]
    print("\n".join(f"NOT AS IT HAS TO BE: {problem}" for problem in wrong) or f"The figures are in {BUILD}/.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
