"""The simulated org: all of its state, for the endpoints to share."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from local.simulator.auth import ApiToken, Tokens
from local.simulator.clock import Clock
from local.simulator.limits import Limits
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
    counters: Counter[str] = field(default_factory=Counter)
    requests: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _written: int = 0

    def write(self, body: dict[str, Any], *, published_us: int | None = None, persisted_us: int | None = None) -> Event:
        """Put one event into the System Log, completed with ``uuid`` and ``published`` if it has none.

        :param published_us: when it happened; now, if not said
        :param persisted_us: when it can be read; at once, if not said
        """
        self._written += 1
        published = (self.clock.now_us() if published_us is None else published_us) // 1000 * 1000
        body.setdefault("uuid", bodies.uuid(stream(self.settings.seed, "written", self._written, published)))
        body.setdefault("published", timestamp(published))
        persisted = published if persisted_us is None else persisted_us
        event = Event(published, 0, body["uuid"], persisted, msgspec.json.encode(body))
        return self.timeline.add([event])[0]

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


def found(settings: Settings) -> Org:
    """Make the org that the settings describe."""
    clock = Clock(settings.frozen_us)
    world = World(settings.seed, settings.rate, settings.people, settings.rhythm, settings.oddities, settings.lateness)
    timeline = Timeline(world, settings.start_us, settings.cache_bytes)
    for name, at_us in settings.stories:
        timeline.tell(name, at_us)
    tokens = Tokens()
    for number, secret in enumerate(settings.tokens):
        name = world.company.api_token.id if not number else f"00Tsimulatortoken{number:04d}"
        tokens.api[secret] = ApiToken(name)
    key = hashlib.blake2b(f"cursor {settings.seed}".encode(), digest_size=16).digest()
    return Org(settings, clock, timeline, Limits(settings.limits), tokens, key)
