"""Runs the tests, stage by stage, each in its environment: ``python3 -m tools.testing [STAGE ...]``.

Needs only Python and the environments (``make env``). Runs two stages at once if there are two cores, because each
waits much of its time. Stages that want the same OpenSearch release share one server. Prints progress,
each stage's output when it ends, its time and its CPU seconds; goes on after a stage that fails, and ends with one line
of counts.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from local import paths
from local.opensearch.releases import DEFAULT_VERSION
from local.process import NotReadyError
from tools.shared_servers import SharedServers
from tools.terraform_check import ARGUMENTS as TERRAFORM

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
HERE_ONLY = "not opensearch and not airflow"
SIDE_BY_SIDE = min(2, os.cpu_count() or 1)
STILL_RUNNING_EVERY = 60  # seconds
OPENSEARCH_URL = "OKTALOGGER_TEST_OPENSEARCH_URL"


@dataclass(frozen=True)
class Stage:
    """One stage.

    :param name: its name on the command line
    :param environment: a folder of ``.venvs``
    :param commands: programs of that environment with their arguments
    :param opensearch: the OpenSearch release that its tests need, "" for none
    :param variables: further environment variables
    """

    name: str
    environment: str
    commands: tuple[tuple[str, ...], ...]
    opensearch: str = ""
    variables: dict[str, str] = field(default_factory=dict)


@dataclass
class Counts:
    """Counts of tests, or of whole programs that are not test runs."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Counts) -> None:
        """Add another stage's counts."""
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
    *(
        f"tests/integration/{name}.py"
        for name in ("roles/test_loader", "roles/test_sync", "test_campaign", "test_scale")
    ),
    "tests/local/test_bench.py",
)


def opensearch(version: str, *without: str) -> Stage:
    """The stage for one OpenSearch release."""
    run = pytest("-m", "opensearch", *(f"--ignore={path}" for path in without), "tests/integration", "tests/local")
    return Stage(f"opensearch-{version}", "airflow-3.3", (run,), version)


def detections(version: str) -> Stage:
    """The stage of the pack on one OpenSearch release, where rules can be compiled; all else runs in the others."""
    run = pytest("tests/integration/test_detections.py")
    return Stage(f"detections-{version}", "detections", (run,), version)


def airflow(line: str, *arguments: str, opensearch: str = "") -> Stage:
    """The stage for one Airflow line."""
    return Stage(f"airflow-{line}", f"airflow-{line}", (pytest(*arguments),), opensearch)


STAGES = (
    # What most changes break comes first, then the longest, so that the last ones to end are short.
    Stage(
        "check",
        "airflow-3.3",
        (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("lint-imports", "--no-logo"), ("mypy",)),
        variables={"PYTHONPATH": "plugins"},
    ),
    # Of the tests for a real cluster with Alerting those of the sync run against the stand-in here.
    Stage("unit", "airflow-3.3", (pytest("tests/unit", "tests/live/test_sync.py"),)),
    airflow("3.3", "tests/airflow", opensearch=DEFAULT_VERSION),
    opensearch(DEFAULT_VERSION),
    airflow("2.11", "tests/airflow", opensearch=DEFAULT_VERSION),
    opensearch("3.4.0", *ONCE),
    Stage("mwaa", "airflow-3.3", (pytest("tests/mwaa"),), DEFAULT_VERSION),
    Stage("compose", "airflow-3.3", (pytest("tests/compose"),)),
    Stage("terraform", "terraform", (pytest(*TERRAFORM),)),
    # Amazon MWAA offers these lines too: the DAGs load on them, and what needs no server works. The first is on Python
    # 3.12, where the unit tests run as well.
    airflow("3.2", "-m", HERE_ONLY, "tests/unit", "tests/airflow"),
    airflow("3.0", "-m", HERE_ONLY, "tests/airflow"),
    Stage("supply-chain", "supply-chain", (pytest("tests/supply_chain"),)),
    detections(DEFAULT_VERSION),
    detections("3.4.0"),
    Stage("browser", "browser", (("python", "-m", "tools.chromium"), pytest("tests/browser"))),
    Stage("simulator", "local", (pytest("tests/simulator"),)),
    Stage("local", "local", (pytest("-m", HERE_ONLY, "tests/local", "tests/tools"),)),
    Stage("detections", "detections", (pytest("tests/unit/detections", "tests/unit/cli"),)),
)


# Runs only where it is named (make cluster): its windows have to be on time, so nothing else may run for eight minutes.
ALONE = (Stage("cluster", "cluster", (pytest("-rP", "tests/cluster"),)),)


@dataclass
class Ended:
    """A stage that has run.

    :param stage: the stage
    :param counts: counts of its tests
    :param seconds: how long it took
    :param cpu_seconds: what its programs, and all that they started and saw end, took of the CPUs
    """

    stage: Stage
    counts: Counts
    seconds: float = 0
    cpu_seconds: float = 0

    def __str__(self) -> str:
        return f"{self.stage.name:20} {_minutes(self.seconds):>8} {self.cpu_seconds:>6.0f} s CPU  {self.counts}"


def run(stage: Stage, output: IO[bytes] | None = None, opensearch_url: str = "") -> Ended:
    """Run one stage.

    :param output: where its programs write; this process's own output by default
    :param opensearch_url: a server for its tests; by default they start their own
    """
    began = time.monotonic()
    ended = Ended(stage, Counts())
    home = ROOT / ".venvs" / stage.environment / "bin"
    if not home.exists():
        print(f"There is no environment {stage.environment}. Make it: python3 tools/env.py {stage.environment}")
        return Ended(stage, Counts(failed=1))
    environment = _environment(stage, home, opensearch_url)
    for program, *arguments in stage.commands:
        _run_program(ended, [str(home / program), *arguments], environment, output)
    ended.seconds = time.monotonic() - began
    return ended


