"""A port for a server that is started some time after its port has to be known."""

from __future__ import annotations

import random
import socket


def free_port() -> int:
    """Return a port that nobody listens on, below those that the system hands out by itself: it will stay free."""
    for port in random.sample(range(20_000, 30_000), 20):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("none of twenty ports is free")
