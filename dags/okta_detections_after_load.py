"""Looks for detections in what was just loaded, and notifies by Airflow: for clusters without the Alerting plugin.

### What a run does

Each load of the Okta System Log starts one. On a cluster with the Alerting plugin it is skipped, because monitors do
this there; its log says which of the two it was. Otherwise it runs the same compiled rules over what was loaded, by
tries of the load that failed as well, keeps each match once in the index `okta-detection-matches`, and tells the
channels that a rule names. Nobody hears of the same events twice, and a notification that did not go out is tried again
with the task.

Each rule that found something has a task of its own in `finding`, named after it: its log has the matches, and what to
do about them. Where nothing was found, `finding` is skipped.

### Who hears of it

The channels that rules name, and `OKTALOGGER_DETECTION_CHANNELS`, stand for Airflow notifiers here:
`OKTALOGGER_DETECTION_NOTIFIERS` names one for each channel, for example `{"soc": {"class":
"airflow.providers.amazon.aws.notifications.sns.SnsNotifier", "target_arn": "...", "message": "{{ alert.text }}"}}`. A
channel without one is told by a warning in the task's log.

### When a run fails

A rule that OpenSearch will not run fails the task with its name, once all others were run and told of. Clear the task
when its cause is mended: it looks at everything that was loaded from its own load on up to the present.

### Run it by hand

With the params `since` and `until` it looks at what was *loaded* in that range; without them, in the last hour.
"""

from __future__ import annotations

from datetime import timedelta
from functools import reduce
from operator import or_

from oktalogger.compat import DAG, EXPONENTIAL_BACKOFF, Param
from oktalogger.operators.detection_replay import DetectionAlertOperator, DetectionFindingOperator
from oktalogger.operators.run import refuse_unknown_params
from oktalogger.operators.system_log import system_log_asset
from oktalogger.settings import load_settings
from oktalogger.timetables import LONG_PAST

settings = load_settings()
loads = [
    system_log_asset(conn_id, settings.opensearch_conn_id, settings.index_prefix) for conn_id in settings.okta_conn_ids
]

with DAG(
    dag_id="okta_detections_after_load",
    description="Detection rules over what was just loaded, for clusters without the Alerting plugin",
    doc_md=__doc__,
    # Whichever org was loaded.
    schedule=[loads[0]] if len(loads) == 1 else reduce(or_, loads),
    start_date=LONG_PAST,
    catchup=False,
    # In turn, so that two never tell the same channel of the same match.
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    params={
        name: Param(None, type=["null", "string"], format="date-time", description=description)
        for name, description in (
            ("since", "Look at what was loaded from this instant on. Needs `until`."),
            ("until", "Look at what was loaded up to this instant. Needs `since`."),
        )
    },
    default_args={
        "owner": "oktalogger",
        "opensearch_conn_id": settings.opensearch_conn_id,
        "retries": 10,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": EXPONENTIAL_BACKOFF,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=30),
    },
    tags=["okta", "opensearch", "security", "detections"],
):
    detect = DetectionAlertOperator(
        task_id="detect",
        pre_execute=refuse_unknown_params,
        doc_md="Runs the rules, keeps what they find, and tells the channels; what was found is its XCom.",
    )
    DetectionFindingOperator.partial(
        task_id="finding",
        map_index_template="{{ task.label }}",
        doc_md="One for each rule that found something, named after it. Its log says what it means and what to do.",
    ).expand(finding=detect.output)
