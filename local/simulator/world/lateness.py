"""Draws the time between an event and the moment when it can first be read.

Okta promises no bound: mostly a second or two, "up to 10 seconds" by a release note of 2018, now and then far more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.simulator.world.event import SECOND

if TYPE_CHECKING:
    import random

USUAL_CAP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Lateness:
    """A distribution of delays, in seconds.

    :param usual: mean of the everyday delay, never over ten seconds; 0 for none
    :param share: share of events in the long tail, 0 to 1
    :param longest: the end of the long tail, which begins at ten seconds and is even on a logarithmic scale
    """

    usual: float = 1.5
    share: float = 0.0
    longest: float = 3600.0

    def __post_init__(self) -> None:
        if self.usual < 0 or not 0 <= self.share <= 1 or self.longest < USUAL_CAP_SECONDS:
            raise ValueError(f"not a lateness: {self} (usual >= 0, share within 0..1, longest >= 10)")

    @property
    def horizon_us(self) -> int:
        """The longest delay that can come out, in microseconds."""
        return int((self.longest if self.share else USUAL_CAP_SECONDS if self.usual else 0) * SECOND)

    def draw(self, rng: random.Random) -> int:
        """One delay in microseconds. Always takes two numbers from the stream, so that settings do not shift it."""
        kind, size = rng.random(), rng.random()
        if kind < self.share:
            return int(USUAL_CAP_SECONDS * math.pow(self.longest / USUAL_CAP_SECONDS, size) * SECOND)
        return int(min(-self.usual * math.log(1.0 - size), USUAL_CAP_SECONDS) * SECOND)


USUAL = Lateness()
AT_ONCE = Lateness(usual=0.0)


def parse(text: str) -> Lateness:
    """Read the command line's form: ``none``, ``okta``, or ``usual=1.5,share=0.001,longest=86400``.

    :raises ValueError: saying what is wrong
    """
    if text in ("none", "okta"):
        return AT_ONCE if text == "none" else USUAL
    fields = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
    unknown = set(fields) - {"usual", "share", "longest"}
    if not fields or unknown:
        raise ValueError(f"lateness is none, okta, or usual=S,share=0..1,longest=S, not {text!r}")
    return Lateness(**{name: float(value) for name, value in fields.items()})
