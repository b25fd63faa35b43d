"""What differs between deployments: the environment variables ``OKTALOGGER_*``, typed and validated.

DAG files read these while they are parsed, so nothing here touches a database, a connection or a file.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX: Final = "OKTALOGGER_"
PACK: Final = "pack"
"""Stands for the folder of the detection rules that come with the package."""

T = TypeVar("T")

Severity = Literal["informational", "low", "medium", "high", "critical"]
"""How bad a finding is, in Sigma's words for the level of a rule."""


class SettingsError(ValueError):
    """An environment variable has a value that cannot be used; the message names it and says what it takes."""


def _ids(text: str) -> tuple[str, ...]:
    ids = tuple(part.strip() for part in text.split(",") if part.strip())
    if not ids or len(set(ids)) != len(ids):
        raise ValueError("connection ids, separated by commas, each once")
    for conn_id in ids:
        if not re.fullmatch(r"[\w.-]+", conn_id):
            raise ValueError("connection ids of letters, digits, `_`, `-` and `.`, separated by commas")
    return ids


def _instant(text: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("an instant like 2026-11-01T00:00:00Z") from None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _name(text: str) -> str:
    if not re.fullmatch(r"[\w.-]{1,200}", text):
        raise ValueError("a name of letters, digits, `_`, `-` and `.`")
    return text


def read_index_prefix(text: str) -> str:
    """Read the beginning of every index name.

    :raises ValueError: where it cannot be one; the message says what can
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", text):
        raise ValueError("a name of small letters, digits and dashes (a dot would shut out document-level monitors)")
    return text


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(dict.fromkeys(filter(None, (word.strip().lower() for word in text.split(",")))))
    if not hosts or not all(re.fullmatch(r"[a-z0-9.-]+(:\d+)?", host) for host in hosts):
        raise ValueError("host names like company.okta.com, separated by commas")
    return hosts


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s@]+", text):
        raise ValueError("an http or https address without a user name in it")
    return text.rstrip("/")


def _channel_names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _severity(text: str) -> Severity:
    severities: tuple[Severity, ...] = get_args(Severity)
    for severity in severities:
        if text == severity:
            return severity
    raise ValueError("one of " + ", ".join(severities))


def split_folders(text: str) -> tuple[str, ...]:
    """Read names of folders, separated by commas.

    :raises ValueError: where there is none, or one stands twice; the message says what is taken
    """
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names or len(set(names)) != len(names):
        raise ValueError(f"folders, separated by commas, each once; `{PACK}` stands for the rules of oktalogger")
    return names


def _notifiers(text: str) -> dict[str, dict[str, Any]]:
    expected = 'a JSON object like {"soc": {"class": "package.module.Notifier", "argument": "value"}}'
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{expected}; line {error.lineno}, column {error.colno}: {error.msg}") from None
    if not isinstance(values, dict):
        raise ValueError(expected)
    for name, value in values.items():
        if not isinstance(value, dict) or not isinstance(value.get("class"), str) or "." not in value["class"]:
            raise ValueError(f"{expected}; {name!r} is not so")
    return values


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.strip().isdecimal() or not lowest <= int(text) <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return int(text)

    return read


def _hours(text: str) -> tuple[int, ...]:
    read = _whole(1, 24 * 90)
    try:
        return tuple(sorted({read(part.strip()) for part in text.split(",")}))
    except ValueError as error:
        raise ValueError(f"hours, separated by commas, each {error}") from None


def _part(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise ValueError("a number over 0 up to 1, like 0.25")
    return value


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise ValueError("a number from 0 to 100, like 0.1")
    return value


def _reserve(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise ValueError("a number from 0 up to 1, itself not included, like 0.25")
    return value


def _setting(default: T, read: Callable[[str], T], words: str, *, shown: bool = True) -> T:
    """Declare a setting.

    :param default: its value where the variable is absent or empty
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
        _ids,
        "Airflow connections to Okta orgs, separated by commas; each gets DAGs of its own: `okta_system_log`, "
        "`okta_system_log_backfill` and `okta_system_log_reconcile` for `okta_default`, the same with `__NAME` at "
        "the end for any other",
    )
    opensearch_conn_id: str = _setting("opensearch_default", _name, "Airflow connection to OpenSearch")
    start_date: datetime = _setting(
        datetime(2026, 11, 23, tzinfo=UTC),
        _instant,
        "first instant that the scheduled DAG loads. Set it once, to the day of the installation, and leave it: "
        "every window from here on is caught up, as live events on which detections alert. Load what is older with "
        "[the backfill](operations.md#in-wide-windows-by-the-dag-okta_system_log_backfill)",
    )
    pool: str = _setting("okta_api", _name, "Airflow pool of the tasks that ask Okta; it has to exist")
    live_share: float = _setting(0.5, _part, "the part of Okta's rate limit that one live load may use, over 0 up to 1")
    live_reserve: float = _setting(
        0.25,
        _reserve,
        "the part of it that backfills and reconciling leave to everybody else",
    )
    live_tasks: int = _setting(
        4,
        _whole(1, 100),
        "live loads that may run at once; more than one while runs are caught up",
    )
    backfill_share: float = _setting(
        0.25,
        _part,
        "the part of it that all tasks of a backfill may use together; reconciling has as much",
    )
    backfill_tasks: int = _setting(1, _whole(1, 100), "tasks of a backfill that may ask at once")
    reconcile_after_hours: tuple[int, ...] = _setting(
        (1, 24),
        _hours,
        "how many hours after its end an hour is read again, separated by commas",
    )
    late_alert_seconds: int = _setting(
        6 * 3600,
        _whole(0, 86_400 * 90),
        "how long an event may be missing from OpenSearch, after the load of its window was complete, before that is "
        "worth an alert",
    )
    late_alert_events: int = _setting(
        10,
        _whole(0, 1_000_000_000),
        "how many late events in the hours that one run of reconcile reads again are still not worth an alert. The "
        "alert takes both: more events than this, and more than `OKTALOGGER_LATE_ALERT_PERCENT`",
    )
    late_alert_percent: float = _setting(0.1, _percent, "the same as a share of all events of these hours, in percent")
    refused_alert_events: int = _setting(
        10,
        _whole(0, 1_000_000_000),
        "how many events that were rejected, or stored without parts that do not fit the mapping, are still not worth "
        "an alert, in the hours that one run of reconcile reads again. The alert takes both: more events than this, "
        "and more than `OKTALOGGER_REFUSED_ALERT_PERCENT`",
    )
    refused_alert_percent: float = _setting(
        0.1, _percent, "the same as a share of all events of these hours, in percent"
    )
    gap_alert_seconds: int = _setting(
        600,
        _whole(0, 86_400 * 90),
        "how much of the covered time may lack a complete window before that is worth an alert",
    )
    reconcile_channel: str | None = _setting(
        None,
        _name,
        "channel of `OKTALOGGER_DETECTION_NOTIFIERS` that these alerts go to; unset, the task fails instead",
    )
    hold_back_seconds: int = _setting(
        30,
        _whole(0, 86_400),
        "how long after a window's end its load waits, because Okta publishes some events late",
    )
    overlap_seconds: int = _setting(
        60,
        _whole(0, 86_400),
        "how far before its start a scheduled window reads again, for the same reason",
    )
    historical_after_hours: int = _setting(
        24,
        _whole(1, 24 * 180),
        "age beyond which what a backfill or a manual run loads is marked `oktalogger.historical`",
    )
    index_prefix: str = _setting(
        "okta-system-log",
        read_index_prefix,
        "name of the alias, and beginning of every index name: small letters, digits, dashes, no dots",
    )
    shards: int = _setting(1, _whole(1, 100), "primary shards of a monthly index")
    replicas: int | None = _setting(
        None,
        _whole(0, 10),
        "replicas of a monthly index. Unset: one as soon as there is a second node. A domain that spreads copies "
        "over three zones needs 2",
    )
    retention_days: int = _setting(
        365,
        _whole(0, 36_500),
        "how many days each event is kept at least, 0 for ever; "
        "[`okta_opensearch_setup`](opensearch-setup.md#retention) puts the policy",
    )
    bulk_threads: int = _setting(4, _whole(1, 16), "pages of one load that may be on their way into OpenSearch at once")
    dashboards_url: str | None = _setting(
        None,
        _url,
        "address of OpenSearch Dashboards, for links from the Airflow UI and in alerts; on Amazon OpenSearch "
        "Service it ends in `/_dashboards`",
        shown=False,
    )
    okta_hosts: tuple[str, ...] = _setting(
        (),
        _hosts,
        "host names of the Okta orgs, separated by commas, such as `company.okta.com`: alerts of thresholds then "
        "link into Okta's System Log",
    )
    detections_dir: tuple[str, ...] = _setting(
        (PACK,),
        split_folders,
        "folders of detection rules, separated by commas; `pack` stands for the rules that come with oktalogger. "
        "`pack,/opt/airflow/rules` adds [your own](detections.md#your-own-rules) to them",
    )
    detection_channels: tuple[str, ...] = _setting(
        (),
        _channel_names,
        "notification channels, separated by commas, of detection rules that name none",
    )
    detection_channels_from: Severity = _setting("medium", _severity, "least severity of such rules that uses them")
    detection_delete_percent: int = _setting(
        20,
        _whole(0, 100),
        "how many percent of our monitors a sync may delete without a confirmation",
    )
    detection_notifiers: Mapping[str, Mapping[str, Any]] = _setting(
        {},
        _notifiers,
        "JSON object, for clusters without the Alerting plugin: by the name of a channel the Airflow notifier that "
        'stands in for it, as `{"soc": {"class": "package.module.Notifier", "argument": 1}}`',
        shown=False,
    )

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

    :param environ: the environment, ``os.environ`` where not given
    :raises SettingsError: where a value cannot be used
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
