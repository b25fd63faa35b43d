"""Every metric that is sent is in the table, and the other way round."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_names_what_is_sent() -> None:
    source = (ROOT / "plugins/oktalogger/operators/metrics.py").read_text()
    counters = re.search(r"COUNTERS: Final = \(([^)]*)\)", source)
    assert counters is not None
    sent = {f"oktalogger.load.{name}" for name in re.findall(r'"(\w+)"', counters[1])}
    sent |= set(re.findall(r'"(oktalogger\.\w+\.\w+)"', source))
    table = set(re.findall(r"^\| `(oktalogger[\w.]+)` \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE))
    assert table == sent
