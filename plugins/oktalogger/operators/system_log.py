"""The operator that loads one window of the Okta System Log into OpenSearch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from oktalogger.compat import (
    AirflowFailException,
    Asset,
    BaseOperator,
    default_time_zone,
    outlet_extra,
    trigger_at,
)
from oktalogger.hooks.archive import archive_of
from oktalogger.hooks.okta import OktaHook
from oktalogger.hooks.opensearch import OpenSearchHook
from oktalogger.links.system_log import OktaSystemLogLink, OpenSearchDashboardsLink, RejectedEventsLink
from oktalogger.malloc import limit_heap_growth_of_process
from oktalogger.okta.rate_budget import RateBudget
from oktalogger.opensearch.errors import OpenSearchLoadError
from oktalogger.opensearch.names import IndexNames
from oktalogger.operators.assets import system_log_asset as system_log_asset  # its public place
from oktalogger.operators.errors import failing_at_once, giving_up
from oktalogger.operators.metrics import measure_failure, measure_load
from oktalogger.operators.run import is_fixed, load_kind
from oktalogger.pipeline.document import Stamp
from oktalogger.pipeline.load import CLOCK_TOLERANCE, LoadPlan
from oktalogger.pipeline.progress import LoadReporter
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.pipeline.share import share_of
from oktalogger.pipeline.stop import StopSignal
from oktalogger.privacy.redactor import make_redactor
from oktalogger.settings import Settings, load_settings
from oktalogger.text import counted
from oktalogger.urls import rejected_url, window_discover_url, window_system_log_url
from oktalogger.window import Window, format_instant, resolve_window, understood

if TYPE_CHECKING:
    from oktalogger.compat import Context
    from oktalogger.okta.rate_budget import Share
    from oktalogger.pipeline.document import LoadKind
    from oktalogger.pipeline.ledger_store import LedgerStore
    from oktalogger.pipeline.load_result import LoadResult


# A deferral costs two starts of the task and the triggerer's turn: not worth it for less.
LONGEST_HELD = timedelta(seconds=30)


class OktaSystemLogToOpenSearchOperator(BaseOperator):
    """
    Loads the events of one window from an Okta org's System Log into OpenSearch.

    Which window that is: ``since`` and ``until`` of this operator if given, else the run's params of these names, else
    the run's data interval, else an error that says which params to give. Params that name another window than the one
    that a scheduled or a backfill run was made for fail it. Loading a window any number of times leaves the same
    documents, so a task may be retried or cleared at any time.

    It returns, and so leaves as an XCom, the counts of :class:`oktalogger.pipeline.load_result.LoadResult`, and what it
    loaded. The event of the outlet asset (Airflow 2: dataset) has the same. Events never pass through Airflow.

    An error that no retry can mend (a wrong token, a bad filter, a window in the future) fails the task at once; all
    others leave it to the task's ``retries``.

    :param okta_conn_id: Airflow connection to the org (templated)
    :param opensearch_conn_id: Airflow connection to OpenSearch (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``
    :param since: start of the window, RFC 3339 (templated)
    :param until: end of the window, itself not part of it (templated)
    :param filter: Okta's filter expression, instead of the connection's (templated)
    :param q: Okta's keyword search, instead of the connection's (templated)
    :param overlap: how far before the window's start to read again, because Okta publishes some events late; None takes
        ``OKTALOGGER_OVERLAP_SECONDS`` for a scheduled run and nothing for others
    :param hold_back: how long after the window's end the load waits, for the same reason; None takes
        ``OKTALOGGER_HOLD_BACK_SECONDS``. Up to half a minute is waited for in the task itself; for more it is deferred,
        which needs a triggerer and holds no worker
    :param index_prefix: name of the alias, and beginning of every index name (templated); None takes
        ``OKTALOGGER_INDEX_PREFIX``
    :param kind: what the documents say about the load: ``scheduled``, ``manual``, ``backfill`` or ``reconcile``
        (templated); None takes what the run is
    :param share: the part of Okta's rate limit that the load may use (templated); None takes what the settings say for
        its kind
    :param give_up_after: how long after the window's end a live load that fails is still left to the task's
        ``retries``; later than that, a third try or a later one fails for good, so that its run makes room for other
        windows. The gap that it leaves is for ``okta_system_log_reconcile`` to fill. None leaves all to the retries
    :param unit: what a mapped task is called in the UI
    """

    template_fields = (
        "okta_conn_id",
        "opensearch_conn_id",
        "since",
        "until",
        "filter",
        "q",
        "index_prefix",
        "kind",
        "share",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"filter": "text"}
    operator_extra_links = (OktaSystemLogLink(), OpenSearchDashboardsLink(), RejectedEventsLink())
    ui_color = "#d5e8ff"

    # Both set when the task runs. Airflow copies operators, and a lock cannot be copied.
    _stop: StopSignal | None = None
    link_urls: dict[str, str] | None = None

    def __init__(
        self,
        *,
        okta_conn_id: str = OktaHook.default_conn_name,
        opensearch_conn_id: str | None = None,
        since: str | None = None,
        until: str | None = None,
        filter: str | None = None,
        q: str | None = None,
        overlap: timedelta | None = None,
        hold_back: timedelta | None = None,
        index_prefix: str | None = None,
        kind: str | None = None,
        share: float | str | None = None,
        give_up_after: timedelta | None = None,
        unit: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.okta_conn_id = okta_conn_id
        self.opensearch_conn_id = opensearch_conn_id
        self.since = since
        self.until = until
        self.filter = filter
        self.q = q
        self.overlap = overlap
        self.hold_back = hold_back
        self.index_prefix = index_prefix
        self.kind = kind
        self.share = share
        self.give_up_after = give_up_after
        self.unit = unit

    def execute(self, context: Context) -> dict[str, Any]:
        """Load the window and return the counts.

        :raises AirflowFailException: if no retry can help
        :raises OktaError: if Okta was out of reach
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        return self.load(context)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Load the window after a hold-back that was too long to wait for on a worker.

        :param event: what the trigger said; that it fired is all there is to know
        :raises Exception: as :meth:`execute`
        """
        return self.load(context)

    def load(self, context: Context) -> dict[str, Any]:
        """Load the window; :meth:`execute` without Airflow's checks on who calls it."""
        with failing_at_once():
            window = self._window(context)
            live = load_kind(_given(self.kind), context) == "scheduled"
            last = window.end + self.give_up_after if live and self.give_up_after is not None else None
            with giving_up(window, last, tries=getattr(context["ti"], "try_number", 1)):
                return self._load(context, window)

    def on_kill(self) -> None:
        """End the load at its next step; what is stored already stays, and does no harm."""
        if self._stop is not None:
            self.log.warning("Stopping the load: the task was asked to end.")
            self._stop.set()

    def _load(self, context: Context, window: Window) -> dict[str, Any]:
        settings = load_settings()
        stop = self._stop = StopSignal()
        self.link_urls = {}
        names = IndexNames(_given(self.index_prefix) or settings.index_prefix)
        kind = load_kind(_given(self.kind), context)
        budget = RateBudget(self._share(kind, settings), sleep=stop.sleep)
        okta = OktaHook(self.okta_conn_id, sleep=stop.sleep, gate=budget)
        opensearch = OpenSearchHook(self.opensearch_conn_id or settings.opensearch_conn_id, sleep=stop.sleep)
        plan = self._plan(context, settings, okta, window, kind)
        links = _Links(context, settings, okta, opensearch, names, self.link_urls)
        links.leave_for(plan)
        self._hold_back(window, settings, stop)
        self.log.info("Loading %s of %s into %s.", _said(plan), plan.stamp.org, names.alias)
        with okta.client as client:
            ledger = opensearch.ledger(names)
            store = opensearch.store(names, shards=settings.shards, replicas=settings.replicas)
            try:
                archive = archive_of(settings, sleep=stop.sleep)
                store.prepare()
                limit_heap_growth_of_process()
                result = load_and_record(
                    client,
                    store,
                    ledger,
                    plan,
                    archive=archive,
                    run_url=getattr(context["ti"], "log_url", None),
                    on_stored=LoadReporter(self.log),
                    stop=stop,
                )
                budget.rest()
                newest = self._newest(ledger, plan)
            except BaseException as error:
                # A server that just failed is not asked.
                known = not isinstance(error, OpenSearchLoadError)
                newest = self._newest(ledger, plan, done=False) if known else None
                measure_failure(plan, newest=newest, now=datetime.now(UTC))
                raise
            finally:
                opensearch.client.close()
        self._report(result, names, links)
        counts = {**plan.stamp.fields(), "index": names.alias, **result.as_dict()}
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                outlet_extra(context, outlet, counts)
        measure_load(result, plan, newest=newest, now=datetime.now(UTC))
        return counts

    def _newest(self, ledger: LedgerStore, plan: LoadPlan, *, done: bool = True) -> datetime | None:
        try:
            return _newest(ledger, plan, done=done)
        except OpenSearchLoadError as error:  # the metric is missing then, and the load is what it was
            self.log.warning("How far behind this leaves the org cannot be told: %s", error)
            return None

    def _window(self, context: Context) -> Window:
        params = context.get("params") or {}
        since, until = _given(self.since), _given(self.until)
        by_params = since is None and until is None
        if by_params:
            since, until = _given(params.get("since")), _given(params.get("until"))
        # A run of Airflow 3 may have no data interval, and then these keys are not there.
        window = resolve_window(
            since,
            until,
            context.get("data_interval_start"),
            context.get("data_interval_end"),
            fixed=by_params and is_fixed(context),
            zoned=by_params,
        )
        if by_params and since is not None:
            self.log.info("Understood: %s.", understood(window, now=datetime.now(UTC), zone=default_time_zone()))
        return window

    def _share(self, kind: LoadKind, settings: Settings) -> Share:
        given = _given(self.share)
        try:
            return share_of(kind, settings, part=None if given is None else float(given))
        except ValueError as error:
            raise AirflowFailException(f"share={given!r} cannot be used: {error}.") from error

    def _plan(self, context: Context, settings: Settings, okta: OktaHook, window: Window, kind: LoadKind) -> LoadPlan:
        overlap = self.overlap
        if overlap is None:
            overlap = settings.overlap if kind == "scheduled" else timedelta(0)
        connection = okta.settings
        stamp = Stamp(
            org=connection.org,
            window=window,
            run_id=str(context["run_id"]),
            kind=kind,
            horizon=settings.horizon,
        )
        return LoadPlan(
            stamp,
            overlap=overlap,
            hold_back=self._held_back(settings),
            filter=_given(self.filter) or connection.filter,
            q=_given(self.q) or connection.q,
            page_limit=connection.page_limit,
            threads=settings.bulk_threads,
            redactor=make_redactor(settings.redact, connection.redaction_key),
            compares=stamp.kind == "reconcile" and settings.reconcile_compares,
            redact_archive=settings.redact_archive,
        )

    def _held_back(self, settings: Settings) -> timedelta:
        return settings.hold_back if self.hold_back is None else self.hold_back

    def _hold_back(self, window: Window, settings: Settings, stop: StopSignal) -> None:
        hold_back = self._held_back(settings)
        now = datetime.now(UTC)
        left = (window.end + hold_back - now).total_seconds()
        if left <= 0 or window.end > now + CLOCK_TOLERANCE:  # the load itself refuses a window in the future
            return
        self.log.info("Waiting %.0f s, because Okta publishes some events late (hold-back).", left)
        if left > LONGEST_HELD.total_seconds():
            self.defer(trigger=trigger_at(window.end + hold_back), method_name="execute_complete")
        stop.sleep(left)

    def _report(self, result: LoadResult, names: IndexNames, links: _Links) -> None:
        for note in result.notes:
            self.log.warning("%s", note)
        self.log.info("%s", summary(result))
        if result.rejected:
            links.leave_rejected()
            self.log.warning(
                "%d EVENTS WERE REFUSED BY OPENSEARCH. Nothing is lost: each is kept whole, with the reason, in the "
                'index %s. Look there for run_id "%s".',
                result.rejected,
                names.rejected,
                links.run_id,
            )


class _Links:
    """Leaves the addresses behind the task's extra links as XComs."""

    def __init__(
        self,
        context: Context,
        settings: Settings,
        okta: OktaHook,
        opensearch: OpenSearchHook,
        names: IndexNames,
        urls: dict[str, str],
    ) -> None:
        self._ti = context["ti"]
        self._okta = okta.settings
        self._dashboards = opensearch.dashboards_url or settings.dashboards_url
        self._tenant = settings.dashboards_tenant
        self._index_pattern = opensearch.dashboards_index_pattern or names.alias
        self._names = names
        self._urls = urls
        self.run_id = str(context["run_id"])

    def leave_for(self, plan: LoadPlan) -> None:
        okta = self._okta
        window = plan.stamp.window
        self._leave(
            OktaSystemLogLink.key,
            window_system_log_url(okta.org_url, window, filter=plan.filter, q=plan.q, admin_url=okta.admin_url),
        )
        if self._dashboards:
            self._leave(
                OpenSearchDashboardsLink.key,
                window_discover_url(
                    self._dashboards,
                    window,
                    index_pattern=self._index_pattern,
                    org=okta.org,
                    tenant=self._tenant,
                ),
            )

    def leave_rejected(self) -> None:
        if self._dashboards:
            url = rejected_url(
                self._dashboards, index_pattern=self._names.rejected, run_id=self.run_id, tenant=self._tenant
            )
            self._leave(RejectedEventsLink.key, url)

    def _leave(self, key: str, url: str | None) -> None:
        if url is not None:
            self._urls[key] = url
            self._ti.xcom_push(key=key, value=url)


def _newest(ledger: LedgerStore, plan: LoadPlan, *, done: bool = True) -> datetime | None:
    """Return the end of the newest complete window, which a load that was caught up is not."""
    if plan.stamp.kind != "scheduled" or plan.filter or plan.q:
        return None
    window = plan.stamp.window
    newest = ledger.newest_complete(plan.stamp.org)
    return max(window.end, newest or window.end) if done else newest or window.start


def summary(result: LoadResult) -> str:
    """Return the counts as one line for a person."""
    late = f", the oldest {result.lateness.max_seconds:.0f} s after it was published" if result.created else ""
    waited = f", {result.waited_seconds:.0f} s of it waiting for Okta" if result.waited_seconds >= 1 else ""
    outside = f", {result.outside} outside the window" if result.outside else ""
    drifted = f", {result.drifted} without a part that does not fit" if result.drifted else ""
    return (
        f"Loaded {counted(result.read, 'event')} in {result.seconds:.1f} s{waited}: {result.created:,} new, "
        f"{result.existing:,} already there, {result.rejected:,} refused{drifted}{outside}; "
        f"{counted(result.pages, 'page')}, {counted(result.requests, 'request')} to Okta, "
        f"{result.bytes_read / 1e6:.1f} MB read{late}."
    )


def _said(plan: LoadPlan) -> str:
    window = plan.stamp.window
    text = f"the window {window}"
    if plan.overlap:
        text += f", reading from {format_instant(plan.reads.start)} on"
    for name, value in (("filter", plan.filter), ("q", plan.q)):
        if value:
            text += f", {name} {value!r}"
    return text


def _given(value: Any) -> Any:
    """Return a value, or None if a template made nothing of it: an empty text, or the word ``None``."""
    if isinstance(value, str) and value.strip() in ("", "None"):
        return None
    return value
