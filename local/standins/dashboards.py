"""OpenSearch Dashboards' saved objects in memory, behind its API, with the checks that an import makes.

Sources: opensearch-project/OpenSearch-Dashboards, branches 2.19 and main: ``saved_objects/routes/import.ts``,
``import/collect_saved_objects.ts``, ``import/validate_references.ts``, ``import/check_conflicts.ts``,
``migrations/core/document_migrator.ts``, ``http/lifecycle_handlers.ts``, ``ui_settings/routes``, and the mappings of
each type; opensearch-project/security-dashboards-plugin, ``tenant_resolver.ts``. No Dashboards runs in any test.
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.standins.alerting_answers import Answer

# The newest migration of each type that 2.19 and 3 know, and the attributes that its strict mapping takes.
MIGRATIONS = {"index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3"}
ATTRIBUTES = {
    "search": {"columns", "description", "hits", "kibanaSavedObjectMeta", "sort", "columnWidths", "title", "version"},
    "visualization": {
        *("description", "kibanaSavedObjectMeta", "savedSearchRefName", "title", "uiStateJSON", "version", "visState"),
    },
    "dashboard": {
        *("description", "hits", "kibanaSavedObjectMeta", "optionsJSON", "panelsJSON", "refreshInterval", "timeFrom"),
        *("timeRestore", "timeTo", "title", "version"),
    },
}
VALIDATED = ("index-pattern", "search")
GLOBAL = ("", "global")


@dataclass
class DashboardsStandIn:
    """One Dashboards.

    :param login: the header ``Authorization`` that it takes; None takes any
    :param login_page: whether it sends everybody else to a page instead of answering 401
    :param forbidden: tenants that the user may not write
    :param fields: what OpenSearch's indices have, by index pattern
    :param base: the path that it is under
    """

    login: str | None = None
    login_page: bool = False
    forbidden: set[str] = field(default_factory=set)
    fields: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    base: str = ""
    tenants: dict[str, dict[tuple[str, str], dict[str, Any]]] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    down: int = 0

    def objects(self, tenant: str = "global") -> dict[tuple[str, str], dict[str, Any]]:
        """Return what a tenant has, by type and id."""
        return self.tenants.setdefault("global" if tenant in GLOBAL else tenant, {})

    def handle(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        """Answer a request.

        :param headers: with small letters
        """
        if self.down:
            self.down -= 1
            return 503, {"statusCode": 503, "error": "Service Unavailable", "message": "License is not available."}
        parts = urlsplit(target)
        if self.login is not None and headers.get("authorization") != self.login:
            return (302, {}) if self.login_page else (401, _boom(401, "Unauthorized", "Unauthorized"))
        if method != "GET" and not {"osd-xsrf", "osd-version"} & headers.keys():
            return 400, _boom(400, "Bad Request", "Request must contain a osd-xsrf header.")
        tenant = headers.get("securitytenant", "private")
        path = parts.path.removeprefix(self.base)
        if not parts.path.startswith(self.base):
            return 404, _boom(404, "Not Found", "Not Found")
        if tenant in self.forbidden:
            return 403, _boom(403, "Forbidden", "no permissions for [indices:data/read/mget[shard]]")
        if method != "GET" and not path.endswith("_bulk_get"):
            self.writes.append(f"{method} {path}")
        query = parse_qs(parts.query)
        if (method, path) == ("POST", "/api/saved_objects/_bulk_get"):
            return 200, {"saved_objects": [self._get(one, tenant) for one in json.loads(raw)]}
        if (method, path) == ("POST", "/api/saved_objects/_import"):
            return self._import(headers, raw, tenant, overwrite=query.get("overwrite") == ["true"])
        if (method, path) == ("GET", "/api/opensearch-dashboards/settings"):
            return 200, {"settings": self.settings.get(tenant, {})}
        if method == "POST" and path.startswith("/api/opensearch-dashboards/settings/"):
            name = path.rpartition("/")[2]
            self.settings.setdefault(tenant, {})[name] = {"userValue": json.loads(raw)["value"]}
            return 200, {"settings": self.settings[tenant]}
        if (method, path) == ("GET", "/api/index_patterns/_fields_for_wildcard"):
            [pattern] = query["pattern"]
            if pattern not in self.fields:
                return 404, {"message": "no indices", "attributes": {"type": "no_matching_indices"}}
            return 200, {"fields": self.fields[pattern]}
        return 404, _boom(404, "Not Found", "Not Found")

    def _get(self, wanted: Mapping[str, str], tenant: str) -> dict[str, Any]:
        found = self.objects(tenant).get((wanted["type"], wanted["id"]))
        if found is None:
            message = f"Saved object [{wanted['type']}/{wanted['id']}] not found"
            return {**wanted, "error": _boom(404, "Not Found", message)}
        return {**found, "updated_at": "2026-11-29T12:00:00.000Z", "version": "WzEsMV0=", "namespaces": ["default"]}

    def _import(self, headers: Mapping[str, str], raw: bytes, tenant: str, *, overwrite: bool) -> Answer:
        name, content = _file(headers["content-type"], raw)
        if not name.lower().endswith(".ndjson"):
            return 400, _boom(400, "Bad Request", f"Invalid file extension {name}")
        objects = [json.loads(line) for line in content.splitlines() if line.strip()]
        keys = [(one["type"], one["id"]) for one in objects]
        if doubled := sorted({f"{kind}:{id}" for kind, id in keys if keys.count((kind, id)) > 1}):
            said = f"Non-unique import objects detected: [{','.join(doubled)}]"
            return 400, _boom(400, "Bad Request", said)
        for one in objects:
            if problem := _newer(one):
                return 422, _boom(422, "Unprocessable Entity", problem)
        there = self.objects(tenant)
        errors = [error for one in objects if (error := _refused(one, set(keys) | there.keys()))]
        errors += [] if overwrite else [_error(one, {"type": "conflict"}) for one in objects if _key(one) in there]
        if errors:
            return 200, {"successCount": 0, "success": False, "errors": errors}
        for one in objects:
            there[_key(one)] = {"references": [], **one}
        done = [{"type": kind, "id": id, "meta": {}} for kind, id in keys]
        return 200, {"successCount": len(done), "success": True, "successResults": done}


def _key(one: Mapping[str, Any]) -> tuple[str, str]:
    return one["type"], one["id"]


def _boom(status: int, error: str, message: str) -> dict[str, Any]:
    return {"statusCode": status, "error": error, "message": message}


def _error(one: Mapping[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    title = one["attributes"].get("title")
    return {"type": one["type"], "id": one["id"], "title": title, "meta": {"title": title}, "error": error}


def _newer(one: Mapping[str, Any]) -> str | None:
    """Say that an object is of a migration that this Dashboards does not know."""
    for kind, version in one.get("migrationVersion", {}).items():
        known = MIGRATIONS.get(kind)
        if known is None or _semver(version) > _semver(known):
            return (
                f'Document "{one["id"]}" has property "{kind}" which belongs to a more recent version of OpenSearch '
                f"Dashboards [{version}]. The last known version is [{known}]"
            )
    return None


def _semver(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _refused(one: Mapping[str, Any], there: set[tuple[str, str]]) -> dict[str, Any] | None:
    if one["type"] not in MIGRATIONS:
        return _error(one, {"type": "unsupported_type"})
    missing = [
        {"type": ref["type"], "id": ref["id"]}
        for ref in one.get("references", ())
        if ref["type"] in VALIDATED and (ref["type"], ref["id"]) not in there
    ]
    if missing:
        return _error(one, {"type": "missing_references", "references": missing})
    strict = ATTRIBUTES.get(one["type"])
    for name in one["attributes"]:
        if strict is not None and name not in strict:
            message = f"mapping set to strict, dynamic introduction of [{name}] within [{one['type']}] is not allowed"
            return _error(one, {"type": "unknown", "message": message, "statusCode": 400})
    return None


def _file(content_type: str, raw: bytes) -> tuple[str, bytes]:
    """Return name and content of the part ``file`` of a form."""
    form = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + raw)
    for part in form.iter_parts():
        if part.get_param("name", header="content-disposition") == "file":
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            return part.get_filename() or "", content
    return "", b""


@contextmanager
def serve_dashboards(standin: DashboardsStandIn) -> Iterator[str]:
    """Serve a stand-in over HTTP.

    :return: its address, with its path
    """
    lock = threading.Lock()

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                status, body = standin.handle(self.command, self.path, headers, raw)
            data = json.dumps(body).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("location", "/app/login")
            self.send_header("content-type", "application/json; charset=utf-8")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Requests) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{standin.base}"
        finally:
            server.shutdown()
