"""Runs the tests, stage by stage, each in the environment that it is for: ``python3 -m tools.testing [STAGE ...]``.

Needs nothing but Python and the environments (``make env``). Runs two stages side by side where there are two cores,
because each waits much of its time. Prints progress, each stage's output when it ends, and its time; goes on after a
stage that fails, and ends with one line of counts.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tools.terraform_check import ARGUMENTS as TERRAFORM

ROOT = Path(__file__).resolve().parent.parent
HERE_ONLY = "not opensearch and not airflow"
SIDE_BY_SIDE = min(2, os.cpu_count() or 1)
STILL_RUNNING_EVERY = 60  # seconds


@dataclass(frozen=True)
class Stage:
    """One stage.

    :param name: to choose it by
    :param environment: a folder of ``.venvs``
    :param commands: programs of that environment with their arguments
    :param variables: further environment variables
    """

    name: str
    environment: str
    commands: tuple[tuple[str, ...], ...]
    variables: dict[str, str] = field(default_factory=dict)


@dataclass
class Counts:
    """How many tests, or whole programs that are no test runs."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Counts) -> None:
        """Add another stage's."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def pytest(*arguments: str) -> tuple[str, ...]:
    """A quiet pytest run that shares no cache with others."""
    return ("pytest", "-q", "-p", "no:cacheprovider", "--durations=5", *arguments)


# What is about the loads, the security plugin or our own tools, and takes minutes: one release is enough.
ONCE = (
    *(f"tests/integration/test_{name}.py" for name in ("campaign", "opensearch_roles", "scale")),
    "tests/local/test_bench.py",
)


def opensearch(version: str, *without: str) -> Stage:
    """The stage for one OpenSearch release."""
    run = pytest("-m", "opensearch", *(f"--ignore={path}" for path in without), "tests/integration", "tests/local")
    return Stage(f"opensearch-{version}", "airflow-3.3", (run,), {"OPENSEARCH_VERSION": version})


def detections(version: str) -> Stage:
    """The stage of the pack on one OpenSearch release, where rules can be compiled; all else runs in the others."""
    run = pytest("tests/integration/test_detections.py")
    return Stage(f"detections-{version}", "detections", (run,), {"OPENSEARCH_VERSION": version})


def airflow(line: str, *arguments: str) -> Stage:
    """The stage for one Airflow line."""
    return Stage(f"airflow-{line}", f"airflow-{line}", (pytest(*arguments),))


STAGES = (
    # What most changes break comes first, then the longest, so that the last ones to end are short.
    Stage(
        "check",
        "airflow-3.3",
        (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("lint-imports", "--no-logo"), ("mypy",)),
        {"PYTHONPATH": "plugins"},
    ),
    # Of the tests for a real cluster with Alerting those of the sync run against the stand-in here.
    Stage("unit", "airflow-3.3", (pytest("tests/unit", "tests/live/test_sync.py"),)),
    airflow("3.3", "tests/airflow"),
    opensearch("2.19.4"),
    airflow("2.11", "tests/airflow"),
    opensearch("3.4.0", *ONCE),
    Stage("mwaa", "airflow-3.3", (pytest("tests/mwaa"),)),
    Stage("compose", "airflow-3.3", (pytest("tests/compose"),)),
    Stage("terraform", "terraform", (pytest(*TERRAFORM),)),
    # Amazon MWAA offers these lines too: the DAGs load on them, and what needs no server works. The first is on Python
    # 3.12, where the unit tests run as well.
    airflow("3.2", "-m", HERE_ONLY, "tests/unit", "tests/airflow"),
    airflow("3.0", "-m", HERE_ONLY, "tests/airflow"),
    Stage("supply-chain", "supply-chain", (pytest("tests/supply_chain"),)),
    detections("2.19.4"),
    detections("3.4.0"),
    Stage("simulator", "local", (pytest("tests/simulator"),)),
    Stage("local", "local", (pytest("-m", HERE_ONLY, "tests/local", "tests/tools"),)),
    Stage("detections", "detections", (pytest("tests/unit/detections", "tests/unit/cli"),)),
)


@dataclass
class Ended:
    """A stage that has run.

    :param stage: which
    :param counts: its tests
    :param seconds: how long it took
    """

    stage: Stage
    counts: Counts
    seconds: float

    def __str__(self) -> str:
        return f"{self.stage.name:20} {_minutes(self.seconds):>8}  {self.counts}"


def run(stage: Stage, output: IO[bytes] | None = None) -> Ended:
    """Run one stage.

    :param output: where its programs write; this process's own output by default
    """
    began = time.monotonic()
    counts = Counts()
    home = ROOT / ".venvs" / stage.environment / "bin"
    if not home.exists():
        print(f"There is no environment {stage.environment}. Make it: python3 tools/env.py {stage.environment}")
        return Ended(stage, Counts(failed=1), 0.0)
    for program, *arguments in stage.commands:
        counts.add(_run_program(home, program, arguments, stage.variables, output))
    return Ended(stage, counts, time.monotonic() - began)


def _run_program(
    home: Path, program: str, arguments: list[str], variables: dict[str, str], output: IO[bytes] | None
) -> Counts:
    environment = {
        **os.environ,
        **variables,
        # Programs that a test starts come from the same environment.
        "PATH": f"{home}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        wanted = [f"--junitxml={report}"] if program == "pytest" else []
        command = [str(home / program), *arguments, *wanted]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=output)  # noqa: S603
        if done.returncode == -signal.SIGINT:
            raise KeyboardInterrupt  # Ctrl-C ends a stage, and not only the first of its programs
        counts = _counts(report) if report.exists() else Counts(passed=int(done.returncode == 0))
    if done.returncode and not counts.failed:
        counts.failed = 1  # ended without a failed test: none was found, or pytest itself broke
    return counts


def _counts(report: Path) -> Counts:
    counts = Counts()
    for suite in ElementTree.parse(report).getroot():  # noqa: S314 - pytest wrote it just now
        total, failed, skipped = (int(suite.get(name, 0)) for name in ("tests", "failures", "skipped"))
        failed += int(suite.get("errors", 0))
        counts.add(Counts(total - failed - skipped, failed, skipped))
    return counts


def run_all(stages: list[Stage], jobs: int) -> list[Ended]:
    """Run stages, some of them side by side, and return them in the order in which they ended.

    :param jobs: how many at once; the output of each is shown when it has ended, or as it comes if only one runs
    """
    began = time.monotonic()
    ended: list[Ended] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:

        def start(stage: Stage) -> Ended:
            print(f"=== {_minutes(time.monotonic() - began)} {stage.name} begins", flush=True)
            if jobs == 1:
                return run(stage)
            with Path(folder, stage.name).open("wb") as output:
                return run(stage, output)

        def show(future: Future[Ended], stage: Stage) -> None:
            ended.append(future.result())
            if jobs > 1:
                print(f"\n{Path(folder, stage.name).read_text(errors='replace')}")
            so_far = _minutes(time.monotonic() - began)
            print(f"=== {so_far} {ended[-1]} ({len(ended)} of {len(stages)} stages)", flush=True)

        waiting: dict[Future[Ended], Stage] = {pool.submit(start, stage): stage for stage in stages}
        try:
            while waiting:
                done, _ = wait(waiting, timeout=STILL_RUNNING_EVERY, return_when=FIRST_COMPLETED)
                for future in done:
                    show(future, waiting.pop(future))
                if not done:
                    print(f"=== {_minutes(time.monotonic() - began)} running: {_running(waiting)}", flush=True)
        except BaseException:
            # Leaving the block waits for the pool, whose threads would take what is left in the queue.
            pool.shutdown(wait=False, cancel_futures=True)
            if running := _running(waiting):
                print(f"=== {_minutes(time.monotonic() - began)} no other stage begins; ending: {running}", flush=True)
            raise
    return ended


def _running(waiting: dict[Future[Ended], Stage]) -> str:
    return ", ".join(stage.name for future, stage in waiting.items() if future.running())


def main() -> int:
    """Run the chosen stages, or all of them."""
    names = [stage.name for stage in STAGES]
    parser = argparse.ArgumentParser(prog="python3 -m tools.testing", description=__doc__)
    parser.add_argument("--jobs", type=int, default=SIDE_BY_SIDE, help="stages at once (default here: %(default)s)")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(names))
    arguments = parser.parse_args()
    chosen = arguments.stages or names
    unknown = [name for name in chosen if name not in names]
    if unknown:
        parser.error(f"no stage {', '.join(unknown)}; there are {', '.join(names)}")
    began = time.monotonic()
    stages = [stage for stage in STAGES if stage.name in chosen]
    try:
        ended = run_all(stages, max(1, arguments.jobs))
    except KeyboardInterrupt:
        # The programs that ran had the same signal from the terminal, and have ended.
        print("\nInterrupted: not every stage has run, so nothing is said about the whole.", file=sys.stderr)
        return 130
    total = Counts()
    for one in ended:
        total.add(one.counts)
    print(f"\n=== all stages, {_minutes(time.monotonic() - began)}", *ended, sep="\n")
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed else 0


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"


if __name__ == "__main__":
    sys.exit(main())
