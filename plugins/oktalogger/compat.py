"""Every difference between the Airflow lines that this package runs on, each with its reason.

The lines are 2.11 (``airflow.models`` and friends), 3.0.6 (``airflow.sdk`` has begun, several names still live in
core) and 3.2 and later (``airflow.sdk`` has them all, the old places warn). No name is imported from a place that
warns on the line at hand, so that the warnings in a user's log are the user's own. Nothing else in this package looks
at a version.
"""

from __future__ import annotations

import re
from functools import reduce
from importlib import import_module
from operator import or_
from typing import TYPE_CHECKING, Any, Final

from airflow import __version__ as airflow_version

# The one place that no line warns about.
from airflow.configuration import conf

# `airflow.sdk` has this one from 3.2 on only; the old place works on every line, and warns on none of them.
from airflow.timetables.interval import CronDataIntervalTimetable
from packaging.version import Version

if TYPE_CHECKING:
    # Types are checked against the newest line; it has everything in one place.
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from airflow.sdk import DAG, Asset, BaseHook, BaseNotifier, BaseOperator, BaseOperatorLink, Context, Param, Variable
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSkipException,
        AirflowTaskTimeout,
    )
    from airflow.sdk.execution_time.xcom import XCom
    from airflow.sdk.log import mask_secret
    from airflow.sdk.observability.stats import Stats
    from airflow.triggers.base import BaseTrigger
else:
    try:  # Airflow 3: what DAG authors use moved to the Task SDK
        from airflow.sdk import DAG, Asset, BaseNotifier, BaseOperator, BaseOperatorLink, Context, Param, Variable
        from airflow.sdk.execution_time.xcom import XCom
    except ImportError:  # 2.11 has no Task SDK, and calls an asset a dataset
        from airflow.datasets import Dataset as Asset
        from airflow.models.baseoperator import BaseOperator
        from airflow.models.baseoperatorlink import BaseOperatorLink
        from airflow.models.dag import DAG
        from airflow.models.param import Param
        from airflow.models.variable import Variable
        from airflow.models.xcom import XCom
        from airflow.notifications.basenotifier import BaseNotifier
        from airflow.utils.context import Context

    try:  # 3.1 and later
        from airflow.sdk import BaseHook
    except ImportError:  # 2.11, and 3.0.6, whose Task SDK has no hooks yet
        from airflow.hooks.base import BaseHook

    try:  # 3.1 and later; from 3.2 on the old place warns
        from airflow.sdk.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSkipException,
            AirflowTaskTimeout,
        )
    except ImportError:  # 2.11 and 3.0.6
        from airflow.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSkipException,
            AirflowTaskTimeout,
        )

    try:  # 3.2 and later
        from airflow.sdk.log import mask_secret
    except ImportError:
        try:  # 3.0.6
            from airflow.sdk.execution_time.secrets_masker import mask_secret
        except ImportError:  # 2.11
            from airflow.utils.log.secrets_masker import mask_secret

    try:  # 3.2 and later; there the old place warns
        from airflow.sdk.observability.stats import Stats
    except ImportError:  # 2.11 and 3.0.6
        from airflow.stats import Stats

# Airflow 2 has no `airflow backfill`, calls assets datasets, and makes extra links in the web server.
AIRFLOW_3 = Version(airflow_version) >= Version("3.0.0.dev0")

# Where the web server shows pages of plugins: in Flask up to 2.11, in a frame from 3.1 on, and nowhere in 3.0.
PAGE_LINE: Final[int] = 3 if Version(airflow_version) >= Version("3.1.0.dev0") else 0 if AIRFLOW_3 else 2

# Up to 3.1 a switch (3.0 refuses anything but a bool), from 3.2 on the factor by which each wait grows.
EXPONENTIAL_BACKOFF: Any = 2.0 if Version(airflow_version) >= Version("3.2.0.dev0") else True


