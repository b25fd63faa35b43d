"""Operator that fails where OpenSearch should run the detections and does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oktalogger.compat import AirflowException
from oktalogger.detections.monitors.api import AlertingClient
from oktalogger.detections.monitors.health import not_at_work
from oktalogger.detections.monitors.render import monitor_settings
from oktalogger.detections.monitors.stored import Owner
from oktalogger.opensearch.names import IndexNames
from oktalogger.operators.detection_base import REFUSED, DetectionOperator
from oktalogger.operators.errors import failing_at_once
from oktalogger.settings import load_settings

if TYPE_CHECKING:
    from oktalogger.compat import Context


class MonitorsNotAtWorkError(AirflowException):
    """Rules have no monitor at work on a cluster that could run one; the message names them."""


class DetectionVerdictOperator(DetectionOperator):
    """
    Fails if the cluster has the Alerting plugin and a rule has no monitor at work.

    :class:`~oktalogger.operators.detection_replay.DetectionAlertOperator` runs such a rule itself, so without this task
    a run would be green although somebody switched the monitors off, or never made them.

    :param opensearch_conn_id: Airflow connection to OpenSearch (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``
    :param folder: the folders of rules, separated by commas (templated); None takes ``OKTALOGGER_DETECTIONS_DIR``
    """

    def execute(self, context: Context) -> None:
        """Ask whether a monitor is at work for each enabled rule.

        :raises MonitorsNotAtWorkError: if one is not, and ``OKTALOGGER_MONITORS_EXPECTED`` does not say otherwise
        :raises AirflowFailException: if no retry can help
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        with failing_at_once(*REFUSED):
            settings = load_settings()
            if not settings.monitors_expected:
                self.log.info("OKTALOGGER_MONITORS_EXPECTED is false: detections run in Airflow, after each load.")
                return
            rules = [rule for rule in self._detections() if rule.enabled]
            client = self._hook(settings).client
            try:
                alerting = AlertingClient(client)
                if not alerting.available():
                    self.log.info("This cluster has no Alerting plugin: detections run in Airflow, after each load.")
                    return
                reasons = not_at_work(
                    alerting,
                    rules,
                    names=IndexNames(settings.index_prefix),
                    settings=monitor_settings(settings),
                    owner=Owner(settings.index_prefix),
                )
            finally:
                client.close()
        if not reasons:
            self.log.info("A monitor is at work for each of the rules that one can run.")
            return
        listed = "\n".join(f"- {rule.title}: {reasons[rule.id]}" for rule in rules if rule.id in reasons)
        raise MonitorsNotAtWorkError(
            f"This cluster has the Alerting plugin, but no monitor is at work for {len(reasons)} of {len(rules)} "
            "rules. Airflow runs them after each load, and tells only the channels of OKTALOGGER_DETECTION_NOTIFIERS. "
            "Turn on and run the DAG okta_detections, and look at its task verify. If Airflow is to run your "
            f"detections, set OKTALOGGER_MONITORS_EXPECTED=false.\n{listed}"
        )
