"""The simulated org: all of its state, for the endpoints to share."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from local.simulator.auth import ApiToken, Tokens
from local.simulator.clock import Clock
from local.simulator.faults import Faults
from local.simulator.limits import Limits
from local.simulator.oauth.clients import Client, encode, register
from local.simulator.oauth.dpop import Proofs
from local.simulator.world import Event, Timeline, World, bodies
from local.simulator.world.event import MINUTE, stream, timestamp

if TYPE_CHECKING:
    from local.simulator.limits import Violation
    from local.simulator.settings import Settings

_REMEMBERED = 1000


@dataclass
class Org:
    """Everything that an endpoint may need.

    :param cursor_key: signs cursors, so that one simulator's cursors hold after a restart with the same seed
    """

    settings: Settings
    clock: Clock
    timeline: Timeline
    limits: Limits
    tokens: Tokens
    cursor_key: bytes
    proofs: Proofs
    clients: dict[str, Client] = field(default_factory=dict)
    assertions: set[str] = field(default_factory=set)
    """Ids of client assertions that have been used."""
    faults: Faults = field(default_factory=Faults)
    counters: Counter[str] = field(default_factory=Counter)
    requests: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    written: int = 0
    transfer: str = "plain"

    def write(self, body: dict[str, Any], *, published_us: int | None = None, persisted_us: int | None = None) -> Event:
        """Put one event into the System Log, completed with ``uuid`` and ``published`` if it has none.

        :param published_us: when it happened; now, if not said
        :param persisted_us: when it can be read; at once, if not said
        """
        self.written += 1
        published = self.clock.now_us() if published_us is None else published_us
        if "published" not in body:
            published = published // 1000 * 1000
        body.setdefault("uuid", bodies.uuid(stream(self.settings.seed, "written", self.written, published)))
        body.setdefault("published", timestamp(published))
        persisted = published if persisted_us is None else persisted_us
        event = Event(published, 0, body["uuid"], persisted, msgspec.json.encode(body))
        return self.timeline.add([event])[0]

    def reset(self, only: list[str] | None = None) -> None:
        """Begin anew, as when it was started.

        :param only: parts out of ``PARTS``; all of them, if not said
        :raises ValueError: for other parts
        """
        parts = set(PARTS if only is None else only)
        if not parts <= set(PARTS):
            raise ValueError(f"parts are {', '.join(PARTS)}")
        settings = self.settings
        if "clock" in parts:
            self.clock = Clock(settings.frozen_us)
        if "events" in parts:
            self.written = 0
            self.timeline.reset()
            for name, at_us in settings.stories:
                self.timeline.tell(name, at_us)
        if "limits" in parts:
            self.transfer = settings.transfer
            self.limits.settings = settings.limits
            self.limits.reset()
        if "tokens" in parts:
            self.tokens = _tokens(settings, self.timeline.world)
            self.proofs.at_resource = "none"
        if "faults" in parts:
            self.faults.clear()
            self.faults.fired.clear()
        if "counters" in parts:
            self.counters.clear()
            self.requests.clear()

    def report(self, violations: list[Violation]) -> None:
        """Write the events about buckets that were used up."""
        now = self.clock.now_us()
        for violation in violations:
            self.counters["violations"] += 1
            whom = "the org" if violation.bucket == "org" else f"token {violation.bucket}"
            rng = stream(self.settings.seed, "violation", violation.bucket, now // MINUTE)
            debug = {
                "requestUri": "/api/v1/logs", "url": "/api/v1/logs?", "rateLimitBucketUuid": bodies.uuid(rng),
                "operationRateLimitType": "web_request", "operationRateLimitScopeType": "ORG"
                if violation.bucket == "org" else "TOKEN", "operationRateLimitThreshold": str(violation.limit),
                "operationRateLimitSubtype": "System Log", "operationRateLimitTimeSpan": "1",
                "operationRateLimitTimeUnit": "MINUTES",
            }  # fmt: skip
            body = bodies.job(
                "system.org.rate_limit.violation", "Rate limit violation", transaction=bodies.hex_id(rng), debug=debug,
                severity="WARN", result=bodies.outcome("RATE_LIMIT", f"Rate limit of {whom} reached"), legacy=
                "core.framework.ratelimit.exceeded", targets=[{"id": "/api/v1/logs", "type": "URL Pattern",
                "alternateId": violation.bucket, "displayName": None, "detailEntry": None}],
            )  # fmt: skip
            self.write(body, published_us=now)
        violations.clear()


PARTS = ("faults", "counters", "limits", "events", "tokens", "clock")
"""What can be reset."""


def found(settings: Settings) -> Org:
    """Make the org that the settings describe."""
    clock = Clock(settings.frozen_us)
    world = World(settings.seed, settings.rate, settings.people, settings.rhythm, settings.oddities, settings.lateness)
    timeline = Timeline(world, settings.start_us, settings.cache_bytes, end_us=settings.end_us)
    for name, at_us in settings.stories:
        timeline.tell(name, at_us)
    key = hashlib.blake2b(f"cursor {settings.seed}".encode(), digest_size=16).digest()
    tokens = _tokens(settings, world)
    org = Org(settings, clock, timeline, Limits(settings.limits), tokens, key, Proofs(key))
    org.transfer = settings.transfer
    if settings.oauth_client is not None:
        client = _client(Path(settings.oauth_client))
        org.clients[client.client_id] = client
    return org


def _tokens(settings: Settings, world: World) -> Tokens:
    names = (world.company.api_token.id, *(f"00Tsimulatortoken{number:03d}" for number in range(1, 100)))
    return Tokens({secret: ApiToken(name) for secret, name in zip(settings.tokens, names, strict=False)})


def _client(file: Path) -> Client:
    """The client that a file describes; a file that is not there is written, with a new key."""
    wish = msgspec.json.decode(file.read_bytes(), type=dict[str, Any]) if file.exists() else {}
    client, described = register(wish)
    if not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
            made.write(encode(described))
    return client
