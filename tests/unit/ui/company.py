"""A snapshot to look at: 90 days of a company with an outage, late events, and attacks by rules of the pack."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from oktalogger.ui.snapshot import PageFinding, RuleText, Snapshot
from tests.unit.ui.made_up import made_up

NOW = datetime(2026, 11, 29, 10, 20, tzinfo=UTC)
RULES = (
    ("critical", "Admin role granted to a user"),
    ("high", "Password spray: one address, many accounts"),
    ("high", "Factor reset, followed by a new factor"),
    ("high", "Push fatigue: many denied pushes, then one approved"),
    ("medium", "API token created"),
    ("medium", "Sign-on policy weakened"),
    ("low", "Sign-in from a new country"),
)
PEOPLE = ("ada.example", "grace.example", "katherine.example", "svc-import", "edsger.example", "barbara.example")


def company() -> Snapshot:
    """Return the snapshot; it is always the same."""
    chance = random.Random(11)
    rules = {
        f"{place:08x}-0000-4000-8000-000000000000": RuleText(
            name=f"okta_{place}", title=title, severity=severity, about=f"{title}.\n\nWhat to do:\n1. Ask who it was."
        )
        for place, (severity, title) in enumerate(RULES)
    }
    found = []
    for _ in range(64):
        last = NOW - timedelta(seconds=chance.randrange(60 * 86400))
        found.append(_finding(chance, list(rules), last))
    found += [
        _finding(chance, [rule], NOW - timedelta(minutes=40 + 35 * at)) for at, rule in enumerate(list(rules)[:4])
    ]
    found.sort(key=lambda one: one.last, reverse=True)
    snapshot = made_up(findings=0, now=NOW)
    return replace(snapshot, rules=rules, findings=tuple(found), problems=())


def _finding(chance: random.Random, rules: list[str], last: datetime) -> PageFinding:
    return PageFinding(
        rule=chance.choice(rules),
        who=(f"actor.alternateId={chance.choice(PEOPLE)}@company.example",),
        first=last - timedelta(seconds=chance.randrange(900)),
        last=last,
        events=chance.randrange(1, 40),
        found_at=last,
        told=("soc",) if chance.random() < 0.8 else (),
        run_id="asset_triggered__2026",
    )
