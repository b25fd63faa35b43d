"""One run: a backfill and the live loads beside it, by the code that Airflow's tasks run."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from local.bench.backfill.memory import Memory
from local.bench.backfill.org import TOKEN, HostedOrg, hosted
from local.bench.backfill.virtual import VirtualTime
from oktalogger.okta.auth import SswsAuth
from oktalogger.okta.client import OktaClient
from oktalogger.okta.rate_budget import RateBudget
from oktalogger.okta.system_log import SystemLogClient
from oktalogger.pipeline.backfill import BackfillRequest, to_load
from oktalogger.pipeline.document import LoadKind, Stamp
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.pipeline.share import share_of
from oktalogger.settings import Settings
from oktalogger.window import Window

if TYPE_CHECKING:
    from oktalogger.okta.rate_limit import RateLimit

BEGINS: Final = datetime(2026, 11, 16, tzinfo=UTC)
# From the end of an interval to the start of its run, and from the end of a mapped task to the start of the next.
SCHEDULER_SECONDS: Final = 2.0
NEXT_TASK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is run.

    :param limit: requests a minute that Okta allows
    :param days: how far back the backfill goes
    :param chunk: width of a backfill's windows
    :param page: events a page. A small page stands for Okta's thousand: the limit counts requests
    :param rate: mean events a minute of the org
    :param others: the part of the limit that other programs use
    :param latency: seconds that Okta takes to answer
    :param settings: of the deployment
    :param seed: equal seeds make equal runs
    """

    limit: int
    days: float = 90.0
    chunk: timedelta = timedelta(hours=6)
    page: int = 5
    rate: float = 0.7
    others: float = 0.1
    latency: float = 0.5
    settings: Settings = field(default_factory=Settings)
    seed: str = "backfill"


@dataclass(slots=True)
class Outcome:
    """What came of it.

    :param minutes: how long the backfill took
    :param windows: of the backfill
    :param requests: that the backfill made
    :param least: that it would have made, were all of it one query
    :param live_windows: that were loaded beside it
    :param live_requests: that these made
    :param quiet_windows: live windows whose events fill no page
    :param quiet_requests: that these made
    :param late_windows: live windows that were complete more than an interval after their end
    :param latest_seconds: after its end that the slowest of them was complete
    :param violations: that Okta counted
    :param most_in_a_minute: requests that all loads together made in one window of Okta's limit
    :param lost: events that Okta has and the store has not
    :param unknown: the other way round
    """

    minutes: float = 0.0
    windows: int = 0
    requests: int = 0
    least: int = 0
    live_windows: int = 0
    live_requests: int = 0
    quiet_windows: int = 0
    quiet_requests: int = 0
    late_windows: int = 0
    latest_seconds: float = 0.0
    violations: int = 0
    most_in_a_minute: int = 0
    lost: int = 0
    unknown: int = 0

    def share_used(self, scenario: Scenario) -> float:
        """Return how much of what the share allows was made use of."""
        return self.requests / (self.minutes * scenario.limit * scenario.settings.backfill_share)

    @property
    def requests_over_minimum(self) -> float:
        """How many more requests than the least possible were made, as a part of these."""
        return self.requests / self.least - 1


class _Travelling:
    """A gate whose requests take a while to arrive, and their answers to come back; others run meanwhile."""

    def __init__(self, budget: RateBudget, time: VirtualTime, latency: float) -> None:
        self._budget = budget
        self._time = time
        self._half = latency / 2
        self.sent: list[float] = []

    def before_request(self) -> None:
        """Wait for leave, then travel."""
        self._budget.before_request()
        self._time.sleep(self._half)
        self.sent.append(self._time.seconds())

    def after_response(self, rate_limit: RateLimit | None) -> None:
        """Travel back, then take note."""
        self._time.sleep(self._half)
        self._budget.after_response(rate_limit)


