"""Reads the settings of a deployment: the environment variables ``OKTALOGGER_*``, typed and validated.

DAG files read them while they are parsed, so nothing here touches a database, a connection or a file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from oktalogger import setting_readers as readers
from oktalogger.privacy.policy import Policy, read_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX: Final = "OKTALOGGER_"
T = TypeVar("T")


class SettingsError(ValueError):
    """An environment variable has a value that cannot be used; the message names it and says what it takes."""


def _setting(default: T, read: Callable[[str], T], words: str, *, shown: bool = True) -> T:
    """Declare a setting.

    :param default: its value if the variable is absent or empty
    :param read: makes a value of the variable's text, or raises a ``ValueError`` that says what the variable takes
    :param words: what it is, in Markdown, for the table of ``docs/settings.md``
    :param shown: whether an error may show the text: import errors stand in Airflow's UI, before people who may not see
        tokens, webhooks and passwords
    """
    metadata = {"read": read, "words": words, "shown": shown}
    if isinstance(default, dict):
        return field(default_factory=lambda: default.copy(), metadata=metadata)  # type: ignore[return-value]
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of something is still no reason for an alert: one takes more than both.

    :param events: a number of events
    :param percent: a share of all events
    """

    events: int
    percent: float

    def exceeded_by(self, number: int, of: int) -> bool:
        """Say whether so many of so many events are more than both."""
        return number > self.events and 100 * number > self.percent * of

    def __str__(self) -> str:
        return f"{self.events:,} events and {self.percent:g} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of a deployment. Each field is read from ``OKTALOGGER_`` and its name in capitals."""

    okta_conn_ids: tuple[str, ...] = _setting(
        ("okta_default",),
        readers.ids,
        "Airflow connections to Okta orgs, separated by commas. Each connection gets its own DAGs. Those of "
        "`okta_default` are `okta_system_log`, `okta_system_log_backfill` and `okta_system_log_reconcile`. Those of "
        "any other connection have `__NAME` at the end",
    )
    opensearch_conn_id: str = _setting("opensearch_default", readers.name, "Airflow connection to OpenSearch")
    start_date: datetime | None = _setting(
        None,
        readers.instant,
        "time from which `okta_system_log` loads. You must set it. Set it once, to the day of the installation, and do "
        "not change it. Airflow loads every window since then as live events, and detections alert on them. Load older "
        "events with [the backfill](operations.md#in-wide-windows-by-the-dag-okta_system_log_backfill)",
    )
    interval_minutes: int = _setting(
        5,
        readers.divisor_of_an_hour,
        "minutes of the System Log that one scheduled run loads: a divisor of 60, from 1 to 60",
    )
    pool: str = _setting("okta_api", readers.name, "Airflow pool of the tasks that call Okta. You must create it")
    live_share: float = _setting(
        0.5, readers.share, "share of Okta's rate limit that one live load may use, above 0 and up to 1"
    )
    live_reserve: float = _setting(
        0.25,
        readers.reserve,
        "share of Okta's rate limit that backfill and reconcile never use",
    )
    live_tasks: int = _setting(
        4,
        readers.whole_number(1, 100),
        "how many live loads may run at once. More than one runs only while the DAG catches up",
    )
    backfill_share: float = _setting(
        0.25,
        readers.share,
        "share of Okta's rate limit that all tasks of a backfill may use together. Reconcile may use the same share "
        "again",
    )
    backfill_tasks: int = _setting(
        1, readers.whole_number(1, 100), "how many tasks of a backfill may call Okta at once"
    )
    reconcile_after_hours: tuple[int, ...] = _setting(
        (1, 24),
        readers.hours,
        "how many hours after its end reconcile reads an hour again, separated by commas",
    )
    late_alert_seconds: int = _setting(
        6 * 3600,
        readers.whole_number(0, 86_400 * 90),
        "how long an event may be missing from OpenSearch, after the load of its window was complete, before that is "
        "worth an alert",
    )
    late_alert_events: int = _setting(
        10,
        readers.whole_number(0, 1_000_000_000),
        "how many late events in the hours that one run of reconcile reads again are still not worth an alert. The "
        "alert takes both: more events than this, and more than `OKTALOGGER_LATE_ALERT_PERCENT`",
    )
    late_alert_percent: float = _setting(
        0.1, readers.percent, "the same as a share of all events of these hours, in percent"
    )
    refused_alert_events: int = _setting(
        10,
        readers.whole_number(0, 1_000_000_000),
        "how many events that were rejected, or stored without parts that do not fit the mapping, are still not worth "
        "an alert, in the hours that one run of reconcile reads again. The alert takes both: more events than this, "
        "and more than `OKTALOGGER_REFUSED_ALERT_PERCENT`",
    )
    refused_alert_percent: float = _setting(
        0.1, readers.percent, "the same as a share of all events of these hours, in percent"
    )
    gap_alert_seconds: int = _setting(
        600,
        readers.whole_number(0, 86_400 * 90),
        "reconcile alerts if more time than this, since the first scheduled load, had no complete window",
    )
    reconcile_channel: str | None = _setting(
        None,
        readers.name,
        "channel of `OKTALOGGER_DETECTION_NOTIFIERS` that gets these two alerts. If unset, the task `verdict` fails "
        "instead",
    )
    reconcile_compares: bool = _setting(
        True,
        readers.true_or_false,
        "whether reconcile compares the events that are already in OpenSearch with Okta, value by value. It costs the "
        "worker 0.15 ms an event, and OpenSearch the reading of each document",
    )
    check_channel: str | None = _setting(
        None,
        readers.name,
        "channel of `OKTALOGGER_DETECTION_NOTIFIERS` that is told what `okta_check` finds wrong. If unset, its task "
        "fails instead",
    )
    hold_back_seconds: int = _setting(
        30,
        readers.whole_number(0, 86_400),
        "how long a load waits after the end of its window, because Okta publishes some events late",
    )
    overlap_seconds: int = _setting(
        60,
        readers.whole_number(0, 86_400),
        "how far before its start a scheduled window reads again, for the same reason",
    )
    historical_after_hours: int = _setting(
        24,
        readers.whole_number(1, 24 * 180),
        "age above which a backfill or a manual run marks the events that it loads as `oktalogger.historical`",
    )
    index_prefix: str = _setting(
        "okta-system-log",
        readers.index_prefix,
        "name of the alias, and beginning of every index name: lower-case letters, digits and dashes, no dots",
    )
    shards: int = _setting(1, readers.whole_number(1, 100), "primary shards of a monthly index")
    replicas: int | None = _setting(
        None,
        readers.whole_number(0, 10),
        "replicas of a monthly index. If unset, one as soon as the cluster has a second node. A domain that spreads "
        "copies over three zones needs 2",
    )
    retention_days: int = _setting(
        365,
        readers.whole_number(0, 36_500),
        "how many days OpenSearch keeps each event at least; 0 keeps it for ever. "
        "[`okta_opensearch_setup`](opensearch-setup.md#retention) applies a change",
    )
    audit: readers.AuditScope = _setting(
        "changes",
        readers.audit_scope,
        "what [`okta_opensearch_setup`](opensearch-setup.md#the-audit-log) has the security plugin's audit log note: "
        "`changes` to indices, ledger, rejected events and matches; `events` as well, a line for each; `off` leaves it "
        "as it is",
    )
    archive: str | None = _setting(
        None,
        readers.archive,
        "place of [the archive](archive.md), where each load keeps Okta's events byte for byte: `s3://bucket/prefix`, "
        "or the absolute path of a folder that all workers share. If unset, there is none",
    )
    archive_conn_id: str | None = _setting(
        None,
        readers.name,
        "Airflow connection of the type `aws` for a bucket. If unset, the worker's own role",
    )
    bulk_threads: int = _setting(
        4, readers.whole_number(1, 16), "how many pages one load may write to OpenSearch at once"
    )
    dashboards_url: str | None = _setting(
        None,
        readers.url,
        "address of OpenSearch Dashboards, for links in the Airflow UI and in alerts. On Amazon OpenSearch Service it "
        "ends in `/_dashboards`",
        shown=False,
    )
    dashboards_api_url: str | None = _setting(
        None,
        readers.url,
        "address of OpenSearch Dashboards for [the setup](opensearch-setup.md#dashboards), if it is another one than "
        "for browsers. You may give `http://`: then the password crosses the network unencrypted",
        shown=False,
    )
    dashboards_tenant: str | None = _setting(
        None,
        readers.name,
        "tenant of OpenSearch Dashboards into which the setup imports, and in which links from Airflow open. If unset, "
        "the setup imports into the tenant `global`, and links name no tenant",
    )
    okta_hosts: tuple[str, ...] = _setting(
        (),
        readers.hosts,
        "host names of the Okta orgs, separated by commas, such as `company.okta.com`. Alerts of threshold rules then "
        "link to Okta's System Log",
    )
    rejected_days: int = _setting(
        0, readers.whole_number(0, 36_500), "how many days `expire` keeps rejected events; 0 keeps them for ever"
    )
    matches_days: int = _setting(
        0, readers.whole_number(0, 36_500), "the same for what rules found without the Alerting plugin"
    )
    ledger_days: int = _setting(
        0,
        readers.whole_number(0, 36_500),
        "the same for the ledger, by the end of each window. Not below 100: loads and reconcile need 90 days of it",
    )
    redact: Policy = _setting(
        Policy(),
        read_policy,
        "what to take out of events before they are stored, such as `names=hash,mail=hash,addresses=network`: "
        "[privacy](privacy.md)",
    )
    redact_archive: bool = _setting(
        True,
        readers.true_or_false,
        "whether the archive is redacted too. `false` keeps Okta's own bytes there: [privacy](privacy.md#the-archive)",
    )
    detections_dir: tuple[str, ...] = _setting(
        (readers.PACK,),
        readers.folders,
        "folders of detection rules, separated by commas. `pack` stands for the rules that come with oktalogger. "
        "`pack,/opt/airflow/rules` adds [your own](detections.md#your-own-rules)",
    )
    detection_channels: tuple[str, ...] = _setting(
        (),
        readers.channel_names,
        "default notification channels, separated by commas, for rules that name none",
    )
    detection_channels_from: readers.Severity = _setting(
        "medium", readers.severity, "lowest severity at which a rule uses the default channels"
    )
    monitors_expected: bool = _setting(
        True,
        readers.true_or_false,
        "whether OpenSearch is to run the rules on a cluster with the Alerting plugin. `okta_detections_after_load` "
        "then fails if a rule has no monitor at work. `false` if Airflow is to run them there",
    )
    detection_delete_percent: int = _setting(
        20,
        readers.whole_number(0, 100),
        "percentage of oktalogger's monitors that a sync may delete without a confirmation",
    )
    detection_notifiers: Mapping[str, Mapping[str, Any]] = _setting(
        {},
        readers.notifiers,
        "JSON object, for clusters without the Alerting plugin. It names the Airflow notifier that each channel uses, "
        'as in `{"soc": {"class": "package.module.Notifier", "argument": 1}}`. The key `markup` beside `class` says '
        "what the target takes for markup: `plain`, `slack`, `markdown` (Teams, Discord) or `html` (mail)",
        shown=False,
    )

    @property
    def begins(self) -> datetime:
        """Where the schedule begins.

        :raises SettingsError: if nobody has said
        """
        if self.start_date is None:
            raise SettingsError(
                f"{PREFIX}START_DATE is not set: set it, for every Airflow process, to the instant from which on "
                "okta_system_log is to load, such as today's date, 2026-12-01T00:00:00Z."
            )
        return self.start_date

    @property
    def interval(self) -> timedelta:
        """How long a live window is."""
        return timedelta(minutes=self.interval_minutes)

    @property
    def okta_tasks(self) -> int:
        """How many tasks may call Okta at once: live loads, those of a backfill, and one that reconciles."""
        return self.live_tasks + self.backfill_tasks + 1

    @property
    def hold_back(self) -> timedelta:
        """The hold-back as a time span."""
        return timedelta(seconds=self.hold_back_seconds)

    @property
    def overlap(self) -> timedelta:
        """The overlap as a time span."""
        return timedelta(seconds=self.overlap_seconds)

    @property
    def late_limit(self) -> Limit:
        """How many late events are still no reason for an alert."""
        return Limit(self.late_alert_events, self.late_alert_percent)

    @property
    def refused_limit(self) -> Limit:
        """How many rejected and drifted events are still no reason for an alert."""
        return Limit(self.refused_alert_events, self.refused_alert_percent)

    @property
    def retention(self) -> timedelta | None:
        """How long each event is kept at least; None for ever."""
        return timedelta(days=self.retention_days) if self.retention_days else None

    @property
    def horizon(self) -> timedelta:
        """The age beyond which a backfill's documents are historical."""
        return timedelta(hours=self.historical_after_hours)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment; an empty variable counts as absent.

    :param environ: the environment, ``os.environ`` if not given
    :raises SettingsError: if a value cannot be used
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        variable = PREFIX + setting.name.upper()
        text = environ.get(variable, "")
        if not text.strip():
            continue
        try:
            values[setting.name] = setting.metadata["read"](text)
        except ValueError as error:
            shown = f"{variable}={text!r}" if setting.metadata["shown"] else variable
            raise SettingsError(f"{shown} cannot be used: it takes {error}.") from None
    return Settings(**values)
