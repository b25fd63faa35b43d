"""The figures of a campaign: whether it holds, in a form for a person and in one for a program."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from local.campaign.plan import EVERY_KIND, ODD_ONES

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Report:
    """What a campaign came to.

    :param events: different events that Okta had
    :param faults: faults that were really delivered
    :param lost: events that are nowhere in OpenSearch
    :param doubled: documents too many
    :param wrong: documents that differ from what Okta sent
    :param early_complete: windows that were called complete while on-time events were missing
    :param false_green: rows of coverage, plans and runs that called something well that was not
    :param excused: windows called complete right after damage of which no load could know yet
    :param unarchived: events that no manifest of the archive lists
    :param archive_wrong: objects and events of the archive that are not as they should be
    :param seed: gives this campaign again
    :param faults_by_kind: the same faults
    :param wanted_events: how many events there had to be
    :param fewest_faults: how many faults there had to be
    :param uncovered_seconds: parts of the time that no complete window of the ledger covers
    :param unwell_hours: hours that coverage does not call complete when all is over
    :param unwatched: windows complete in the ledger whose completion the watch did not see
    """

    events: int
    faults: int
    lost: int
    doubled: int
    wrong: int
    early_complete: int
    false_green: int
    excused: int
    unarchived: int
    archive_wrong: int
    seed: int
    faults_by_kind: dict[str, int]
    wanted_events: int
    fewest_faults: int
    uncovered_seconds: float
    unwatched: int
    unread_windows: int
    backfill_left: int
    unwell_hours: int
    refused_for_good: int
    rejected: int
    late: int
    late_max_seconds: float
    odd_events: dict[str, int]
    archive: dict[str, int]
    windows: dict[str, int]
    kills: int
    resumes: int
    restarts_from_start: int
    retried_tasks: int
    requests_to_okta: int
    rate_limit_violations: int
    simulated_days: float
    seconds: float
    opensearch: str
    errors: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Return what does not hold, in sentences."""
        found = [
            f"{name} is {value}, not 0"
            for name in (
                "lost", "doubled", "wrong", "early_complete", "false_green", "unarchived", "archive_wrong",
                "uncovered_seconds", "unwatched",
                "unread_windows", "backfill_left", "unwell_hours", "refused_for_good",
            )
            if (value := getattr(self, name))
        ]  # fmt: skip
        if self.events < self.wanted_events:
            found.append(f"only {self.events:,} of {self.wanted_events:,} events happened")
        if self.faults < self.fewest_faults:
            found.append(f"only {self.faults} of {self.fewest_faults} faults were delivered")
        missing = [kind for kind in EVERY_KIND if not self.faults_by_kind.get(kind)]
        missing += [kind for kind in ODD_ONES if not self.odd_events.get(kind)]
        if not self.late:
            missing.append("late events")
        if missing:
            found.append(f"these faults never happened: {', '.join(missing)}")
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)

    def write(self, file: Path) -> None:
        """Write it as JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self.as_dict(), indent=2) + "\n")

    def text(self) -> str:
        """Return it for a person."""
        lines = [
            f"seed {self.seed}: {self.events:,} events over {self.simulated_days:.1f} simulated days, "
            f"{self.faults} faults delivered, {self.seconds:.0f} s, OpenSearch {self.opensearch}",
            f"lost {self.lost}, doubled {self.doubled}, wrong {self.wrong}, early_complete {self.early_complete}, "
            f"false_green {self.false_green} ({self.excused} excused)",
            f"rejected {self.rejected:,}, late {self.late:,} (the latest after {self.late_max_seconds / 3600:.1f} h), "
            f"{self.kills} workers killed, {self.resumes} windows resumed, {self.retried_tasks} tasks tried again",
            f"unarchived {self.unarchived}, archive_wrong {self.archive_wrong}; {self.archive['objects']:,} objects, "
            f"{self.archive['bytes'] / 1e6:.1f} MB, with {self.archive['events']:,} events",
            "windows: " + ", ".join(f"{kind} {count:,}" for kind, count in self.windows.items()),
            "faults: " + ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults_by_kind.items())),
            "odd events: " + ", ".join(f"{kind} {count:,}" for kind, count in self.odd_events.items()),
        ]
        if self.errors:
            lines.append("tasks ended by: " + ", ".join(f"{name} {n}" for name, n in sorted(self.errors.items())))
        lines += [f"  for example: {example}" for example in self.examples]
        lines += [f"NOT GOOD: {problem}" for problem in self.problems]
        return "\n".join(lines)
