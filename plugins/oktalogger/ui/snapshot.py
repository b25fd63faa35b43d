"""Defines a snapshot: everything that the Okta page shows of one org, in at most 200 kB.

Tasks write it into Airflow's own store, and the page reads it from there with the rights of who looks. So a snapshot
holds numbers and names, and neither events nor secrets. :mod:`oktalogger.ui.packing` writes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, get_args

from oktalogger.window import HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oktalogger.window import Window

DAYS: Final = 90
MOST_FINDINGS: Final = 5_000

PageState = Literal[
    "whole",
    "late",
    "refused",
    "running",
    "missing",
    "damaged",
    "doubled",
    "too old",
    "expired",
    "not due",
    "not asked for",
]
STATES: Final[tuple[PageState, ...]] = get_args(PageState)
Kind = Literal["sign-in", "factor", "administration", "application access", "directory", "system"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_NO_KINDS: Final = (0,) * len(KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRun:
    """One load of an hour, as the ledger knows it.

    :param kind: what kind of load it was
    :param run_id: the run's id
    :param url: where Airflow shows the task's log
    :param state: how the newest try ended
    :param error: what ended it, if something did
    """

    kind: str
    run_id: str
    url: str = ""
    state: str = "complete"
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHour:
    """One hour of an org.

    :param start: its beginning, in UTC
    :param state: the worst that is to be said of it
    :param events: documents in OpenSearch
    :param expected: events that the loads stored
    :param late: late events
    :param rejected: rejected events
    :param drifted: documents stored without a part
    :param lateness: longest time between an event and its load among the late ones, in seconds
    :param missing: parts to load again
    :param runs: the loads that are worth a look
    :param kinds: documents of each of :data:`KINDS`
    """

    start: datetime
    state: PageState
    events: int = 0
    expected: int = 0
    late: int = 0
    rejected: int = 0
    drifted: int = 0
    lateness: float = 0.0
    missing: tuple[Window, ...] = ()
    runs: tuple[LedgerRun, ...] = ()
    kinds: tuple[int, ...] = _NO_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """What the page says of a rule that found something.

    :param name: its name
    :param title: its title
    :param severity: how bad a finding is
    :param about: what an alert says: what it means, what to do
    :param query: the query that selects its events
    """

    name: str
    title: str
    severity: str
    about: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFinding:
    """One match of a rule, or one alert of its monitor.

    :param rule: the rule's id
    :param who: what its events have in common, each as ``field=value``
    :param first: when the first of its events happened
    :param last: when the last one happened
    :param events: how many there are
    :param found_at: when the rule found it
    :param told: the channels that were told
    :param state: of an alert: ``active``, ``acknowledged`` or ``completed``
    :param run_id: the run that found it
    :param example: one of its events in a line
    """

    rule: str
    who: tuple[str, ...]
    first: datetime
    last: datetime
    events: int
    found_at: datetime
    told: tuple[str, ...] = ()
    state: str = ""
    run_id: str = ""
    example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an org stands now.

    :param newest: end of its newest complete window
    :param lateness: of the newest load that created events, in seconds: ``p50``, ``p95``, ``max``
    :param lateness_of_a_day: longest lateness of the last day's loads, in seconds
    :param rate: of the newest load: ``limit``, ``remaining``, ``requests``
    :param rejected: rejected events by reason
    :param done: when each kind of load last came to its end, and when ``detections`` last found something
    """

    newest: datetime | None = None
    lateness: Mapping[str, float] = field(default_factory=dict)
    lateness_of_a_day: float = 0.0
    rate: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    done: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that the page shows of one org.

    :param org: the org's host name
    :param conn_id: its Airflow connection
    :param made_at: when this was measured
    :param counted_at: when all hours were last counted, and not only the newest
    :param hours: the hours in order, without a gap
    :param standing: where the org stands now
    :param rules: the rules that found something, by id
    :param findings: what they found, newest first
    :param left_out: findings that are in the index and not here
    :param problems: what is wrong with rules and monitors, in sentences
    :param ailing: those of the problems that are about monitors, as of ``counted_at``
    :param notes: what could not be asked, in sentences
    :param unasked: those of the notes that are about monitors, as of ``counted_at``
    :param asked_since: since when scheduled loads answer for every moment, if there are any
    :param console_url: address of Okta's System Log, with ``{search}``, ``{since}`` and ``{until}`` in it
    :param events_url: address of events in OpenSearch Dashboards, with ``{query}``, ``{since}`` and ``{until}`` in it
    """

    org: str
    conn_id: str
    made_at: datetime
    counted_at: datetime
    hours: tuple[PageHour, ...]
    standing: Standing = field(default_factory=Standing)
    rules: Mapping[str, RuleText] = field(default_factory=dict)
    findings: tuple[PageFinding, ...] = ()
    left_out: int = 0
    problems: tuple[str, ...] = ()
    ailing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()
    asked_since: datetime | None = None
    console_url: str = ""
    events_url: str = ""


def first_hour(now: datetime) -> datetime:
    """Return the beginning of the first hour that the page shows.

    :param now: the time, in UTC
    """
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(days=DAYS) + HOUR
