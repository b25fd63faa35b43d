"""The base of the operators that deal with detections, apart from what only the sync of monitors imports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oktalogger.compat import BaseOperator
from oktalogger.detections.bundle import BundleError, load_detections
from oktalogger.detections.monitors.change import PlanRefusedError
from oktalogger.detections.monitors.channels import ChannelError
from oktalogger.detections.rules.problems import DetectionsError
from oktalogger.hooks.opensearch import OpenSearchHook
from oktalogger.resources import rule_folders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.settings import Settings


class DetectionOperator(BaseOperator):
    """
    Base of the operators that deal with detections.

    :param opensearch_conn_id: Airflow connection to OpenSearch (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``
    :param folder: the folders of rules, separated by commas (templated); None takes ``OKTALOGGER_DETECTIONS_DIR``
    """

    template_fields: Sequence[str] = ("opensearch_conn_id", "folder")
    ui_color = "#e8dcff"

    def __init__(self, *, opensearch_conn_id: str | None = None, folder: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.opensearch_conn_id = opensearch_conn_id
        self.folder = folder

    def _detections(self) -> tuple[CompiledDetection, ...]:
        return load_detections(*rule_folders(self.folder or None))

    def _hook(self, settings: Settings) -> OpenSearchHook:
        return OpenSearchHook(self.opensearch_conn_id or settings.opensearch_conn_id)


# No retry mends errors in rules, channels or a plan.
REFUSED = (BundleError, DetectionsError, ChannelError, PlanRefusedError)
