"""The worker processes, seen from the conductor: they take tasks, they may be killed, and another takes their place."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from local.campaign.plan import CLOCKS, SKEW_SECONDS
from local.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_RETRY_SECONDS: Final = 0.3
_MOST_REFUSALS: Final = 5


class CampaignError(Exception):
    """The campaign cannot go on; the message says what failed for good."""


@dataclass(slots=True)
class Tally:
    """What the workers did.

    :param fired: faults that they were, by kind
    :param counts: sums of what their loads counted
    :param errors: the errors that ended tasks, by their names
    """

    fired: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    tasks: int = 0
    tries: int = 0


class Slot:
    """A place for one worker, which does one task at a time.

    :param name: of the slot, for its random numbers
    :param clock: the file of the simulated time
    :param environment: of the process
    :param log: gets its standard error
    :param tally: shared by all slots
    """

    def __init__(
        self,
        name: str,
        clock: Path,
        environment: dict[str, str],
        log: Path,
        tally: Tally,
        *,
        seed: int,
    ) -> None:
        self.busy = False
        self.finished = 0
        self._clock = clock
        self._environment = environment
        self._log = log
        self._tally = tally
        self._rng = random.Random(f"slot {name} {seed}")  # noqa: S311
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._skew = 0.0
        self._counted = True

    async def call(self, task: dict[str, Any]) -> dict[str, Any]:
        """Have a task done, as often as it takes.

        :raises CampaignError: if no retry helps
        """
        async with self._lock:
            self._tally.tasks += 1
            refusals = 0
            while True:
                self._tally.tries += 1
                outcome = await self._once(task)
                if outcome is not None and "ok" in outcome:
                    self.finished += 1
                    result: dict[str, Any] = outcome["ok"]
                    if task["task"] == "load":
                        self._tally.counts.update(result)
                    return result
                if outcome is not None:
                    self._tally.errors[outcome["error"].partition(":")[0]] += 1
                    if not outcome["retryable"]:
                        refusals += 1
                        self._tally.refused.append(outcome["error"])
                        if refusals >= _MOST_REFUSALS:
                            raise CampaignError(f"{task} fails for good: {outcome['error']}")
                await asyncio.sleep(_RETRY_SECONDS)

    async def _once(self, task: dict[str, Any]) -> dict[str, Any] | None:
        """Have a task tried; None if the worker died."""
        process = self._process or await self._start()
        assert process.stdin is not None  # noqa: S101 - pipes were asked for
        assert process.stdout is not None  # noqa: S101
        self.busy = True
        try:
            process.stdin.write(msgspec.json.encode(task) + b"\n")
            await process.stdin.drain()
            line = await process.stdout.readline()
        except ConnectionError:
            line = b""
        finally:
            self.busy = False
        if not line.endswith(b"\n"):
            code = await process.wait()
            self._process = None
            if code >= 0:
                raise CampaignError(f"a worker ended with exit code {code}; the end of {self._log} says why")
            return None
        if not self._counted:
            self._counted = True
            self._tally.fired[CLOCKS[self._skew < 0]] += 1
        found: dict[str, Any] = msgspec.json.decode(line)
        return found

    async def _start(self) -> asyncio.subprocess.Process:
        # Whoever comes in a killed one's place has a clock of his own: right, or off by a minute.
        self._skew = self._rng.choice((0.0, 0.0, SKEW_SECONDS, -SKEW_SECONDS))
        self._counted = self._skew == 0
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "local.campaign.worker",
                str(self._clock),
                str(self._skew),
                cwd=ROOT,
                env=self._environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=16 * 1024 * 1024,
            )
        return self._process

    def kill(self) -> bool:
        """Kill the worker if it is in the middle of a task."""
        if not self.busy or self._process is None or self._process.returncode is not None:
            return False
        self._process.kill()
        return True

    async def close(self) -> None:
        """End the worker."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._process = None
