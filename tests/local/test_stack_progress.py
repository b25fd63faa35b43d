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

from local.stack import airflow_api, progress
from local.stack.airflow import Airflow
from local.stack.airflow_api import AirflowApi, AirflowBusyError, Run, patiently

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

    def runs(self, dag_id: str) -> list[Run]:
        return self.runs_

    def run_states(self, dag_id: str, since: datetime) -> dict[str, str]:
        return {}

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


@dataclass
class Demo:
    """What following looks at."""

    api: Api
    parts: Parts
    started: datetime = NOON


def run(number: int) -> Run:
    start = NOON + number * timedelta(minutes=5)
    return Run(f"run {number}", "success", start, start + timedelta(minutes=5))


def test_a_window_is_shown_once_though_airflow_was_too_busy_at_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "POLL", 0.0)
    demo = Demo(Api([run(0), run(1)]), Parts(looks=5 * 4))
    with pytest.raises(EndedError):
        progress.follow(cast("Stack", demo), set(), set())
    windows = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert windows == ["12:00", "12:05"]


def test_asking_patiently_ends_with_the_answer_the_patience_or_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_api, "ASK_AGAIN", 0.0)
    api = Api([])
    assert patiently(lambda: api.counts("dag", run(0)), Parts(looks=1).check) == COUNTS
    with pytest.raises(EndedError):
        patiently(lambda: api.counts("dag", run(1)), Parts(looks=0).check)
    monkeypatch.setattr(airflow_api, "PATIENCE", -1)
    with pytest.raises(AirflowBusyError):
        patiently(lambda: api.counts("dag", run(2)), Parts(looks=1).check)


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


def test_a_login_that_meets_a_busy_airflow_can_be_tried_again(tmp_path: Path) -> None:
    # Not logged in, the login fails; again: not logged in, logged in, made.
    with answering([401, 503, 401, 201, 201]) as port:
        api = AirflowApi(Airflow(line="3.3", home=tmp_path, port=port, connections={}, variables={}))
        with pytest.raises(AirflowBusyError, match=r"Airflow answers 503 at .*/auth/token"):
            api.make_pool("pool", 1)
        api.make_pool("pool", 1)
