"""What large blocks leave behind, measured in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A freed block of 8 MiB, then many of 4 MiB that are freed while small ones above them stay.
LEFT_BEHIND = """
import resource
import sys
from oktalogger.malloc import limit_heap_growth_of_process

if sys.argv[1] == "set":
    assert limit_heap_growth_of_process()
large, small = [b"x" * size for size in [8 << 20]], []
large.clear()
for size in [4 << 20] * 32:
    large.append(b"x" * size)
    small.append(b"y" * (size >> 11))
del large
with open("/proc/self/statm") as statm:
    print(int(statm.read().split()[1]) * resource.getpagesize() >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc's allocator")
def test_large_blocks_go_back_to_the_system() -> None:
    left = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", LEFT_BEHIND, how],
                env={"PYTHONPATH": str(ROOT / "plugins")},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for how in ("set", "not")
    }
    assert left["set"] < 60, left
    assert left["not"] > left["set"] + 100, left
