"""Names the asset that a load of the System Log writes. A DAG that waits for loads imports this and not the loader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oktalogger.compat import make_asset

if TYPE_CHECKING:
    from oktalogger.compat import Asset


def system_log_asset(
    okta_conn_id: str = "okta_default",
    opensearch_conn_id: str = "opensearch_default",
    index_prefix: str = "okta-system-log",
) -> Asset:
    """Return the asset (Airflow 2: dataset) of one org's events in OpenSearch, for outlets and schedules.

    It names connections and not hosts, because hosts are not known while a DAG is parsed. Airflow 3 knows an asset by
    its name as well as by its URI: take this function, or ``Asset.ref(uri=...)``, for a DAG of your own.

    :param okta_conn_id: Airflow connection to the org
    :param opensearch_conn_id: Airflow connection to OpenSearch
    :param index_prefix: name of the alias
    """
    parts = [okta_conn_id, *(() if opensearch_conn_id == "opensearch_default" else (opensearch_conn_id,))]
    parts += [] if index_prefix == "okta-system-log" else [index_prefix]
    uri = f"okta-system-log://{okta_conn_id}/{opensearch_conn_id}/{index_prefix}"
    return make_asset(uri, name=f"Okta System Log ({', '.join(parts)})", group="oktalogger")
