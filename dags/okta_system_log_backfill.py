"""Loads up to 90 days of the Okta System Log's history into OpenSearch, during live loads, with Apache Airflow.

### How to use it

Trigger the DAG, choose **from** and **to** in the form, and leave the rest unchanged. `plan` cuts the range into
chunks, the newest first, and one mapped task `load` loads each. At the end `summary` says how many windows, events,
requests and minutes it took, and what is left.

You may **stop, clear and start it again** at any time: a chunk continues at the page where it stopped, a run leaves out
every chunk that the ledger shows as complete, and no event is stored twice. So you may run it with a small share by
day, and again with a large one by night.

### What it costs

It uses at most `share` of Okta's rate limit (by default `OKTALOGGER_BACKFILL_SHARE`), and waits earlier if other
programs use much, so that `OKTALOGGER_LIVE_RESERVE` of the limit is always left for the live loads. One request reads
up to a thousand events.

### Who is paged

Nobody, for events older than a day (`OKTALOGGER_HISTORICAL_AFTER_HOURS`): they are marked `oktalogger.historical`, and
detections leave them out. Younger events raise alerts as after any load.

### When a run fails

`plan` refuses wrong params, and says why. A failed `load` says why in its log; clear it, or start a run with the same
params. `summary` fails as long as something is left.
"""

from __future__ import annotations

from datetime import timedelta

from oktalogger.compat import DAG, EXPONENTIAL_BACKOFF, Param
from oktalogger.operators.backfill import BackfillPlanOperator, BackfillSummaryOperator
from oktalogger.operators.run import FORM_ZONE, refuse_unknown_params
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
        # With a small share, 90 days of a large org take days.
        dagrun_timeout=timedelta(days=14),
        params={
            "from": Param(
                type="string",
                format="date-time",
                title="From",
                description=f"Load from this day and time on. {FORM_ZONE} `plan` says what it understood.",
            ),
            "to": Param(
                None,
                type=["null", "string"],
                format="date-time",
                title="To",
                description="Load up to this day and time, not including it. Empty: up to ten minutes ago. "
                f"{FORM_ZONE}",
            ),
            "chunk": Param(
                DEFAULT_CHUNK,
                type="string",
                enum=list(CHUNKS),
                title="Chunk",
                description="How much one task loads. A chunk continues where it stopped, however wide it is.",
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
            # A try that this ends has saved its progress, and the next one continues from there.
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
            doc_md="Loads one chunk page by page. The counts are its XCom `return_value`.",
        ).expand_kwargs(plan.output)
        summary = BackfillSummaryOperator(
            task_id="summary",
            windows=plan.output,
            whole=plan.output["range"],  # type: ignore[index]
            trigger_rule="all_done",
            doc_md="Says what was loaded, what it took, and what is left.",
        )
        load >> summary
