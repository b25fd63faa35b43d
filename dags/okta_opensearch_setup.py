"""Sets up OpenSearch for the pipeline, with Apache Airflow: index templates, retention, roles, dashboards.

### When to run it

By hand: once before the first load on a cluster with the security plugin, and again after an upgrade of oktalogger,
after a change of `OKTALOGGER_RETENTION_DAYS`, `OKTALOGGER_SHARDS` or `OKTALOGGER_REPLICAS`, and after Terraform was
applied with other roles or principals. A second run changes nothing.

### What a run does

It compares what OpenSearch has with what it should have, writes the difference into the log and the XCom `plan`, and
then changes what differs: the **index templates**, the **indices** (alias, mapping, settings, and the months to come),
the **retention policy** (Index State Management) and its assignment to existing months, the **roles** whose names begin
with `oktalogger_`, and **who is mapped** to them. If a foreign role, template or policy has such a name, the run stops
before it writes anything. If a plugin is missing, its part is left out with a notice.

If the address of **OpenSearch Dashboards** is known (`OKTALOGGER_DASHBOARDS_URL`, or `OKTALOGGER_DASHBOARDS_API_URL` if
it is another one from here), the run also imports dashboards, saved searches and index patterns with the login of the
connection. It replaces those that differ. If Dashboards cannot be reached, everything else is set up, and then the run
fails.

Roles and mappings come from the Airflow Variable `oktalogger_security`, which Terraform makes in the secrets backend.
Without it the run uses the package's roles, and maps nobody.

### Whose rights it needs

An administrator's. On AWS the run assumes the domain's master role, which Terraform allows while `setup_from_airflow`
is true. Elsewhere name a connection of an administrator in the param `opensearch_conn_id`.

### Params

* `dry_run`: only compare
* `confirm_deletions`: accept a retention that deletes months at once
* `dashboards`: whether to import dashboards, searches and index patterns; true by default
* `months_ahead`: make the indices of this month, so many after it, and those that Okta still keeps
* `opensearch_conn_id`: the connection to use
"""

from __future__ import annotations

from datetime import timedelta

from oktalogger.compat import DAG, EXPONENTIAL_BACKOFF, Param
from oktalogger.opensearch.setup.indices import MONTHS_AHEAD, MOST_MONTHS_AHEAD
from oktalogger.operators.run import refuse_unknown_params
from oktalogger.operators.setup import OpenSearchSetupOperator
from oktalogger.settings import load_settings
from oktalogger.timetables import LONG_PAST

settings = load_settings()

with DAG(
    dag_id="okta_opensearch_setup",
    description="Index templates, retention, roles, role mappings and dashboards of OpenSearch",
    doc_md=__doc__,
    schedule=None,
    start_date=LONG_PAST,
    catchup=False,
    # Two runs at once would only disturb each other.
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    params={
        "dry_run": Param(False, type="boolean", description="Only compare."),
        "confirm_deletions": Param(
            False, type="boolean", description="Accept a retention that deletes months at once."
        ),
        "dashboards": Param(
            True, type="boolean", description="Import dashboards and index patterns, if the address is known."
        ),
        "months_ahead": Param(
            MONTHS_AHEAD,
            type="integer",
            minimum=0,
            maximum=MOST_MONTHS_AHEAD,
            description="Make the indices of this month, so many after it, and those that Okta still keeps.",
        ),
        "opensearch_conn_id": Param(
            settings.opensearch_conn_id,
            type="string",
            minLength=1,
            description="Airflow connection to OpenSearch with the rights of an administrator.",
        ),
    },
    default_args={
        "owner": "oktalogger",
        "retries": 4,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": EXPONENTIAL_BACKOFF,
        "max_retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(minutes=15),
    },
    tags=["okta", "opensearch", "security", "setup"],
):
    OpenSearchSetupOperator(
        task_id="set_up",
        pre_execute=refuse_unknown_params,
        opensearch_conn_id="{{ params.opensearch_conn_id }}",
        doc_md="Compares, then changes what differs. Its steps are the XCom `return_value`, its plan `plan`.",
    )
