"""The Makefile and the test runner say what they do, and fail when something fails."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from local import paths
from tools import clean, testing

if TYPE_CHECKING:
    from pathlib import Path

MAKEFILE = (paths.ROOT / "Makefile").read_text()


def test_help_names_every_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=paths.ROOT, text=True, capture_output=True, check=True).stdout  # noqa: S607
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    assert set(re.findall(r"make ([a-z-]+)", shown)) >= set(phony[1].split())


def test_a_missing_python_is_named() -> None:
    done = subprocess.run(
        ["make", "env", "PYTHON=no-such-python"],  # noqa: S607
        cwd=paths.ROOT,
        text=True,
        capture_output=True,
    )
    assert done.returncode
    assert "There is no 'no-such-python' on PATH" in done.stderr


def make(tmp_path: Path, python: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run make with a shell script for its Python."""
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\n{python}\n")
    script.chmod(0o755)
    return subprocess.run(
        ["make", *arguments, f"PYTHON={script}"],  # noqa: S607
        cwd=paths.ROOT,
        env=os.environ | variables,
        text=True,
        capture_output=True,
    )


def test_a_python_too_old_to_read_our_files_is_named(tmp_path: Path) -> None:
    says_that_it_is_old = "import sys; sys.version_info = (2, 7, 18); exec(sys.argv[1])"
    old = f"""[ "$1" = -c ] || {{ echo "SyntaxError: invalid syntax" >&2; exit 9; }}
exec '{sys.executable}' -c '{says_that_it_is_old}' "$2\""""
    done = make(tmp_path, old, "env")
    assert done.returncode
    assert "error: Python 3.11 or newer is needed, this is " in done.stderr
    assert "SyntaxError" not in done.stderr


@pytest.mark.parametrize("target", ["demo", "demo-check"])
def test_a_demo_that_cannot_start_is_refused_before_anything_is_made(tmp_path: Path, target: str) -> None:
    makes_nothing = f"""case "$*" in *tools/env.py*) echo made >&2; exit 9;; esac
exec '{sys.executable}' "$@\""""
    done = make(tmp_path, makes_nothing, target, AIRFLOW_LINE="3.2")
    assert "error: AIRFLOW_LINE=3.2 is not one of 3.3, 2.11." in done.stderr
    assert "made" not in done.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = make(tmp_path, makes_nothing, target, AIRFLOW_LINE="3.3", AIRFLOW_PORT=str(port))
    assert f"Port {port} is taken by another program" in done.stderr
    assert "made" not in done.stderr


@pytest.mark.parametrize(
    ("code", "passed", "failed", "skipped"),
    [
        ("def test_a(): pass\ndef test_b(): assert False", 1, 1, 0),
        ("import pytest\n@pytest.mark.skip\ndef test_a(): pass\ndef test_b(): pass", 1, 0, 1),
        ("import no_such_module", 0, 1, 0),
        ("", 0, 1, 0),  # a stage that finds no test has not passed
    ],
)
def test_the_runner_counts_what_pytest_did(tmp_path: Path, code: str, passed: int, failed: int, skipped: int) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(code)
    run = testing.pytest("-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(file))
    counts = testing.run(testing.Stage("it", "local", (run,))).counts
    assert (counts.passed, counts.failed, counts.skipped) == (passed, failed, skipped)


def test_a_program_that_fails_counts(tmp_path: Path) -> None:
    programs = (("python", "-c", ""), ("python", "-c", "raise SystemExit(2)"))
    counts = testing.run(testing.Stage("it", "local", programs)).counts
    assert (counts.passed, counts.failed) == (1, 1)


# Two stages one after the other, of which the first waits after its first program has said that it runs.
INTERRUPTED = """
import signal, sys
from tools import testing

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
waits = ("python", "-c", "import time; print('up', flush=True); time.sleep(60)")
testing.STAGES = (
    testing.Stage("first", "local", (waits, ("python", "-c", "print('second program')"))),
    testing.Stage("second", "local", (("python", "-c", ""),)),
)
sys.argv = ["testing", "--jobs=1"]
sys.exit(testing.main())
"""


def test_ctrl_c_ends_the_runner_and_begins_no_other_stage() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        cwd=paths.ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    shown = [process.stdout.readline(), process.stdout.readline()]
    assert shown[1] == "up\n"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    rest, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "second" not in rest
    # The stage's own program may print one, but the runner does not.
    assert "tools/testing.py" not in errors
    assert "Interrupted" in errors


def test_every_test_folder_is_in_a_stage() -> None:
    arguments = {word for stage in (*testing.STAGES, *testing.ALONE) for command in stage.commands for word in command}
    folders = {f"tests/{path.parent.name}" for path in (paths.ROOT / "tests").glob("*/test_*.py")}
    folders |= {f"tests/{path.parts[-3]}" for path in (paths.ROOT / "tests").glob("*/*/test_*.py")}
    # It has a command of its own, because it needs a cluster: test-live.
    assert folders - {"tests/live"} <= arguments


def test_clean_leaves_a_shared_folder_but_for_the_demos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root, shared = tmp_path / "checkout", tmp_path / "shared"
    for path in (root / ".venvs", root / "dags", shared / "demo-3.3", shared / "opensearch"):
        path.mkdir(parents=True)
    monkeypatch.setattr(paths, "ROOT", root)
    monkeypatch.setenv("OKTALOGGER_LOCAL", str(shared))
    assert clean.main() == 0
    assert [path.name for path in root.iterdir()] == ["dags"]
    assert [path.name for path in shared.iterdir()] == ["opensearch"]
