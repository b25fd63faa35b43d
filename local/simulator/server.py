"""Runs the application with uvicorn, and says on standard output when it is ready."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
from typing import TYPE_CHECKING

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from local.simulator.app import make_app
from local.simulator.misbehave import transports
from local.simulator.world.event import timestamp

if TYPE_CHECKING:
    from local.simulator.org import Org


class Protocol(HttpToolsProtocol):
    """Uvicorn's, which also remembers its connections, so that faults can break them."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A caller connects."""
        transports[transport.get_extra_info("peername")[:2]] = transport
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """A caller is gone."""
        transports.pop(self.transport.get_extra_info("peername")[:2], None)
        super().connection_lost(exc)


def ready_line(org: Org, port: int) -> str:
    """One line of JSON: where the simulator is, and how to get in. It holds secrets, which open nothing else."""
    settings = org.settings
    url = settings.public_url or f"http://{settings.host}:{port}"
    return json.dumps(
        {
            "ready": True,
            "url": url,
            "host": settings.host,
            "port": port,
            "token": next(iter(org.tokens.api), None),
            "client_id": next(iter(org.clients), None),
            "seed": settings.seed,
            "rate": settings.rate,
            "start": timestamp(settings.start_us),
            "now": timestamp(org.clock.now_us()),
            "control": f"{url}/_control",
        }
    )


async def _serve(org: Org) -> None:
    settings = org.settings
    config = uvicorn.Config(
        make_app(org), http=Protocol, host=settings.host, port=settings.port, log_level="warning", access_log=False,
        date_header=False, server_header=False, proxy_headers=False, lifespan="off", timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)
    listener = socket.create_server((settings.host, settings.port), backlog=512)
    print(ready_line(org, listener.getsockname()[1]), flush=True)
    watch = asyncio.create_task(_watch(server, settings.parent)) if settings.parent else None
    await server.serve(sockets=[listener])
    if watch is not None:
        watch.cancel()


async def _watch(server: uvicorn.Server, parent: int) -> None:
    """End the server once the process that started it is gone, so that a killed test leaves nothing behind."""
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
    server.should_exit = True


def run(org: Org) -> None:
    """Serve until SIGINT or SIGTERM.

    :raises OSError: for a port that is taken
    """
    # Made events are many, and none is ever part of a cycle: looking for cycles often would only cost time.
    gc.set_threshold(200_000, 50, 100)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(org))
