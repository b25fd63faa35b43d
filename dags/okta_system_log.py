"""Loads the Okta System Log into OpenSearch, a few minutes at a time, with Apache Airflow.

### What a run does

A run loads the events that Okta published in its **data interval** of five minutes (`OKTALOGGER_INTERVAL_MINUTES`). It
waits half a minute after the interval's end, and reads the last minute of the interval before again, because Okta
publishes some events late. Each event is stored under Okta's own id, so a run that is retried or cleared stores nothing
twice. If the scheduler was down, it catches up on the missed runs, so that no event is missing.

### Load a time range by hand

Trigger the DAG with both params, for example `{"since": "2026-11-23T10:00:00Z", "until": "2026-11-23T11:00:00Z"}`.
Without them a run without a data interval (Airflow 3: a trigger without a logical date) fails, and says so.

### Load history

`airflow dags backfill okta_system_log -s ... -e ...` on Airflow 2, `airflow backfill create --dag-id okta_system_log
--from-date ... --to-date ...` on Airflow 3. Okta deletes events after 90 days.

### When a run fails

Airflow retries it for an hour while Okta or OpenSearch is out of reach, and then gives up, so that it never holds up
the windows after it: `okta_system_log_reconcile` finds the gap, fills it and says so. If no retry can help (a wrong
token, a missing permission), the run fails at once, and the task's log says what to do. Do that; then clear the failed
tasks, or leave them to reconcile. Events that OpenSearch refuses are kept whole in the index
`okta-system-log-rejected`. The counts of a run, rejected events included, are its task's XCom `return_value`.
"""

from __future__ import annotations

from datetime import timedelta

from oktalogger.compat import DAG, EXPONENTIAL_BACKOFF, Param
from oktalogger.operators.run import FORM_ZONE, before_load
from oktalogger.operators.system_log import OktaSystemLogToOpenSearchOperator, system_log_asset
from oktalogger.pipeline.live import LONGEST_RUN, most_runs, patience
from oktalogger.settings import load_settings
from oktalogger.timetables import LONG_PAST, CronFromTimetable, begin_note, every_minutes

settings = load_settings()
begins = settings.begins


def dag_id(conn_id: str) -> str:
    """Return an org's DAG id, by its connection: by its place in the list, an org could get another's history."""
    return "okta_system_log" if conn_id == "okta_default" else f"okta_system_log__{conn_id}"


def instant(description: str) -> Param:
    """Return a param that takes an instant or nothing."""
    return Param(None, type=["null", "string"], format="date-time", description=f"{description} {FORM_ZONE}")


for conn_id in settings.okta_conn_ids:
    with DAG(
        dag_id=dag_id(conn_id),
        description=f"Okta System Log ({conn_id}) into OpenSearch, every {settings.interval_minutes} minutes",
        doc_md=__doc__ + begin_note(begins),
        # Named, because on Airflow 3 a bare cron string gives runs an empty data interval.
        schedule=CronFromTimetable(every_minutes(settings.interval_minutes), begins),
        start_date=LONG_PAST,
        catchup=True,
        # A run that waits for its next try counts as well, so windows that nothing can load must not use this up. What
        # loads at once is bounded at the task, and by the pool.
        max_active_runs=most_runs(settings.interval, settings.live_tasks),
        # Longer than all the retries below.
        dagrun_timeout=LONGEST_RUN,
        params={
            "since": instant("Load from this instant on, instead of the run's data interval. Needs `until`."),
            "until": instant("Load up to this instant, not including it. Needs `since`."),
        },
        default_args={
            "owner": "oktalogger",
            "pool": settings.pool,
            # Live loads go first if the pool is full: reconcile has weight 5, a backfill 1.
            "priority_weight": 10,
            "weight_rule": "absolute",
            # For runs that somebody starts; a scheduled one gives up earlier.
            "retries": 40,
            "retry_delay": timedelta(seconds=30),
            "retry_exponential_backoff": EXPONENTIAL_BACKOFF,
            "max_retry_delay": timedelta(minutes=15),
            "execution_timeout": timedelta(hours=1),
        },
        tags=["okta", "opensearch", "security"],
    ):
        OktaSystemLogToOpenSearchOperator(
            task_id="load",
            pre_execute=before_load,
            okta_conn_id=conn_id,
            opensearch_conn_id=settings.opensearch_conn_id,
            give_up_after=patience(settings.interval),
            max_active_tis_per_dag=settings.live_tasks,
            outlets=[system_log_asset(conn_id, settings.opensearch_conn_id, settings.index_prefix)],
            doc_md="Reads one window page by page and stores it. The counts are its XCom `return_value`.",
        )
