"""Operators that bring OpenSearch's monitors in step with the detection rules."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from oktalogger.compat import AirflowFailException, AirflowSkipException
from oktalogger.detections.monitors.api import AlertingClient
from oktalogger.detections.monitors.change import CHANGES, ChangeKind, check_deletions
from oktalogger.detections.monitors.health import check_health
from oktalogger.detections.monitors.render import monitor_settings
from oktalogger.detections.monitors.report import exceptions_text, plan_text, result_text, rules_after_load
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.monitors.sync import SyncIncompleteError, SyncOptions, apply_sync, plan_sync, render_all
from oktalogger.detections.rules.mapped import require_mapped
from oktalogger.opensearch.names import IndexNames
from oktalogger.operators.detection_base import REFUSED as REFUSED
from oktalogger.operators.detection_base import DetectionOperator as DetectionOperator
from oktalogger.operators.errors import failing_at_once
from oktalogger.operators.metrics import measure_monitors
from oktalogger.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oktalogger.compat import Context
    from oktalogger.detections.model import CompiledDetection, RenderedMonitor
    from oktalogger.detections.monitors.change import MonitorChange, SyncPlan

# With more changes than this, a mapped task makes several, because nobody reads hundreds of names.
MOST_UNITS = 50
# The log has all changes, but an XCom must fit into a row of Airflow's database.
MOST_SHOWN = 200


@contextmanager
def _sync(operator: DetectionOperator, context: Context) -> Iterator[_Sync]:
    with failing_at_once(*REFUSED):
        sync = _Sync(operator, context)
        try:
            yield sync
        finally:
            sync.hook.client.close()


class _Sync:
    """One task's view of the cluster and of the rules."""

    def __init__(self, operator: DetectionOperator, context: Context) -> None:
        self.settings = load_settings()
        params = context.get("params") or {}
        self.dry_run = bool(params.get("dry_run"))
        self.confirmed = bool(params.get("confirm_deletions"))
        self.put_back = frozenset(params.get("put_back") or ())
        self.hook = operator._hook(self.settings)
        self.client = AlertingClient(self.hook.client)
        self.owner = Owner(self.settings.index_prefix)

    def rendered(self, detections: Sequence[CompiledDetection]) -> list[RenderedMonitor]:
        names = IndexNames(self.settings.index_prefix)
        require_mapped(self.hook.client, names, detections)
        common = monitor_settings(self.settings)
        return render_all(self.client, detections, names, common)

    def options(self, only: Sequence[str] | None = None) -> SyncOptions:
        return SyncOptions(
            delete_share=self.settings.detection_delete_percent / 100,
            confirm_deletions=self.confirmed,
            put_back=self.put_back,
            only=None if only is None else frozenset(only),
        )


class DetectionPlanOperator(DetectionOperator):
    """
    Plans the changes that give OpenSearch the monitors of the rules, and changes nothing.

    The plan is in the log, and as plain values in the XCom ``plan``. The operator returns the changes in parts, for a
    mapped :class:`DetectionApplyOperator`; with the param ``dry_run`` it returns none. On a cluster without the
    Alerting plugin the task is skipped.

    :param opensearch_conn_id: Airflow connection to OpenSearch (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``
    :param folder: the folders of rules, separated by commas (templated); None takes ``OKTALOGGER_DETECTIONS_DIR``
    """

    plan_key: ClassVar[str] = "plan"

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Plan, and return the parts.

        :raises AirflowSkipException: if the cluster has no Alerting plugin
        :raises AirflowFailException: if no retry can help
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        with _sync(self, context) as sync:
            detections = self._detections()
            if not sync.client.available():
                raise AirflowSkipException(
                    "This cluster has no Alerting plugin, so there are no monitors to sync: detections run by "
                    "replay, in the DAG okta_detections_after_load."
                )
            plan = plan_sync(sync.client, sync.rendered(detections), sync.owner, sync.options())
            health = check_health(sync.client, plan.wanted)
            text = exceptions_text(detections, datetime.now(UTC).date())
            text += plan_text(plan, health, rules_after_load(detections))
            self.log.info("%d rules. The plan:\n%s", len(detections), text)
            if not sync.dry_run:
                share = sync.settings.detection_delete_percent / 100
                check_deletions(plan, share=share, confirmed=sync.confirmed)
        context["ti"].xcom_push(key=self.plan_key, value=_readable(plan))
        return [] if sync.dry_run else parts(plan)


