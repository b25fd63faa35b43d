"""What is asked of OpenSearch Dashboards, which does not run in any test: the requests, and that a refusal is told."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from local.compose.setup import INDEX_PATTERNS, SetupError, set_up_dashboards

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def dashboards() -> Iterator[tuple[dict[str, str], list[dict[str, Any]], list[int]]]:
    seen: list[dict[str, Any]] = []
    status = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append({"path": self.path, "headers": dict(self.headers), "body": body})
            self.send_response(status[0])
            self.end_headers()
            self.wfile.write(b"no")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield {"DASHBOARDS_URL": url, "OPENSEARCH_ADMIN_PASSWORD": "secret"}, seen, status
        server.shutdown()


def test_each_index_pattern_has_the_id_that_links_name(dashboards: Any) -> None:
    environ, seen, _ = dashboards
    set_up_dashboards(environ)
    for request, (name, time_field) in zip(seen, INDEX_PATTERNS.items(), strict=True):
        assert request["path"] == f"/api/saved_objects/index-pattern/{name}?overwrite=true"
        assert request["body"] == {"attributes": {"title": name, "timeFieldName": time_field}}
        headers = {key.lower(): value for key, value in request["headers"].items()}
        assert headers["osd-xsrf"] == "true"
        assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"admin:secret"


def test_a_refusal_is_told_without_the_password(dashboards: Any) -> None:
    environ, _, status = dashboards
    status[0] = 403
    with pytest.raises(SetupError, match="HTTP 403: no") as caught:
        set_up_dashboards(environ)
    assert "secret" not in str(caught.value)
