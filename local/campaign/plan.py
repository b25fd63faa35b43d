"""Plans a campaign from one seed: how many events over which time, and which faults when."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from local.simulator.world.event import MINUTE, microseconds
from local.simulator.world.traffic import WEEK

LIVE_INTERVAL: Final = timedelta(minutes=5)
# The longest that an event stays unreadable, and so how long reconcile has to go on after the last live window.
LONGEST_LATENESS: Final = timedelta(days=1)
SKEW_SECONDS: Final = 60.0
# Events of the whole time over those asked for, because their number is random.
_MARGIN: Final = 1.04
_MONDAY: Final = 3 * 24 * 4
_MIDDLE: Final = datetime(2026, 7, 1, tzinfo=UTC)  # live windows on both sides of a month's end

OKTA_FAULTS: Final = (
    "429-rate", "429-concurrency", "500-timeout", "500-internal", "502", "503", "503-read-only", "504", "reset",
    "cut-body", "reset-body", "slow-body", "looping-next", "returning-next", "vanishing-next", "empty-page",
    "expired-cursor", "401-passing", "403-passing", "404-passing", "outside-events",
)  # fmt: skip
OPENSEARCH_FAULTS: Final = (
    "opensearch-429", "opensearch-503", "opensearch-item-429", "opensearch-item-503", "opensearch-item-stored-503",
    "opensearch-answer-lost", "opensearch-answer-cut",
)  # fmt: skip
WORKER_KILLED: Final = "worker-killed"
RESTARTED: Final = ("opensearch-stopped", "opensearch-killed")
DISK_FULL: Final = "disk-full"
CLOCKS: Final = ("clock-ahead", "clock-behind")
MONTH_DELETED: Final = "month-deleted"
DAMAGE: Final = (MONTH_DELETED, "month-copied", "alias-filtered", "alias-lost", "write-alias-lost")
START_MOVED: Final = "start-date-moved"
S3_FAULTS: Final = ("s3-slow-down", "s3-internal-error", "s3-answer-lost", "s3-conflict", "s3-slow")
EVERY_KIND: Final = (
    *OKTA_FAULTS, *OPENSEARCH_FAULTS, *S3_FAULTS, WORKER_KILLED, *RESTARTED, DISK_FULL, *CLOCKS, *DAMAGE, START_MOVED
)  # fmt: skip
# What a moved start date leaves out.
LEFT_OUT: Final = timedelta(minutes=20)

ODDITIES: Final = (
    "poison", "drift", "duplicate", "huge", "target-null", "null-text", "unknown-fields", "number-for-text",
    "debug-objects", "fraction-6", "burst", "absurd-published", "half-surrogate", "deep", "out-of-order",
)  # fmt: skip
# Kinds of events of which there have to be some.
ODD_ONES: Final = ("poison", "duplicate", "drift", "absurd-published", "half-surrogate", "deep", "out-of-order")


@dataclass(frozen=True, slots=True, order=True)
class Injection:
    """One fault to come.

    :param at: when, as a share of the live time, 0 to 1
    :param kind: one of ``EVERY_KIND`` but the clocks, which belong to the workers
    :param seconds: for kinds that last
    """

    at: float
    kind: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign.

    :param seed: gives the same events and the same plan of faults
    :param events: how many there must be
    :param start: since when the org has events; up to ``live_start`` they are the backfill's
    :param live_start: when the five-minute loads begin
    :param end: when they end; nothing happens after it
    :param rate: mean events a minute over a week, for the simulator
    :param chunk: width of the backfill's windows
    :param page_limit: events a page
    :param speed: simulated seconds in one, at most
    :param injections: in order of time
    :param fewest_faults: how many must really have been delivered
    """

    seed: int
    events: int
    start: datetime
    live_start: datetime
    end: datetime
    rate: float
    chunk: str
    page_limit: int
    speed: float
    injections: tuple[Injection, ...]
    fewest_faults: int

    @property
    def settled(self) -> datetime:
        """When nothing can come late any more: the first reconcile run from then on is the last."""
        return self.end + LONGEST_LATENESS

    def progress(self, now: datetime) -> float:
        """The share of the live time that lies behind."""
        return (now - self.live_start) / (self.end - self.live_start)


def campaign(seed: int, events: int) -> Campaign:
    """Plan a campaign: two days of history and one of live loads for a million events, less for fewer.

    :param seed: any number
    :param events: at least this many will have happened
    """
    part = events / 1_000_000
    history, live = max(6, round(48 * part)), max(6, round(24 * part))
    live_start = _MIDDLE - timedelta(hours=live // 2)
    start, end = live_start - timedelta(hours=history), live_start + timedelta(hours=live)
    small = events < 100_000
    return Campaign(
        seed=seed,
        events=events,
        start=start,
        live_start=live_start,
        end=end,
        rate=events * _MARGIN / _busy_minutes(start, end),
        chunk="1 hour" if small else "6 hours",
        page_limit=100 if small else 500,
        speed=900.0 if small else 600.0,
        injections=_injections(seed, small=small),
        fewest_faults=80 if small else 600,
    )


def _busy_minutes(start: datetime, end: datetime) -> float:
    """Minutes, each counted as much as it is busier than the mean one."""
    first, last = (microseconds(moment) // MINUTE for moment in (start, end))
    return sum(WEEK[(number // 15 + _MONDAY) % len(WEEK)][0] for number in range(first, last))


def _injections(seed: int, *, small: bool) -> tuple[Injection, ...]:
    rng = random.Random(f"faults {seed}")  # noqa: S311
    counts = dict.fromkeys((*OKTA_FAULTS, *OPENSEARCH_FAULTS), 3 if small else 22)
    counts[WORKER_KILLED] = 8 if small else 80
    counts |= dict.fromkeys(RESTARTED, 1 if small else 2)
    counts[DISK_FULL] = 1 if small else 5
    counts |= dict.fromkeys(DAMAGE, 1 if small else 4)
    counts[MONTH_DELETED] = 1 if small else 2  # each costs reading a month again
    counts[START_MOVED] = 1 if small else 3
    made = []
    for kind, count in counts.items():
        for number in range(count):
            # One in each equal part of the time, so that no kind comes all at once, and none only at the end.
            at = 0.02 + 0.9 * (number + rng.random()) / count
            made.append(Injection(at, kind, _seconds(kind, number, rng, small=small)))
    return tuple(sorted(made))


def _seconds(kind: str, number: int, rng: random.Random, *, small: bool) -> float:
    match kind:
        case "429-rate":
            return float(rng.randrange(1, 60))  # simulated
        case "slow-body":
            return 0.3 if small else rng.uniform(0.3, 2.0)
        case "disk-full":
            # Every other one outlasts what a bulk request waits for, so that the task fails.
            return 3.0 if small else 40.0 if number % 2 else 8.0
        case "worker-killed":
            return rng.uniform(0.0, 0.4)
    return 0.0
