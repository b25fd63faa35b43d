"""Defines a compiled detection and a rendered monitor.

Both are plain values that a worker reads from the compiled bundle: nothing here needs pySigma.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, get_args

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

NOT_HISTORICAL: Final = "NOT oktalogger.historical:true"

# Who an alert is about, unless a rule says otherwise: there is one alert for each of them and each period.
DEFAULT_DEDUP: Final = ("actor.alternateId",)
DEFAULT_PERIOD_MINUTES: Final = 60

# How a monitor of ours is recognised when somebody's edit in Dashboards has removed its `ui_metadata`.
MONITOR_PREFIX: Final = "oktalogger: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A threshold: what a correlation counts among the events that the query matches, and up to where.

    :param counted: index field whose distinct values are counted; ``None`` counts the events themselves
    :param group_by: index fields; each combination of their values is counted separately
    :param seconds: length of the time slots of ``published``
    :param at_least: the lowest count that fires
    """

    counted: str | None
    group_by: tuple[str, ...]
    seconds: int
    at_least: int

    @property
    def timespan(self) -> timedelta:
        """The slot's length as a time span."""
        return timedelta(seconds=self.seconds)


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
    file: str = ""
    line: int = 0

    @property
    def query(self) -> str:
        """The query_string of the monitor: the selection without historical events."""
        return f"({self.selection}) AND {NOT_HISTORICAL}"

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
        if given.get("threshold") is not None:
            threshold: dict[str, Any] = dict(given["threshold"])
            threshold["group_by"] = tuple(threshold["group_by"])
            given["threshold"] = Threshold(**threshold)
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
