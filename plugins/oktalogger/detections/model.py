"""Defines a compiled detection and a rendered monitor.

Both are plain values that a worker reads from the compiled bundle: nothing here needs pySigma.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, get_args

from oktalogger.detections.criteria import Absence, FirstSeen, RiskSum, RulePart, Threshold
from oktalogger.setting_readers import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)

# Severities of OpenSearch Alerting are text, "1" is the highest.
ALERTING_SEVERITY: Final[dict[Severity, str]] = {
    "critical": "1",
    "high": "2",
    "medium": "3",
    "low": "4",
    "informational": "5",
}

# What a correlation computes of the events of a slot.


# How much a finding adds to the risk of its actor, unless its rule says otherwise.
RISK: Final[dict[Severity, int]] = {"critical": 100, "high": 70, "medium": 40, "low": 15, "informational": 5}

NOT_HISTORICAL: Final = "NOT oktalogger.historical:true"

# Who an alert is about, unless a rule says otherwise: there is one alert for each of them and each period.
DEFAULT_DEDUP: Final = ("actor.alternateId",)
DEFAULT_PERIOD_MINUTES: Final = 60

# How a monitor of ours is recognised when somebody's edit in Dashboards has removed its `ui_metadata`.
MONITOR_PREFIX: Final = "oktalogger: "


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Events that rules leave out: by a Sigma filter for good, by an exception until a day.

    :param title: of the filter; the reason of an exception
    :param rules: names, ids or files of rules; empty for all rules
    :param query: query_string that selects the events which are left out
    :param fields: index fields that it looks at
    :param owner: who answers for an exception
    :param until: the last day of an exception, like ``2026-12-31``, UTC; empty for a filter
    :param file: where it stands, relative to its folder
    :param line: the line where it begins
    """

    title: str
    rules: tuple[str, ...]
    query: str
    fields: tuple[str, ...] = ()
    owner: str = ""
    until: str = ""
    file: str = ""
    line: int = 0

    @property
    def clause(self) -> str:
        """A query_string for the events that are left out, up to the last day."""
        if not self.until:
            return f"({self.query})"
        after = date.fromisoformat(self.until) + timedelta(days=1)
        return f"(({self.query}) AND published:<{after.isoformat()})"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Exclusion:
        """Read plain JSON values.

        :raises TypeError: if a field is missing or unknown
        """
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**given)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledDetection:
    """A Sigma rule compiled for OpenSearch.

    :param id: the rule's UUID; everything that must stay the same after an edit derives from it
    :param name: the rule file's name without ending (with the rule's `name` after a dot if a file holds several)
    :param title: the rule's title
    :param description: what it finds and why that matters
    :param severity: Sigma's `level`
    :param attack: ATT&CK techniques, like ``T1098.003``
    :param tactics: ATT&CK tactics, like ``privilege-escalation``
    :param false_positives: harmless events that look the same
    :param runbook: what to do when it fires
    :param references: links for further reading
    :param enabled: whether its monitor runs
    :param channels: notification channels by name; ``None`` leaves the choice to the settings
    :param throttle_minutes: for how long a group that fired stays quiet
    :param dedup: index fields whose values, with the org, make one alert of all events of a period; not for thresholds,
        which group by what they count apart
    :param cells: number of alerts, for each org and period, into which all such groups are put instead; ``None`` gives
        each group its own
    :param selection: query_string that selects the events, historical ones too
    :param fields: index fields that the query, the grouping and the counting look at
    :param threshold: what is counted, or ``None`` where every matching event counts by itself
    :param first_seen: what must be new about an event
    :param absence: what is missed
    :param counts: names and ids of the rules whose events a correlation is about
    :param exceptions: events that raise no alert for a while
    :param form_of: the rule's id, where a rule has several severities and this is it with another than its first
    :param risk: how much a finding adds to the risk of its actor, 1 to 100; ``None`` takes that of the severity
    :param risk_sum: the findings that are added up, where the rule is about findings and not about events
    :param file: the rule's file, relative to the folder of detections
    :param line: the line of the file where its `detection` or `correlation` begins
    """

    id: str
    name: str
    title: str
    description: str
    severity: Severity
    attack: tuple[str, ...] = ()
    tactics: tuple[str, ...] = ()
    false_positives: tuple[str, ...] = ()
    runbook: str = ""
    references: tuple[str, ...] = ()
    enabled: bool = True
    channels: tuple[str, ...] | None = None
    throttle_minutes: int | None = None
    dedup: tuple[str, ...] = DEFAULT_DEDUP
    cells: int | None = None
    selection: str
    fields: tuple[str, ...] = ()
    threshold: Threshold | None = None
    first_seen: FirstSeen | None = None
    absence: Absence | None = None
    counts: tuple[str, ...] = ()
    exceptions: tuple[Exclusion, ...] = ()
    form_of: str = ""
    risk: int | None = None
    risk_sum: RiskSum | None = None
    file: str = ""
    line: int = 0

    @property
    def query(self) -> str:
        """The query_string of the monitor: what is judged, without historical events."""
        return f"({self.judged}) AND {NOT_HISTORICAL}"

    @property
    def judged(self) -> str:
        """The selection without the events of exceptions."""
        excepted = "".join(f" AND NOT {one.clause}" for one in self.exceptions)
        return f"({self.selection}){excepted}" if excepted else self.selection

    def only_excepted(self, exception: Exclusion) -> CompiledDetection:
        """Return the rule for the events of one of its exceptions alone."""
        return replace(self, selection=f"({self.selection}) AND {exception.clause}", exceptions=())

    @property
    def is_monitored(self) -> bool:
        """Whether OpenSearch Alerting can run the rule.

        A monitor cannot compare with weeks of history, does not know how far the loads have come, and does not see
        events in their order: it sees the first and the last event of each rule, which decides for two rules only.
        """
        threshold = self.threshold
        in_order = threshold is not None and threshold.in_order and len(threshold.parts) > 2
        own_kinds = (self.first_seen, self.absence, self.risk_sum)
        return all(kind is None for kind in own_kinds) and not in_order

    @property
    def risk_score(self) -> int:
        """How much a finding adds to the risk of its actor."""
        return RISK[self.severity] if self.risk is None else self.risk

    @property
    def period_minutes(self) -> int:
        """For how long, from when its first event is loaded, events of one group are one alert."""
        return self.throttle_minutes or DEFAULT_PERIOD_MINUTES

    @property
    def monitor_name(self) -> str:
        """The monitor's name, which by itself shows that it is ours and of which rule."""
        return f"{MONITOR_PREFIX}{self.title} [{self.id}]"

    def channels_under(self, settings: MonitorSettings) -> tuple[str, ...]:
        """Return the channels to notify: the rule's own, or those of the settings if it names none."""
        if self.channels is not None:
            return self.channels
        loud_enough = SEVERITIES.index(self.severity) >= SEVERITIES.index(settings.default_channels_from)
        return settings.default_channels if loud_enough else ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values, as the bundle stores them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CompiledDetection:
        """Read the values of ``as_dict``, also after a round trip through JSON.

        :raises TypeError: if a field is missing or unknown
        """
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        kinds: tuple[tuple[str, Any], ...] = (
            ("threshold", Threshold),
            ("first_seen", FirstSeen),
            ("absence", Absence),
            ("risk_sum", RiskSum),
        )
        for name, kind in kinds:
            if given.get(name) is not None:
                inner = {key: tuple(value) if isinstance(value, list) else value for key, value in given[name].items()}
                if "parts" in inner:
                    inner["parts"] = tuple(RulePart(**part) for part in inner["parts"])
                given[name] = kind(**inner)
        given["exceptions"] = tuple(Exclusion.from_dict(one) for one in given.get("exceptions", ()))
        return cls(**given)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """Settings that all monitors of one deployment share.

    :param event_interval_minutes: how often the monitor of a rule of single events runs
    :param threshold_interval_minutes: how often the monitor of a threshold runs
    :param window_hours: events of a rule of single events that were loaded within this time are looked at. It is how
        long monitors may be down without missing one, how long an alert stays open, and how many groups count against
        the 500 alerts that Alerting can keep open for a monitor
    :param lookback_hours: events loaded within this time are counted together. A late event completes a threshold with
        those loaded that long before it; the default covers the reconciliation of the day before
    :param fresh_minutes: a threshold fires only if an event among those counted was loaded within this time. Longer
        than the interval on purpose: a run that comes late loses nothing, and runs that see a group again raise no
        second alert while the first is active
    :param default_channels: channels of rules that name none
    :param default_channels_from: lowest severity at which such rules use them
    :param dashboards_url: address of OpenSearch Dashboards, for links; without it messages carry none
    :param okta_orgs: host names of the Okta orgs, for links into Okta's System Log
    """

    event_interval_minutes: int = 1
    threshold_interval_minutes: int = 3
    window_hours: int = 2
    lookback_hours: int = 26
    fresh_minutes: int = 15
    default_channels: tuple[str, ...] = ()
    default_channels_from: Severity = "medium"
    dashboards_url: str | None = None
    okta_orgs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RenderedMonitor:
    """A monitor in the form that OpenSearch Alerting receives.

    :param detection_id: the rule's UUID
    :param name: the monitor's name, unique among ours
    :param body: the monitor's JSON, without `ui_metadata`
    :param channels: names of the channels that its actions use
    :param source_hash: sha256 of the canonical JSON of ``body``
    :param place: file and line of the rule, such as ``okta_x.yml:12``
    """

    detection_id: str
    name: str
    body: dict[str, Any]
    channels: tuple[str, ...]
    source_hash: str
    place: str = ""


def canonical_json(value: Any) -> str:
    """Write JSON in its canonical form, for hashes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def source_hash(body: Mapping[str, Any]) -> str:
    """Return the sha256, in hex, of the canonical JSON of a monitor's body."""
    return hashlib.sha256(canonical_json(body).encode()).hexdigest()