# Nothing that Airflow changes in a URI: no capital in the scheme, no user, no query, no slash at the end.
_WRITTEN_AS_AIRFLOW_DOES: Final = re.compile(r"[a-z][a-z0-9+.-]*://[\w.-]+(?:/[\w.-]+)+", re.ASCII)


def triggering_events(context: Context) -> list[tuple[datetime, Mapping[str, Any]]]:
    """Return when each event of an asset (2.11: a dataset) that started a run happened, and what it carries.

    :param context: of the running task; a run that something else started has no events
    """
    events: Any = context.get("triggering_asset_events" if AIRFLOW_3 else "triggering_dataset_events") or {}
    return [(event.timestamp, event.extra or {}) for asset in events for event in events[asset]]


def get_setting_int(section: str, name: str, fallback: int) -> int:
    """Return one of Airflow's own settings, a whole number."""
    return int(conf.getint(section, name, fallback=fallback))


def default_time_zone() -> str:
    """Return the name of Airflow's default time zone (``core.default_timezone``)."""
    name = str(conf.get("core", "default_timezone", fallback="utc"))
    return "UTC" if name == "utc" else name


def make_asset(uri: str, *, name: str, group: str) -> Asset:
    """Return the asset (2.11: the dataset) of a URI, without asking Airflow's providers how to write it.

    Airflow asks all of them for each URI with a scheme, and imports the Amazon provider and boto3 for that: 0.5 CPU
    seconds at each start of a task. It leaves only schemes that begin with ``x-`` alone. So the asset is made with such
    a scheme, and gets the URI that is meant afterwards, if Airflow would write it no other way.

    :param uri: with a scheme that no provider knows
    :param name: on Airflow 3
    :param group: on Airflow 3: the kind of asset
    """
    how: dict[str, Any] = {"name": name, "group": group} if AIRFLOW_3 else {}
    if not _WRITTEN_AS_AIRFLOW_DOES.fullmatch(uri):
        return Asset(uri=uri, **how)
    asset = Asset(uri=f"x-{uri}", **how)
    # Past the class's own setter, which asks as well.
    object.__setattr__(asset, "uri", uri)
    return asset


def assets_or_time(assets: Sequence[Asset], cron: str) -> Any:
    """Return a schedule of runs that any of some assets (2.11: datasets) starts, and the clock as well.

    :param assets: at least one
    :param cron: when the clock does, in UTC; such a run has a moment and no interval
    """
    # Here, because few DAGs have such a schedule.
    timetable = import_module("airflow.timetables.trigger").CronTriggerTimetable(cron, timezone="UTC")
    condition = reduce(or_, assets)
    if not AIRFLOW_3:
        return import_module("airflow.timetables.datasets").DatasetOrTimeSchedule(
            timetable=timetable, datasets=condition
        )
    try:
        schedule = import_module("airflow.sdk").AssetOrTimeSchedule
    except AttributeError:  # 3.0 and 3.1 have it in core only
        schedule = import_module("airflow.timetables.assets").AssetOrTimeSchedule
    return schedule(timetable=timetable, assets=condition)


def newest_xcom(context: Context, key: str) -> Any:
    """Return the newest XCom that an earlier run of this task left behind, None if there is none.

    :param context: of the running task
    :param key: its key
    """
    ti = context["ti"]
    place = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id}
    return XCom.get_one(key=key, include_prior_dates=True, **place)


def delete_xcom(context: Context, key: str, run_id: str) -> None:
    """Delete an XCom that another run of this task left behind.

    :param context: of the running task
    :param key: its key
    :param run_id: of the other run
    """
    ti = context["ti"]
    if AIRFLOW_3:
        XCom.delete(key=key, dag_id=ti.dag_id, task_id=ti.task_id, run_id=run_id)
    else:  # all that the task left behind in that run
        XCom.clear(dag_id=ti.dag_id, task_id=ti.task_id, run_id=run_id)


