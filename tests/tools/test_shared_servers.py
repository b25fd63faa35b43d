"""One server for the stages that want the same release: begun by the first, ended after the last, or with the run."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from local.process import NotReadyError
from tools import shared_servers, testing
from tools.shared_servers import SharedServers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Started:
    """Servers that would run, by the order of their starts."""

    def __init__(self) -> None:
        self.versions: list[str] = []
        self.running: set[str] = set()

    @contextmanager
    def ready_program(self, name: str, command: list[str], **_: Any) -> Iterator[dict[str, Any]]:
        self.versions.append(command[-1])
        url = f"http://server-{len(self.versions)}"
        self.running.add(url)
        yield {"url": url}
        self.running.discard(url)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    started = Started()
    monkeypatch.setattr(shared_servers, "ready_program", started.ready_program)
    monkeypatch.setattr(shared_servers, "_answers", lambda url: url in started.running)
    return started


def test_stages_of_a_release_share_a_server_which_ends_after_the_last(started: Started, tmp_path: Path) -> None:
    with SharedServers(tmp_path, ["2.19.4", "2.19.4", "3.4.0"]) as servers:
        assert started.versions == [], "nothing starts before a stage wants it"
        url = servers.url("2.19.4")
        assert servers.url("2.19.4") == url != servers.url("3.4.0")
        assert started.versions == ["2.19.4", "3.4.0"]
        servers.leave("2.19.4")
        assert url in started.running
        servers.leave("2.19.4")
        assert url not in started.running
        assert len(started.running) == 1
    assert started.running == set(), "leaving the block ends what a stage did not leave"


def test_a_server_that_has_ended_is_started_anew(started: Started, tmp_path: Path) -> None:
    with SharedServers(tmp_path, ["2.19.4", "2.19.4"]) as servers:
        first = servers.url("2.19.4")
        started.running.clear()
        assert servers.url("2.19.4") != first
    assert started.running == set()


def test_a_run_that_breaks_off_leaves_no_server(started: Started, tmp_path: Path) -> None:
    def broken_off() -> None:
        with SharedServers(tmp_path, ["2.19.4"]) as servers:
            servers.url("2.19.4")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert started.versions == ["2.19.4"]
    assert started.running == set()


SHOWS = ("python", "-c", "import os; print('at', os.environ.get('OKTALOGGER_TEST_OPENSEARCH_URL'))")


def test_a_stage_is_told_where_its_server_is(
    started: Started, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OKTALOGGER_TEST_OPENSEARCH_URL", raising=False)
    stages = [testing.Stage(name, "local", (SHOWS,), "2.19.4") for name in ("one", "two")]
    ended = testing.run_all([*stages, testing.Stage("without", "local", (SHOWS,))], jobs=1)
    assert [one.counts.passed for one in ended] == [1, 1, 1]
    assert [line for line in capfd.readouterr().out.splitlines() if line.startswith("at ")] == [
        "at http://server-1",
        "at http://server-1",
        "at None",
    ]
    assert started.running == set()


def test_a_server_of_the_callers_own_is_used_by_all(
    started: Started, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OKTALOGGER_TEST_OPENSEARCH_URL", "http://mine")
    testing.run_all([testing.Stage("one", "local", (SHOWS,), "2.19.4")], jobs=1)
    assert "at http://mine" in capfd.readouterr().out
    assert started.versions == []


def test_a_stage_whose_server_does_not_start_has_failed(
    started: Started, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OKTALOGGER_TEST_OPENSEARCH_URL", raising=False)

    def broken(*_: object, **__: object) -> Any:
        raise NotReadyError("The disk is full")

    monkeypatch.setattr(shared_servers, "ready_program", broken)
    ended = testing.run_all([testing.Stage("one", "local", (SHOWS,), "2.19.4")], jobs=2)
    assert [one.counts.failed for one in ended] == [1]
    assert "The disk is full" in capfd.readouterr().out


def test_what_a_stage_took_of_the_cpus_counts_what_it_started(capfd: pytest.CaptureFixture[str]) -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    starts = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    ended = testing.run(testing.Stage("busy", "local", (("python", "-c", starts),)))
    assert ended.cpu_seconds >= 0.3
    assert "s CPU" in str(ended)
