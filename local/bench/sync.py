"""Measures how long the sync of many rules takes if each request takes 10 ms.

``python -m local.bench.sync`` makes the monitors in the tests' stand-in for the Alerting plugin, over HTTP, with
somebody else's beside them, and prints how long a plan takes, and an apply that finds nothing to do.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.standins.alerting import AlertingStandIn
from local.standins.monitors import event_body, rules
from local.standins.transport import serve
from oktalogger.detections.monitors.api import MONITORS, AlertingClient
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.monitors.sync import apply_sync, plan_sync
from oktalogger.opensearch.client import OpenSearchSettings, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = Owner()


@dataclass(frozen=True, slots=True)
class Measured:
    """What the sync did, and how long it took.

    :param created: writes of the first apply
    :param unchanged: monitors that the plan found as they should be
    :param foreign: monitors of others that it found
    :param writes: writes of the second apply
    :param plan_requests: requests of the plan
    :param apply_requests: requests of the second apply
    :param plan_seconds: how long the plan took
    :param apply_seconds: how long the second apply took
    """

    created: int
    unchanged: int
    foreign: int
    writes: int
    plan_requests: int
    apply_requests: int
    plan_seconds: float
    apply_seconds: float


@contextmanager
def _connected(standin: AlertingStandIn, delay: float) -> Iterator[AlertingClient]:
    with serve(standin, delay=delay) as url:
        client = make_client(OpenSearchSettings(url=url))
        try:
            yield AlertingClient(client)
        finally:
            client.close()


def sync_of_many(number: int, *, foreign: int, delay: float) -> Measured:
    """Sync so many rules, then plan and apply once more.

    :param number: rules
    :param foreign: monitors of others
    :param delay: seconds that each request takes, but for those of the first apply
    """
    standin, wanted = AlertingStandIn(), rules(number)
    with _connected(standin, 0) as client:
        created = apply_sync(client, wanted, OWNER).writes
    for one in range(foreign):
        standin.handle("POST", MONITORS, event_body(number + 1) | {"name": f"Somebody's monitor {one}"})
    with _connected(standin, delay) as client:
        began = time.perf_counter()
        plan = plan_sync(client, wanted, OWNER)
        plan_seconds, plan_requests = time.perf_counter() - began, client.requests
        began = time.perf_counter()
        result = apply_sync(client, wanted, OWNER)
        apply_seconds = time.perf_counter() - began
    return Measured(
        created=created,
        unchanged=plan.counts["unchanged"],
        foreign=plan.foreign,
        writes=result.writes,
        plan_requests=plan_requests,
        apply_requests=result.requests,
        plan_seconds=plan_seconds,
        apply_seconds=apply_seconds,
    )


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, default=500)
    parser.add_argument("--foreign", type=int, default=100, help="monitors of others (default: %(default)s)")
    parser.add_argument("--delay", type=float, default=0.01, help="seconds that a request takes (default: %(default)s)")
    given = parser.parse_args()
    found = sync_of_many(given.rules, foreign=given.foreign, delay=given.delay)
    sys.stdout.write(
        f"{given.rules} rules, {given.foreign} monitors of others, {given.delay * 1000:.0f} ms a request: "
        f"plan {found.plan_seconds:.2f} s in {found.plan_requests} requests, apply of no change "
        f"{found.apply_seconds:.2f} s in {found.apply_requests} requests and {found.writes} writes\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
