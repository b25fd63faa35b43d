"""Operator that measures what the Okta page shows, and leaves it in Airflow's own store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from oktalogger.compat import BaseOperator, delete_xcom, newest_xcom
from oktalogger.hooks.okta import OktaHook
from oktalogger.hooks.opensearch import OpenSearchHook
from oktalogger.opensearch.names import IndexNames
from oktalogger.operators.errors import failing_at_once
from oktalogger.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oktalogger.compat import Context
    from oktalogger.ui.snapshot import Snapshot

SNAPSHOT: Final = "snapshot"
"""Key of the XCom that the page reads."""
# A run that failed to delete leaves one behind, and somebody may have switched the deleting off for a while.
_MOST_DELETED: Final = 50


class OktaPageOperator(BaseOperator):
    """
    Measures coverage, volume, lateness and findings of one org, for the page in Airflow's UI.

    The snapshot is the XCom ``snapshot``, of at most 200 kB; those of earlier runs are deleted. The web server needs
    neither OpenSearch nor Okta, nor a secret of either.

    :param okta_conn_id: Airflow connection to the org (templated); only its name and filter are read
    :param opensearch_conn_id: Airflow connection to OpenSearch (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``
    :param index_prefix: name of the alias (templated); None takes ``OKTALOGGER_INDEX_PREFIX``
    :param folder: the folders of rules, separated by commas (templated); None takes ``OKTALOGGER_DETECTIONS_DIR``
    """

    template_fields: Sequence[str] = ("okta_conn_id", "opensearch_conn_id", "index_prefix", "folder")
    ui_color = "#fff3c4"

    def __init__(
        self,
        *,
        okta_conn_id: str = OktaHook.default_conn_name,
        opensearch_conn_id: str | None = None,
        index_prefix: str | None = None,
        folder: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.okta_conn_id = okta_conn_id
        self.opensearch_conn_id = opensearch_conn_id
        self.index_prefix = index_prefix
        self.folder = folder

    def execute(self, context: Context) -> dict[str, int]:
        """Measure, and put the snapshot in the place of those of earlier runs.

        :return: counts: ``hours``, ``findings``, ``left_out``, ``bytes``
        :raises AirflowFailException: if no retry can help
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        from oktalogger.ui.packing import fit

        before = newest_xcom(context, SNAPSHOT)
        with failing_at_once():
            snapshot, packed = fit(self._measure(self._read(before)))
        self._replace(context, snapshot, packed)
        counts = {
            "hours": len(snapshot.hours),
            "findings": len(snapshot.findings),
            "left_out": snapshot.left_out,
            "bytes": len(packed),
        }
        self.log.info("Measured %s: %s.", snapshot.org, counts)
        return counts

    def _read(self, value: Any) -> Snapshot | None:
        from oktalogger.ui.packing import unpack

        if value is None:
            return None
        try:
            return unpack(value["data"])
        except (KeyError, TypeError, ValueError) as error:
            self.log.warning("The last snapshot cannot be read, so everything is counted: %s", error)
            return None

    def _measure(self, previous: Snapshot | None) -> Snapshot:
        from oktalogger.ui.measure import MeasuredOrg, measure

        settings = load_settings()
        okta = OktaHook(self.okta_conn_id).settings
        hook = OpenSearchHook(self.opensearch_conn_id or settings.opensearch_conn_id)
        try:
            of = MeasuredOrg(
                client=hook.client,
                names=IndexNames(self.index_prefix or settings.index_prefix),
                org=okta.org,
                conn_id=self.okta_conn_id,
                settings=settings,
                filter=okta.filter,
                q=okta.q,
                console_url=okta.admin_url,
                dashboards_url=hook.dashboards_url or settings.dashboards_url,
                index_pattern=hook.dashboards_index_pattern,
                folders=self.folder,
            )
            return measure(of, now=datetime.now(UTC), previous=previous)
        finally:
            hook.client.close()

    def _replace(self, context: Context, snapshot: Snapshot, packed: str) -> None:
        for _ in range(_MOST_DELETED):
            old: Mapping[str, Any] | None = newest_xcom(context, SNAPSHOT)
            if old is None or not isinstance(old, dict) or "run_id" not in old:
                break
            delete_xcom(context, SNAPSHOT, str(old["run_id"]))
        value = {"run_id": str(context["run_id"]), "org": snapshot.org, "data": packed}
        context["ti"].xcom_push(key=SNAPSHOT, value=value)
