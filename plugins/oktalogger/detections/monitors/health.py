"""Asks whether monitors are at work.

Alerting says little by itself: a grouped monitor that fails raises no alert of that.

What can be asked is asked: when each last ran, what a run without alerts says, how many of its alerts are open, and
whether the index of alerts can still take ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.monitors.api import MonitorMissingError
from oktalogger.detections.monitors.handover import is_old_form
from oktalogger.detections.monitors.render import render_monitor
from oktalogger.opensearch.errors import OpenSearchPermissionError
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from oktalogger.detections.model import CompiledDetection, MonitorSettings
    from oktalogger.detections.monitors.api import AlertingClient, LastRuns
    from oktalogger.detections.monitors.stored import Owner, StoredMonitor
    from oktalogger.opensearch.names import IndexNames

# The plugin reads back 500 open alerts of a monitor (MAX_BUCKET_LEVEL_MONITOR_ALERT_SEARCH_COUNT, a constant); what is
# above counts as new in each run, and doubles.
MOST_OPEN_ALERTS: Final = 400
_MISSED_RUNS: Final = 3
_UNITS: Final = {"MINUTES": timedelta(minutes=1), "HOURS": timedelta(hours=1), "DAYS": timedelta(days=1)}
_NO_SHAPE: Final = (
    "Somebody's monitor has made the alerts' key a plain value in the index .opendistro-alerting-alerts, and "
    "OpenSearch drops every alert of ours without an error. Find the bucket-level monitor without a composite "
    "aggregation, change it to one, and have an administrator delete the index of alerts."
)


@dataclass(frozen=True, slots=True)
class Health:
    """What is wrong with monitors.

    :param ailing: what is wrong with each that fails or does not run, in sentences, by the monitor's name
    :param cluster: what keeps alerts of all of them from being stored
    :param unasked: what could not be asked, and why
    """

    ailing: dict[str, str]
    cluster: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong, in sentences."""
        return (*self.cluster, *(f"{name}: {why}" for name, why in sorted(self.ailing.items())))

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"ailing": self.ailing, "cluster": list(self.cluster), "unasked": list(self.unasked)}

    @property
    def lines(self) -> tuple[str, ...]:
        """Everything for people to read: what is wrong, and what could not be asked."""
        return (*self.problems, *self.unasked)


def check_health(client: AlertingClient, monitors: Iterable[StoredMonitor], *, now: datetime | None = None) -> Health:
    """Ask about each monitor that is switched on.

    :param client: the cluster
    :param monitors: which
    :param now: the present
    :raises OpenSearchLoadError: if the cluster cannot be asked for another reason than this user's rights
    """
    now = now or datetime.now(UTC)
    enabled = [monitor for monitor in monitors if monitor.content.get("enabled")]
    unasked: list[str] = []
    runs: LastRuns | None = None
    cluster: tuple[str, ...] = ()
    if not enabled:
        return Health({})
    try:
        runs = client.last_runs()
    except OpenSearchPermissionError as error:
        unasked.append(f"It is not known when monitors last ran: {error}")
    try:
        cluster = tuple(shape_problems(client.alert_mapping()))
    except OpenSearchPermissionError as error:
        unasked.append(f"It is not known whether the index of alerts takes alerts of ours: {error}")
    ailing = {}
    for monitor in enabled:
        said = [why for why in (runs and not_running(monitor, runs, now), *_tried(client, monitor)) if why]
        if said:
            ailing[monitor.name] = "; ".join(said)
    return Health(ailing, cluster, tuple(unasked))


def _tried(client: AlertingClient, monitor: StoredMonitor) -> Iterator[str]:
    if is_old_form(monitor.content):
        return
    try:
        failures = client.try_stored(monitor.id)
    except MonitorMissingError:
        return
    if failures:
        yield f"a run fails: {' '.join(failures)}"
    count = client.open_alerts(monitor.id)
    if count > MOST_OPEN_ALERTS:
        yield (
            f"{count} of its alerts are open, and above 500 OpenSearch raises them again in each run; put `cells: 16` "
            "under `oktalogger:` in the rule, or a `dedup` with fewer values"
        )


