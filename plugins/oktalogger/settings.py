"""What differs between deployments: the environment variables ``OKTALOGGER_*``, typed and validated.

DAG files read these while they are parsed, so nothing here touches a database, a connection or a file.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX: Final = "OKTALOGGER_"

Severity = Literal["informational", "low", "medium", "high", "critical"]
"""How bad a finding is, in Sigma's words for the level of a rule."""


class SettingsError(ValueError):
    """An environment variable has a value that cannot be used; the message names it and says what it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of a deployment. Each field is read from ``OKTALOGGER_`` and its name in capitals.

    :param okta_conn_ids: Airflow connections to Okta orgs, separated by commas; each gets a set of DAGs of its own
    :param opensearch_conn_id: Airflow connection to OpenSearch
    :param start_date: first instant that the scheduled DAG loads, RFC 3339. The default is the day of this release, and
        fixed, because a start that moves with the clock would lose windows after an outage of the scheduler
    :param pool: Airflow pool of the tasks that ask Okta
    :param live_share: the part of Okta's rate limit that one live load may use, over 0 up to 1
    :param live_reserve: the part of it that backfills and reconciling leave to everybody else
    :param live_tasks: live loads that may run at once; more than one while runs are caught up
    :param backfill_share: the part of it that all tasks of a backfill may use together; reconciling has as much
    :param backfill_tasks: tasks of a backfill that may ask at once. Okta's limit is the wall, and one task reaches it
    :param hold_back_seconds: how long after a window's end its load waits
    :param overlap_seconds: how far before its start a live window reads again
    :param historical_after_hours: age beyond which what a backfill or a manual run loads is marked historical
    :param reconcile_after_hours: how many hours after its end an hour is read again, separated by commas
    :param late_alert_seconds: lateness beyond which a late event is worth an alert. What reconciling finds an hour
        later is one to two hours late by that alone
    :param gap_alert_seconds: how much of the covered time may lack a complete window before that is worth an alert
    :param reconcile_channel: channel of ``detection_notifiers`` that these alerts go to; unset, the task fails instead
    :param index_prefix: name of the alias, and beginning of every index name
    :param shards: primary shards of a monthly index
    :param replicas: replicas of a monthly index; unset: as many as there are nodes for, up to one
    :param retention_days: how many days each event is kept at least, where OpenSearch has Index State Management; 0
        keeps all for ever. Whole months are deleted, and only once ``okta_opensearch_setup`` has run
    :param bulk_threads: pages of one load that may be on their way into OpenSearch at once
    :param dashboards_url: address of OpenSearch Dashboards, for links from the Airflow UI and in alerts
    :param okta_hosts: host names of the Okta orgs, separated by commas, for links into Okta's System Log in alerts of
        thresholds, whose monitors do not know the org of what they count
    :param detection_channels: notification channels, separated by commas, of rules that name none
    :param detection_channels_from: least severity of such rules that uses them
    :param detection_delete_percent: how many percent of our monitors a sync may delete without a confirmation
    :param detection_notifiers: JSON object, for clusters without the Alerting plugin: by the name of a channel the
        Airflow notifier that stands in for it, as ``{"soc": {"class": "package.module.Notifier", "argument": 1}}``
    """

    okta_conn_ids: tuple[str, ...] = ("okta_default",)
    opensearch_conn_id: str = "opensearch_default"
    start_date: datetime = datetime(2026, 11, 23, tzinfo=UTC)
    pool: str = "okta_api"
    live_share: float = 0.5
    live_reserve: float = 0.25
    live_tasks: int = 4
    backfill_share: float = 0.25
    backfill_tasks: int = 1
    hold_back_seconds: int = 30
    overlap_seconds: int = 60
    historical_after_hours: int = 24
    reconcile_after_hours: tuple[int, ...] = (1, 24)
    late_alert_seconds: int = 6 * 3600
    gap_alert_seconds: int = 600
    reconcile_channel: str | None = None
    index_prefix: str = "okta-system-log"
    shards: int = 1
    replicas: int | None = None
    retention_days: int = 365
    bulk_threads: int = 4
    dashboards_url: str | None = None
    okta_hosts: tuple[str, ...] = ()
    detection_channels: tuple[str, ...] = ()
    detection_channels_from: Severity = "medium"
    detection_delete_percent: int = 20
    detection_notifiers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def hold_back(self) -> timedelta:
        """The hold-back as a time span."""
        return timedelta(seconds=self.hold_back_seconds)

    @property
    def overlap(self) -> timedelta:
        """The overlap as a time span."""
        return timedelta(seconds=self.overlap_seconds)

    @property
    def horizon(self) -> timedelta:
        """The age beyond which a backfill's documents are historical."""
        return timedelta(hours=self.historical_after_hours)


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


def index_prefix(text: str) -> str:
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


def _severity(text: str) -> str:
    if text not in get_args(Severity):
        raise ValueError("one of " + ", ".join(get_args(Severity)))
    return text


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


def _reserve(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise ValueError("a number from 0 up to 1, itself not included, like 0.25")
    return value


# Import errors are shown in Airflow's UI, to people who may not see what these can hold: tokens, webhooks, a password.
_NOT_SHOWN: Final = frozenset({"dashboards_url", "detection_notifiers"})

_READERS: Final[dict[str, Callable[[str], object]]] = {
    "okta_conn_ids": _ids,
    "opensearch_conn_id": _name,
    "start_date": _instant,
    "pool": _name,
    "live_share": _part,
    "live_reserve": _reserve,
    "live_tasks": _whole(1, 100),
    "backfill_share": _part,
    "backfill_tasks": _whole(1, 100),
    "hold_back_seconds": _whole(0, 86_400),
    "overlap_seconds": _whole(0, 86_400),
    "historical_after_hours": _whole(1, 24 * 180),
    "reconcile_after_hours": _hours,
    "late_alert_seconds": _whole(0, 86_400 * 90),
    "gap_alert_seconds": _whole(0, 86_400 * 90),
    "reconcile_channel": _name,
    "index_prefix": index_prefix,
    "shards": _whole(1, 100),
    "replicas": _whole(0, 10),
    "retention_days": _whole(0, 36_500),
    "bulk_threads": _whole(1, 16),
    "dashboards_url": _url,
    "okta_hosts": _hosts,
    "detection_channels": _channel_names,
    "detection_channels_from": _severity,
    "detection_delete_percent": _whole(0, 100),
    "detection_notifiers": _notifiers,
}


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment; an empty variable counts as absent.

    :param environ: the environment, ``os.environ`` where not given
    :raises SettingsError: where a value cannot be used
    """
    environ = os.environ if environ is None else environ
    values: dict[str, object] = {}
    for name, read in _READERS.items():
        variable = PREFIX + name.upper()
        text = environ.get(variable, "")
        if not text.strip():
            continue
        try:
            values[name] = read(text)
        except ValueError as error:
            shown = variable if name in _NOT_SHOWN else f"{variable}={text!r}"
            raise SettingsError(f"{shown} cannot be used: it takes {error}.") from None
    return Settings(**values)  # type: ignore[arg-type]
