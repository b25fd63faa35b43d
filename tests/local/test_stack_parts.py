"""The demo's parts: watched, and ended with whatever they started."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest

from local.console import Stopwatch
from local.stack.processes import MARKER, Parts, end, marked
from local.stack.running import LOCK, down, empty, only_one, read
from local.stack.settings import RECORD, StackError, StackSettings, settings_for
from local.stack.stack import running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A program that leaves a child in a session of its own, as Airflow's parts do, and then waits or ends.
LEAVES_A_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(float(sys.argv[1]))
"""


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    parts = Parts(uuid.uuid4().hex, tmp_path)
    yield parts
    parts.stop()


def test_a_part_that_ends_is_named_with_the_end_of_its_log(parts: Parts, tmp_path: Path) -> None:
    parts.start("sleeper", python("import time; time.sleep(600)"), os.environ)
    dying = parts.start("scheduler", python("print('out of luck'); raise SystemExit(3)"), os.environ)
    dying.process.wait()
    with pytest.raises(
        StackError, match=rf"scheduler ended with exit code 3.\n.*{tmp_path}/scheduler.log:\n  out of luck"
    ):
        parts.check()


def test_stop_ends_what_a_part_left_in_another_session(parts: Parts, tmp_path: Path) -> None:
    part = parts.start("parent", python(LEAVES_A_CHILD, "0"), os.environ)
    part.process.wait()
    child = int((tmp_path / "parent.log").read_text())
    assert psutil.pid_exists(child)
    parts.stop()
    assert not running(child)


def test_only_processes_of_this_demo_are_ended(parts: Parts, tmp_path: Path) -> None:
    other = Parts(uuid.uuid4().hex, tmp_path)
    theirs = other.start("other", python("import time; time.sleep(600)"), os.environ)
    parts.start("own", python("import time; time.sleep(600)"), os.environ)
    parts.stop()
    assert theirs.process.poll() is None
    other.stop()
    assert theirs.process.poll() is not None


