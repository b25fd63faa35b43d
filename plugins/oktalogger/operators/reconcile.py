"""Operators of reconcile: they choose the hours to read again, and judge what that found."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from oktalogger.compat import AirflowFailException, get_setting_int
from oktalogger.operators.alarm import raise_alarm
from oktalogger.operators.ledgered import LedgerOperator, OrgLedger, now, unit_of, windows_of
from oktalogger.operators.metrics import measure_behind, measure_findings
from oktalogger.pipeline.owed import with_owed
from oktalogger.pipeline.reconcile import RETENTION, Findings, Reread, closed_hours, covered_time, plan_reconcile
from oktalogger.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oktalogger.compat import Context
    from oktalogger.pipeline.ledger import LedgerEntry


class ReconcilePlanOperator(LedgerOperator):
    """
    Decides what to read again: the closed hours whose turn it is, every gap in the covered time, and damaged hours.

    Returned, and so left as an XCom, is what a mapped load needs: ``since``, ``until`` and ``unit`` of each window.
    A gap is any part of the covered time that has no complete window in the ledger. An hour is damaged if OpenSearch
    holds fewer events of it than complete loads stored; one search counts all that Okta can still give back. They are
    left as the XComs ``gaps`` and ``damaged``, and how many hours of both were left to the next run as ``left``.

    :param after: how long after its end an hour is read again; None takes ``OKTALOGGER_RECONCILE_AFTER_HOURS``
    :param okta_conn_id: as for the load
    :param opensearch_conn_id: as for the load
    :param index_prefix: as for the load
    """

    def __init__(self, *, after: Sequence[timedelta] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.after = after

    def execute(self, context: Context) -> list[dict[str, str]]:
        """Return the windows to read again.

        :raises AirflowFailException: if no retry can help
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        at = now()
        with self.org_ledger() as org:
            checked = org.checked(Window(at - RETENTION, at))
        ledgered = checked.ledgered
        settings = org.settings
        after = self.after or [timedelta(hours=hours) for hours in settings.reconcile_after_hours]
        # A late run (catchup) reads the hours that it would have read on time.
        closed = closed_hours(context.get("data_interval_end") or at, after)
        covered = covered_time(
            ledgered, begins=settings.start_date, interval=settings.interval, now=at, hold_back=settings.hold_back
        )
        plan = plan_reconcile(closed, covered, ledgered, [damage.window for damage in checked.damaged])
        if ledgered.complete:
            measure_behind(org.org, max(window.end for window in ledgered.complete), at)
        if covered is None:
            self.log.info("No scheduled load was due yet: there is nothing to read again.")
            if settings.start_date is not None and settings.start_date > at:
                self.log.warning("OKTALOGGER_START_DATE is in the future: loads begin at %s.", settings.start_date)
        for gap in plan.gaps:
            self.log.warning("A gap: %s has no complete window in the ledger. It is read now.", gap)
        for part in ledgered.owed:
            self.log.warning("Owed: %s could not be read again before. It is read now, in smaller pieces.", part)
        for damage in checked.damaged:
            self.log.warning("Damaged, and so read again: %s are in OpenSearch.", damage)
        context["ti"].xcom_push(key="damaged", value=[unit_of(damage.window) for damage in checked.damaged])
        context["ti"].xcom_push(key="gaps", value=[unit_of(gap) for gap in plan.gaps])
        windows = with_owed(plan.windows, ledgered.owed, settings.interval)
        most = get_setting_int("core", "max_map_length", 1024)
        context["ti"].xcom_push(key="left", value=plan.left + len(windows[most:]))
        return [unit_of(window) for window in windows[:most]]


