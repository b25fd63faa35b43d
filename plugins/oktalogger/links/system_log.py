"""The extra links of :class:`~oktalogger.operators.system_log.OktaSystemLogToOpenSearchOperator`.

The operator leaves each address as an XCom as soon as it knows it, so that the links work while the task runs, and even
if it fails. On Airflow 2.11 the web server calls ``get_link``; it finds the class by its path, which the plugin and the
provider info register. On Airflow 3 the web server reads the XCom named ``xcom_key`` and needs no class. There the
worker calls ``get_link`` after the task, and writes its result to that XCom once more.
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
        """Name of the XCom that Airflow 3 reads."""
        return self.key

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, or nothing if the operator left none.

        :param operator: on a worker, the operator that has just run; in a web server, its serialized form
        :param ti_key: of the task instance
        """
        if (urls := getattr(operator, "link_urls", None)) is not None:
            # Asking for a missing XCom would log an error.
            return str(urls.get(self.key, ""))
        return str(XCom.get_value(ti_key=ti_key, key=self.key) or "")


class OktaSystemLogLink(XComLink):
    """Leads to the System Log in Okta's Admin Console, for the task's window."""

    name = "Okta System Log"
    key = "okta_system_log_url"


class OpenSearchDashboardsLink(XComLink):
    """Leads to Discover in OpenSearch Dashboards, for the task's window."""

    name = "OpenSearch Dashboards"
    key = "opensearch_dashboards_url"


class RejectedEventsLink(XComLink):
    """Leads to the events that OpenSearch refused in this run. Missing if it refused none."""

    name = "Rejected events"
    key = "rejected_events_url"