def test_a_part_that_does_not_listen_is_killed(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.stack.processes.END_TIMEOUT", 0.5)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    part = parts.start("deaf", python(deaf), os.environ)
    wait_for(part.log)
    parts.stop()
    assert part.process.poll() is not None


def test_ready_line_gives_the_first_line_and_leaves_the_rest(parts: Parts) -> None:
    talks = "import time; print('{', end='', flush=True); time.sleep(.2); print('\"port\": 7}\\nmore'); time.sleep(600)"
    part = parts.start("server", python(talks), os.environ, ready=True)
    assert parts.ready_line(part, 30) == {"port": 7}


def test_ready_line_tells_what_a_part_said_that_ended_before(parts: Parts) -> None:
    part = parts.start("server", python("import sys; sys.exit('no Java here')"), os.environ, ready=True)
    with pytest.raises(StackError, match=r"server ended with exit code 1 before it was ready.*\n  no Java here"):
        parts.ready_line(part, 30)


def test_ready_line_does_not_wait_for_ever(parts: Parts) -> None:
    part = parts.start("server", python("import time; time.sleep(600)"), os.environ, ready=True)
    with pytest.raises(StackError, match="server was not ready after 1 s"):
        parts.ready_line(part, 1)


def test_ready_line_ends_when_another_part_does(parts: Parts) -> None:
    part = parts.start("server", python("import time; time.sleep(600)"), os.environ, ready=True)
    parts.start("other", python("raise SystemExit(3)"), os.environ)
    with pytest.raises(StackError, match="other ended with exit code 3"):
        parts.ready_line(part, 60)


def test_a_second_demo_is_refused(tmp_path: Path) -> None:
    first = only_one(tmp_path)
    with first, pytest.raises(StackError, match=r"running already.*make down"):
        only_one(tmp_path).__enter__()
    with only_one(tmp_path):  # the first has ended
        pass


def test_the_record_is_gone_after_an_error(tmp_path: Path) -> None:
    with suppress(StackError), only_one(tmp_path):
        assert read(tmp_path) is not None
        raise StackError("broken")
    assert read(tmp_path) is None


def test_down_ends_what_a_killed_demo_left_behind_and_no_stranger(tmp_path: Path) -> None:
    home = tmp_path / "demo-3.3"
    home.mkdir()
    # The record of a demo whose process is gone; meanwhile its pid is a stranger's, this test's own.
    marker = uuid.uuid4().hex
    (home / RECORD).write_text(f'{{"pid": {os.getpid()}, "created": 1.0, "marker": "{marker}"}}')
    parts = Parts(marker, tmp_path)
    left = parts.start("left", python("import time; time.sleep(600)"), os.environ)
    assert down(tmp_path) == 1
    assert not running(left.process.pid)
    assert not (home / RECORD).exists()
    assert down(tmp_path) == 0


def test_a_later_demo_ends_what_a_killed_one_left_behind(tmp_path: Path) -> None:
    marker = uuid.uuid4().hex
    (tmp_path / RECORD).write_text(f'{{"pid": 1, "created": 1.0, "marker": "{marker}"}}')
    left = Parts(marker, tmp_path).start("left", python("import time; time.sleep(600)"), os.environ)
    with only_one(tmp_path) as new:
        assert new != marker
        assert not running(left.process.pid)


def test_the_marker_reaches_every_descendant(parts: Parts, tmp_path: Path) -> None:
    part = parts.start("parent", python(LEAVES_A_CHILD, "600"), os.environ)
    child = int(wait_for(part.log))
    assert {process.pid for process in marked(parts.marker)} == {part.process.pid, child}
    end(marked(parts.marker))
    assert not running(child)


def test_settings_name_a_line_or_a_port_that_makes_no_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_LINE", "1.10")
    with pytest.raises(StackError, match=r"AIRFLOW_LINE=1.10 is not one of 3.3, 2.11"):
        settings_for("demo")
    monkeypatch.setenv("AIRFLOW_LINE", "2.11")
    monkeypatch.setenv("OKTA_PORT", "99999")
    with pytest.raises(StackError, match="OKTA_PORT=99999 is not a port"):
        settings_for("check")


@pytest.mark.parametrize(
    ("alive", "said"),
    [
        (True, r"The demo demo-3.3 of this checkout is running and has port \d+: .*http://localhost:18080.*make down"),
        (False, r"A demo demo-3.3 that was killed left a program on port \d+.*make down"),
    ],
)
def test_settings_call_a_demo_of_this_checkout_on_a_port_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, alive: bool, said: str
) -> None:
    monkeypatch.setenv("OKTALOGGER_LOCAL", str(tmp_path))
    home = tmp_path / "demo-3.3"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with only_one(home, {"airflow": 18080, "opensearch": port}):
            if not alive:
                record = json.loads((home / RECORD).read_text())
                (home / RECORD).write_text(json.dumps({**record, "pid": 2**22 + 1}))
            monkeypatch.setenv("OPENSEARCH_PORT", str(port))
            with pytest.raises(StackError, match=said):
                settings_for("check")


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_settings_name_a_taken_port_and_its_variable(
    monkeypatch: pytest.MonkeyPatch, family: socket.AddressFamily, host: str
) -> None:
    with socket.socket(family) as taken:
        try:
            taken.bind((host, 0))
        except OSError:
            pytest.skip(f"this machine has no {host}")
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("OPENSEARCH_PORT", str(port))
        with pytest.raises(StackError, match=f"Port {port} is taken by another program.*make demo OPENSEARCH_PORT="):
            settings_for("check")


def test_a_check_takes_free_ports_and_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AIRFLOW_LINE", "AIRFLOW_PORT", "OPENSEARCH_PORT", "OKTA_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OKTALOGGER_LOCAL", str(tmp_path))
    settings = settings_for("check")
    assert settings.home == tmp_path / "check-3.3"
    assert len(set(settings.ports.values())) == 3
    assert MARKER not in os.environ


def running(pid: int) -> bool:
    return psutil.pid_exists(pid) and bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


def wait_for(log: Path) -> str:
    for _ in range(200):
        if text := log.read_text():
            return text
        time.sleep(0.05)
    raise AssertionError(f"nothing in {log}")


def test_a_second_demo_check_leaves_the_first_ones_data_alone(tmp_path: Path) -> None:
    home, data = tmp_path / "check", tmp_path / "opensearch"
    ports = {"airflow": 0, "opensearch": 0, "okta": 0}
    settings = StackSettings(line="3.3", home=home, opensearch_home=data, ports=ports)
    with only_one(home):
        for folder in (home / "airflow", data):
            folder.mkdir()
            (folder / "of the first").touch()
        with (
            pytest.raises(StackError, match="running already"),
            running_stack(settings, Stopwatch(), from_nothing=True),
        ):
            pass
        assert (home / "airflow" / "of the first").exists()
        assert (data / "of the first").exists()


def test_emptying_a_folder_keeps_what_holds_it(tmp_path: Path) -> None:
    with only_one(tmp_path):
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs" / "airflow.log").touch()
        (tmp_path / "settings.json").touch()
        empty(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {LOCK, RECORD}
