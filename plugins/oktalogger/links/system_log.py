"""The extra links of :class:`~oktalogger.operators.system_log.OktaSystemLogToOpenSearchOperator`.

The operator leaves each address as an XCom as soon as it knows it, so that the links are there while the task runs, and
also if it fails. On Airflow 2.11 the web server makes the link, and looks the class up by its path, which the plugin
and the provider info register. On Airflow 3 the web server reads the XCom of the name ``xcom_key`` and needs no class;
there ``get_link`` is called by the worker, after the task, and what it returns is written to that XCom once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from oktalogger.compat import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey


class XComLink(BaseOperatorLink):
    """A link whose address the operator has left as an XCom."""

    name: ClassVar[str] = ""
    key: ClassVar[str] = ""

    @property
    def xcom_key(self) -> str:
        """Where Airflow 3 looks for the address."""
        return self.key

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, or nothing if the operator left none.

        :param operator: on a worker the operator that has just run; in a web server a shadow of it
        :param ti_key: of the task instance
        """
        if (urls := getattr(operator, "link_urls", None)) is not None:
            # Asking for an XCom that is not there would leave an error in the log.
            return str(urls.get(self.key, ""))
        return str(XCom.get_value(ti_key=ti_key, key=self.key) or "")


class OktaSystemLogLink(XComLink):
    """Leads to the System Log in Okta's Admin Console, for just the window of the task."""

    name = "Okta System Log"
    key = "okta_system_log_url"


class OpenSearchDashboardsLink(XComLink):
    """Leads to Discover in OpenSearch Dashboards, for just the window of the task."""

    name = "OpenSearch Dashboards"
    key = "opensearch_dashboards_url"


class RejectedEventsLink(XComLink):
    """Leads to the events that OpenSearch refused in this run; there is none if it refused nothing."""

    name = "Rejected events"
    key = "rejected_events_url"
