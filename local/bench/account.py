"""Runs a command and writes what it took to a file, as JSON.

A process of its own, because a child's greatest memory counts that of the process that it was forked from: a benchmark
that holds a million events must not be the parent of what it measures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def main() -> int:
    """Run ``account.py FILE COMMAND …``."""
    began = time.monotonic()
    with subprocess.Popen(sys.argv[2:]) as process:  # noqa: S603
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    kib = usage.ru_maxrss / 1024 if sys.platform == "darwin" else usage.ru_maxrss
    account = {
        "seconds": time.monotonic() - began,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_rss_mb": kib / 1024,
    }
    with open(sys.argv[1], "w") as file:
        json.dump(account, file)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
