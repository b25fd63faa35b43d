"""Asks every part of the deployment whether it works, with Apache Airflow. Run it first, and whenever something is odd.

### What a run does

`ask` writes one line for each question into its log: `ok`, `WRONG` with what to do, `note` for what is worth knowing,
or `not asked` with the reason. It asks for the settings, the pool, each Okta org (host, login, scope, role, rate limit,
clock, filter), OpenSearch (login, version, rights, index templates, months and alias, disks, retention, audit log), the
loads, the rules, Alerting, channels, notifiers, and Dashboards. The report is the XCom `report` as well. It changes
nothing, and leaves no trace in the indices.

`use_the_pool` does nothing. It starts only if the pool of the loads is there, and `ask` looks whether it does.

### When it runs

By hand, and once an hour as soon as the DAG is on.

### When a run fails

`ask` fails if a line is `WRONG`, and names it. With `OKTALOGGER_CHECK_CHANNEL`, the name of a channel in
`OKTALOGGER_DETECTION_NOTIFIERS`, that notifier is told instead and the task succeeds.

### Params

* `opensearch_conn_id`: the connection to use. Disks, retention, roles and the audit log are told only to an
  administrator
"""

from __future__ import annotations

from datetime import timedelta

from oktalogger.compat import DAG, EXPONENTIAL_BACKOFF, CronDataIntervalTimetable, Param
from oktalogger.operators.check import POOL_TASK, OktaCheckOperator, PoolOperator
from oktalogger.operators.run import refuse_unknown_params
from oktalogger.settings import load_settings
from oktalogger.timetables import LONG_PAST

settings = load_settings()

with DAG(
    dag_id="okta_check",
    description="Whether every part of the deployment works, in one line each",
    doc_md=__doc__,
    # Not on the full hour, when everybody else's jobs start.
    schedule=CronDataIntervalTimetable("37 * * * *", timezone="UTC"),
    start_date=LONG_PAST,
    catchup=False,
    max_active_runs=1,
    # A run whose pool is missing would never end.
    dagrun_timeout=timedelta(minutes=15),
    params={
        "opensearch_conn_id": Param(
            settings.opensearch_conn_id,
            type="string",
            minLength=1,
            description="Airflow connection to OpenSearch. Give an administrator's for disks, retention and security.",
        ),
    },
    default_args={
        "owner": "oktalogger",
        # For a worker that dies: what is found wrong fails the task at once.
        "retries": 4,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": EXPONENTIAL_BACKOFF,
        "max_retry_delay": timedelta(minutes=2),
        "execution_timeout": timedelta(minutes=10),
    },
    tags=["okta", "opensearch", "security", "setup"],
):
    PoolOperator(
        task_id=POOL_TASK,
        pool=settings.pool,
        priority_weight=100,
        weight_rule="absolute",
        doc_md="Does nothing. That it starts shows that the pool of the loads is there.",
    )
    OktaCheckOperator(
        task_id="ask",
        pre_execute=refuse_unknown_params,
        opensearch_conn_id="{{ params.opensearch_conn_id }}",
        doc_md="Asks, and fails if something is wrong. The report is its XCom `report`.",
    )
