"""Loads the Okta System Log's history into OpenSearch, up to 90 days, beside the live loads, with Apache Airflow.

### How to use it

Trigger the DAG, choose **from** and **to** in the form, and leave the rest as it is. The range is cut into chunks, one
mapped task `load` for each, the newest first, because Okta deletes events after 90 days. At the end `summary` says
how many windows, events, requests and minutes it took, and what is left.

It may be **stopped, cleared and started again** at any time: a chunk goes on at the page where it stopped, a run leaves
out every chunk that the ledger shows complete, and no event is stored twice. So the same run by day with a small share
and by night with a large one is the same work.

### What it costs

It uses at most `share` of Okta's rate limit (`OKTALOGGER_BACKFILL_SHARE` where not given), and stops earlier when other
programs use much, so that `OKTALOGGER_LIVE_RESERVE` of the limit always stays for the live loads. A request brings up
to a thousand events.

### Who is paged

Nobody, for what it loads more than a day after it was published: that is marked `oktalogger.historical`, and detections
leave it out (`OKTALOGGER_HISTORICAL_AFTER_HOURS`). What is younger they look at as after any load.

### When a run fails

`plan` refuses params that make no sense, with a sentence. A failed `load` says why in its log; clear it, or start a run
with the same params. `summary` fails as long as something is left.
"""

from __future__ import annotations

from datetime import timedelta

from oktalogger.compat import DAG, EXPONENTIAL_BACKOFF, Param
from oktalogger.operators.backfill import BackfillPlanOperator, BackfillSummaryOperator
from oktalogger.operators.run import refuse_unknown_params
from oktalogger.operators.system_log import OktaSystemLogToOpenSearchOperator, system_log_asset
from oktalogger.pipeline.backfill import CHUNKS, DEFAULT_CHUNK, ORDERS
from oktalogger.settings import load_settings
from oktalogger.timetables import LONG_PAST

settings = load_settings()

for conn_id in settings.okta_conn_ids:
    with DAG(
        dag_id="okta_system_log_backfill" if conn_id == "okta_default" else f"okta_system_log_backfill__{conn_id}",
        description=f"Okta System Log ({conn_id}): history into OpenSearch, by hand",
        doc_md=__doc__,
        schedule=None,
        start_date=LONG_PAST,
        catchup=False,
        max_active_runs=1,
        # 90 days of a large org take days at a small share.
        dagrun_timeout=timedelta(days=14),
        params={
            "from": Param(
                type="string", format="date-time", title="From", description="Load from this day and time on (UTC)."
            ),
            "to": Param(
                None,
                type=["null", "string"],
                format="date-time",
                title="To",
                description="Load up to this day and time, itself not included. Empty: up to ten minutes ago.",
            ),
            "chunk": Param(
                DEFAULT_CHUNK,
                type="string",
                enum=list(CHUNKS),
                title="Chunk",
                description="How much one task loads. A chunk that dies goes on where it stopped, however wide it is.",
            ),
            "share": Param(
                settings.backfill_share,
                type="number",
                minimum=0.01,
                maximum=1,
                title="Share",
                description="The part of Okta's rate limit that this run may use, for example 0.25 for a quarter.",
            ),
            "order": Param(
                ORDERS[0],
                type="string",
                enum=list(ORDERS),
                title="Order",
                description="Okta deletes the oldest events, so take `oldest first` for those about to go.",
            ),
        },
        default_args={
            "owner": "oktalogger",
            "okta_conn_id": conn_id,
            "opensearch_conn_id": settings.opensearch_conn_id,
            "priority_weight": 1,
            "weight_rule": "absolute",
            "retries": 40,
            "retry_delay": timedelta(seconds=30),
            "retry_exponential_backoff": EXPONENTIAL_BACKOFF,
            "max_retry_delay": timedelta(minutes=15),
            # A try that is ended by this has got on, and the next one goes on from there.
            "execution_timeout": timedelta(hours=6),
        },
        tags=["okta", "opensearch", "security"],
    ):
        plan = BackfillPlanOperator(
            task_id="plan",
            pre_execute=refuse_unknown_params,
            doc_md="Reads the params, and cuts the range into chunks; those that are complete are left out.",
        )
        load = OktaSystemLogToOpenSearchOperator.partial(
            task_id="load",
            pool=settings.pool,
            kind="backfill",
            share="{{ params.share }}",
            overlap=timedelta(0),
            hold_back=timedelta(0),
            map_index_template="{{ task.unit }}",
            max_active_tis_per_dag=settings.backfill_tasks,
            outlets=[system_log_asset(conn_id, settings.opensearch_conn_id, settings.index_prefix)],
            doc_md="Loads one chunk page by page; the counts are its XCom `return_value`.",
        ).expand_kwargs(plan.output)
        summary = BackfillSummaryOperator(
            task_id="summary",
            windows=plan.output,
            whole=plan.output["range"],  # type: ignore[index]
            trigger_rule="all_done",
            doc_md="Says what was loaded, what it took, and what is left.",
        )
        load >> summary
