"""Sets up a fresh OpenSearch and its Dashboards, and may run twice. Runs in the containers ``*-init``.

``opensearch`` makes users and roles, with the administrator's certificate; ``dashboards`` imports the package's
dashboards, searches and index patterns. The setup's DAG imports the same; here nobody need run it.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLE_FILES = Path(__file__).resolve().parent.parent.parent / "include" / "opensearch" / "roles"
LOADER = "oktalogger"
INDEX_PREFIX = "okta-system-log"
# On AWS a setup of its own makes the index templates; here the first load does.
TEMPLATES_ROLE = {
    "description": "oktalogger: makes and upgrades its index templates.",
    "cluster_permissions": ["indices:admin/index_template/put"],
}
SAVED_OBJECTS = ROLE_FILES.parent.parent / "dashboards" / "saved-objects.ndjson"
BOUNDARY = "oktalogger-saved-objects"


class SetupError(Exception):
    """Something could not be made; the message says what, and what the server answered."""


def roles() -> dict[str, dict[str, Any]]:
    """Return the roles of whoever loads and keeps the monitors in step: here that is one user."""
    found: dict[str, dict[str, Any]] = {"oktalogger_templates": TEMPLATES_ROLE}
    for name in ("oktalogger_loader", "oktalogger_sync"):
        text = (ROLE_FILES / f"{name}.json").read_text()
        found[name] = json.loads(text.replace("${index_prefix}", INDEX_PREFIX))
    return found


def set_up_opensearch(environ: Mapping[str, str]) -> None:
    """Make the users, the roles, and their mapping.

    :param environ: ``OPENSEARCH_URL``, ``CERTIFICATES`` (a folder with ``ca.pem``, ``admin.pem``, ``admin-key.pem``),
        ``OPENSEARCH_ADMIN_PASSWORD``, ``OPENSEARCH_LOADER_PASSWORD``, ``DASHBOARDS_PASSWORD``
    :raises SetupError: if the server refuses
    """
    certificates = Path(environ["CERTIFICATES"])
    tls = ssl.create_default_context(cafile=certificates / "ca.pem")
    tls.load_cert_chain(certificates / "admin.pem", certificates / "admin-key.pem")
    url = f"{environ['OPENSEARCH_URL']}/_plugins/_security/api"
    wanted: list[tuple[str, dict[str, Any]]] = [
        # These two have their roles by the mappings that the security plugin comes with.
        ("internalusers/admin", {"password": environ["OPENSEARCH_ADMIN_PASSWORD"], "backend_roles": ["admin"]}),
        ("internalusers/kibanaserver", {"password": environ["DASHBOARDS_PASSWORD"]}),
        (f"internalusers/{LOADER}", {"password": environ["OPENSEARCH_LOADER_PASSWORD"]}),
    ]
    for name, role in roles().items():
        wanted += [(f"roles/{name}", role), (f"rolesmapping/{name}", {"users": [LOADER]})]
    for path, body in wanted:
        _send("PUT", f"{url}/{path}", body, tls=tls)
        print(f"{path} is made", flush=True)


def set_up_dashboards(environ: Mapping[str, str]) -> None:
    """Import the saved objects, and choose the events as what Discover opens with.

    :param environ: ``DASHBOARDS_URL``, ``OPENSEARCH_ADMIN_PASSWORD``
    :raises SetupError: if the server refuses
    """
    login = base64.b64encode(f"admin:{environ['OPENSEARCH_ADMIN_PASSWORD']}".encode()).decode()
    headers = {"osd-xsrf": "true", "Authorization": f"Basic {login}"}
    form = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{SAVED_OBJECTS.name}"\r\n'
        f"Content-Type: application/ndjson\r\n\r\n{SAVED_OBJECTS.read_text()}\r\n--{BOUNDARY}--\r\n"
    )
    answer = json.loads(
        _send(
            "POST",
            f"{environ['DASHBOARDS_URL']}/api/saved_objects/_import?overwrite=true",
            form.encode(),
            headers={**headers, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
        )
    )
    if not answer["success"]:
        raise SetupError(f"Dashboards refused saved objects: {json.dumps(answer['errors'])[:2000]}")
    print(f"{answer['successCount']} saved objects are imported", flush=True)
    chosen = f"{environ['DASHBOARDS_URL']}/api/opensearch-dashboards/settings/defaultIndex"
    _send("POST", chosen, {"value": INDEX_PREFIX}, headers=headers)


def _send(
    method: str,
    url: str,
    body: Mapping[str, Any] | bytes,
    *,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> bytes:
    request = urllib.request.Request(  # noqa: S310 - both addresses come from docker-compose.yaml
        url,
        body if isinstance(body, bytes) else json.dumps(body).encode(),
        {"Content-Type": "application/json", **(headers or {})},
        method=method,
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
    try:
        with opener.open(request, timeout=60) as response:
            answered: bytes = response.read()
    except urllib.error.HTTPError as error:
        raise SetupError(f"{method} {url}: HTTP {error.code}: {error.read(2000).decode(errors='replace')}") from None
    except OSError as error:
        raise SetupError(f"{method} {url}: {error}") from error
    return answered


def main() -> int:
    """Set up what the command line names."""
    parts = {"opensearch": set_up_opensearch, "dashboards": set_up_dashboards}
    if len(sys.argv) != 2 or sys.argv[1] not in parts:
        print(f"usage: python -m local.compose.setup {'|'.join(parts)}", file=sys.stderr)
        return 2
    try:
        parts[sys.argv[1]](os.environ)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
