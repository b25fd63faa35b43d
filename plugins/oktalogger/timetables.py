"""When DAGs run: by the clock from an instant on, or once files have changed and otherwise once a day."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from oktalogger.compat import CronDataIntervalTimetable

if TYPE_CHECKING:
    from pathlib import Path

EVERY = timedelta(days=1)

LONG_PAST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""The ``start_date`` of every DAG.

Airflow makes no task for a run with a logical date before its DAG's start, and calls that run a success. So no DAG
starts later than anybody may ask for; when the schedule begins, its timetable says."""


class CronFromTimetable(CronDataIntervalTimetable):
    """
    Runs by a cron expression in UTC, for data intervals from an instant on.

    The DAG's ``start_date`` has to be ``LONG_PAST``. A backfill names its own range, which may lie before that instant.

    :param expression: the cron expression
    :param begins: where the first data interval of the schedule may start, aware
    """

    def __init__(self, expression: str, begins: datetime) -> None:
        super().__init__(expression, timezone="UTC")
        self._begins = pendulum.instance(begins.astimezone(UTC))

    def serialize(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"expression": self._expression, "begins": self._begins.isoformat()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> CronFromTimetable:
        """Read what ``serialize`` wrote."""
        return cls(data["expression"], datetime.fromisoformat(data["begins"]))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next interval after the last one, and none that starts before the schedule begins."""
        if restriction.earliest is None or restriction.earliest <= LONG_PAST:  # the schedule asks, and no backfill
            restriction = TimeRestriction(self._begins, restriction.latest, restriction.catchup)
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )


def every_minutes(minutes: int) -> str:
    """Return the cron expression of an interval.

    :param minutes: a divisor of 60
    """
    return "0 * * * *" if minutes == 60 else f"*/{minutes} * * * *"


def begin_note(begins: datetime) -> str:
    """Return a paragraph on a begin that is still to come, for the DAG's page; nothing once it is past.

    :param begins: where the schedule begins, aware
    """
    if begins <= datetime.now(UTC):
        return ""
    return (
        f"\n### Nothing is loaded yet\n\n`OKTALOGGER_START_DATE` is in the future: the first window begins at "
        f"{begins.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}.\n"
    )


class FilesOrDailyTimetable(Timetable):
    """
    Runs as soon as files have changed, and a day after the last run at the latest.

    Airflow works out the next run whenever it has parsed the DAG, and the DAG says when the files last changed. So a
    new file is noticed within the interval in which DAGs are parsed, on every line of Airflow and without a triggerer.

    :param changed_at: when the files last changed on this machine, aware
    """

    description = "When a file has changed, and daily"

    def __init__(self, changed_at: datetime) -> None:
        # Whole seconds, so that the DAG's serialized form stays the same while nothing changes.
        self._changed_at = pendulum.instance(changed_at.astimezone(UTC).replace(microsecond=0))

    @property
    def summary(self) -> str:
        """What the UI shows as the schedule."""
        return "on change, daily"

    def serialize(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"changed_at": self._changed_at.isoformat()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> FilesOrDailyTimetable:
        """Read what ``serialize`` wrote."""
        return cls(datetime.fromisoformat(data["changed_at"]))

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """Return the interval of a run that somebody starts: it has no length."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return when to run next. Runs that were missed are not made up for: the next one does their work."""
        if last_automated_data_interval is None or self._changed_at > last_automated_data_interval.end:
            due = self._changed_at
        else:
            last = last_automated_data_interval.end
            # In seconds, because pendulum divides its own time spans otherwise than Python does.
            days = max(1, int((time.time() - last.timestamp()) // EVERY.total_seconds()))
            due = last + days * EVERY
        if restriction.earliest is not None:
            due = max(due, restriction.earliest)
        if restriction.latest is not None and due > restriction.latest:
            return None
        return DagRunInfo.exact(due)


def changed_at(*folders: Path) -> datetime:
    """Return when anything in some folders last changed on this machine; a file that was removed counts as a change.

    :param folders: each with all that is in it
    """
    # The status change and not the modification: an archive that is unpacked keeps the latter.
    paths = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    return datetime.fromtimestamp(max(path.stat().st_ctime for path in paths), UTC)
