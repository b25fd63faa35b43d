"""Runs the tests, stage by stage, each in the environment that it is for: ``python3 -m local.testing [STAGE ...]``.

Needs nothing but Python and the environments (``make env``). Prints progress and each stage's time, goes on after a
stage that fails, and ends with one line of counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE_ONLY = "not opensearch and not airflow"


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
    """A quiet pytest run."""
    return ("pytest", "-q", *arguments)


def opensearch(version: str) -> Stage:
    """The stage for one OpenSearch release."""
    run = pytest("-m", "opensearch", "tests/integration", "tests/local")
    return Stage(f"opensearch-{version}", "airflow-3.3", (run,), {"OPENSEARCH_VERSION": version})


def detections(version: str) -> Stage:
    """The stage of the detections on one OpenSearch release, where they can be compiled."""
    run = pytest("tests/unit/detections", *sorted(map(str, Path("tests/integration").glob("test_detection*.py"))))
    return Stage(f"detections-{version}", "detections", (run,), {"OPENSEARCH_VERSION": version})


def airflow(line: str, *arguments: str) -> Stage:
    """The stage for one Airflow line."""
    return Stage(f"airflow-{line}", f"airflow-{line}", (pytest(*arguments),))


STAGES = (
    Stage("check", "airflow-3.3", (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",))),
    Stage("unit", "airflow-3.3", (pytest("tests/unit"),)),
    Stage("simulator", "local", (pytest("tests/simulator"),)),
    Stage("local", "local", (pytest("-m", HERE_ONLY, "tests/local"),)),
    Stage("compose", "airflow-3.3", (pytest("tests/compose"),)),
    Stage("terraform", "terraform", (("python", "-m", "local.terraform_check"),)),
    detections("2.19.4"),
    detections("3.4.0"),
    opensearch("2.19.4"),
    opensearch("3.4.0"),
    airflow("3.3", "tests/airflow"),
    airflow("2.11", "tests/airflow"),
    # Amazon MWAA offers these lines too: the DAGs load on them, and what needs no server works.
    airflow("3.2", "-m", HERE_ONLY, "tests/unit", "tests/airflow"),
    airflow("3.0", "-m", HERE_ONLY, "tests/unit", "tests/airflow"),
)


def run(stage: Stage) -> Counts:
    """Run one stage."""
    counts = Counts()
    home = ROOT / ".venvs" / stage.environment / "bin"
    if not home.exists():
        print(f"There is no environment {stage.environment}. Make it: python3 local/env.py {stage.environment}")
        return Counts(failed=1)
    for program, *arguments in stage.commands:
        counts.add(_run_program(home, program, arguments, stage.variables))
    return counts


def _run_program(home: Path, program: str, arguments: list[str], variables: dict[str, str]) -> Counts:
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
        done = subprocess.run(command, cwd=ROOT, env=environment)  # noqa: S603
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


def main() -> int:
    """Run the chosen stages, or all of them."""
    names = [stage.name for stage in STAGES]
    parser = argparse.ArgumentParser(prog="python3 -m local.testing", description=__doc__)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(names))
    chosen = parser.parse_args().stages or names
    unknown = [name for name in chosen if name not in names]
    if unknown:
        parser.error(f"no stage {', '.join(unknown)}; there are {', '.join(names)}")
    began = time.monotonic()
    total = Counts()
    lines = []
    for number, name in enumerate(chosen, 1):
        print(f"\n=== {number}/{len(chosen)} {name} ({_minutes(began)} so far)", flush=True)
        stage_began = time.monotonic()
        counts = run(STAGES[names.index(name)])
        total.add(counts)
        lines.append(f"{name:20} {_minutes(stage_began):>8}  {counts}")
        print(lines[-1], flush=True)
    print(f"\n=== all stages, {_minutes(began)}", *lines, sep="\n")
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed else 0


def _minutes(began: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - began), 60)
    return f"{minutes}:{seconds:02}"


if __name__ == "__main__":
    sys.exit(main())
