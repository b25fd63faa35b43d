"""Reads closed hours of the Okta System Log again for late events and gaps, hour by hour, with Apache Airflow.

### Why

Okta publishes some events late, a few of them hours late, and warns that a query for a time range may miss those. The
scheduled loads wait half a minute and read one minute twice. This DAG finds events that come later than that.

### What a run does

Every hour, `plan` names the hours whose turn it is: the one that ended an hour ago and the one that ended a day ago
(`OKTALOGGER_RECONCILE_AFTER_HOURS`). It looks for **gaps** as well: parts of the time since `OKTALOGGER_START_DATE`, or
since the first scheduled load if that was earlier, that have no complete window in the ledger. And it counts, in one
search, whether each hour still holds what was stored of it; one that does not is **damaged**. `reread`, one mapped task
for each window, loads them through the same loader as always; nothing is stored twice, and what is new in a window that
was complete is a late event. `verdict` counts.

### When a run fails

`verdict` fails when

* the loads missed more events than `OKTALOGGER_LATE_ALERT_EVENTS` and `OKTALOGGER_LATE_ALERT_PERCENT` allow, or one for
  longer than `OKTALOGGER_LATE_ALERT_SECONDS`;
* more events were refused than `OKTALOGGER_REFUSED_ALERT_EVENTS` and `OKTALOGGER_REFUSED_ALERT_PERCENT` allow;
* more than `OKTALOGGER_GAP_ALERT_SECONDS` of the covered time had no complete window;
* an hour was damaged.

It names the windows. **What was missing is there by then**: the task fails so that somebody hears of it. With
`OKTALOGGER_RECONCILE_CHANNEL`, the name of a channel in `OKTALOGGER_DETECTION_NOTIFIERS`, that notifier is told instead
and the task succeeds.

It fails as well when a window could not be read again. The next run tries it once more, in pieces as wide as live
windows, so that the one that cannot be read costs itself only.

### With an archive

With `OKTALOGGER_ARCHIVE` there is a task more, `archive`. It seals each closed day, and compares the hours that were
read again with OpenSearch, event by event. It fails, or tells the channel, if they differ.
"""

from __future__ import annotations

from datetime import timedelta

from oktalogger.compat import DAG, EXPONENTIAL_BACKOFF
from oktalogger.operators.archive import ArchiveReconcileOperator
from oktalogger.operators.reconcile import ReconcilePlanOperator, ReconcileVerdictOperator
from oktalogger.operators.run import refuse_unknown_params
from oktalogger.operators.system_log import OktaSystemLogToOpenSearchOperator, system_log_asset
from oktalogger.settings import load_settings
from oktalogger.timetables import LONG_PAST, CronFromTimetable

settings = load_settings()

for conn_id in settings.okta_conn_ids:
    with DAG(
        dag_id="okta_system_log_reconcile" if conn_id == "okta_default" else f"okta_system_log_reconcile__{conn_id}",
        description=f"Okta System Log ({conn_id}): closed hours once more, for late events and gaps",
        doc_md=__doc__,
        # Not on the full hour, when everybody else's jobs start.
        schedule=CronFromTimetable("7 * * * *", settings.begins),
        start_date=LONG_PAST,
        catchup=True,
        # One at a time, so that two runs never fill the same gap.
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=12),
        default_args={
            "owner": "oktalogger",
            "okta_conn_id": conn_id,
            "opensearch_conn_id": settings.opensearch_conn_id,
            "priority_weight": 5,
            "weight_rule": "absolute",
            "retries": 10,
            "retry_delay": timedelta(seconds=30),
            "retry_exponential_backoff": EXPONENTIAL_BACKOFF,
            "max_retry_delay": timedelta(minutes=15),
            "execution_timeout": timedelta(hours=1),
        },
        tags=["okta", "opensearch", "security"],
    ):
        plan = ReconcilePlanOperator(
            task_id="plan",
            pre_execute=refuse_unknown_params,
            doc_md="Names the hours and gaps to read again. The gaps are its XCom `gaps`.",
        )
        reread = OktaSystemLogToOpenSearchOperator.partial(
            task_id="reread",
            pool=settings.pool,
            kind="reconcile",
            overlap=timedelta(0),
            hold_back=timedelta(0),
            map_index_template="{{ task.unit }}",
            max_active_tis_per_dag=1,
            # The next run reads what this one cannot, so a window that nothing can load does not hold up that run.
            retries=2,
            outlets=[system_log_asset(conn_id, settings.opensearch_conn_id, settings.index_prefix)],
            doc_md="Reads one window again. Events that it creates in a window that was complete are late.",
        ).expand_kwargs(plan.output)
        verdict = ReconcileVerdictOperator(
            task_id="verdict",
            windows=plan.output,
            gaps=plan.output["gaps"],  # type: ignore[index]
            left=plan.output["left"],  # type: ignore[index]
            damaged=plan.output["damaged"],  # type: ignore[index]
            trigger_rule="all_done",
            doc_md="Says what was late or missing, and raises an alert if that is too much.",
        )
        reread >> verdict
        if settings.archive is not None:
            archive = ArchiveReconcileOperator(
                task_id="archive",
                windows=plan.output,
                trigger_rule="all_done",
                doc_md="Seals closed days, and compares the archive with OpenSearch. The seals are its XCom `seals`.",
            )
            reread >> archive
