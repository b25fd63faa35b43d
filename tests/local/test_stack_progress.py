"""One slow or broken answer of Airflow's does not end a demo that is running."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, cast

import pytest

from local.console import Stopwatch
from local.stack import progress, waiting
from local.stack.airflow import Airflow
from local.stack.airflow_api import AirflowApi, Run
from local.stack.detections import Detections, wait_for_findings
from local.stack.settings import StackError
from local.stack.waiting import AirflowBusyError, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.stack.stack import Stack

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
COUNTS = {"read": 7, "created": 7, "existing": 0, "rejected": 0, "seconds": 1.5}


class EndedError(Exception):
    """The test has seen enough."""


@dataclass
class Api:
    """Tells of runs at once, and of the counts of each only when asked again."""

    runs_: list[Run]
    asked: set[str] = field(default_factory=set)
    states: dict[str, str] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def runs(self, dag_id: str) -> list[Run]:
        return self.runs_

    def run_states(self, dag_id: str, since: datetime) -> dict[str, str]:
        return self.states

    def task_state(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        return self.tasks.get(run_id)

    def returned(self, dag_id: str, run_id: str, task_id: str) -> list[dict[str, Any]]:
        return [{"example": "", **row} for row in self.rows]

    def counts(self, dag_id: str, run: Run) -> dict[str, Any]:
        if run.run_id not in self.asked:
            self.asked.add(run.run_id)
            raise AirflowBusyError("503")
        return COUNTS


@dataclass
class Parts:
    """Lives for so many looks."""

    looks: int

    def check(self) -> None:
        self.looks -= 1
        if self.looks < 0:
            raise EndedError


class Logs:
    """The logs of a demo that has none."""

    def task_logs(self, dag_id: str, run_id: str) -> list[Path]:
        return []


@dataclass
class Demo:
    """What following looks at."""

    api: Api
    parts: Parts
    started: datetime = NOON
    first_window: datetime = NOON
    airflow: Logs = field(default_factory=Logs)


def run(number: int) -> Run:
    start = NOON + number * timedelta(minutes=5)
    return Run(f"run {number}", "success", start, start + timedelta(minutes=5))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "POLL", 0.0)
    monkeypatch.setattr(waiting, "POLL", 0.0)


def test_a_window_is_shown_once_though_airflow_was_too_busy_at_first(capsys: pytest.CaptureFixture[str]) -> None:
    demo = cast("Stack", Demo(Api([run(0), run(1)]), Parts(looks=5 * 4)))
    with pytest.raises(EndedError):
        progress.follow(demo, set(), Detections(demo))
    windows = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert windows == ["12:00", "12:05"]


def test_waiting_ends_with_the_answer_the_parts_or_the_limit(capsys: pytest.CaptureFixture[str]) -> None:
    api = Api([])
    watch = Stopwatch()

    def wait(number: int, looks: int, limit: float | None = None) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            return api.counts("dag", run(number))

        return until(ask, lambda: "waiting for counts", watch, Parts(looks=looks).check, limit=limit)

    assert wait(0, looks=2) == COUNTS
    with pytest.raises(EndedError):
        wait(1, looks=1)
    with pytest.raises(StackError, match=r"Gave up after -1 s: waiting for counts; no answer for 0 s: 503"):
        wait(2, looks=2, limit=-1)


def test_a_server_that_answers_with_not_yet_is_not_called_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "load_note", lambda: "")
    answers: list[Any] = [AirflowBusyError("503"), None]

    def ask() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def check() -> None:
        if not answers:
            raise EndedError

    with pytest.raises(EndedError):
        until(ask, lambda: "waiting", Stopwatch(), check)
    answers = [None]
    with pytest.raises(StackError, match=r"Gave up after -1 s: waiting\.$"):
        until(ask, lambda: "waiting", Stopwatch(), lambda: None, limit=-1)


def test_a_silent_airflow_is_said_and_not_taken_for_no_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waiting, "SIGN_OF_LIFE", -1)
    demo = Demo(Api([run(0)]), Parts(looks=3))
    answers: list[list[Run] | AirflowBusyError] = [
        [run(0)],
        AirflowBusyError("Airflow answers 503"),
        [run(0), run(1)],
    ]
    asked = iter(answers)

    def runs(dag_id: str) -> list[Run]:
        answer = next(asked)
        if isinstance(answer, AirflowBusyError):
            raise answer
        return answer

    monkeypatch.setattr(demo.api, "runs", runs)
    done = progress.wait_for_windows(cast("Stack", demo), Stopwatch(), 2)
    assert [one.run_id for one in done] == ["run 0", "run 1"]
    said = capsys.readouterr().err.splitlines()
    assert "1 are, 1 runs have begun; no answer for 0 s: Airflow answers 503" in said[1]


def test_findings_count_when_they_are_found_however_long_showing_them_takes(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"rule": "okta_password_spray", "title": "Spray", "severity": "high", "matches": 2, "first": NOON.isoformat()}
    api = Api([], states={"one": "running", "two": "running"}, tasks={"one": "success", "two": "queued"}, rows=[row])
    demo = cast("Stack", Demo(api, Parts(looks=9)))
    detections = wait_for_findings(demo, Stopwatch(), ["okta_password_spray"])
    assert [(one.rule, one.run_id) for one in detections.found] == [("okta_password_spray", "one")]
    assert detections.state == "1 runs have searched, 1 more: detect is queued"
    detections.look()
    assert len(detections.found) == 1, "each run counts once"


def test_a_search_that_failed_does_not_end_a_demo_that_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    api = Api([], states={"one": "failed"}, tasks={"one": "failed"})
    demo = cast("Stack", Demo(api, Parts(looks=5 * 2)))
    with pytest.raises(EndedError):
        progress.follow(demo, set(), Detections(demo))
    assert capsys.readouterr().out.count("The run one of okta_detections_after_load failed") == 1


@contextmanager
def serving(body: str) -> Iterator[int]:
    """A server that answers every question with this, on the port given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def answering(statuses: list[int]) -> Iterator[int]:
    """A server that answers with these one after the other, on the port given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({"access_token": "token"}).encode()
            self.send_response(statuses.pop(0))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(
    ("line", "body", "page"),
    [
        ("3.3", '<body data-api="x">okta_page', "/plugin/okta"),
        ("2.11", '<body data-api="x">okta_page', "/okta/"),
        # What Airflow 3 answers for any address.
        ("3.3", "<html>Airflow</html>", ""),
    ],
)
def test_the_page_is_named_where_airflow_serves_it(tmp_path: Path, line: str, body: str, page: str) -> None:
    with serving(body) as port:
        airflow = Airflow(line=line, home=tmp_path, port=port, connections={}, variables={})
        assert AirflowApi(airflow).page() == (f"{airflow.url}{page}" if page else "")


def test_a_login_that_meets_a_busy_airflow_can_be_tried_again(tmp_path: Path) -> None:
    # Not logged in, the login fails; again: not logged in, logged in, made.
    with answering([401, 503, 401, 201, 201]) as port:
        api = AirflowApi(Airflow(line="3.3", home=tmp_path, port=port, connections={}, variables={}))
        with pytest.raises(AirflowBusyError, match=r"Airflow answers 503 at .*/auth/token"):
            api.make_pool("pool", 1)
        api.make_pool("pool", 1)
