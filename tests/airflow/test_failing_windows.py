"""Windows that nothing can load, on a real scheduler: those after them are loaded, and reconcile brings the rest."""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from oktalogger.window import Window, format_instant
from tests.airflow.stack import Run, Stack, airflow_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.airflow, pytest.mark.opensearch, pytest.mark.timeout(600)]

MINUTE = timedelta(minutes=1)
PREFIX = f"failing-{uuid.uuid4().hex[:8]}"
# Longer ago than a window of one minute is tried, so that the first four are given up at their third try.
START = datetime.now(UTC).replace(second=0, microsecond=0) - 20 * MINUTE
FAILING = [Window(START + n * MINUTE, START + (n + 1) * MINUTE) for n in range(4)]


def events(window: Window) -> list[dict[str, Any]]:
    """Four events a minute, always the same."""
    found = []
    at = window.start.replace(second=0, microsecond=0)
    while at < window.end:
        if at in window:
            found.append(
                {
                    "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, format_instant(at))),
                    "published": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                    "eventType": "user.session.start",
                    "severity": "INFO",
                }
            )
        at += timedelta(seconds=15)
    return found


class Org(BaseHTTPRequestHandler):
    """An Okta org that fails for good whenever it is asked for one of four windows."""

    broken = True

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        since, until = (datetime.fromisoformat(query[name][0]) for name in ("since", "until"))
        asked = Window(since, until)
        # The windows beside them read again what lies before their own start.
        if Org.broken and any(since < window.end - MINUTE / 2 and window.start < until for window in FAILING):
            self.answer(500, {"errorCode": "E0000000", "errorSummary": "nobody knows"})
        else:
            self.answer(200, events(asked))

    def answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "X-Rate-Limit-Limit": "6000",
            "X-Rate-Limit-Remaining": "5990",
            "X-Rate-Limit-Reset": str(int(datetime.now(UTC).timestamp()) + 30),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def org() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Org)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(scope="module")
def stack(opensearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    where = urlsplit(opensearch_url)
    opensearch = {
        "conn_type": "opensearch",
        "host": where.hostname,
        "port": where.port,
        "extra": {"use_ssl": False},
    }
    with org() as url:
        environment = {
            "AIRFLOW_CONN_OKTA_DEFAULT": json.dumps({"conn_type": "okta", "host": url, "password": "00token"}),
            "AIRFLOW_CONN_OPENSEARCH_DEFAULT": json.dumps(opensearch),
            "OKTALOGGER_START_DATE": format_instant(START),
            "OKTALOGGER_INTERVAL_MINUTES": "1",
            "OKTALOGGER_HOLD_BACK_SECONDS": "0",
            "OKTALOGGER_OVERLAP_SECONDS": "0",
            "OKTALOGGER_GAP_ALERT_SECONDS": "60",
            "OKTALOGGER_INDEX_PREFIX": PREFIX,
        }
        with airflow_stack(tmp_path_factory.mktemp("airflow"), environment) as stack:
            for dag_id in ("okta_detections", "okta_detections_after_load"):
                stack.cli("dags", "pause", dag_id)
            stack.start_all()
            yield stack
    httpx.delete(f"{opensearch_url}/{PREFIX}*?expand_wildcards=all", timeout=60, trust_env=False)
    httpx.delete(f"{opensearch_url}/_index_template/{PREFIX}*", timeout=60, trust_env=False)


def by_window(stack: Stack) -> dict[datetime, Run]:
    """The scheduled runs by the start of their windows."""
    runs = (run for run in stack.runs().values() if run.run_type == "scheduled")
    return {datetime.fromisoformat(run.interval[0]): run for run in runs if run.interval}


def stored(opensearch_url: str) -> list[str]:
    httpx.post(f"{opensearch_url}/{PREFIX}/_refresh", timeout=60, trust_env=False).raise_for_status()
    answer = httpx.post(
        f"{opensearch_url}/{PREFIX}/_search?size=10000",
        json={"_source": ["published"]},
        timeout=60,
        trust_env=False,
    )
    return sorted(hit["_id"] for hit in answer.raise_for_status().json()["hits"]["hits"])


def test_windows_that_nothing_can_load_stop_none_after_them_and_are_loaded_by_reconcile(
    stack: Stack, opensearch_url: str
) -> None:
    first_new = datetime.now(UTC).replace(second=0, microsecond=0)

    def all_after_them() -> dict[datetime, Run] | None:
        runs = by_window(stack)
        wanted = [START + n * MINUTE for n in range(4, (first_new - START) // MINUTE + 2)]
        return runs if all(start in runs and runs[start].state == "success" for start in wanted) else None

    runs = stack.wait("all windows after the four, up to two that began after the scheduler", all_after_them, 240)
    assert not any(runs[window.start].state == "success" for window in FAILING)

    def given_up() -> list[str] | None:
        runs = by_window(stack)
        failed = [runs[window.start] for window in FAILING]
        return [run.run_id for run in failed] if all(run.state == "failed" for run in failed) else None

    for run_id in stack.wait("the end of the four", given_up, 240):
        [(tries,)] = stack.query(
            "select try_number from task_instance where dag_id = 'okta_system_log' and run_id = ?", run_id
        )
        assert tries == 3
        assert "it must not hold up the windows after it" in stack.task_log(run_id)

    Org.broken = False
    stack.cli("dags", "trigger", "okta_system_log_reconcile", "--run-id", "by_hand")
    verdict = stack.ended("by_hand", "okta_system_log_reconcile", 240)
    whole = Window(FAILING[0].start, FAILING[-1].end)
    assert verdict.state == "failed", "somebody has to hear of it, although it is mended by then"
    assert str(whole) in stack.task_log("by_hand")
    found = stored(opensearch_url)
    assert len(found) == len(set(found))
    assert set(found) >= {event["uuid"] for event in events(Window(START, first_new))}
