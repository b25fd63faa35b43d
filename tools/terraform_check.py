"""``make terraform-check``: format, validation, tests with mocks, policies, checkov, and an apply against moto.

Needs terraform 1.11 or newer. Without it, the checks that do not need it run (scanner, roles, docs), and the rest count
as skipped; under CI that is a failure. Results: one JUnit case for each run of ``terraform/tests`` and each Python
test, in ``build/terraform/junit.xml``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tools.env import ROOT, VENVS, EnvError, make_all
from tools.terraform_cli import find_terraform

REPORT = ROOT / "build" / "terraform" / "junit.xml"
ARGUMENTS = (
    "tests/terraform",
    # Two: one waits for moto most of the time.
    *("--numprocesses=2", "--dist=loadgroup"),
    # The fixtures of tests/conftest.py need other environments.
    "--confcutdir=tests/terraform",
    # A fixture runs all of a folder's test files. That is a minute alone, and took four on a machine with other work.
    "--timeout=900",
)


def main() -> int:
    """Make the environment and run the tests of ``tests/terraform`` in it; further arguments go to pytest."""
    if find_terraform() is None:
        print("terraform-check: there is no terraform on the PATH, so the checks that need it are skipped", flush=True)
    began = time.monotonic()
    try:
        make_all(["terraform"], os.environ.get("PYTHON") or sys.executable)
    except EnvError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    command = [
        *(str(VENVS / "terraform" / "bin" / "python"), "-m", "pytest"),
        *ARGUMENTS,
        *(f"--junit-xml={REPORT}", "--durations=5", "-q"),
        *sys.argv[1:],
    ]
    code = subprocess.run(command, cwd=ROOT).returncode  # noqa: S603
    print(f"terraform-check: {'passed' if code == 0 else 'failed'} after {time.monotonic() - began:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