class ReconcileVerdictOperator(LedgerOperator):
    """
    Says what reading again found, and alerts if that exceeds a setting.

    The settings bound late events, the time for which they were missing, rejected and drifted events, gaps and damaged
    hours.

    It reads only the ledger: a window counts as read if its entry of the kind ``reconcile`` says that this run
    completed it. A window not read fails the task. What exceeds a setting fails the task too, or calls a notifier.

    :param windows: what :class:`ReconcilePlanOperator` returned (templated)
    :param gaps: its XCom ``gaps`` (templated)
    :param left: its XCom ``left`` (templated)
    :param damaged: its XCom ``damaged`` (templated)
    :param channel: the channel of ``OKTALOGGER_DETECTION_NOTIFIERS`` to tell; None takes
        ``OKTALOGGER_RECONCILE_CHANNEL``, and if that is not set the task fails
    :param okta_conn_id: as for the load
    :param opensearch_conn_id: as for the load
    :param index_prefix: as for the load
    """

    template_fields: Sequence[str] = (*LedgerOperator.template_fields, "windows", "gaps", "left", "damaged")

    def __init__(
        self,
        *,
        windows: Any,
        gaps: Any = (),
        left: Any = 0,
        damaged: Any = (),
        channel: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.windows = windows
        self.gaps = gaps
        self.left = left
        self.damaged = damaged
        self.channel = channel

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the findings.

        :raises AirflowFailException: if a window was not read, or lateness or a gap passes a setting
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        if self.windows is None:
            raise AirflowFailException("Nothing was read again, because the task before this one returned no windows.")
        with self.org_ledger() as org:
            findings = self._findings(org, context["run_id"])
        self.log.info("%s", findings.sentence())
        measure_findings(org.org, findings)
        context["ti"].xcom_push(key="findings", value=findings.as_dict())
        alarms = findings.alarms(
            late_seconds=org.settings.late_alert_seconds,
            gap_seconds=org.settings.gap_alert_seconds,
            late=org.settings.late_limit,
            refused=org.settings.refused_limit,
        )
        unread = ""
        if findings.unread:
            unread = (
                f"{len(findings.unread)} of {findings.windows} windows were not read again: "
                f"{', '.join(map(str, findings.unread[:5]))}. Their tasks say why; clear them, or leave it to the next "
                "run."
            )
        if alarms:
            raise_alarm(
                f"Okta System Log of {org.org}: {' '.join([*alarms, unread]).rstrip()}",
                title="Okta System Log: late, refused or missing events",
                figures=findings.as_dict(),
                channel=self.channel or org.settings.reconcile_channel,
                settings=org.settings,
                context=context,
            )
        if unread:
            raise AirflowFailException(unread)
        return findings.as_dict()

    def _findings(self, org: OrgLedger, run_id: str) -> Findings:
        windows = windows_of(self.windows)
        damaged = windows_of(self.damaged)
        late_max, restored, unread, reread = 0.0, 0, [], []
        for window in windows:
            entry = org.entry("reconcile", window)
            # Two runs read an hour, into one entry, so leave out what the other run found.
            if entry is None or entry.run_id != run_id:
                unread.append(window)
                continue
            if not entry.is_done:
                unread.append(window)
            if any(hour.start < window.end and window.start < hour.end for hour in damaged):
                # What was stored before and is put back was not late.
                restored += int(entry.counts.get("created", 0))
                continue
            reread.append(_reread(entry))
            late_max = max(late_max, entry.lateness.get("late_max", 0.0))
        return Findings(
            len(windows),
            tuple(unread),
            sum(one.late for one in reread),
            late_max,
            windows_of(self.gaps),
            int(self.left or 0),
            damaged=damaged,
            restored=restored,
            reread=tuple(reread),
        )


def _reread(entry: LedgerEntry) -> Reread:
    counts = {name: int(entry.counts.get(name, 0)) for name in ("read", "late", "rejected", "drifted", "altered")}
    return Reread(
        entry.window,
        events=counts["read"],
        late=counts["late"],
        refused=counts["rejected"] + counts["drifted"],
        altered=counts["altered"],
        missed_seconds=entry.lateness.get("missed_max", 0.0) if counts["late"] else 0.0,
    )