class Run:
    """One scenario under way."""

    def __init__(self, scenario: Scenario, time: VirtualTime, okta: HostedOrg) -> None:
        self.scenario = scenario
        self.time = time
        self.okta = okta
        self.memory = Memory(time)
        self.outcome = Outcome()
        self.whole = Window(BEGINS - timedelta(days=scenario.days), BEGINS)
        self.chunks = to_load(BackfillRequest(self.whole, scenario.chunk), ())
        self._queue = list(self.chunks)
        self._backfilling = scenario.settings.backfill_tasks
        self._sent: list[float] = []
        self._ended = 0.0

    def go(self) -> Outcome:
        """Run to the end of the backfill, and compare."""
        tasks = [partial(self._backfill, number) for number in range(self._backfilling)]
        self.time.run(*tasks, self._live)
        self._compare()
        return self.outcome

    def _backfill(self, number: int) -> None:
        jitter = self._jitter(f"backfill {number}")
        while self._queue:
            window = self._queue.pop(0)
            requests = self._load(window, "backfill", jitter)  # others add theirs meanwhile
            self.outcome.requests += requests
            self.outcome.windows += 1
            self.time.sleep(NEXT_TASK_SECONDS)
        self._backfilling -= 1
        self._ended = self.time.seconds()

    def _live(self) -> None:
        jitter = self._jitter("live")
        settings = self.scenario.settings
        start = BEGINS
        while self._backfilling:
            window = Window(start, start + Settings().interval)
            self.time.sleep_until(window.end + max(settings.hold_back, timedelta(seconds=SCHEDULER_SECONDS)))
            requests = self._load(window, "scheduled", jitter, overlap=settings.overlap)
            self.outcome.live_requests += requests
            self.outcome.live_windows += 1
            self.whole = Window(self.whole.start, window.end)
            start = window.end

    def _jitter(self, whose: str) -> random.Random:
        return random.Random(f"{self.scenario.seed} {whose}")  # noqa: S311 - it has to be the same each time

    def _load(self, window: Window, kind: LoadKind, jitter: random.Random, *, overlap: timedelta = timedelta(0)) -> int:
        """Do what a task does, and return the requests that it made."""
        settings = self.scenario.settings
        budget = RateBudget(
            share_of(kind, settings), sleep=self.time.sleep, clock=self.time.seconds, jitter=jitter.uniform
        )
        gate = _Travelling(budget, self.time, self.scenario.latency)
        client = SystemLogClient(
            OktaClient(self.okta.url, SswsAuth(TOKEN), gate=gate, sleep=self.time.sleep, clock=self.time.seconds)
        )
        plan = LoadPlan(
            Stamp("127.0.0.1", window, kind, kind, settings.horizon),
            overlap=overlap,
            page_limit=self.scenario.page,
            threads=1,
        )
        with client:
            load_and_record(client, self.memory, self.memory, plan, clock=self.time.now)
        if kind == "scheduled":
            self._note_live(plan, len(gate.sent))
        budget.rest()
        self._sent += gate.sent
        return len(gate.sent)

    def _note_live(self, plan: LoadPlan, requests: int) -> None:
        outcome = self.outcome
        seconds = (self.time.now() - plan.reads.end).total_seconds()
        outcome.latest_seconds = max(outcome.latest_seconds, seconds)
        outcome.late_windows += seconds > Settings().interval.total_seconds()
        if len(self.okta.events(plan.reads.start, plan.reads.end)) < self.scenario.page:
            outcome.quiet_windows += 1
            outcome.quiet_requests += requests

    def _least(self, window: Window) -> int:
        return max(1, -(-len(self.okta.events(window.start, window.end)) // self.scenario.page))

    def _compare(self) -> None:
        outcome = self.outcome
        outcome.minutes = self._ended / 60
        outcome.least = self._least(Window(self.chunks[-1].start, self.chunks[0].end))
        outcome.violations = self.okta.org.counters["violations"]
        offset = self.okta.org.limits.settings.offset_seconds
        of_minute = Counter(int((seconds - offset) // 60) for seconds in self._sent)
        outcome.most_in_a_minute = max(of_minute.values())
        events = self.okta.events(self.whole.start, self.whole.end)
        outcome.lost = len(set(events) - self.memory.documents)
        outcome.unknown = len(self.memory.documents - set(events))


def run(scenario: Scenario) -> Outcome:
    """Run a scenario to its end."""
    time = VirtualTime(BEGINS)
    with hosted(
        time,
        seed=scenario.seed,
        rate=scenario.rate,
        per_minute=scenario.limit,
        others=int(scenario.limit * scenario.others),
        start=BEGINS - timedelta(days=scenario.days),
    ) as okta:
        return Run(scenario, time, okta).go()
