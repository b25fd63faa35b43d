"""``python -m local.campaign``: run a campaign, print its figures, and write them to ``build/campaign.json``."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from local.campaign.plan import campaign
from local.campaign.run import run
from local.opensearch.releases import DEFAULT_VERSION
from local.paths import ROOT


def main() -> int:
    """Run it.

    :return: 0 if nothing was lost, doubled, wrong or complete too early, and enough went wrong on the way
    """
    parser = argparse.ArgumentParser(prog="python -m local.campaign", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of events and faults (default: %(default)s)")
    parser.add_argument("--events", type=int, default=1_000_000, help="at least so many (default: %(default)s)")
    parser.add_argument("--version", default=DEFAULT_VERSION, help="of OpenSearch (default: %(default)s)")
    parser.add_argument("--cluster", action="store_true", help="three nodes of OpenSearch, one of which dies at a time")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "campaign.json")
    parser.add_argument("--logs", type=Path, help="keep the logs of all processes in this folder")
    given = parser.parse_args()
    # Ended from outside, it still ends what it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    heap = "400m" if given.cluster else "1g"
    plan = campaign(given.seed, given.events)
    report = run(plan, version=given.version, heap=heap, nodes=given.cluster, logs=given.logs)
    report.write(given.out)
    print(report.text())
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
