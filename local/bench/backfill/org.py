"""The simulated org in this process, over HTTP, with a clock of ours."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
import uvloop

from local.simulator.app import make_app
from local.simulator.clock import Clock
from local.simulator.limits import LimitSettings
from local.simulator.org import Org, found
from local.simulator.settings import Settings
from local.simulator.world.lateness import Lateness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from local.bench.backfill.virtual import VirtualTime

# Opens nothing but the simulator of this process.
TOKEN = "00" + "b" * 40
# Longer than Okta's 90 days: events that Okta deletes while a slow backfill runs would blur what is compared.
RETENTION_DAYS = 120
_DAY_US = 86_400 * 1_000_000


class VirtualClock(Clock):
    """The simulator's clock, told by a virtual time."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__(0)
        self._time = time

    def now_us(self) -> int:
        """Microseconds since 1970."""
        return self._time.now_us()


@dataclass(frozen=True, slots=True)
class HostedOrg:
    """An org that answers.

    :param org: its state
    :param url: where it answers
    """

    org: Org
    url: str

    def events(self, since: datetime, until: datetime) -> dict[str, int]:
        """Return when each event of ``[since, until)`` was published, in microseconds since 1970, by uuid."""
        first, last = (int(moment.timestamp() * 1_000_000) for moment in (since, until))
        minutes = self.org.timeline.everything(first, last)
        return {event.uuid: event.published_us for minute in minutes for event in minute}


@contextmanager
def hosted(
    time: VirtualTime, *, seed: str, rate: float, per_minute: int, others: int, start: datetime
) -> Iterator[HostedOrg]:
    """Serve an org for the length of a ``with`` block.

    :param time: the time that the org lives by
    :param seed: equal seeds make equal events
    :param rate: mean events a minute
    :param per_minute: requests a minute that Okta allows, and names in its headers
    :param others: how many of them other programs spend
    :param start: when the history begins
    """
    org = found(
        Settings(
            seed=seed,
            rate=rate,
            start_us=int(start.timestamp() * 1_000_000),
            tokens=(TOKEN,),
            # The token may use all of the org's limit, so that the headers name the limit that is meant.
            limits=LimitSettings(per_minute, token_share=1.0, others=others, offset_seconds=17),
            lateness=Lateness(usual=0.0),
            cache_bytes=64 * 1024 * 1024,
        )
    )
    org.clock = VirtualClock(time)
    org.timeline.retention_us = RETENTION_DAYS * _DAY_US
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    config = uvicorn.Config(
        make_app(org), log_level="warning", access_log=False, date_header=False, server_header=False, lifespan="off"
    )
    server = uvicorn.Server(config)

    def serve() -> None:
        # The loop of asyncio itself would answer each request 40 ms late: it sets no TCP_NODELAY here.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield HostedOrg(org, f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listener.close()
