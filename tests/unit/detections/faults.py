"""Requests to the stand-in of Alerting of which some go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local.standins.alerting import AlertingStandIn
from local.standins.alerting_answers import Answer
from local.standins.transport import CutError, in_process_client
from oktalogger.detections.monitors.api import (
    AlertingClient,
)

Fault = Callable[[str, str], Answer | None]


def client_of(standin: AlertingStandIn, before: Fault | None = None, after: Fault | None = None) -> AlertingClient:
    """A client; ``before`` may answer instead of the stand-in, ``after`` in its place once it has done the work."""

    def handle(method: str, target: str, body: Any, headers: dict[str, str]) -> Answer:
        path = target.partition("?")[0]
        if before is not None and (answer := before(method, path)) is not None:
            return answer
        done = standin.handle(method, target, body, headers)
        if after is not None and (answer := after(method, path)) is not None:
            return answer
        return done

    return AlertingClient(in_process_client(handle), sleep=lambda _: None)


def once(method: str, path: str, action: Callable[[], Answer | None]) -> Fault:
    """Act on the first request of this kind."""
    left = [True]

    def fault(got_method: str, got_path: str) -> Answer | None:
        if left and got_method == method and got_path.startswith(path):
            left.clear()
            return action()
        return None

    return fault


def cut() -> Answer | None:
    raise CutError