def trigger_at(moment: datetime) -> BaseTrigger:
    """Return a trigger that fires at an instant.

    :param moment: aware
    """
    # Here, because few tasks defer. Airflow 3 moved what is not core into a provider, which it brings along.
    module = "airflow.providers.standard.triggers.temporal" if AIRFLOW_3 else "airflow.triggers.temporal"
    trigger: BaseTrigger = import_module(module).DateTimeTrigger(moment=moment)
    return trigger


def flush_stats() -> None:
    """Send the metrics that OpenTelemetry has gathered: Airflow 2 ends a task's process without that."""
    if conf.getboolean("metrics", "otel_on", fallback=False):
        from opentelemetry.metrics import get_meter_provider

        # The one of the API, which is there while none is set up, gathers nothing and has no such method.
        flush = getattr(get_meter_provider(), "force_flush", None)
        if flush is not None:
            flush(timeout_millis=5000)


def run_list_url() -> str | None:
    """Return the address of Airflow's list of runs for one run id, with ``{{value}}`` in its place.

    None if Airflow's own address is not configured.
    """
    base: str = conf.get("api" if AIRFLOW_3 else "webserver", "base_url", fallback="") or ""
    # The list of 2.11 is Flask-AppBuilder's, whose filters are numbered: 3 is "equal to".
    query = "dag_runs?run_id_pattern=" if AIRFLOW_3 else "dagrun/list/?_flt_3_run_id="
    return f"{base.rstrip('/')}/{query}{{{{value}}}}" if base else None


def get_variable(name: str) -> str | None:
    """Return an Airflow Variable, wherever Airflow keeps it; None if there is none.

    :param name: its key
    """
    # The Task SDK calls the fallback `default`, 2.11 `default_var`; both take it by position.
    value: str | None = Variable.get(name, None)
    return value


def pool_slots(name: str) -> int | None:
    """Return how many slots a pool has; None if there is none, or if this line of Airflow tells no task.

    :param name: of the pool
    """
    if AIRFLOW_3:
        return None
    pool: Any = import_module("airflow.models.pool").Pool.get_pool(name)
    return None if pool is None else int(pool.slots)


def task_state(context: Context, task_id: str) -> str | None:
    """Return the state of another task of the same run, on Airflow 3.

    :param context: of the running task
    :param task_id: of the other one
    """
    task: Any = context["ti"]
    states: Any = task.get_task_states(dag_id=task.dag_id, task_ids=[task_id], run_ids=[task.run_id])
    found = states.get(task.run_id, {}).get(task_id)
    return None if found is None else str(getattr(found, "value", found))


def is_dags_test(context: Context) -> bool:
    """Say whether ``airflow dags test`` runs a task, from Airflow 3.2 on; 3.0 tells no task who started its run.

    :param context: of the running task
    """
    return getattr(context.get("dag_run"), "triggering_user_name", None) == "dag_test"


def outlet_extra(context: Context, asset: Asset, extra: Mapping[str, Any]) -> None:
    """Attach metadata to the event that a successful task writes for an asset (2.11: a dataset).

    :param context: of the running task
    :param asset: one of the task's outlets
    :param extra: plain JSON values
    """
    context["outlet_events"][asset].extra = dict(extra)


__all__ = [
    "AIRFLOW_3",
    "DAG",
    "EXPONENTIAL_BACKOFF",
    "PAGE_LINE",
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "Asset",
    "BaseHook",
    "BaseNotifier",
    "BaseOperator",
    "BaseOperatorLink",
    "Context",
    "CronDataIntervalTimetable",
    "Param",
    "Stats",
    "XCom",
    "assets_or_time",
    "default_time_zone",
    "delete_xcom",
    "flush_stats",
    "get_setting_int",
    "get_variable",
    "is_dags_test",
    "make_asset",
    "mask_secret",
    "newest_xcom",
    "outlet_extra",
    "pool_slots",
    "run_list_url",
    "task_state",
    "trigger_at",
    "triggering_events",
]
