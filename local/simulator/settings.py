"""Holds the settings that a simulator starts with."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.simulator.limits import DEFAULT, LimitSettings
from local.simulator.world.lateness import USUAL
from local.simulator.world.oddities import NONE

if TYPE_CHECKING:
    from local.simulator.world import Lateness, Oddities


TRANSFERS = ("plain", "gzip", "chunked")
"""With its length; compressed for callers who take that; in chunks, without its length."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the command line can say.

    :param start_us: where history begins, microseconds since 1970
    :param end_us: from when on nothing happens any more; ``None`` goes on for ever
    :param frozen_us: the instant at which the clock stands; ``None`` follows the machine
    :param tokens: API tokens with full rights
    :param control_token: bearer of the control endpoint; without one it answers loopback only
    :param transfer: how bodies travel: one of ``TRANSFERS``
    :param parent: id of the process whose end ends the simulator
    :param latency: seconds that every answer takes
    :param stories: names with the instant each begins
    """

    host: str = "127.0.0.1"
    port: int = 0
    seed: str = "1"
    rate: float = 60.0
    people: int = 400
    rhythm: str = "office"
    start_us: int = 0
    end_us: int | None = None
    frozen_us: int | None = None
    tokens: tuple[str, ...] = field(default=(), repr=False)
    oauth_client: str | None = None
    limits: LimitSettings = DEFAULT
    lateness: Lateness = USUAL
    oddities: Oddities = NONE
    stories: tuple[tuple[str, int], ...] = ()
    control_token: str | None = field(default=None, repr=False)
    latency: float = 0.0
    cache_bytes: int = 256 * 1024 * 1024
    public_url: str | None = None
    transfer: str = "plain"
    parent: int | None = None


def make_token() -> str:
    """A new API token in Okta's form."""
    return "00" + secrets.token_urlsafe(30)
