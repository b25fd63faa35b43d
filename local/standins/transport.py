"""The stand-in behind opensearch-py: in this process, or as a small HTTP server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opensearchpy import Connection, OpenSearch
from opensearchpy.exceptions import ConnectionError as OpenSearchConnectionError

from local.standins.alerting import AlertingStandIn
from local.standins.alerting_answers import Answer

Handler = Callable[[str, str, Any, dict[str, str]], Answer]


class CutError(Exception):
    """The connection was cut; raised by a handler before or after the request was carried out."""


class _InProcess(Connection):
    def __init__(self, *args: Any, handler: Handler, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._handler = handler

    def perform_request(
        self,
        method: str,
        url: str,
        params: Any = None,
        body: Any = None,
        timeout: Any = None,
        ignore: Any = (),
        headers: Any = None,
    ) -> Any:
        target = url + ("?" + "&".join(f"{key}={value}" for key, value in params.items()) if params else "")
        try:
            status, answer = self._handler(method, target, json.loads(body) if body else None, dict(headers or {}))
        except CutError as error:
            raise OpenSearchConnectionError("N/A", "Connection broken", error) from error
        data = json.dumps(answer)
        if not 200 <= status < 300 and status not in ignore:
            self._raise_error(status, data, "application/json")
        return status, {"content-type": "application/json"}, data

    def close(self) -> None:
        pass


def in_process_client(handler: Handler) -> OpenSearch:
    """Return a client whose requests the handler answers; it repeats nothing by itself, as those of the package."""
    return OpenSearch(
        hosts=["http://stand-in:9200"], connection_class=_InProcess, handler=handler, max_retries=0, retry_on_status=()
    )


@contextmanager
def serve(standin: AlertingStandIn, *, delay: float = 0.0) -> Iterator[str]:
    """Serve the stand-in over HTTP.

    :param delay: seconds that each request takes
    :return: the URL
    """
    lock = threading.Lock()

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            raw = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            if delay:
                time.sleep(delay)
            with lock:
                status, answer = standin.handle(self.command, self.path, json.loads(raw) if raw else None, headers)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json; charset=UTF-8")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
