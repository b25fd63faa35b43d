"""Looks for detections in what was just loaded, and notifies by Airflow, where no monitor does or can.

### What a run does

Each load of the Okta System Log starts one. On a cluster with the Alerting plugin it runs the rules that no monitor can
run (first times, absences), and those whose monitor is not there, switched off, not as the rule says, or not running;
its log names each of these with the reason. It is skipped where there are none. Without the plugin it runs all. It
runs the same compiled rules over what was loaded, by tries of the load that failed as well, keeps each match once in
the index `okta-detection-matches`, and tells the channels that a rule names. Nobody hears of the same events twice, and
a notification that did not go out is tried again with the task.

Each rule with matches has a mapped task of `finding`, named after the rule: its log shows the matches, and what to do
about them. Without matches `finding` is skipped. These tasks only show what `detect` found and told. They take slots
last, two at a time, and the next run's `detect` does not wait for them.

### Who is notified

The channels that rules name, and `OKTALOGGER_DETECTION_CHANNELS`, mean Airflow notifiers here:
`OKTALOGGER_DETECTION_NOTIFIERS` names one for each channel, for example `{"soc": {"class":
"airflow.providers.amazon.aws.notifications.sns.SnsNotifier", "target_arn": "...", "message": "{{ alert.text }}"}}`. An
alert for a channel without a notifier is a warning in the task's log.

### When a run fails

If OpenSearch refuses a rule, the task runs all other rules and notifies of their matches, then fails and names the
rule. Mend the cause, then clear the task: it searches everything that was loaded since its own load began.

`verdict` fails if the cluster has the Alerting plugin and a rule has no monitor at work: nobody made it, or it is
switched off, changed by hand, of an older form of the rule, or does not run. `detect` ran such rules itself. The DAG
`okta_detections` makes the monitors. If Airflow is to run your detections, set `OKTALOGGER_MONITORS_EXPECTED=false`.

### Run it by hand

With the params `since` and `until` it searches the events that were *loaded* in that range; without them, in the last
hour.
"""

from __future__ import annotations

import math
from datetime import timedelta
from functools import reduce
from operator import or_

from oktalogger.compat import DAG, EXPONENTIAL_BACKOFF, Param
from oktalogger.operators.assets import system_log_asset
from oktalogger.operators.detection_replay import DetectionAlertOperator, DetectionFindingOperator
from oktalogger.operators.detection_verdict import DetectionVerdictOperator
from oktalogger.operators.run import FORM_ZONE, refuse_unknown_params
from oktalogger.settings import load_settings
from oktalogger.timetables import LONG_PAST

LONGEST_RUN = timedelta(hours=2)

settings = load_settings()
loads = [
    system_log_asset(conn_id, settings.opensearch_conn_id, settings.index_prefix) for conn_id in settings.okta_conn_ids
]

with DAG(
    dag_id="okta_detections_after_load",
    description="Detection rules over what was just loaded, where no monitor is at work",
    doc_md=__doc__,
    # A load of any org starts it.
    schedule=[loads[0]] if len(loads) == 1 else reduce(or_, loads),
    start_date=LONG_PAST,
    catchup=False,
    # A run counts until its findings are shown. So more may be active than loads begin within the life of one.
    max_active_runs=math.ceil(LONGEST_RUN / settings.interval) * len(loads) + settings.live_tasks,
    dagrun_timeout=LONGEST_RUN,
    params={
        name: Param(None, type=["null", "string"], format="date-time", description=f"{description} {FORM_ZONE}")
        for name, description in (
            ("since", "Search events loaded from this instant on. Needs `until`."),
            ("until", "Search events loaded before this instant. Needs `since`."),
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
        # One at a time, so that two runs never notify a channel of the same match.
        max_active_tis_per_dag=1,
        # As much as a live load: what only shows findings has the lowest.
        priority_weight=10,
        weight_rule="absolute",
        doc_md="Runs the rules, keeps what they find, and tells the channels; what was found is its XCom.",
    )
    DetectionFindingOperator.partial(
        task_id="finding",
        max_active_tis_per_dag=2,
        priority_weight=1,
        weight_rule="absolute",
        retries=1,
        execution_timeout=timedelta(minutes=5),
        map_index_template="{{ task.label }}",
        doc_md="One mapped task per rule with matches, named after it. Its log says what they mean and what to do.",
    ).expand(finding=detect.output)
    verdict = DetectionVerdictOperator(
        task_id="verdict",
        # Once more, because the sync may be at work on the monitors just now.
        retries=1,
        retry_delay=timedelta(minutes=5),
        doc_md="Fails if the cluster has the Alerting plugin and a rule has no monitor at work.",
    )
    detect >> verdict
