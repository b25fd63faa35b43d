"""Runs detection rules over past windows with Apache Airflow: over backfilled history, or with new rules.

### What a run does

One mapped task runs each rule over each day of the range, and stores its matches in the index
`okta-detection-matches`. A match always has the same id, so you may run, clear and retry a replay as often as you
like. `report` prints a table: rule, matches, first, last, an example. Nobody is notified.

Historical events count here, and disabled rules run too, because a replay answers "would this have fired?".

### Params

* `from`, `to`: the range of `published`, for example `2026-11-01T00:00:00Z`; `to` is not part of it
* `rules`: names, ids or files of rules, `*` and `?` are wildcards; none means all
"""

from __future__ import annotations

from datetime import timedelta

from oktalogger.compat import DAG, EXPONENTIAL_BACKOFF, Param
from oktalogger.operators.detection_replay import (
    DetectionReplayOperator,
    DetectionReplayReportOperator,
    DetectionReplayUnitsOperator,
)
from oktalogger.operators.run import FORM_ZONE, refuse_unknown_params
from oktalogger.settings import load_settings
from oktalogger.timetables import LONG_PAST

settings = load_settings()

with DAG(
    dag_id="okta_detection_replay",
    description="Detection rules over past windows",
    doc_md=__doc__,
    schedule=None,
    start_date=LONG_PAST,
    catchup=False,
    max_active_runs=4,
    dagrun_timeout=timedelta(hours=12),
    params={
        "from": Param(type="string", format="date-time", description=f"Start of the range of `published`. {FORM_ZONE}"),
        "to": Param(type="string", format="date-time", description=f"End, not part of the range. {FORM_ZONE}"),
        "rules": Param(
            [],
            type=["array", "null"],
            items={"type": "string"},
            description="Names, ids or files of rules; `*` and `?` are wildcards. None means all.",
        ),
    },
    default_args={
        "owner": "oktalogger",
        "opensearch_conn_id": settings.opensearch_conn_id,
        "retries": 4,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": EXPONENTIAL_BACKOFF,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(hours=1),
    },
    tags=["okta", "opensearch", "security", "detections"],
):
    parts = DetectionReplayUnitsOperator(
        task_id="parts",
        pre_execute=refuse_unknown_params,
        since="{{ params['from'] }}",
        until="{{ params['to'] }}",
        rules="{{ (params['rules'] or []) | join(' ') }}",
        doc_md="Cuts the range into a part for each rule and day.",
    )
    replay = DetectionReplayOperator.partial(
        task_id="replay",
        map_index_template="{{ task.unit }}",
        max_active_tis_per_dagrun=4,
        doc_md="Runs one rule over one day and stores its matches. Its row of the table is the XCom `return_value`.",
    ).expand_kwargs(parts.output)
    DetectionReplayReportOperator(
        task_id="report",
        rows=replay.output,
        doc_md="Prints the table, and leaves its rows as the XCom `return_value`.",
    )
