"""Operators that run detections over past windows, and over the events of the last load."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from oktalogger.compat import AirflowSkipException, default_time_zone, triggering_events
from oktalogger.detections.exclusions import ended, ended_sentence
from oktalogger.detections.messages import about
from oktalogger.detections.monitors.api import AlertingClient
from oktalogger.detections.monitors.health import not_at_work
from oktalogger.detections.monitors.render import fresh_minutes, monitor_settings
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.replay.alerts import mark_notified, pending_alerts
from oktalogger.detections.replay.matches import first_found_in
from oktalogger.detections.replay.report import merge_rows, replay_windows, rows_text
from oktalogger.detections.replay.search import ReplayIncompleteError, keep_excepted, replay
from oktalogger.detections.replay.span import Span
from oktalogger.detections.select import UnknownRuleError, select_detections
from oktalogger.notifications.channels import notify
from oktalogger.opensearch.errors import OpenSearchLoadError
from oktalogger.opensearch.names import IndexNames
from oktalogger.operators.detection_base import REFUSED, DetectionOperator
from oktalogger.operators.errors import failing_at_once
from oktalogger.operators.metrics import measure_monitors
from oktalogger.settings import load_settings
from oktalogger.text import counted
from oktalogger.window import Window, format_instant, parse_instant, resolve_window, understood

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opensearchpy import OpenSearch

    from oktalogger.compat import Context
    from oktalogger.detections.model import CompiledDetection
    from oktalogger.detections.replay.search import Found
    from oktalogger.hooks.opensearch import OpenSearchHook
    from oktalogger.settings import Settings

# How far another machine's clock may be ahead: a load's documents may be this much older than its start.
_MARGIN = timedelta(minutes=2)
_LOAD_OF_UNKNOWN_LENGTH = timedelta(minutes=10)
_BY_HAND = timedelta(hours=1)


class DetectionReplayUnitsOperator(DetectionOperator):
    """
    Cuts a replay into parts and returns them, for a mapped :class:`DetectionReplayOperator`.

    A part is one rule over one day, or over several days if there are many rules and days.

    :param since: start of the time range, RFC 3339 (templated)
    :param until: end of the time range, itself not part of it (templated)
    :param rules: names, ids or files of rules, also as one text separated by blanks; ``*`` and ``?`` are wildcards
        (templated); none takes all, disabled ones included
    :param opensearch_conn_id: Airflow connection to OpenSearch (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``
    :param folder: the folders of rules, separated by commas (templated); None takes ``OKTALOGGER_DETECTIONS_DIR``
    """

    template_fields: Sequence[str] = (*DetectionOperator.template_fields, "since", "until", "rules")

    def __init__(self, *, since: str, until: str, rules: str | Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.since = since
        self.until = until
        self.rules = rules

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the parts.

        :raises AirflowFailException: if the params are wrong
        """
        with failing_at_once(UnknownRuleError, *REFUSED):
            window = Window(
                parse_instant(self.since, name="from", zoned=True), parse_instant(self.until, name="to", zoned=True)
            )
            rules = select_detections(self._detections(), _patterns(self.rules))
        parts = [
            {
                "detection_id": rule.id,
                "since": format_instant(part.start),
                "until": format_instant(part.end),
                "unit": f"{rule.name} {part.start:%Y-%m-%d}",
            }
            for part in replay_windows(window, rules=len(rules))
            for rule in rules
        ]
        self.log.info("Understood: %s.", understood(window, now=datetime.now(UTC), zone=default_time_zone()))
        self.log.info("%d rules over %s: %d parts.", len(rules), window, len(parts))
        return parts


class DetectionReplayOperator(DetectionOperator):
    """
    Runs one rule over one part of the past, historical events included, and stores its matches.

    A match always has the same id, so running it again stores nothing twice.

    :param detection_id: the rule's id
    :param since: start of the time range, RFC 3339 (templated)
    :param until: end of the time range, itself not part of it (templated)
    :param unit: what the mapped task is called in the UI
    :param opensearch_conn_id: Airflow connection to OpenSearch (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``
    :param folder: the folders of rules, separated by commas (templated); None takes ``OKTALOGGER_DETECTIONS_DIR``
    """

    template_fields: Sequence[str] = (*DetectionOperator.template_fields, "since", "until")

    def __init__(self, *, detection_id: str, since: str, until: str, unit: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.detection_id = detection_id
        self.since = since
        self.until = until
        self.unit = unit

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the rule, and return a row of the table.

        :raises AirflowFailException: if no retry can help
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        with failing_at_once(*REFUSED):
            settings = load_settings()
            [rule] = select_detections(self._detections(), [self.detection_id])
            span = Span(resolve_window(self.since, self.until, None, None))
            client = self._hook(settings).client
            try:
                [found] = replay(
                    client,
                    IndexNames(settings.index_prefix),
                    [rule],
                    span,
                    run_id=str(context["run_id"]),
                    settings=monitor_settings(settings),
                )
            finally:
                client.close()
        self.log.info("\n%s", rows_text([found.as_dict()]))
        return found.as_dict()


class DetectionReplayReportOperator(DetectionOperator):
    """
    Prints the results of a replay, one line for each rule: matches, first, last, an example.

    :param rows: the rows that the mapped tasks returned (templated)
    """

    template_fields: Sequence[str] = (*DetectionOperator.template_fields, "rows")

    def __init__(self, *, rows: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows = rows

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Print the table, and return its rows as plain values."""
        merged = merge_rows(row for row in self.rows or () if row)
        self.log.info("\n%s", rows_text(merged))
        return merged


class DetectionAlertOperator(DetectionOperator):
    """
    Runs the enabled rules that no monitor is at work for over what has just been loaded, and notifies.

    On a cluster without the Alerting plugin these are all rules. On one with it these are the rules that no monitor can
    run, and those whose monitor is not there, switched off, not as the rule says, or not running. The task is skipped
    where there are none. It keeps what the other rules find as well, without telling anybody, if a rule adds up
    findings, and otherwise what exceptions keep from being told. Nobody hears of the same events twice; a notification
    that fails is tried again with the task. A rule that OpenSearch will not run fails the task, after
    all others have been run and told of. Cleared, the task looks from its own loads on up to the present.

    The assets (Airflow 2: datasets) that started the run name the loads. Each load counts from its first try, because a
    try that fails or is killed may have stored events that no asset names. In a run started by hand, the params
    ``since`` and ``until`` name the time, by default the last hour.

    :param opensearch_conn_id: Airflow connection to OpenSearch (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``
    :param folder: the folders of rules, separated by commas (templated); None takes ``OKTALOGGER_DETECTIONS_DIR``
    """

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Search, notify, and return the matches that no earlier run has found: two runs may search the same loads.

        :raises AirflowSkipException: if monitors are at work for all rules
        :raises AirflowFailException: if no retry can help
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        with failing_at_once(*REFUSED):
            settings = load_settings()
            hook = self._hook(settings)
            client = hook.client
            try:
                names = IndexNames(settings.index_prefix)
                rules = self._detections()
                for exception in ended(rules, datetime.now(UTC).date()):
                    self.log.warning("%s: %s", exception.file, ended_sentence(exception))
                enabled = [rule for rule in rules if rule.enabled]
                unwatched = self._unwatched(client, names, settings, enabled)
                told = {rule.id for rule in unwatched}
                watched = [rule for rule in enabled if rule.id not in told and rule.exceptions]
                if not unwatched and not watched:
                    raise AirflowSkipException(
                        "This cluster has the Alerting plugin, and a monitor is at work for each rule: there is "
                        "nothing to do here."
                    )
                span = Span(loaded_range(context), by="loaded", historical=False)
                # What adds up findings needs those of monitored rules as well: they are kept here, and told there.
                adds_up = any(rule.risk_sum is not None for rule in unwatched)
                run = enabled if adds_up else unwatched
                found, incomplete = self._look(client, names, run, settings, context, span)
                found = [item for item in found if item.detection.id in told]
                if watched and not adds_up:
                    common = monitor_settings(settings)
                    keep_excepted(client, names, watched, span, run_id=str(context["run_id"]), settings=common)
                self._notify(hook, names, found, settings, context)
                if incomplete is not None:
                    raise incomplete
                first = [_first_found(client, names.matches, item, str(context["run_id"])) for item in found]
            finally:
                client.close()
        return [item.as_dict() for item in first if item.matches]

    def _unwatched(
        self, client: OpenSearch, names: IndexNames, settings: Settings, rules: list[CompiledDetection]
    ) -> list[CompiledDetection]:
        alerting = AlertingClient(client)
        if not alerting.available():
            self.log.info(
                "This cluster has no Alerting plugin: detections run here, after each load, and notify by Airflow."
            )
            return rules
        common, owner = monitor_settings(settings), Owner(settings.index_prefix)
        monitored = [rule for rule in rules if rule.is_monitored]
        reasons = not_at_work(alerting, monitored, names=names, settings=common, owner=owner)
        measure_monitors(len(reasons))
        if reasons:
            listed = "\n".join(f"- {rule.title}: {reasons[rule.id]}" for rule in monitored if rule.id in reasons)
            self.log.warning(
                "This cluster has the Alerting plugin, but no monitor is at work for %d of %d rules, which run here "
                "instead. Run the DAG okta_detections, and look at its task verify:\n%s",
                len(reasons),
                len(monitored),
                listed,
            )
        return [rule for rule in rules if rule.id in reasons or not rule.is_monitored]

    def _look(
        self,
        client: OpenSearch,
        names: IndexNames,
        rules: Sequence[CompiledDetection],
        settings: Settings,
        context: Context,
        span: Span,
    ) -> tuple[list[Found], ReplayIncompleteError | None]:
        self.log.info("%d rules over the events loaded in %s.", len(rules), span.window)
        common = monitor_settings(settings)
        incomplete: ReplayIncompleteError | None = None
        all_found: Sequence[Found]
        try:
            all_found = replay(client, names, rules, span, run_id=str(context["run_id"]), settings=common)
        except ReplayIncompleteError as error:
            all_found, incomplete = error.found, error
        for item in (item for item in all_found if item.excepted):
            self.log.info("%d matches of %s are excepted: kept, not told.", len(item.excepted), item.detection.name)
        found = [item for item in all_found if item.matches]
        self.log.info("%s", f"\n{rows_text([one.as_dict() for one in found])}" if found else "No rule matched.")
        return found, incomplete

    def _notify(
        self, hook: OpenSearchHook, names: IndexNames, found: Iterable[Found], settings: Settings, context: Context
    ) -> None:
        client, index = hook.client, names.matches
        remember = partial(mark_notified, client, index, refresh=not hook.serverless)
        common = monitor_settings(settings)
        failed: list[Exception] = []
        for item in found:
            channels = item.detection.channels_under(common)
            quiet = timedelta(minutes=fresh_minutes(item.detection, common))
            quiet_since = datetime.now(UTC) - quiet
            for alert in pending_alerts(client, index, item.detection, item.matches, channels, quiet_since=quiet_since):
                if alert.quiet:
                    self.log.info(
                        "%d matches of %s are in groups that %s was told of within %s: not told again.",
                        len(alert.quiet),
                        item.detection.name,
                        alert.channel,
                        quiet,
                    )
                if not alert.matches:
                    remember(alert)
                    continue
                try:
                    notify(alert, settings.detection_notifiers, context)
                except Exception as error:  # whatever a notifier raises; the other channels must still be told
                    self.log.exception("The channel %s could not be told: %s", alert.channel, alert.subject)
                    failed.append(error)
                    continue
                self.log.info("Told %s: %s", alert.channel, alert.subject)
                try:
                    remember(alert)
                except OpenSearchLoadError as error:
                    if error.retryable:
                        raise
                    # No retry helps; the other channels must still be told.
                    self.log.error("It is not remembered that %s was told: %s", alert.channel, error)
                    failed.append(error)
        if failed:
            raise failed[0]


class DetectionFindingOperator(DetectionOperator):
    """
    Logs the matches of one rule, what they mean, what to do, and where they are stored.

    Mapped over the rows of :class:`DetectionAlertOperator`, it gives a run one visible task for each rule with matches,
    named after the rule.

    :param finding: one of the rows that :class:`DetectionAlertOperator` returns
    :param opensearch_conn_id: Airflow connection to OpenSearch (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``
    :param folder: the folders of rules, separated by commas (templated); None takes ``OKTALOGGER_DETECTIONS_DIR``
    """

    def __init__(self, *, finding: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.finding = finding

    @property
    def label(self) -> str:
        """The mapped task's name in the UI."""
        return f"{self.finding['severity']}: {self.finding['title']} ({self.finding['matches']})"

    def execute(self, context: Context) -> None:
        """Log the matches.

        :raises AirflowFailException: if the rules cannot be read
        """
        with failing_at_once(*REFUSED):
            rules = {rule.id: rule for rule in self._detections()}
            index = IndexNames(load_settings().index_prefix).matches
        row = self.finding
        rule = rules.get(row["id"])
        many = f"{row['matches']:,}+ matches" if row["more"] else counted(row["matches"], "match", "matches")
        self.log.warning(
            "[%s] %s: %s\nfirst %s, last %s, for example:\n%s\n\n%s\n\nEach match is in the index %s; find them with: "
            "detection.name:%s",
            row["severity"],
            row["title"],
            many,
            row["first"],
            row["last"],
            row["example"],
            about(rule) if rule is not None else "The rule no longer exists.",
            index,
            row["rule"],
        )


def loaded_range(context: Context) -> Window:
    """Return the time range whose stored documents no run has searched yet.

    :raises WindowError: if the run's params are not a range
    """
    now = datetime.now(UTC)
    events = triggering_events(context)
    if events:
        # The database's clock may be ahead of this machine's.
        return Window(min(now, *(_began(at, extra) for at, extra in events)) - _MARGIN, now)
    params: Mapping[str, Any] = context.get("params") or {}
    if params.get("since") or params.get("until"):
        return resolve_window(params.get("since"), params.get("until"), None, None, zoned=True)
    return Window(now - _BY_HAND, now)


def _first_found(client: OpenSearch, index: str, found: Found, run_id: str) -> Found:
    ids = first_found_in(client, index, [match.id for match in found.matches], run_id)
    return replace(found, matches=tuple(match for match in found.matches if match.id in ids))


def _began(at: datetime, extra: Mapping[str, Any]) -> datetime:
    seconds = extra.get("seconds")
    began = at - (timedelta(seconds=float(seconds)) if seconds is not None else _LOAD_OF_UNKNOWN_LENGTH)
    since = extra.get("loading_since")
    if since is None:  # written by an older version, or not by our loads
        return began
    # The length is that of the last try alone. It still counts if the clock of the first one's machine was ahead.
    return min(began, parse_instant(since, name="loading_since"))


def _patterns(rules: Any) -> list[str]:
    if isinstance(rules, str):
        return rules.split()
    return [str(rule) for rule in rules or ()]
