"""Measures what the Okta page in Airflow's UI shows: coverage, volume, lateness and findings of the last 90 days.

### What a run does

Each load of the Okta System Log starts one, those of reconcile and of a backfill too, and so does the clock, once an
hour, so that the page shows an outage as well. `measure` asks OpenSearch, and leaves a snapshot of at most 200 kB in
Airflow's own store, as its XCom `snapshot`. The snapshot of the run before it is deleted.

### Who sees it

The menu entry **Okta** shows the page (Airflow 2.11, and 3.1 or later). It reads the snapshot through Airflow's REST
API with the rights of who looks: whoever may not read this DAG sees nothing. The web server needs no route to
OpenSearch or Okta, and none of their secrets.

### What it costs

Once an hour a run counts all 90 days, which is what a run of reconcile costs. All other runs count the last day only,
in eight small searches.

### When a run fails

No load and no detection waits for this DAG, and the page keeps showing the last snapshot, with its age. The task's log
says what was wrong.
"""

from __future__ import annotations

from datetime import timedelta

from oktalogger.compat import DAG, EXPONENTIAL_BACKOFF, PAGE_LINE, assets_or_time
from oktalogger.operators.page import OktaPageOperator
from oktalogger.operators.run import refuse_unknown_params
from oktalogger.operators.system_log import system_log_asset
from oktalogger.settings import load_settings
from oktalogger.timetables import LONG_PAST

settings = load_settings()

for conn_id in settings.okta_conn_ids:
    loads = system_log_asset(conn_id, settings.opensearch_conn_id, settings.index_prefix)
    with DAG(
        dag_id="okta_page" if conn_id == "okta_default" else f"okta_page__{conn_id}",
        description=f"Okta System Log ({conn_id}): what the page Okta in the menu shows",
        doc_md=__doc__,
        # Airflow 3.0 has no place for such a page. At this minute, reconcile has read the hour again.
        schedule=assets_or_time([loads], "23 * * * *") if PAGE_LINE else None,
        start_date=LONG_PAST,
        catchup=False,
        # One at a time, so that no run deletes the snapshot of a newer one.
        max_active_runs=1,
        dagrun_timeout=timedelta(minutes=30),
        default_args={
            "owner": "oktalogger",
            "okta_conn_id": conn_id,
            "opensearch_conn_id": settings.opensearch_conn_id,
            # Behind everything else.
            "priority_weight": 1,
            "weight_rule": "absolute",
            "retries": 4,
            "retry_delay": timedelta(seconds=30),
            "retry_exponential_backoff": EXPONENTIAL_BACKOFF,
            "max_retry_delay": timedelta(minutes=5),
            "execution_timeout": timedelta(minutes=10),
        },
        tags=["okta", "opensearch", "security"],
    ):
        OktaPageOperator(
            task_id="measure",
            pre_execute=refuse_unknown_params,
            doc_md="Asks OpenSearch. What the page shows is its XCom `snapshot`.",
        )
