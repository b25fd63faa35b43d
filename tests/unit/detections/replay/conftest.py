"""The server that answers as it is told, of the tests of ``opensearch``."""

from __future__ import annotations

from tests.unit.opensearch.conftest import client, server

__all__ = ["client", "server"]
