"""Operators that restore a range from the archive: plan, load, summary."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.compat import AirflowFailException, BaseOperator, default_time_zone, get_setting_int
from oktalogger.hooks.archive import archive_of
from oktalogger.hooks.okta import OktaHook
from oktalogger.hooks.opensearch import OpenSearchHook
from oktalogger.malloc import limit_heap_growth_of_process
from oktalogger.opensearch.names import IndexNames
from oktalogger.operators.errors import failing_at_once
from oktalogger.operators.ledgered import LedgerOperator, now, unit_of, windows_of
from oktalogger.pipeline.archive.catalog import read_catalog
from oktalogger.pipeline.archive.noted import AsArchived
from oktalogger.pipeline.backfill import CHUNKS
from oktalogger.pipeline.document import RESTORED
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.progress import LoadReporter
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.pipeline.restore import parts_of, restorable, restoring
from oktalogger.pipeline.stop import StopSignal
from oktalogger.privacy.redactor import make_redactor
from oktalogger.settings import Settings, load_settings
from oktalogger.window import Window, gaps, merge, parse_instant, understood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oktalogger.compat import Context
    from oktalogger.pipeline.archive.place import ArchiveStore

# The narrowest first: a restore of years must not make more tasks than Airflow maps.
_WIDTHS: Final = (CHUNKS["6 hours"], CHUNKS["1 day"], timedelta(days=7), timedelta(days=30))


class RestorePlanOperator(LedgerOperator):
    """
    Reads the params of a run, and says which parts of the range are in the archive and not whole in OpenSearch.

    Each returned part has ``since``, ``until`` and ``unit``, for a mapped load. The XCom ``absent`` has what the
    archive lacks.

    :param okta_conn_id: Airflow connection to the org (templated); only its name and filter are read
    :param opensearch_conn_id: as for the load
    :param index_prefix: as for the load
    """

    def execute(self, context: Context) -> list[dict[str, str]]:
        """Return the parts to load.

        :raises AirflowFailException: if the params are wrong, or no retry can help
        :raises ArchiveError: if the archive was out of reach
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        params = context["params"]
        with self.org_ledger() as org:
            window = Window(
                parse_instant(params["from"], name="from", zoned=True),
                parse_instant(params["to"], name="to", zoned=True),
            )
            self.log.info("Understood: %s.", understood(window, now=now(), zone=default_time_zone()))
            there = restorable(read_catalog(_archive(org.settings), org.org, window), org.filter, org.q)
            wanted = [window]
            if not params["all"]:
                # What retention deleted is wanted back as well.
                forever = replace(org, settings=replace(org.settings, retention_days=0))
                checked = forever.checked(window)
                damaged = [one.window for one in checked.damaged]
                wanted = merge([*gaps(window, checked.ledgered.complete), *damaged])
        for sentence in there.damaged:
            self.log.error("%s", sentence)
        absent = [part for one in wanted for part in gaps(one, [*there.complete, *there.outlived])]
        for part in absent:
            self.log.warning("Not in the archive: %s", part)
        most = get_setting_int("core", "max_map_length", 1024)
        parts = next((made for width in _WIDTHS if len(made := parts_of(wanted, there, width)) <= most), None)
        if parts is None:
            raise AirflowFailException(f"{window} makes more than {most:,} tasks. Take a shorter range.")
        self.log.info("Loading %d parts of %s from the archive.", len(parts), window)
        context["ti"].xcom_push(key="absent", value=[unit_of(part) for part in absent])
        return [unit_of(part) for part in parts]


