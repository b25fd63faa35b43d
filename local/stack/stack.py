"""Starts the parts in their order, and keeps them until the block is left."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from local import paths
from local.simulator.process import Control
from local.stack.airflow import POOL, POOL_SLOTS, Airflow
from local.stack.airflow_api import AirflowApi
from local.stack.processes import Parts, adopt_orphans, bury_orphans
from local.stack.running import empty, only_one
from local.stack.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.console import Stopwatch
    from local.stack.settings import StackSettings

DAG_ID = "okta_system_log"
# As the DAG reads it, so that `OKTALOGGER_INTERVAL_MINUTES=1 make demo` has a window a minute.
WINDOW = timedelta(minutes=int(os.environ.get("OKTALOGGER_INTERVAL_MINUTES") or 5))
FIRST_START_BYTES = 1024**3  # OpenSearch takes 0.2 GiB, and wants 0.5 free for its data
LATER_START_BYTES = 512 * 1024**2
# Seconds until a server answers, with plenty for a machine that is busy: one that ends is noticed at once.
AIRFLOW_TIMEOUT = 1_800
SERVER_TIMEOUT = 1_800  # the first start fetches OpenSearch
OKTA_TIMEOUT = 300
# What happens in the org that a security team would want to see: once in the windows that are loaded first, whichever
# these are, and again every few minutes.
STORIES = (
    *("mfa-fatigue@-12m", "password-spray@-11m", "admin-probe@-10m", "admin-group@-8m"),
    *("admin-probe@+1m", "password-spray@+3m", "mfa-fatigue@+6m", "admin-group@+9m"),
)


@dataclass(frozen=True, slots=True)
class Stack:
    """A demo that is running.

    :param airflow: its Airflow
    :param api: Airflow's REST API
    :param opensearch_url: its OpenSearch
    :param okta_url: its org
    :param okta: the org's control endpoint
    :param parts: its processes
    :param first_window: start of the first window that this start loads
    :param started: when it was started
    :param is_first_start: whether nothing was there before
    """

    airflow: Airflow
    api: AirflowApi
    opensearch_url: str
    okta_url: str
    okta: Control
    parts: Parts
    first_window: datetime
    started: datetime
    is_first_start: bool


def last_closed(now: datetime) -> datetime:
    """End of the newest window that is over at an instant."""
    return datetime.fromtimestamp(now.timestamp() // WINDOW.total_seconds() * WINDOW.total_seconds(), UTC)


@contextmanager
def running_stack(settings: StackSettings, watch: Stopwatch, *, from_nothing: bool = False) -> Iterator[Stack]:
    """Run everything until the block is left, and end all of it then.

    :param from_nothing: whether to remove first what earlier ones left
    :raises StackError: if a part cannot start
    :raises OSError: if the disk is too full
    """
    first_start = from_nothing or not (settings.home / "airflow" / "airflow.db").exists()
    paths.need_free(settings.home, FIRST_START_BYTES if first_start else LATER_START_BYTES, "the demo")
    with only_one(settings.home, settings.ports) as marker:
        if from_nothing:
            empty(settings.home)
            shutil.rmtree(settings.opensearch_home, ignore_errors=True)
        settings.logs.mkdir(parents=True, exist_ok=True)
        adopt_orphans()
        parts = Parts(marker, settings.logs)
        try:
            yield _start(settings, parts, watch, is_first=first_start)
        finally:
            watch.say("ending everything")
            parts.stop()
            bury_orphans()
            watch.say("ended")


def _start(settings: StackSettings, parts: Parts, watch: Stopwatch, *, is_first: bool) -> Stack:
    started = datetime.now(UTC)
    watch.say("starting OpenSearch and the simulated Okta org")
    opensearch = parts.start("opensearch", _opensearch(settings), os.environ, ready=True)
    okta = parts.start("okta", _okta(settings), os.environ, ready=True)
    okta_ready = parts.ready_line(okta, OKTA_TIMEOUT)
    watch.say(f"the org answers at {okta_ready['url']}")
    first_window = last_closed(datetime.now(UTC)) - timedelta(minutes=settings.history)
    airflow = Airflow(
        line=settings.line,
        home=settings.home / "airflow",
        port=settings.ports["airflow"],
        connections={
            "okta_default": {"conn_type": "okta", "host": okta_ready["url"], "password": okta_ready["token"]},
            "opensearch_default": {
                "conn_type": "opensearch",
                "host": "http://localhost",
                "port": settings.ports["opensearch"],
            },
        },
        variables={
            "OKTALOGGER_ARCHIVE": str(settings.home / "archive"),
            "OKTALOGGER_START_DATE": first_window.isoformat(),
            "OKTALOGGER_INTERVAL_MINUTES": f"{WINDOW.total_seconds() / 60:.0f}",
        },
    )
    _prepare(airflow, parts, watch)
    watch.say(f"starting Airflow {airflow.line}")
    _start_parts(parts, airflow, airflow.servers())
    opensearch_ready = parts.ready_line(opensearch, SERVER_TIMEOUT)
    watch.say(f"OpenSearch {opensearch_ready['version']} answers at {opensearch_ready['url']}")
    api = AirflowApi(airflow)
    until(api.answers, lambda: "waiting for Airflow's web server", watch, parts.check, limit=AIRFLOW_TIMEOUT)
    pool = partial(api.make_pool, POOL, POOL_SLOTS)
    until(pool, lambda: "waiting for Airflow to make a pool", watch, parts.check, limit=AIRFLOW_TIMEOUT)
    watch.say(f"Airflow answers at {airflow.url}")
    _start_parts(parts, airflow, airflow.runners())
    return Stack(
        airflow,
        api,
        opensearch_ready["url"],
        okta_ready["url"],
        Control(okta_ready["control"]),
        parts,
        first_window,
        started,
        is_first,
    )


def _start_parts(parts: Parts, airflow: Airflow, programs: list[tuple[str, list[str]]]) -> None:
    environment = airflow.environment()
    for name, command in programs:
        parts.start(name, command, environment)


def _prepare(airflow: Airflow, parts: Parts, watch: Stopwatch) -> None:
    """Make Airflow's database, once, and again when the lock file has changed."""
    stamp = airflow.home / "prepared"
    wanted = (paths.ROOT / ".venvs" / f"airflow-{airflow.line}" / "oktalogger.stamp").read_text()
    airflow.write_files()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    for name, command in airflow.preparation():
        watch.say(f"running {name.replace('-', ' ')}")
        parts.run(name, command, airflow.environment())
    stamp.write_text(wanted)


def _opensearch(settings: StackSettings) -> list[str]:
    options = ["--port", str(settings.ports["opensearch"]), "--data", str(settings.opensearch_home)]
    return [sys.executable, "-m", "local.opensearch", "run", *options]


def _okta(settings: StackSettings) -> list[str]:
    stories = [option for story in STORIES for option in ("--story", story)]
    options = ["--port", str(settings.ports["okta"]), "--seed", "demo", "--rate", str(settings.rate), *stories]
    return [sys.executable, "-m", "local.simulator", *options]