class DetectionApplyOperator(DetectionOperator):
    """
    Makes the changes of one part of a plan. It reads and plans again first, so you may retry or clear it at any time.

    :param detection_ids: ids of the rules to sync
    :param unit: the mapped task's name in the UI
    :param opensearch_conn_id: Airflow connection to OpenSearch (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``
    :param folder: the folders of rules, separated by commas (templated); None takes ``OKTALOGGER_DETECTIONS_DIR``
    """

    def __init__(self, *, detection_ids: Sequence[str], unit: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.detection_ids = detection_ids
        self.unit = unit

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Apply the part, and return the steps done.

        :raises AirflowFailException: if no retry can help
        :raises SyncIncompleteError: if something could not be done
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        with _sync(self, context) as sync:
            rendered = sync.rendered(self._detections())
            try:
                result = apply_sync(
                    sync.client, rendered, sync.owner, sync.options(self.detection_ids), on_step=self._say
                )
            except SyncIncompleteError as error:
                self.log.error("%s", result_text(error.result))
                raise
        self.log.info("%d writes in %d requests.", result.writes, result.requests)
        return [step.as_dict() for step in result.done]

    def _say(self, step: MonitorChange) -> None:
        self.log.info("Done: %s %s", step.kind, step.name)


class DetectionVerifyOperator(DetectionOperator):
    """
    Reads everything once more and fails if OpenSearch does not have the monitors that the rules say, or they fail.

    Each monitor is tried by a run without alerts, and asked when it last ran: one that fails, or has missed three runs,
    says so nowhere else. What people changed by hand is not a failure: it is named in the log, with the difference.

    :param opensearch_conn_id: Airflow connection to OpenSearch (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``
    :param folder: the folders of rules, separated by commas (templated); None takes ``OKTALOGGER_DETECTIONS_DIR``
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare, and return the counts by kind.

        :raises AirflowSkipException: in a dry run
        :raises AirflowFailException: if no retry can help
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        with _sync(self, context) as sync:
            if sync.dry_run:
                raise AirflowSkipException("This is a dry run, so there is nothing to verify.")
            # Without put_back: it is done by now, and would count as a change again.
            options = SyncOptions()
            plan = plan_sync(sync.client, sync.rendered(self._detections()), sync.owner, options)
            health = check_health(sync.client, plan.wanted)
        self.log.info("The monitors are now:\n%s", plan_text(plan, health))
        measure_monitors(len(health.ailing) + len(health.cluster) + len(plan.switched_off))
        wrong = [*plan.changes, *(step for step in plan.of(ChangeKind.UNCHANGED) if step.differences)]
        if wrong:
            names = ", ".join(step.name for step in wrong[:5]) + (", ..." if len(wrong) > 5 else "")
            raise AirflowFailException(f"{len(wrong)} monitors are not as their rules say: {names}. See the log.")
        if health.problems:
            raise AirflowFailException("Monitors are there and do not detect. " + "; ".join(health.problems[:5]))
        return plan.counts


def _readable(plan: SyncPlan) -> dict[str, Any]:
    """Return a plan small enough for an XCom."""
    values = plan.as_dict()
    return {**values, "steps": values["steps"][:MOST_SHOWN], "more": max(0, len(values["steps"]) - MOST_SHOWN)}


def parts(plan: SyncPlan) -> list[dict[str, Any]]:
    """Cut a plan's changes into parts, each with the arguments of a :class:`DetectionApplyOperator`.

    :param plan: the plan
    :return: a part for each change, or, if there are many, a part for several changes of one kind
    """
    size = max(1, -(-len(plan.changes) // MOST_UNITS))
    cut: list[dict[str, Any]] = []
    seen: set[str] = set()
    for kind in CHANGES:
        # All changes of a rule go into one part, so that no two tasks deal with one rule.
        steps = [step for step in plan.of(kind) if step.detection_id not in seen]
        seen |= {step.detection_id for step in steps}
        for start in range(0, len(steps), size):
            some = steps[start : start + size]
            first = some[0].name.removeprefix("oktalogger: ")
            name = f"{kind}: {first}" + (f" and {len(some) - 1} more" if len(some) > 1 else "")
            cut.append({"detection_ids": sorted({step.detection_id for step in some}), "unit": name})
    return cut
