"""The REST API of the Alerting plugin, as far as the sync needs it.

Sources: opensearch-project/alerting, branches 2.19 and main, ``resthandler`` and ``transport``; and recorded answers of
OpenSearch 2.19.4. What differs from the documentation is said where it matters.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oktalogger import __version__
from oktalogger.detections.monitors.stored import StoredMonitor, read_monitor
from oktalogger.opensearch.diagnosis import Failure, error_for, shorten
from oktalogger.opensearch.errors import IndexMissingError, OpenSearchLoadError, OpenSearchPermissionError
from oktalogger.opensearch.request import RequestRetry, repeated, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opensearchpy import OpenSearch

MONITORS: Final = "/_plugins/_alerting/monitors"
# The plugin leaves `ui_metadata` out of every answer but those to a client whose User-Agent holds this word
# (`RestHandlerUtils.kt`, function `context`). Without it our own marker would never come back.
USER_AGENT: Final = f"oktalogger/{__version__} (reads ui_metadata as OpenSearch-Dashboards does)"
STATS: Final = "/_plugins/_alerting/stats"
ALERTS_INDEX: Final = ".opendistro-alerting-alerts"
PAGE_SIZE: Final = 200
ALERTS_PAGE: Final = 1000
_RETRY: Final = RequestRetry(attempts=5, longest_wait_seconds=20.0)
_RIGHTS: Final = "/alerting/"
_NO_SUCH_PATH: Final = "no handler found for uri"
# What 2.19 answers to nearly everything until somebody makes the cluster's first monitor, which makes this index.
_NO_MONITOR_YET: Final = "Configured indices are not found: [.opendistro-alerting-config]"
# The plugin answers 500 also to what it cannot parse; the class of the Java exception tells the two apart.
_REFUSED_FOR_GOOD: Final = (
    "ParsingException",
    "IllegalArgumentException",
    "XContentParseException",
    "NotFoundException",
)


class AlertingMissingError(OpenSearchLoadError):
    """This cluster has no Alerting plugin; detections run by replay there."""


class MonitorConflictError(OpenSearchLoadError):
    """Somebody wrote the monitor after it was read. It has to be read and planned again."""

    retryable = True


class MonitorMissingError(OpenSearchLoadError):
    """The monitor is gone. It has to be planned again."""

    retryable = True


class MonitorRefusedError(OpenSearchLoadError):
    """The server will not have this monitor, however often it is asked."""


@dataclass(frozen=True, slots=True)
class LastRuns:
    """When the cluster's monitors last ran.

    :param is_scheduling: whether the scheduler runs monitors at all
    :param by_monitor: when each last ran, by its id; ``None`` for one that is scheduled and has not run yet
    """

    is_scheduling: bool
    by_monitor: dict[str, datetime | None]


class AlertingClient:
    """Monitors of one cluster, read and written. Not for several threads at once.

    :param client: whose connections and log-in are used; it must not repeat anything by itself, for a POST whose
        connection was cut, sent again, makes two monitors
    :param retry: how often a request is sent, and how long apart
    :param sleep: waits
    """

    def __init__(
        self, client: OpenSearch, *, retry: RequestRetry = _RETRY, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._retry = retry
        self._sleep = sleep
        self.requests = 0
        self.writes = 0

    @property
    def opensearch(self) -> OpenSearch:
        """The client whose connections are used, for questions that are not about monitors."""
        return self._client

    def available(self) -> bool:
        """Say whether the cluster has the Alerting plugin.

        A user who is refused a right of the plugin's own has told that it is there: a cluster without it does not know
        the path. That is how the loader's user, which has no business with monitors, learns it.

        :raises OpenSearchLoadError: if it cannot be asked, or not by this user
        """
        try:
            self.require()
        except AlertingMissingError:
            return False
        except OpenSearchPermissionError as error:
            if not any(_RIGHTS in permission for permission in error.permissions):
                raise
        return True

    def require(self) -> None:
        """Make sure that the cluster has the Alerting plugin.

        :raises AlertingMissingError: if it has not
        :raises OpenSearchLoadError: if it cannot be asked, or not by this user
        """
        self._search({"size": 0}, doing="while looking for the Alerting plugin")

    def monitors(self) -> list[StoredMonitor]:
        """Read every monitor of the cluster, whoever owns it; composite monitors (workflows) are left out.

        :raises AlertingMissingError: if the cluster has no Alerting plugin
        :raises OpenSearchLoadError: if they cannot be read
        """
        found: dict[str, StoredMonitor] = {}
        for hit in self._hits():
            # A monitor that the plugin cannot parse makes it return this and all later hits of the page unparsed.
            source = hit.get("_source") or {}
            content = source.get("monitor", source)
            if isinstance(content, dict) and content.get("type", "monitor") == "monitor" and "workflow" not in source:
                monitor = read_monitor(hit, content)
                found[monitor.id] = monitor
        return list(found.values())

    def get(self, monitor_id: str) -> StoredMonitor | None:
        """Read one monitor; ``None`` where there is none."""
        try:
            answer = self._repeatable(
                "GET", f"{MONITORS}/{monitor_id}", doing=f"while reading the monitor {monitor_id}"
            )
        except MonitorMissingError:
            return None
        return read_monitor(answer, answer["monitor"])

    def create(self, body: Mapping[str, Any]) -> StoredMonitor:
        """Create a monitor. The server chooses its id, so this is never sent twice when its outcome is unknown.

        :raises OpenSearchUnavailableError: with ``outcome_unknown`` where it may have been created all the same
        :raises MonitorRefusedError: if the server will not have it
        """
        answer = self._write("POST", MONITORS, doing=f"while creating the monitor {body.get('name')!r}", body=body)
        return read_monitor(answer, answer["monitor"])

    def update(self, stored: StoredMonitor, body: Mapping[str, Any]) -> StoredMonitor:
        """Replace a monitor, provided that nobody wrote it since it was read.

        :raises MonitorConflictError: if somebody did
        :raises MonitorMissingError: if it is gone
        :raises OpenSearchUnavailableError: with ``outcome_unknown`` where it may have been written all the same
        :raises MonitorRefusedError: if the server will not have it
        """
        # The documentation calls these seq_no and primary_term; the plugin reads the names below and ignores others.
        params = {"if_seq_no": str(stored.seq_no), "if_primary_term": str(stored.primary_term)}
        doing = f"while updating the monitor {body.get('name')!r}"
        answer = self._write("PUT", f"{MONITORS}/{stored.id}", doing=doing, params=params, body=body)
        return read_monitor(answer, answer["monitor"])

    def delete(self, stored: StoredMonitor) -> None:
        """Delete a monitor, provided that nobody wrote it since it was read. One that is gone already is not an error.

        The API has no conditional delete: the monitor is read again right before.

        :raises MonitorConflictError: if somebody wrote it
        :raises MonitorRefusedError: if a workflow uses it
        """
        now = self.get(stored.id)
        if now is None:
            return
        if now.version != stored.version or now.seq_no != stored.seq_no:
            raise MonitorConflictError(f"The monitor {stored.name!r} was written after it had been read.")
        self.writes += 1
        try:
            self._repeatable("DELETE", f"{MONITORS}/{stored.id}", doing=f"while deleting the monitor {stored.name!r}")
        except MonitorMissingError:
            return

    def dry_run(self, body: Mapping[str, Any]) -> tuple[str, ...]:
        """Run a monitor that is not stored, without alerts, and return what is wrong with it.

        Of a script that does not compile or fails it says only that something is wrong; ``monitor_refusals`` asks
        OpenSearch itself, which says what.
        """
        doing = f"while trying the monitor {body.get('name')!r}"
        answer = self._repeatable("POST", f"{MONITORS}/_execute", doing=doing, params={"dryrun": "true"}, body=body)
        return _failures(answer)

    def try_stored(self, monitor_id: str) -> tuple[str, ...]:
        """Run a stored monitor once, without alerts, and return what is wrong with it.

        Nothing else tells of a bucket-level monitor that fails: it raises no alert of that, and its last run counts as
        one.

        :raises MonitorMissingError: if it is gone
        """
        doing = f"while trying the monitor {monitor_id}"
        path = f"{MONITORS}/{monitor_id}/_execute"
        return _failures(self._repeatable("POST", path, doing=doing, params={"dryrun": "true"}))

    def open_alerts(self, monitor_id: str) -> int:
        """Count the open alerts of a monitor."""
        params = {"alertState": "ACTIVE", "monitorId": monitor_id, "size": "1"}
        answer = self.read(f"{MONITORS}/alerts", doing=f"while counting alerts of {monitor_id}", params=params)
        return int(answer["totalAlerts"])

    def alerts(self, most: int) -> list[dict[str, Any]]:
        """Read the newest alerts of all monitors, of whatever state, past ones too.

        :param most: how many at most
        :raises OpenSearchLoadError: where they cannot be read
        """
        found: list[dict[str, Any]] = []
        while len(found) < most:
            size = min(ALERTS_PAGE, most - len(found))
            params = {
                "size": str(size),
                "startIndex": str(len(found)),
                "sortString": "start_time",
                "sortOrder": "desc",
            }
            answer = self.read(f"{MONITORS}/alerts", doing="while reading alerts", params=params)
            found += answer["alerts"]
            if len(answer["alerts"]) < size:
                break
        return found

    def last_runs(self) -> LastRuns:
        """Read when monitors last ran.

        :raises OpenSearchLoadError: if that cannot be read
        """
        answer = self.read(STATS, doing="while reading when monitors last ran")
        jobs: dict[str, datetime | None] = {}
        for node in answer.get("nodes", {}).values():
            for monitor_id, job in node.get("jobs_info", {}).items():
                at = job.get("last_execution_time")
                jobs[monitor_id] = None if at is None else datetime.fromtimestamp(int(at) / 1000, UTC)
        return LastRuns(bool(answer.get("plugins.scheduled_jobs.enabled", True)), jobs)

    def alert_mapping(self) -> dict[str, Any]:
        """Read the mapping of the index of alerts; empty if there is none yet.

        :raises OpenSearchLoadError: if it cannot be read
        """
        try:
            answer = self.read(f"/{ALERTS_INDEX}/_mapping", doing="while reading the mapping of the alerts")
        except (IndexMissingError, MonitorMissingError):
            return {}
        return next((index["mappings"].get("properties", {}) for index in answer.values()), {})

    def acknowledge(self, stored: StoredMonitor, alert_ids: Sequence[str]) -> dict[str, str]:
        """Acknowledge alerts of a monitor, and return why some could not be, by their ids.

        The monitor is read first: of one that is not there the plugin never answers, and it answers no acknowledgement
        on that node from then on, until it is restarted.

        :raises MonitorMissingError: if the monitor is gone
        """
        if self.get(stored.id) is None:
            raise MonitorMissingError(f"The monitor {stored.name!r} is gone, and its alerts with it.")
        doing = f"while acknowledging alerts of {stored.name!r}"
        path = f"{MONITORS}/{stored.id}/_acknowledge/alerts"
        answer = self._write("POST", path, doing=doing, body={"alerts": list(alert_ids)})
        return {key: str(why["failed_reason"]) for one in answer["failed"] for key, why in one.items()}

    def read(self, path: str, *, doing: str, params: Mapping[str, str] | None = None) -> Any:
        """Read something else beside the monitors, with the same retries and errors.

        :raises OpenSearchLoadError: the typed error for whatever went wrong
        """
        return self._repeatable("GET", path, doing=doing, params=params)

    def _hits(self) -> Iterator[dict[str, Any]]:
        after: int | None = None
        seen: set[str] = set()
        while True:
            # In the order of their last write, so that a monitor that is written meanwhile moves to the end and is
            # met twice rather than missed. Another shard may have the same number: each page begins with the last one.
            body: dict[str, Any] = {
                "size": PAGE_SIZE,
                "query": _EVERY_OWNER,
                "sort": [{"_seq_no": "asc"}],
            }
            if after is not None:
                body["search_after"] = [after - 1]
            hits = self._search(body, doing="while reading the monitors")
            yield from hits
            fresh = {hit["_id"] for hit in hits} - seen
            if len(hits) < PAGE_SIZE or not fresh:
                return
            seen |= fresh
            after = int(hits[-1]["_seq_no"])

    def _search(self, body: Mapping[str, Any], *, doing: str) -> list[dict[str, Any]]:
        try:
            answer = self._repeatable("POST", f"{MONITORS}/_search", doing=doing, body=body)
        except MonitorMissingError:
            return []
        hits: list[dict[str, Any]] = answer["hits"]["hits"]
        return hits

    def _repeatable(self, method: str, path: str, **request: Any) -> Any:
        return repeated(partial(self._send, method, path, **request), retry=self._retry, sleep=self._sleep)

    def _write(self, method: str, path: str, **request: Any) -> Any:
        self.writes += 1
        once = partial(self._send, method, path, **request)
        return repeated(once, retry=self._retry, only_if_not_done=True, sleep=self._sleep)

    def _send(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        self.requests += 1
        return send(
            self._client,
            method,
            path,
            doing=doing,
            params=params,
            body=None if body is None else msgspec.json.encode(body),
            headers={"user-agent": USER_AGENT},
            choose_error=partial(_typed, method),
        )


def _failures(answer: Mapping[str, Any]) -> tuple[str, ...]:
    found = [answer.get("error"), (answer.get("input_results") or {}).get("error")]
    found += [trigger.get("error") for trigger in (answer.get("trigger_results") or {}).values()]
    # An error without a word is one: the plugin has it for scripts.
    said = [shorten(str(problem)) for problem in found if problem is not None]
    return tuple(dict.fromkeys(text for text in said if text)) or (("it fails without a word",) if said else ())


# Unless the query's text holds `monitor.owner`, the plugin adds a filter of its own and shows only monitors whose
# owner is "alerting" or nobody (`TransportSearchMonitorAction.addOwnerFieldIfNotExists`).
_EVERY_OWNER: Final = {"bool": {"should": [{"exists": {"field": "monitor.owner"}}, {"match_all": {}}]}}


def _typed(method: str, failure: Failure, *, doing: str, index: str | None = None) -> OpenSearchLoadError:
    facts: dict[str, Any] = {
        "status": failure.status,
        "error_type": failure.error_type or None,
        "reason": failure.reason,
    }
    said = f"OpenSearch refused, {doing} ({failure.said})."
    # Amazon OpenSearch Serverless says nothing but 404 of what it does not offer.
    if _NO_SUCH_PATH in failure.reason or (failure.status == 404 and not failure.error_type and not failure.reason):
        return AlertingMissingError(
            f"This cluster has no Alerting plugin ({failure.said}). Detections run by replay there.", **facts
        )
    if failure.status == 409:
        return MonitorConflictError(said, **facts)
    if failure.status == 404:
        if _NO_MONITOR_YET in failure.reason:
            return MonitorMissingError(f"Nobody has made a monitor on this cluster yet ({failure.said}).", **facts)
        if method == "POST":
            return MonitorRefusedError(
                f"{said} The index or alias that the monitor reads must be there first: load something.", **facts
            )
        return MonitorMissingError(said, **facts)
    if failure.status == 403 and "workflow" in failure.reason:
        return MonitorRefusedError(f"{said} Take it out of the composite monitor that uses it first.", **facts)
    if failure.status == 400 or (failure.status == 500 and any(word in failure.reason for word in _REFUSED_FOR_GOOD)):
        return MonitorRefusedError(said, **facts)
    return error_for(failure, doing=doing, index=index)
