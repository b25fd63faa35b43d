"""How long the sync of many rules takes when each request takes 10 ms, over HTTP."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from oktalogger.detections.alerting import AlertingClient
from oktalogger.detections.apply import apply_sync, plan_sync
from oktalogger.detections.stored import Owner
from oktalogger.opensearch.client import OpenSearchSettings, make_client
from tests.standin.alerting import AlertingStandIn
from tests.standin.transport import serve
from tests.unit.detections.builders import rules

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)
RULES = 500
OWNER = Owner()


@contextmanager
def connected(standin: AlertingStandIn, delay: float) -> Iterator[AlertingClient]:
    with serve(standin, delay=delay) as url:
        client = make_client(OpenSearchSettings(url=url))
        try:
            yield AlertingClient(client)
        finally:
            client.close()


def test_500_rules_are_planned_within_five_seconds_and_cost_no_write_when_nothing_changed() -> None:
    standin = AlertingStandIn()
    wanted = rules(RULES)
    with connected(standin, delay=0) as client:
        assert apply_sync(client, wanted, OWNER).writes == RULES
    # Foreign monitors have to be read too, to know that they are foreign.
    for number in range(100):
        body = wanted[0].body | {"name": f"Somebody's monitor {number}"}
        standin.handle("POST", "/_plugins/_alerting/monitors", body)
    with connected(standin, delay=0.01) as client:
        began = time.perf_counter()
        plan = plan_sync(client, wanted, OWNER)
        planned = time.perf_counter() - began
        began = time.perf_counter()
        result = apply_sync(client, wanted, OWNER)
        applied = time.perf_counter() - began
    logger.info("%d rules: plan %.2f s, apply of no change %.2f s", RULES, planned, applied)
    assert plan.counts["unchanged"] == RULES
    assert plan.foreign == 100
    assert result.writes == 0
    assert planned < 5
    assert applied < 5
