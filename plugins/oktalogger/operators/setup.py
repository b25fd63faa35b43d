"""Operator that sets up an OpenSearch cluster for a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from oktalogger.compat import BaseOperator, get_variable, run_list_url
from oktalogger.hooks.opensearch import OpenSearchHook
from oktalogger.opensearch.errors import OpenSearchLoadError
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.setup.apply import apply_setup, plan_setup
from oktalogger.opensearch.setup.dashboards import field_links, plan_dashboards
from oktalogger.opensearch.setup.indices import MONTHS_AHEAD
from oktalogger.opensearch.setup.security import SecurityDocuments, read_security_documents, shipped_documents
from oktalogger.opensearch.setup.steps import SetupPlan
from oktalogger.operators.errors import failing_at_once
from oktalogger.settings import load_settings
from oktalogger.urls import okta_links

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oktalogger.compat import Context
    from oktalogger.opensearch.saved_objects import DashboardsClient
    from oktalogger.opensearch.setup.steps import SetupStep
    from oktalogger.settings import Settings


class OpenSearchSetupOperator(BaseOperator):
    """
    Puts templates, indices, retention, roles, role mappings and Dashboards' saved objects in place, if they differ.

    The operator compares everything first, and writes nothing if a foreign object has one of our names. It imports
    saved objects if it knows the address of Dashboards, and the param ``dashboards`` is not false. With the param
    ``dry_run`` it writes nothing. The param ``months_ahead`` says how many months it makes beforehand. The log has the
    plan; the operator returns what it did.

    :param opensearch_conn_id: Airflow connection of an administrator (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``
    :param security_variable: Airflow Variable with the output ``security_documents`` of Terraform (templated). If
        it is missing, the operator uses the roles of this package and maps nobody
    :param role_arn: IAM role to assume for the setup (templated), if the connection logs in by SigV4; None takes the
        domain's master role that the documents name
    """

    template_fields: Sequence[str] = ("opensearch_conn_id", "security_variable", "role_arn")
    ui_color = "#ffe9d5"
    plan_key: ClassVar[str] = "plan"

    def __init__(
        self,
        *,
        opensearch_conn_id: str | None = None,
        security_variable: str = "oktalogger_security",
        role_arn: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.opensearch_conn_id = opensearch_conn_id
        self.security_variable = security_variable
        self.role_arn = role_arn

    def execute(self, context: Context) -> dict[str, Any]:
        """Plan and, unless this is a dry run, apply.

        :return: ``changed``, ``unchanged`` and ``notices``; in a dry run nothing is ``changed``
        :raises AirflowFailException: if no retry can help
        :raises OpenSearchLoadError: if OpenSearch or Dashboards was out of reach, or somebody else changed the same
            just now. What concerns OpenSearch is done even if Dashboards is out of reach
        """
        params = context.get("params") or {}
        with failing_at_once():
            return self._set_up(
                context,
                dry_run=bool(params.get("dry_run")),
                confirmed=bool(params.get("confirm_deletions")),
                months_ahead=int(params.get("months_ahead", MONTHS_AHEAD)),
                wants_dashboards=bool(params.get("dashboards", True)),
            )

    def _set_up(
        self, context: Context, *, dry_run: bool, confirmed: bool, months_ahead: int, wants_dashboards: bool
    ) -> dict[str, Any]:
        settings = load_settings()
        names = IndexNames(settings.index_prefix)
        documents = self._documents(names)
        hook = OpenSearchHook(
            self.opensearch_conn_id or settings.opensearch_conn_id, role_arn=self.role_arn or documents.master_role_arn
        )
        dashboards: DashboardsClient | None = None
        try:
            if wants_dashboards:
                dashboards = self._dashboards(hook, settings)
            self.log.info("Setting up %s as %s.", hook.settings.url, self._identity(hook))
            plan = plan_setup(
                hook.client,
                names,
                documents,
                retention_days=settings.retention_days,
                shards=settings.shards,
                replicas=settings.replicas,
                confirm_deletions=confirmed,
                serverless=hook.serverless,
                months_ahead=months_ahead,
                audit=settings.audit,
            )
            saved, failure = self._plan_dashboards(dashboards, names, settings) if dashboards else (SetupPlan(), None)
            plan += saved
            self.log.info("The plan, with %s:\n%s", documents.source, plan.text())
            context["ti"].xcom_push(key=self.plan_key, value=plan.as_dict())
            if not dry_run:
                apply_setup(hook.client, plan, on_step=self._say)
            if failure is not None:
                raise failure
        finally:
            hook.client.close()
            if dashboards is not None:
                dashboards.close()
        for step in plan.by_hand:
            self.log.warning("To be put right by hand: %s", " ".join(step.changes))
        changed = [] if dry_run else [step.as_dict() for step in plan.changes]
        self.log.info(
            "%s: %d of %d things.", "To be changed" if dry_run else "Changed", len(plan.changes), len(plan.steps)
        )
        return {**plan.as_dict(), "changed": changed, "dry_run": dry_run}

    def _dashboards(self, hook: OpenSearchHook, settings: Settings) -> DashboardsClient | None:
        if hook.serverless:
            self.log.info("Saved objects are not imported: Dashboards of OpenSearch Serverless is not supported yet.")
            return None
        found = hook.dashboards(settings)
        if found is None:
            self.log.info("Saved objects are not imported: set OKTALOGGER_DASHBOARDS_URL to import them.")
        return found

    def _plan_dashboards(
        self, dashboards: DashboardsClient, names: IndexNames, settings: Settings
    ) -> tuple[SetupPlan, OpenSearchLoadError | None]:
        """Plan the saved objects. An error is returned, so that OpenSearch is set up even if Dashboards is down."""
        links = field_links(okta=okta_links(settings.okta_hosts), run_url=run_list_url())
        try:
            return plan_dashboards(dashboards, names, links=links), None
        except OpenSearchLoadError as error:
            self.log.error("Saved objects are not imported: %s", error)
            return SetupPlan(), error

    def _documents(self, names: IndexNames) -> SecurityDocuments:
        text = get_variable(self.security_variable)
        if text is None:
            self.log.warning(
                "There is no Airflow Variable %s: using the roles of this package, and mapping nobody.",
                self.security_variable,
            )
            return shipped_documents(names)
        return read_security_documents(text, names, source=f"the Airflow Variable {self.security_variable}")

    def _identity(self, hook: OpenSearchHook) -> str:
        if hook.settings.http_auth is None:
            return f"the user {hook.settings.username}" if hook.settings.username else "the connection's identity"
        return f"the role {hook.role_arn}" if hook.role_arn else "the worker's own role"

    def _say(self, step: SetupStep) -> None:
        self.log.info("Done: %s %s %s", step.action, step.kind, step.name)
