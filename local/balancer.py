"""Stands before the nodes of OpenSearch, as a load balancer does: each connection goes to a node that takes it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager, suppress
from itertools import cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CONNECT_SECONDS = 2.0


@contextmanager
def balancer(ports: Sequence[int]) -> Iterator[str]:
    """Serve until the block is left.

    :param ports: of the nodes
    :return: the address
    """
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    turns = cycle(range(len(ports)))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(turns)
        for port in [*ports[first:], *ports[:first]]:
            with suppress(OSError, TimeoutError):
                node = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), _CONNECT_SECONDS)
                await asyncio.gather(_pass_on(reader, node[1]), _pass_on(node[0], writer))
                return
        writer.close()

    async def begin() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0)

    server = asyncio.run_coroutine_threadsafe(begin(), loop).result()
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while some := await reader.read(65_536):
            writer.write(some)
            await writer.drain()
    writer.close()