def _environment(stage: Stage, home: Path, opensearch_url: str) -> dict[str, str]:
    environment = {
        **os.environ,
        **stage.variables,
        # Programs that a test starts come from the same environment.
        "PATH": f"{home}{os.pathsep}{os.environ.get('PATH', '')}",
        # If nothing may be written next to the sources, each of the hundreds of Python programs would otherwise
        # compile all of Airflow again: twice the CPU time of its command line.
        "PYTHONPYCACHEPREFIX": str(paths.state() / "bytecode"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if stage.opensearch:
        environment["OPENSEARCH_VERSION"] = stage.opensearch
    if opensearch_url:
        environment[OPENSEARCH_URL] = opensearch_url
    return environment


def _run_program(ended: Ended, command: list[str], environment: dict[str, str], output: IO[bytes] | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        wanted = [f"--junitxml={report}"] if Path(command[0]).name == "pytest" else []
        process = subprocess.Popen([*command, *wanted], cwd=ROOT, env=environment, stdout=output, stderr=output)  # noqa: S603
        _, status, used = os.wait4(process.pid, 0)  # and not wait(), which does not tell what it used
        process.returncode = os.waitstatus_to_exitcode(status)
        ended.cpu_seconds += used.ru_utime + used.ru_stime
        if process.returncode == -signal.SIGINT:
            raise KeyboardInterrupt  # Ctrl-C ends a stage, and not only the first of its programs
        counts = _counts(report) if report.exists() else Counts(passed=int(process.returncode == 0))
    if process.returncode and not counts.failed:
        counts.failed = 1  # ended without a failed test: none was found, or pytest itself broke
    ended.counts.add(counts)


def _counts(report: Path) -> Counts:
    counts = Counts()
    for suite in ElementTree.parse(report).getroot():  # noqa: S314 - pytest wrote it just now
        total, failed, skipped = (int(suite.get(name, 0)) for name in ("tests", "failures", "skipped"))
        failed += int(suite.get("errors", 0))
        counts.add(Counts(total - failed - skipped, failed, skipped))
    return counts


def run_all(stages: list[Stage], jobs: int) -> list[Ended]:
    """Run stages, several at once, and return them in the order in which they ended.

    :param jobs: how many at once; the output of each is shown when it has ended, or as it comes if only one runs
    """
    began = time.monotonic()
    ended: list[Ended] = []
    interrupted = threading.Event()
    with (
        tempfile.TemporaryDirectory() as folder,
        SharedServers(Path(folder), [stage.opensearch for stage in stages if stage.opensearch]) as servers,
        ThreadPoolExecutor(jobs) as pool,
    ):

        def start(stage: Stage) -> Ended:
            print(f"=== {_minutes(time.monotonic() - began)} {stage.name} begins", flush=True)
            try:
                with _server(servers, stage) as url:
                    if interrupted.is_set():  # while its server started
                        return Ended(stage, Counts())
                    if jobs == 1:
                        return run(stage, opensearch_url=url)
                    with Path(folder, stage.name).open("wb") as output:
                        return run(stage, output, url)
            except NotReadyError as error:
                print(f"=== {stage.name} has no server. {error}", flush=True)
                return Ended(stage, Counts(failed=1))

        def show(future: Future[Ended], stage: Stage) -> None:
            ended.append(future.result())
            if Path(folder, stage.name).exists():
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
            interrupted.set()
            # Leaving the block waits for the pool, whose threads would take what is left in the queue.
            pool.shutdown(wait=False, cancel_futures=True)
            if running := _running(waiting):
                print(f"=== {_minutes(time.monotonic() - began)} no other stage begins; ending: {running}", flush=True)
            raise
    return ended


@contextmanager
def _server(servers: SharedServers, stage: Stage) -> Iterator[str]:
    """Give a stage the server that it shares with others, or the one that the caller of this program named."""
    named = os.environ.get(OPENSEARCH_URL, "")
    if named or not stage.opensearch:
        yield named
        return
    try:
        yield servers.url(stage.opensearch)
    finally:
        servers.leave(stage.opensearch)


def _running(waiting: dict[Future[Ended], Stage]) -> str:
    return ", ".join(stage.name for future, stage in waiting.items() if future.running())


def main() -> int:
    """Run the chosen stages, or all of them."""
    names = [stage.name for stage in STAGES]
    alone = [stage.name for stage in ALONE]
    parser = argparse.ArgumentParser(prog="python3 -m tools.testing", description=__doc__)
    parser.add_argument("--jobs", type=int, default=SIDE_BY_SIDE, help="stages at once (default here: %(default)s)")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join([*names, *alone]))
    arguments = parser.parse_args()
    chosen = arguments.stages or names
    unknown = [name for name in chosen if name not in [*names, *alone]]
    if unknown:
        parser.error(f"no stage {', '.join(unknown)}; there are {', '.join([*names, *alone])}")
    began = time.monotonic()
    stages = [stage for stage in (*STAGES, *ALONE) if stage.name in chosen]
    try:
        ended = run_all(stages, max(1, arguments.jobs))
    except KeyboardInterrupt:
        # The programs that ran had the same signal from the terminal, and have ended.
        print("\nInterrupted: not every stage has run, so the whole has no result.", file=sys.stderr)
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
