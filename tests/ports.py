"""A port for a server that a test starts."""

from __future__ import annotations

from local.ports import free_port

__all__ = ["free_port"]
