"""Runs detection rules over the past, with Apache Airflow: over loaded history, and with rules that are new.

### What a run does

It runs each rule over each day of the range, one mapped task each, and keeps what it finds in the index
`okta-detection-matches`. A match has an id of its own that stays the same, so a replay may be run again, cleared and
retried at will. `report` prints a table: rule, matches, first, last, an example. Nobody is notified.

Events that a backfill loaded count here, and disabled rules run too: "would this have fired?" is what it is for.

### Params

* `from`, `to`: the range of `published`, for example `2026-11-01T00:00:00Z`; `to` itself is not part of it
* `rules`: names, ids or files of rules, `*` and `?` may stand in; none means all
"""

from __future__ import annotations

from datetime import timedelta

from oktalogger.compat import DAG, EXPONENTIAL_BACKOFF, Param
from oktalogger.operators.detection_replay import (
    DetectionReplayOperator,
    DetectionReplayReportOperator,
    DetectionReplayUnitsOperator,
)
from oktalogger.operators.run import refuse_unknown_params
from oktalogger.settings import load_settings
from oktalogger.timetables import LONG_PAST

settings = load_settings()

with DAG(
    dag_id="okta_detection_replay",
    description="Detection rules over the past",
    doc_md=__doc__,
    schedule=None,
    start_date=LONG_PAST,
    catchup=False,
    max_active_runs=4,
    dagrun_timeout=timedelta(hours=12),
    params={
        "from": Param(type="string", format="date-time", description="Start of the range of `published`."),
        "to": Param(type="string", format="date-time", description="End of the range, itself not part of it."),
        "rules": Param(
            [],
            type=["array", "null"],
            items={"type": "string"},
            description="Names, ids or files of rules, `*` and `?` may stand in. None means all.",
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
        doc_md="Runs one rule over one day and keeps what it finds; a row of the table is its XCom `return_value`.",
    ).expand_kwargs(parts.output)
    DetectionReplayReportOperator(
        task_id="report",
        rows=replay.output,
        doc_md="Prints the table, and leaves its rows as the XCom `return_value`.",
    )