class OktaArchiveToOpenSearchOperator(BaseOperator):
    """
    Loads one window from the archive into OpenSearch, instead of from Okta.

    The documents are the same, under the same ids and in the same indices, and marked ``historical``. It asks Okta
    nothing, so neither its rate limit nor a pool plays a part. It returns the counts of
    :class:`oktalogger.pipeline.load_result.LoadResult`.

    :param since: start of the window (templated)
    :param until: end of the window, itself not part of it (templated)
    :param okta_conn_id: Airflow connection to the org (templated); only its name and filter are read
    :param opensearch_conn_id: Airflow connection to OpenSearch (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``
    :param index_prefix: name of the alias (templated); None takes ``OKTALOGGER_INDEX_PREFIX``
    :param unit: what a mapped task is called in the UI
    """

    template_fields: Sequence[str] = ("since", "until", "okta_conn_id", "opensearch_conn_id", "index_prefix")
    ui_color = "#d5e8ff"
    _stop: StopSignal | None = None

    def __init__(
        self,
        *,
        since: str,
        until: str,
        okta_conn_id: str = OktaHook.default_conn_name,
        opensearch_conn_id: str | None = None,
        index_prefix: str | None = None,
        unit: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.since = since
        self.until = until
        self.okta_conn_id = okta_conn_id
        self.opensearch_conn_id = opensearch_conn_id
        self.index_prefix = index_prefix
        self.unit = unit

    def execute(self, context: Context) -> dict[str, Any]:
        """Load the window and return the counts.

        :raises AirflowFailException: if no retry can help
        :raises ArchiveError: if the archive was out of reach
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        with failing_at_once():
            return self._load(context)

    def on_kill(self) -> None:
        """End the load at its next step; what is stored already stays, and does no harm."""
        if self._stop is not None:
            self._stop.set()

    def _load(self, context: Context) -> dict[str, Any]:
        settings = load_settings()
        stop = self._stop = StopSignal()
        names = IndexNames(self.index_prefix or settings.index_prefix)
        connection = OktaHook(self.okta_conn_id).settings
        window = Window(parse_instant(self.since, name="since"), parse_instant(self.until, name="until"))
        filter, q = connection.filter, connection.q
        one = restoring(_archive(settings, stop), connection.org, window, str(context["run_id"]), filter=filter, q=q)
        plan = LoadPlan(
            one.stamp,
            filter=filter,
            q=q,
            threads=settings.bulk_threads,
            redactor=AsArchived(make_redactor(settings.redact, connection.redaction_key)),
            keeps=None,
            outlived=one.outlived,
        )
        hook = OpenSearchHook(self.opensearch_conn_id or settings.opensearch_conn_id, sleep=stop.sleep)
        store = hook.store(names, shards=settings.shards, replicas=settings.replicas)
        try:
            store.prepare()
            limit_heap_growth_of_process()
            result = load_and_record(
                one.source,
                store,
                hook.ledger(names),
                plan,
                run_url=getattr(context["ti"], "log_url", None),
                on_stored=LoadReporter(self.log),
                stop=stop,
            )
        finally:
            hook.client.close()
        for note in result.notes:
            self.log.warning("%s", note)
        self.log.info("Restored %s: %d events read, %d of them new.", window, result.read, result.created)
        return {**plan.stamp.fields(), "index": names.alias, **result.as_dict()}


class RestoreSummaryOperator(LedgerOperator):
    """
    Says at the end of a restore what was loaded. Fails if something is left, or not in the archive.

    :param windows: what :class:`RestorePlanOperator` returned (templated)
    :param absent: its XCom ``absent`` (templated)
    :param okta_conn_id: as for the load
    :param opensearch_conn_id: as for the load
    :param index_prefix: as for the load
    """

    template_fields: Sequence[str] = (*LedgerOperator.template_fields, "windows", "absent")

    def __init__(self, *, windows: Any, absent: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.windows = windows
        self.absent = absent

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the figures.

        :raises AirflowFailException: if something is left
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        if self.windows is None:
            raise AirflowFailException("Nothing was loaded, because the task before this one failed. Its log says why.")
        windows, absent = windows_of(self.windows), windows_of(self.absent)
        with self.org_ledger() as org:
            entries = {window: org.entry(RESTORED, window) for window in windows}
        done = [entry for entry in entries.values() if entry is not None and entry.is_done]
        left = [window for window, entry in entries.items() if entry is None or not entry.is_done]
        figures = {
            "windows": len(done),
            **{name: int(sum(one.counts.get(name, 0) for one in done)) for name in ("read", "created", "rejected")},
            "left": [str(window) for window in left],
            "absent": [str(window) for window in absent],
        }
        self.log.info("%s", figures)
        if left or absent:
            raise AirflowFailException(
                f"{len(left)} parts could not be restored, and {len(absent)} are not in the archive: "
                f"{', '.join(map(str, [*left, *absent][:5]))}. The tasks of these parts say why; "
                "`python -m oktalogger archive check` names what is wrong with the archive."
            )
        return figures


def _archive(settings: Settings, stop: StopSignal | None = None) -> ArchiveStore:
    archive = archive_of(settings, sleep=(stop or StopSignal()).sleep)
    if archive is None:
        raise AirflowFailException("OKTALOGGER_ARCHIVE is not set: there is no archive to restore from.")
    return archive
