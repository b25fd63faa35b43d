"""Makes the simulated org misbehave: once, from a queue, or now and then, by seeded chance."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any

BEFORE = {
    "429-rate": "429 as when the rate limit is used up; `seconds` until its reset, else the window's end",
    "429-concurrency": "429 with limit 0 and remaining 0, as when too many requests are under way",
    "500-timeout": "500 E0000009, the query took too long",
    "500-internal": "500 E0000053, there's been an error",
    "502": "HTML of a gateway",
    "503": "HTML of a gateway",
    "503-read-only": "503 E0000010",
    "504": "HTML of a gateway",
    "html-200": "200 with a proxy's login page",
    "object-200": "200 with a JSON object where an array belongs",
    "redirect": "302 to another host",
    "401-passing": "401 E0000011, although the token is good",
    "403-passing": "403 E0000006, although the token may",
    "404-passing": "404 E0000007, although the endpoint is there",
    "reset": "the connection is reset before an answer",
    "stall": "no answer for `seconds`, then the connection is closed",
    "expired-cursor": "400 E0000001 for `after`; only requests with a cursor draw it",
}
AFTER = {
    "cut-body": "the connection closes in the middle of the body",
    "reset-body": "the connection is reset in the middle of the body",
    "slow-body": "the body drips for `seconds`",
    "looping-next": "`next` is the page itself",
    "returning-next": "`next` is the first page again",
    "vanishing-next": "there is no `next` although more is to come",
    "empty-page": "an empty page whose `next` has what this one should have had",
    "outside-events": "the page begins with events from before the range asked for, and ends with events from after it",
    "foreign-next": "`next` lies on another host",
    "comma-links": "all links in one header line",
}
KINDS = {**BEFORE, **AFTER}


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave.

    :param kind: a key of ``KINDS``
    :param times: how many requests it hits
    :param on: ``first`` hits only requests without a cursor, ``next`` only those with one
    :param skip: matching requests that it lets pass first
    :param path: the endpoint that it hits
    :param seconds: for kinds that take time
    """

    kind: str
    times: int = 1
    on: str = "any"
    skip: int = 0
    path: str = "/api/v1/logs"
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.on not in ("any", "first", "next") or self.times < 1:
            raise ValueError(f"not a fault: {self}; kinds are {', '.join(KINDS)}; on is any, first or next")

    def hits(self, path: str, *, cursor: bool) -> bool:
        """Whether a request is of the kind that this fault hits."""
        if path != self.path or (self.kind == "expired-cursor" and not cursor):
            return False
        return self.on == "any" or (self.on == "next") == cursor


@dataclass
class Faults:
    """What is to go wrong, and what has gone wrong."""

    queue: list[Fault] = field(default_factory=list)
    rates: dict[str, float] = field(default_factory=dict)
    seconds: float | None = None
    path: str = "/api/v1/logs"
    fired: Counter[str] = field(default_factory=Counter)
    _chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311

    def set_rates(self, rates: dict[str, float], seed: int = 1, seconds: float | None = None) -> None:
        """Let each request go wrong by chance.

        :param rates: probability by kind; their sum is at most 1
        :param seconds: for kinds that take time
        :raises ValueError: for unknown kinds and impossible probabilities
        """
        if not set(rates) <= set(KINDS) or any(rate < 0 for rate in rates.values()) or sum(rates.values()) > 1:
            raise ValueError(f"rates are probabilities by kind, at most 1 together; kinds are {', '.join(KINDS)}")
        self.rates, self.seconds = dict(rates), seconds
        self._chance.seed(seed)

    def draw(self, path: str, *, cursor: bool) -> Fault | None:
        """What goes wrong with a request, if anything: the queue goes before chance."""
        fault = self._queued(path, cursor=cursor) or self._by_chance(path, cursor=cursor)
        if fault is not None:
            self.fired[fault.kind] += 1
        return fault

    def spared(self, fault: Fault) -> None:
        """Take back a fault that met nothing to spoil: the next request that it hits gets it."""
        self.fired[fault.kind] -= 1
        self.queue.append(replace(fault, times=1, skip=0))

    def _queued(self, path: str, *, cursor: bool) -> Fault | None:
        for number, fault in enumerate(self.queue):
            if not fault.hits(path, cursor=cursor):
                continue
            if fault.skip:
                self.queue[number] = replace(fault, skip=fault.skip - 1)
                return None
            if fault.times > 1:
                self.queue[number] = replace(fault, times=fault.times - 1)
            else:
                del self.queue[number]
            return fault
        return None

    def _by_chance(self, path: str, *, cursor: bool) -> Fault | None:
        if not self.rates or path != self.path:
            return None
        draw = self._chance.random()
        for kind, rate in self.rates.items():
            if draw < rate:
                fault = Fault(kind, path=path, seconds=self.seconds)
                return fault if fault.hits(path, cursor=cursor) else None
            draw -= rate
        return None

    def describe(self) -> dict[str, Any]:
        """The queue, the chances, and how often each kind has happened."""
        return {"queue": [asdict(fault) for fault in self.queue], "rates": self.rates, "fired": dict(self.fired)}

    def clear(self) -> None:
        """Behave well from now on."""
        self.queue.clear()
        self.rates.clear()
