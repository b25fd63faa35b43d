"""Operator that seals the archive's closed days, and compares it with OpenSearch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from oktalogger.compat import AirflowFailException
from oktalogger.hooks.archive import archive_of
from oktalogger.hooks.okta import OktaHook
from oktalogger.okta.system_log import SystemLogQuery
from oktalogger.operators.alarm import raise_alarm
from oktalogger.operators.ledgered import LedgerOperator, OrgLedger, now, windows_of
from oktalogger.pipeline.archive.catalog import read_catalog
from oktalogger.pipeline.archive.errors import ArchiveDamagedError
from oktalogger.pipeline.archive.noted import AsArchived
from oktalogger.pipeline.archive.reading import ArchiveSource
from oktalogger.pipeline.archive.sealing import seal_closed_days
from oktalogger.pipeline.comparison import Comparison, compare_with
from oktalogger.privacy.redactor import make_redactor
from oktalogger.window import Window, gaps, hours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oktalogger.compat import Context
    from oktalogger.pipeline.archive.place import ArchiveStore

# After an outage a run reads a hundred hours again. To compare them all would hold up the next run.
_MOST_HOURS: Final = 12


class ArchiveReconcileOperator(LedgerOperator):
    """
    Seals closed days in the archive, and compares the hours that were just read again with OpenSearch.

    The hash of each seal is in the log and in the XCom ``seals``: whoever changes the archive later cannot change it
    there. A document that differs from the archive, and an hour that the archive lacks, is an alarm: it fails the task,
    or calls the notifier of ``OKTALOGGER_RECONCILE_CHANNEL``.

    :param windows: what :class:`~oktalogger.operators.reconcile.ReconcilePlanOperator` returned (templated)
    :param channel: the channel of ``OKTALOGGER_DETECTION_NOTIFIERS`` to tell; None takes
        ``OKTALOGGER_RECONCILE_CHANNEL``, and if that is not set the task fails
    :param okta_conn_id: as for the load
    :param opensearch_conn_id: as for the load
    :param index_prefix: as for the load
    """

    template_fields: Sequence[str] = (*LedgerOperator.template_fields, "windows")

    def __init__(self, *, windows: Any, channel: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.windows = windows
        self.channel = channel

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many hours were compared, and what differs.

        :raises AirflowFailException: if something differs, or no retry can help
        :raises ArchiveError: if the archive was out of reach
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        with self.org_ledger() as org:
            archive = archive_of(org.settings)
            if archive is None:
                raise AirflowFailException("OKTALOGGER_ARCHIVE is not set: there is nothing to seal or to compare.")
            seals = seal_closed_days(archive, org.org, now=now(), run_id=str(context["run_id"]))
            for made in seals:
                self.log.info("%s", made)
            context["ti"].xcom_push(
                key="seals", value=[{"day": f"{made.seal.day:%Y-%m-%d}", "sha256": made.sha256} for made in seals]
            )
            compared, troubles = self._compare(archive, org, context["run_id"])
            figures = {"hours": len(compared), "sealed": len(seals), "troubles": troubles}
            self.log.info("Compared %d hours with the archive: %d differ.", len(compared), len(troubles))
            if troubles:
                raise_alarm(
                    f"Okta System Log of {org.org}: OpenSearch and the archive {archive.where} differ. "
                    f"{' '.join(troubles[:10])} `python -m oktalogger coverage --verify --against archive` names every "
                    "event.",
                    title="Okta System Log: OpenSearch and the archive differ",
                    figures=figures,
                    channel=self.channel or org.settings.reconcile_channel,
                    settings=org.settings,
                    context=context,
                )
        return figures

    def _compare(self, archive: ArchiveStore, org: OrgLedger, run_id: str) -> tuple[list[Comparison], list[str]]:
        """Compare what this run has read again, hour by hour; what it could not read, the verdict names."""
        done = [
            window
            for window in windows_of(self.windows)
            if (entry := org.entry("reconcile", window)) is not None and entry.is_done and entry.run_id == run_id
        ]
        redactor = AsArchived(make_redactor(org.settings.redact, OktaHook(self.okta_conn_id).settings.redaction_key))
        org.census.refresh()
        compared: list[Comparison] = []
        troubles: list[str] = []
        for hour in [hour for window in done for hour in hours(window)][:_MOST_HOURS]:
            found, sentences = _compared(archive, org, hour, redactor)
            compared += found
            troubles += sentences
        return compared, troubles


def _compared(
    archive: ArchiveStore, org: OrgLedger, hour: Window, redactor: AsArchived
) -> tuple[list[Comparison], list[str]]:
    catalog = read_catalog(archive, org.org, hour)
    source = ArchiveSource(archive, catalog, filter=org.filter, q=org.q)
    troubles = [sentence for _, sentence in catalog.damaged]
    troubles += [f"The archive lacks {part}." for part in gaps(hour, catalog.read(org.filter, org.q))]
    try:
        one = compare_with(source, org.census, org.org, SystemLogQuery(since=hour.start, until=hour.end), redactor)
    except ArchiveDamagedError as error:
        return [], [*troubles, str(error)]
    troubles += [f"{name} cannot be read." for name in source.unreadable]
    if not one.exact:
        troubles.append(
            f"{hour}: {len(one.missing):,} events are missing in OpenSearch, {len(one.foreign):,} are not in the "
            f"archive, {len(one.altered):,} differ, {len(one.doubled):,} are there twice."
        )
    return [one], troubles
