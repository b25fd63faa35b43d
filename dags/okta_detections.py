"""Brings OpenSearch's alerting monitors in step with the detection rules, with Apache Airflow.

### What a run does

It compares the rules in the folders of `OKTALOGGER_DETECTIONS_DIR` with the monitors that OpenSearch has, and creates,
updates and deletes what differs: `plan` says what is to be done and why, `apply` does it, one mapped task for each
change and named after it, and `verify` reads everything once more. A run with nothing to do writes nothing. It runs
when a file has changed, and once a day.

Monitors that oktalogger did not make are never touched. What somebody **changed by hand** in a monitor of ours is shown
with the difference, and left as it is until a run with `put_back` overwrites it. A rule that is gone takes its monitor
with it; if that would delete more than a fifth of our monitors (`OKTALOGGER_DETECTION_DELETE_PERCENT`), the run stops
before it writes anything, and asks for `confirm_deletions`.

### Params

* `dry_run`: only plan
* `confirm_deletions`: delete however many monitors the plan says
* `put_back`: ids of rules whose monitors become what the rules say, whatever was changed by hand; or the word `all`

### When a run fails

A rule that cannot be compiled or looks at a field that the cluster does not have yet, and a notification channel that
is missing or disabled, fail `plan` before anything is written, with a sentence that names it. A run that died half-way
needs no care: the next one reads what is there.

### Without the Alerting plugin

The run is skipped, and says so: detections then run in `okta_detections_after_load`.
"""

from __future__ import annotations

from datetime import timedelta

from oktalogger.compat import DAG, EXPONENTIAL_BACKOFF, Param
from oktalogger.operators.detections import DetectionApplyOperator, DetectionPlanOperator, DetectionVerifyOperator
from oktalogger.operators.run import refuse_unknown_params
from oktalogger.resources import rule_folders
from oktalogger.settings import load_settings
from oktalogger.timetables import LONG_PAST, FilesOrDailyTimetable, changed_at

settings = load_settings()

with DAG(
    dag_id="okta_detections",
    description="Detection rules into OpenSearch monitors, on change and daily",
    doc_md=__doc__,
    schedule=FilesOrDailyTimetable(changed_at(*rule_folders())),
    start_date=LONG_PAST,
    catchup=False,
    # Two at once would only get into each other's way.
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    params={
        "dry_run": Param(False, type="boolean", description="Only say what would be done."),
        "confirm_deletions": Param(False, type="boolean", description="Delete however many monitors the plan says."),
        "put_back": Param(
            [],
            type=["array", "null"],
            items={"type": "string"},
            description="Ids of rules whose monitors become what the rules say, despite changes by hand; or `all`.",
        ),
    },
    default_args={
        "owner": "oktalogger",
        "opensearch_conn_id": settings.opensearch_conn_id,
        "retries": 4,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": EXPONENTIAL_BACKOFF,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=30),
    },
    tags=["okta", "opensearch", "security", "detections"],
):
    plan = DetectionPlanOperator(
        task_id="plan",
        pre_execute=refuse_unknown_params,
        doc_md="Says what is to be done: in the log, and as the XCom `plan`. It writes nothing.",
    )
    apply = DetectionApplyOperator.partial(
        task_id="apply",
        map_index_template="{{ task.unit }}",
        max_active_tis_per_dagrun=4,
        doc_md="Carries out one change. It reads and plans again itself, so it may be retried or cleared at any time.",
    ).expand_kwargs(plan.output)
    verify = DetectionVerifyOperator(
        task_id="verify",
        # Also when there was nothing to apply, but not when the plan was skipped.
        trigger_rule="none_failed_min_one_success",
        doc_md="Reads everything once more, and fails if a monitor is not as its rule says.",
    )
    plan >> apply >> verify
    plan >> verify
