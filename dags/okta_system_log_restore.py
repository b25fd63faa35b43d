"""Loads a range of the Okta System Log from the archive instead of Okta, with Apache Airflow.

### How to use it

Trigger the DAG, choose **from** and **to** in the form, and leave the rest unchanged. `plan` finds out which hours are
not whole in OpenSearch, and which of them the archive has. One mapped task `load` loads each part, and `summary` says
what was loaded, what is left, and what the archive does not have.

Use it after a cluster or a month was lost, for a new mapping, or for events that have left OpenSearch by retention. The
documents are the same as before, under the same ids and in the same indices. Nothing is stored twice, so you may stop,
clear and start it again at any time.

### What it costs

It asks Okta nothing, so Okta's rate limit plays no part: it loads as fast as OpenSearch stores.

### Who is paged

Nobody. What comes from the archive is marked `oktalogger.historical`, and detections leave it out.

### When a run fails

If something is not in the archive, or cannot be read there. All else is loaded by then. `python -m oktalogger archive
check` names every object that is missing or changed.
"""

from __future__ import annotations

from datetime import timedelta

from oktalogger.compat import DAG, EXPONENTIAL_BACKOFF, Param
from oktalogger.operators.restore import (
    OktaArchiveToOpenSearchOperator,
    RestorePlanOperator,
    RestoreSummaryOperator,
)
from oktalogger.operators.run import FORM_ZONE, refuse_unknown_params
from oktalogger.settings import load_settings
from oktalogger.timetables import LONG_PAST

settings = load_settings()

for conn_id in settings.okta_conn_ids:
    with DAG(
        dag_id="okta_system_log_restore" if conn_id == "okta_default" else f"okta_system_log_restore__{conn_id}",
        description=f"Okta System Log ({conn_id}): from the archive into OpenSearch, by hand",
        doc_md=__doc__,
        schedule=None,
        start_date=LONG_PAST,
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(days=7),
        params={
            "from": Param(
                type="string",
                format="date-time",
                title="From",
                description=f"Load from this day and time on. {FORM_ZONE} `plan` says what it understood.",
            ),
            "to": Param(
                type="string",
                format="date-time",
                title="To",
                description=f"Load up to this day and time, not including it. {FORM_ZONE}",
            ),
            "all": Param(
                False,
                type="boolean",
                title="All",
                description="Also load hours that are complete in OpenSearch.",
            ),
        },
        default_args={
            "owner": "oktalogger",
            "okta_conn_id": conn_id,
            "opensearch_conn_id": settings.opensearch_conn_id,
            "priority_weight": 1,
            "weight_rule": "absolute",
            "retries": 10,
            "retry_delay": timedelta(seconds=30),
            "retry_exponential_backoff": EXPONENTIAL_BACKOFF,
            "max_retry_delay": timedelta(minutes=15),
            # A try that this ends has saved its progress, and the next one continues from there.
            "execution_timeout": timedelta(hours=6),
        },
        tags=["okta", "opensearch", "security"],
    ):
        plan = RestorePlanOperator(
            task_id="plan",
            pre_execute=refuse_unknown_params,
            doc_md="Reads the params, and says which parts to load. What the archive lacks is its XCom `absent`.",
        )
        load = OktaArchiveToOpenSearchOperator.partial(
            task_id="load",
            map_index_template="{{ task.unit }}",
            max_active_tis_per_dag=settings.backfill_tasks,
            doc_md="Loads one part from the archive. The counts are its XCom `return_value`.",
        ).expand_kwargs(plan.output)
        summary = RestoreSummaryOperator(
            task_id="summary",
            windows=plan.output,
            absent=plan.output["absent"],  # type: ignore[index]
            trigger_rule="all_done",
            doc_md="Says what was loaded, what is left, and what the archive does not have.",
        )
        load >> summary
