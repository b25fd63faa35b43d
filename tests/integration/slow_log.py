"""The server's own writing of a search, out of its slow log."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from opensearchpy import OpenSearch


def server_log(client: OpenSearch) -> Path:
    """Return the folder of the server's logs, on this machine."""
    nodes = client.nodes.info(filter_path="nodes.*.settings.path.logs")["nodes"].values()
    folder = Path(next(iter(nodes))["settings"]["path"]["logs"])
    if not folder.is_dir():
        pytest.skip("the server's log is on another machine")
    return folder


def written_anew(client: OpenSearch, index: str, body: dict[str, Any], folder: Path, marker: str) -> dict[str, Any]:
    """Return a search as the server writes it, which is how Alerting stores it.

    :param index: with ``index.search.slowlog.threshold.query.warn`` at ``0ms``
    :param marker: a text that no other request has
    """
    client.search(index=index, body=body, request_cache=False, headers={"X-Opaque-Id": marker})
    for _ in range(50):
        for path in folder.glob("*.log"):
            for line in reversed(path.read_text(encoding="utf-8", errors="replace").splitlines()):
                if marker in line and "source[" in line:
                    text = line[line.index("source[") + len("source[") : line.rindex("], id[")]
                    return dict(json.loads(text))
        time.sleep(0.2)
    pytest.skip("the server writes no slow log here")
