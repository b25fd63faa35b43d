"""A snapshot of a company with an outage, late events, damage and attacks, made from a seed."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from oktalogger.ui.snapshot import LedgerRun, PageFinding, PageHour, RuleText, Snapshot, Standing, first_hour
from oktalogger.window import HOUR, Window

NOW = datetime(2026, 11, 29, 10, 20, tzinfo=UTC)
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
SEVERITIES = ("critical", "high", "medium", "low", "informational")


def made_up(
    *,
    findings: int = 40,
    seed: int = 7,
    hostile: bool = False,
    now: datetime = NOW,
    org: str = "company.okta.com",
    finding_run: str = "",
) -> Snapshot:
    chance = random.Random(seed)
    rules = {
        f"{number:08x}-0000-4000-8000-000000000000": RuleText(
            name=f"okta_rule_{number}",
            title=HOSTILE if hostile and number == 0 else f"Something that nobody should do, number {number}",
            severity=SEVERITIES[number % len(SEVERITIES)],
            about=HOSTILE if hostile else "It means that somebody did it.\n\nWhat to do:\n1. Ask who it was.",
            query=f"eventType:something.number_{number}",
        )
        for number in range(60)
    }
    found = [_finding(chance, list(rules), place, hostile=hostile, now=now) for place in range(findings)]
    if finding_run:
        found = [replace(one, run_id=finding_run) for one in found]
    found.sort(key=lambda one: one.last, reverse=True)
    used = {one.rule for one in found}
    start = first_hour(now)
    return Snapshot(
        org=HOSTILE if hostile else org,
        conn_id="okta_default",
        made_at=now,
        counted_at=now - timedelta(minutes=13),
        hours=tuple(_hour(chance, start + place * HOUR, now, hostile=hostile) for place in range(90 * 24)),
        standing=Standing(
            newest=now - timedelta(minutes=5),
            lateness={"p50": 1.4, "p95": 6.2, "p99": 11.0, "max": 14.3},
            lateness_of_a_day=312.5,
            rate={"limit": 60, "remaining": 41, "requests": 7},
            rejected={HOSTILE if hostile else "mapper_parsing_exception": 3},
            done={"scheduled": now - timedelta(minutes=4), "reconcile": now - timedelta(minutes=13)},
        ),
        rules={rule_id: rule for rule_id, rule in rules.items() if rule_id in used},
        findings=tuple(found),
        problems=(HOSTILE,)
        if hostile
        else ("A rule cannot be used: okta_x.yml:12: it names a field without a mapping.",),
        asked_since=start + timedelta(days=2),
        console_url="https://company-admin.okta.com/report/system_log_2?search={search}&fromTime={since}&toTime={until}",
        events_url="https://dashboards.example.com/app/data-explorer/discover#?_g=(time:(from:'{since}',to:'{until}'))"
        "&_q=(query:(language:lucene,query:'{query}'))",
    )


def _hour(chance: random.Random, start: datetime, now: datetime, *, hostile: bool) -> PageHour:
    if start < first_hour(now) + timedelta(days=2):
        return PageHour(start=start, state="not asked for")
    if start + HOUR > now:
        return PageHour(start=start, state="not due")
    day = (now - start).days
    if day == 20 and 8 <= start.hour < 14:
        return PageHour(
            start=start, state="missing", missing=(Window(start, start + HOUR),), runs=(_run(start, hostile),)
        )
    busy = 1 + 5 * (7 <= start.hour < 19) * (start.weekday() < 5)
    kinds = tuple(int(chance.gauss(40, 6) * busy * share) for share in (1.0, 0.6, 0.1, 2.0, 0.3, 0.4))
    events = sum(kinds)
    if day == 3 and start.hour in (2, 3):
        gap = (Window(start, start + HOUR),)
        return PageHour(
            start=start,
            state="damaged",
            events=events // 3,
            expected=events,
            missing=gap,
            kinds=kinds,
            runs=(_run(start, hostile),),
        )
    if chance.random() < 0.02:
        return PageHour(start=start, state="late", events=events, expected=events, late=3, lateness=412.5, kinds=kinds)
    if chance.random() < 0.01:
        return PageHour(
            start=start, state="refused", events=events, expected=events, rejected=1, drifted=2, kinds=kinds
        )
    return PageHour(start=start, state="whole", events=events, expected=events, kinds=kinds)


def _run(start: datetime, hostile: bool) -> LedgerRun:
    return LedgerRun(
        kind="scheduled",
        run_id=HOSTILE if hostile else f"scheduled__{start:%Y-%m-%dT%H:05:00+00:00}",
        url="javascript:document.title='owned'" if hostile else "https://airflow.example.com/dags/okta_system_log",
        state="failed",
        error=HOSTILE if hostile else "OktaError: Okta was out of reach.",
    )


def _finding(chance: random.Random, rules: list[str], place: int, *, hostile: bool, now: datetime) -> PageFinding:
    last = (now - timedelta(seconds=chance.randrange(86 * 86400))).replace(microsecond=0)
    name = f"{chance.choice('abcdefgh')}{chance.getrandbits(40):010x}@company.example.com"
    return PageFinding(
        rule=chance.choice(rules),
        who=(f"actor.alternateId={HOSTILE if hostile else name}",),
        first=last - timedelta(seconds=chance.randrange(600)),
        last=last,
        events=chance.randrange(1, 60),
        found_at=last + timedelta(seconds=chance.randrange(60, 600)),
        told=("soc",) if place % 3 else (),
        run_id=HOSTILE if hostile else f"asset_triggered__{last.isoformat()}_{chance.getrandbits(32):08x}",
        example=HOSTILE if hostile else f"user.session.start FAILURE by {name} from 203.0.113.{chance.randrange(256)}",
    )
