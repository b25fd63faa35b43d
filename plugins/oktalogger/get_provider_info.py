"""Tells Airflow, when it starts, what this provider has, by the entry point ``apache_airflow_provider``.

Only an installed distribution can give Airflow a connection type with a form; a package dropped into the plugins folder
cannot (https://github.com/apache/airflow/issues/20317), and there connections come from the CLI, the environment or a
secrets backend. The type ``opensearch`` is not named here on purpose: it is the community provider's, and two providers
with one type end in a warning and in whichever comes first. Our OpenSearch hook takes connections of that type too.
"""

from __future__ import annotations

from typing import Any

from oktalogger import __version__
from oktalogger.hooks.extras import conn_fields
from oktalogger.hooks.forms import OKTA_EXTRAS, OKTA_UI, OPENSEARCH_EXTRAS, OPENSEARCH_TYPE, OPENSEARCH_UI

OPERATORS = (
    "system_log",
    "backfill",
    "reconcile",
    "setup",
    "check",
    "detections",
    "detection_replay",
    "detection_verdict",
    "archive",
    "restore",
    "page",
)
LINKS = (
    "oktalogger.links.system_log.OktaSystemLogLink",
    "oktalogger.links.system_log.OpenSearchDashboardsLink",
    "oktalogger.links.system_log.RejectedEventsLink",
)


def get_provider_info() -> dict[str, Any]:
    """Return the provider info, as Airflow's ``provider_info.schema.json`` has it."""
    integration = "Okta System Log"
    return {
        "package-name": "oktalogger",
        "name": "Okta System Log into OpenSearch",
        "description": "Loads the `Okta System Log <https://developer.okta.com/docs/reference/system-log-query/>`__ "
        "into OpenSearch.",
        "versions": [__version__],
        "hooks": [
            {
                "integration-name": integration,
                "python-modules": ["oktalogger.hooks.okta", "oktalogger.hooks.opensearch"],
            }
        ],
        "operators": [
            {
                "integration-name": integration,
                "python-modules": [f"oktalogger.operators.{name}" for name in OPERATORS],
            }
        ],
        "notifications": ["oktalogger.notifications.webhook.WebhookNotifier"],
        "connection-types": [
            {
                "connection-type": "okta",
                "hook-class-name": "oktalogger.hooks.okta.OktaHook",
                "hook-name": "Okta",
                # Read by Airflow 3.2 and later; before, Airflow asks the hook's methods.
                "ui-field-behaviour": OKTA_UI,
                "conn-fields": conn_fields(OKTA_EXTRAS),
            },
            {
                "connection-type": OPENSEARCH_TYPE,
                "hook-class-name": "oktalogger.hooks.opensearch.OpenSearchHook",
                "hook-name": "OpenSearch (oktalogger)",
                "ui-field-behaviour": OPENSEARCH_UI,
                "conn-fields": conn_fields(OPENSEARCH_EXTRAS),
            },
        ],
        "extra-links": list(LINKS),
    }
