"""Operators that plan a backfill's chunks, and sum up what it loaded and what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oktalogger.compat import AirflowFailException, default_time_zone, get_setting_int
from oktalogger.operators.ledgered import LedgerOperator, now, unit_of, windows_of
from oktalogger.pipeline.backfill import BackfillError, check_count, chunks, read_request, to_load, warnings
from oktalogger.window import format_instant, gaps, understood

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from oktalogger.compat import Context


class BackfillPlanOperator(LedgerOperator):
    """
    Reads the params of a run and says which chunks are to load.

    A chunk is left out if the ledger shows it complete and OpenSearch holds as many events of it as were stored.

    Each returned chunk has ``since``, ``until`` and ``unit``, for a mapped load. The XCom ``range`` has the whole
    range.

    :param okta_conn_id: as for the load
    :param opensearch_conn_id: as for the load
    :param index_prefix: as for the load
    """

    def execute(self, context: Context) -> list[dict[str, str]]:
        """Return the chunks to load.

        :raises AirflowFailException: if the params are wrong
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        at = now()
        try:
            request = read_request(context["params"], now=at)
            for warning in warnings(request, now=at):
                self.log.warning("%s", warning)
            with self.org_ledger() as org:
                found = org.checked(request.window)
            for damage in found.damaged:
                self.log.warning("Damaged, and so loaded again: %s are in OpenSearch.", damage)
            parts = to_load(request, found.ledgered.complete, [one.window for one in found.damaged])
            check_count(parts, request, get_setting_int("core", "max_map_length", 1024))
        except BackfillError as error:
            raise AirflowFailException(str(error)) from error
        self.log.info("Understood: %s.", understood(request.window, now=at, zone=default_time_zone()))
        total = len(chunks(request.window, request.chunk))
        self.log.info("Loading %d of the %d chunks of %s; the others are complete.", len(parts), total, request.window)
        context["ti"].xcom_push(key="range", value=unit_of(request.window) | {"skipped": total - len(parts)})
        return [unit_of(part) for part in parts]


class BackfillSummaryOperator(LedgerOperator):
    """
    Says at the end of a backfill what the ledger shows as loaded, and what is left. Fails if something is left.

    :param windows: what :class:`BackfillPlanOperator` returned (templated)
    :param whole: its XCom ``range`` (templated)
    :param okta_conn_id: as for the load
    :param opensearch_conn_id: as for the load
    :param index_prefix: as for the load
    """

    template_fields: Sequence[str] = (*LedgerOperator.template_fields, "windows", "whole")

    def __init__(self, *, windows: Any, whole: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.windows = windows
        self.whole = whole

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the figures.

        :raises AirflowFailException: if something is left
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        if self.whole is None:
            raise AirflowFailException(
                "Nothing was loaded, because the task before this one refused the params. Its log says why."
            )
        [whole] = windows_of([self.whole])
        windows = windows_of(self.windows)
        with self.org_ledger() as org:
            entries = [entry for window in windows if (entry := org.entry("backfill", window)) is not None]
            done = [entry.window for entry in entries if entry.is_done]
            # The newest entries may not be searchable yet, those read by their names are.
            found = org.checked(whole)
            left = gaps(whole, [*found.ledgered.complete, *done])
        figures = {
            "windows": len(done),
            "skipped": int(self.whole.get("skipped", 0)),
            **{
                name: int(sum(entry.counts.get(name, 0) for entry in entries))
                for name in ("read", "created", "existing", "rejected", "requests")
            },
            "minutes": _minutes(context),
            "damaged": [str(damage) for damage in found.damaged],
            "left": [[format_instant(gap.start), format_instant(gap.end)] for gap in left],
        }
        self.log.info("%s", _sentence(figures))
        context["ti"].xcom_push(key="summary", value=figures)
        if left:
            raise AirflowFailException(
                f"{len(left)} parts of {whole} are left: {', '.join(map(str, left[:5]))}"
                f"{' ...' if len(left) > 5 else ''}. The tasks of these chunks say why. Clear them, or start a "
                "run with the same params: it loads what is left."
            )
        if found.damaged:
            raise AirflowFailException(
                f"{len(found.damaged)} hours of {whole} hold fewer events than were stored: "
                f"{'; '.join(map(str, found.damaged[:5]))}{' ...' if len(found.damaged) > 5 else ''}. Somebody "
                "deletes from OpenSearch. A run with the same params loads them again, as far as Okta still has them."
            )
        return figures


def _minutes(context: Context) -> float:
    began: datetime | None = getattr(context["dag_run"], "start_date", None)
    return round((now() - began).total_seconds() / 60, 1) if began else 0.0


def _sentence(figures: dict[str, Any]) -> str:
    return (
        f"{figures['windows']:,} windows loaded and {figures['skipped']:,} complete before: {figures['read']:,} events "
        f"read, {figures['created']:,} of them new, {figures['rejected']:,} refused; {figures['requests']:,} requests, "
        f"{figures['minutes']} minutes; {len(figures['left'])} parts left."
    )
