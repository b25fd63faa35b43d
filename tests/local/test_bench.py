"""The benchmark measures what it says, on a few events; how fast this machine is decides nothing here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from opensearchpy import OpenSearch

from local.bench.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 1_200
# Rates and shares: numbers over nought, whatever they are.
FIGURES = {
    "events_per_second",
    "ceiling_per_second",
    "parallel_bulk_per_second",
    "per_document_per_second",
    "ceiling_ratio",
    "parallel_bulk_ratio",
    "per_document_ratio",
    "cpu_seconds_per_million",
    "server_cpu_seconds_per_million",
    "ceiling_server_cpu_seconds_per_million",
    "quiet_task_cpu_seconds",
    "parsed_dag_cpu_seconds",
    "empty_task_cpu_seconds",
    "bytes_per_event",
    "default_bytes_per_event",
    "bytes_ratio",
}


@pytest.mark.opensearch
def test_it_writes_every_figure_and_removes_what_it_stored(
    opensearch_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    common = ["--url", opensearch_url, "--out", str(out), "--events", str(EVENTS)]
    assert main([*common, "--only", "throughput", "task", "disk", "--rounds", "1", "--single", "20"]) == 0
    assert main([*common, "--only", "memory", "--memory", "200", "400"]) == 0

    found = json.loads(out.read_text())
    assert {*found} == FIGURES | {"events", "machine", "opensearch", "peak_rss_mb"}
    # OpenSearch tells its CPU time anew once a second, and so few events may take less.
    assert all(found[name] >= 0 if "server_cpu" in name else found[name] > 0 for name in FIGURES)
    assert 0.8 * EVENTS < found["events"] < 1.2 * EVENTS
    assert found["quiet_task_cpu_seconds"] > found["empty_task_cpu_seconds"], "a task of ours does more than none"
    assert {*found["peak_rss_mb"]} == {"200", "400"}
    # An interpreter with the client's libraries takes tens of MiB; a figure outside is a wrong unit.
    assert all(10 < peak < 1000 for peak in found["peak_rss_mb"].values())
    assert "of the ceiling" in capsys.readouterr().out
    with OpenSearch(opensearch_url) as client:
        assert client.indices.get(index="bench-*", expand_wildcards="all") == {}
        assert client.indices.get_index_template(name="bench-*", ignore=[404]).get("index_templates", []) == []