def not_running(monitor: StoredMonitor, runs: LastRuns, now: datetime) -> str | None:
    """Say that a monitor which is switched on does not run, or has missed three runs; ``None`` where it runs."""
    if not runs.is_scheduling:
        return "OpenSearch runs no monitor at all: plugins.scheduled_jobs.enabled is false"
    period = monitor.content.get("schedule", {}).get("period", {})
    interval = int(period.get("interval", 1)) * _UNITS.get(str(period.get("unit")), timedelta(days=1))
    last = runs.by_monitor.get(monitor.id)
    written = max(monitor.content.get("enabled_time") or 0, monitor.content.get("last_update_time") or 0)
    since = last or datetime.fromtimestamp(written / 1000, UTC)
    if now - since <= _MISSED_RUNS * interval:
        return None
    return f"it has not run since {format_instant(since)}" if last else "it has never run since it was written"


def shape_problems(properties: Mapping[str, Any]) -> Iterator[str]:
    """Say what in the mapping of the index of alerts keeps alerts of ours out.

    :param properties: of the index
    """
    bucket = properties.get("agg_alert_content", {}).get("properties", {}).get("bucket", {}).get("properties", {})
    key = bucket.get("key", {})
    if "type" in key:
        yield _NO_SHAPE
    for name, mapping in key.get("properties", {}).items():
        kind = mapping.get("type")
        wanted = ("long",) if name == "okta_hour" else ("text", "keyword")
        if name.startswith("okta_") and kind not in wanted:
            yield (
                f"The index of alerts has the field {name} as {kind}, and drops alerts of ours that hold another. Find "
                "the monitor of yours with a key of that name, rename the key, and delete the index of alerts."
            )


def not_at_work(
    client: AlertingClient,
    rules: Iterable[CompiledDetection],
    *,
    names: IndexNames,
    settings: MonitorSettings,
    owner: Owner,
    now: datetime | None = None,
) -> dict[str, str]:
    """Say of which rules no monitor is at work: there, switched on, of what the rule says now, and running.

    :param client: the cluster
    :param rules: which; those that no monitor can run need none
    :param names: the index names that the monitors read
    :param settings: what monitors of this deployment have in common
    :param owner: whose monitors they are
    :param now: the present
    :return: why not, in the words of a sentence, by the rule's id
    :raises OpenSearchLoadError: if the cluster cannot be asked
    """
    now = now or datetime.now(UTC)
    found: dict[str, list[StoredMonitor]] = {}
    for monitor in client.monitors():
        marker = owner.marker(monitor)
        rule_id = owner.id_by_name(monitor) or (marker.detection_id if marker else None)
        if rule_id is not None:
            found.setdefault(rule_id, []).append(monitor)
    runs = client.last_runs() if found else None
    reasons = {}
    for rule in (one for one in rules if one.is_monitored):
        said = [_why_not(rule, monitor, runs, names, settings, owner, now) for monitor in found.get(rule.id, ())]
        if all(said):
            reasons[rule.id] = next((why for why in said if why), "it has no monitor")
    return reasons


def _why_not(
    rule: CompiledDetection,
    monitor: StoredMonitor,
    runs: LastRuns | None,
    names: IndexNames,
    settings: MonitorSettings,
    owner: Owner,
    now: datetime,
) -> str | None:
    if not monitor.content.get("enabled"):
        return "its monitor is switched off"
    marker = owner.marker(monitor)
    if marker is None or marker.version != monitor.version:
        return "its monitor was changed by hand"
    # Which channels there are is not this user's to ask: those of the monitor will do.
    channels = dict.fromkeys(rule.channels_under(settings), "")
    for trigger in monitor.content.get("triggers", ()):
        for inner in trigger.values():
            channels |= {str(one.get("name")): str(one.get("destination_id")) for one in inner.get("actions", ())}
    rendered = owner.own(render_monitor(rule, names=names, channel_ids=channels, settings=settings))
    if marker.hash != rendered.source_hash:
        return "its monitor is not what the rule says now"
    return None if runs is None else not_running(monitor, runs, now)
