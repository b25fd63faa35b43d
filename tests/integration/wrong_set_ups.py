"""Deployments that somebody has set up wrong, each in one way, for tests of ``check`` and for the table in its docs."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from oktalogger.opensearch.request import call
from oktalogger.opensearch.roles import shipped_roles
from oktalogger.opensearch.setup.security import ROLES_API
from tests.integration.people import PASSWORD, SECURITY, People

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local.simulator.process import Simulator

LOADER = "oktalogger_loader"


@dataclass
class World:
    """A deployment in which all is well, until a test spoils something of it.

    :param team: the users, and the cluster
    :param okta: the org
    :param folder: for files
    :param environ: what the command line reads
    :param arguments: of the command
    """

    team: People
    okta: Simulator
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)

    def put(self, path: str, body: Any = None, *, method: str = "PUT") -> Any:
        return call(self.team.admin, method, path, doing="to spoil something", body=body)


@contextmanager
def answering(body: bytes, *, status: int = 200, kind: str = "application/json") -> Iterator[str]:
    """Run a server that answers everything in one way, and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _variable(name: str, value: str | None) -> Callable[[World, ExitStack], None]:
    def spoil(world: World, undo: ExitStack) -> None:
        if value is None:
            world.environ.pop(name)
        else:
            world.environ[name] = value

    return spoil


def _address(name: str, body: bytes, **how: Any) -> Callable[[World, ExitStack], None]:
    def spoil(world: World, undo: ExitStack) -> None:
        world.environ[name] = undo.enter_context(answering(body, **how))

    return spoil


def _no_role_in_okta(world: World, undo: ExitStack) -> None:
    token = world.okta.control.post("/tokens", admin=False)["token"]
    world.environ["OKTALOGGER_OKTA_TOKEN"] = token


def _no_scope(world: World, undo: ExitStack) -> None:
    app = world.okta.control.post("/oauth-clients", scopes=["okta.users.read"])
    key = world.folder / "key.pem"
    key.write_text(json.dumps(app["private_key"]))
    del world.environ["OKTALOGGER_OKTA_TOKEN"]
    world.environ |= {"OKTALOGGER_OKTA_CLIENT_ID": app["client_id"], "OKTALOGGER_OKTA_PRIVATE_KEY_FILE": str(key)}


def _clock(world: World, undo: ExitStack) -> None:
    world.okta.control.advance(600)
    undo.callback(lambda: world.okta.control.post("/clock", real=True))


def _filter(world: World, undo: ExitStack) -> None:
    world.arguments += ["--filter", "eventType equals user.session.start"]


def _small_limit(world: World, undo: ExitStack) -> None:
    world.environ["OKTALOGGER_LIVE_SHARE"] = "0.001"


def _no_role(world: World, undo: ExitStack) -> None:
    user = f"{world.team.users[LOADER]}-new"
    world.put(f"{SECURITY}/internalusers/{user}", {"password": PASSWORD})
    undo.callback(lambda: world.put(f"{SECURITY}/internalusers/{user}", method="DELETE"))
    world.environ["OKTALOGGER_OPENSEARCH_USERNAME"] = user


def _older_role(world: World, undo: ExitStack) -> None:
    role = shipped_roles(world.team.names.prefix)[LOADER]
    undo.callback(lambda: world.put(f"{ROLES_API}/{LOADER}", role))
    older = shipped_roles(world.team.names.prefix)[LOADER]
    for entry in older["index_permissions"]:
        entry["allowed_actions"] = [one for one in entry["allowed_actions"] if not one.startswith("indices:data/write")]
    world.put(f"{ROLES_API}/{LOADER}", older)


def _no_template(world: World, undo: ExitStack) -> None:
    name = world.team.names.rejected
    found = world.put(f"/_index_template/{name}", method="GET")["index_templates"][0]["index_template"]
    undo.callback(lambda: world.put(f"/_index_template/{name}", found))
    world.put(f"/_index_template/{name}", method="DELETE")


def _copy_behind_alias(world: World, undo: ExitStack) -> None:
    names = world.team.names
    copy = f"{names.prefix}-restored"
    meta = {"mappings": {"_meta": {"managed_by": "oktalogger", "version": 1}}}
    world.put(f"/{copy}", {"aliases": {names.alias: {"is_write_index": False}}, **meta})
    undo.callback(lambda: world.put(f"/{copy}", method="DELETE"))


def _month_made_otherwise(world: World, undo: ExitStack) -> None:
    month = f"{world.team.names.prefix}-2027-12"
    world.put(f"/{month}", {"settings": {"index.search.default_pipeline": "blind"}})
    undo.callback(lambda: world.put(f"/{month}", method="DELETE"))


def _no_audit_log(world: World, undo: ExitStack) -> None:
    world.environ |= {**world.team.environ(), "OKTALOGGER_AUDIT": "changes"}


def _full(world: World, undo: ExitStack) -> None:
    index = world.team.names.ledger
    block = {"index.blocks.read_only_allow_delete": True}
    undo.callback(lambda: world.put(f"/{index}/_settings", dict.fromkeys(block)))
    world.put(f"/{index}/_settings", block)


def _disk(world: World, undo: ExitStack) -> None:
    # A disk of the test's server may be memory, of which it uses next to nothing.
    marks = {
        f"cluster.routing.allocation.disk.watermark.{name}": share
        for name, share in (("low", "0.0001%"), ("high", "0.0002%"), ("flood_stage", "99%"))
    }
    undo.callback(lambda: world.put("/_cluster/settings", {"transient": dict.fromkeys(marks)}))
    world.put("/_cluster/settings", {"transient": marks})
    world.environ |= world.team.environ()


def _rule(world: World, undo: ExitStack) -> None:
    (world.folder / "okta_mine.yml").write_text("title: Mine\n")
    world.environ["OKTALOGGER_DETECTIONS_DIR"] = str(world.folder)


def _no_notifier(world: World, undo: ExitStack) -> None:
    world.environ["OKTALOGGER_DETECTION_CHANNELS"] = "soc"


@dataclass(frozen=True)
class WrongSetUp:
    """One way to set up a deployment wrong.

    :param what: in the words of the table in the docs
    :param check: the line that says so
    :param spoil: makes it so, and says how to undo it
    """

    what: str
    check: str
    spoil: Callable[[World, ExitStack], None]


OKTA, SEARCH = "OKTALOGGER_OKTA_URL", "OKTALOGGER_OPENSEARCH_URL"
WRONG_SET_UPS = [
    WrongSetUp("a setting cannot be read", "settings", _variable("OKTALOGGER_INTERVAL_MINUTES", "7")),
    WrongSetUp("no start is set", "start date", _variable("OKTALOGGER_START_DATE", None)),
    WrongSetUp("Okta's address has a path", "okta connection", _variable(OKTA, "https://company.okta.com/app")),
    WrongSetUp("Okta's address is the Admin Console's", "okta connection",
               _variable(OKTA, "https://company-admin.okta.com")),
    WrongSetUp("no such org", "okta host", _variable(OKTA, "https://company.okta.invalid")),
    WrongSetUp("another server at Okta's address", "okta host", _address(OKTA, b"<html/>", kind="text/html")),
    WrongSetUp("OpenSearch's address in place of Okta's", "okta host",
               _address(OKTA, b"Unauthorized", status=401, kind="text/plain")),
    WrongSetUp("a wrong API token", "okta login", _variable("OKTALOGGER_OKTA_TOKEN", "00wrong")),
    WrongSetUp("an app without the scope", "okta scope", _no_scope),
    WrongSetUp("a token whose admin may not read the System Log", "okta role", _no_role_in_okta),
    WrongSetUp("a share that is less than a request a minute", "okta rate limit", _small_limit),
    WrongSetUp("a worker's clock that is ten minutes slow", "okta clock", _clock),
    WrongSetUp("a filter that Okta does not understand", "okta filter", _filter),
    WrongSetUp("nothing listens at OpenSearch's address", "opensearch host", _variable(SEARCH, "https://localhost:1")),
    WrongSetUp("an authority that is not trusted", "opensearch host",
               _variable("OKTALOGGER_OPENSEARCH_CA_CERTS", None)),
    WrongSetUp("Elasticsearch at OpenSearch's address", "opensearch host",
               _address(SEARCH, b'{"version":{"number":"8.15.0","build_flavor":"default"}}')),
    WrongSetUp("a wrong password of OpenSearch", "opensearch login",
               _variable("OKTALOGGER_OPENSEARCH_PASSWORD", "wrong")),
    WrongSetUp("a user of OpenSearch without a role", "rights of the loader", _no_role),
    WrongSetUp("a role without the right to write", "rights of the loader", _older_role),
    WrongSetUp("an index template is missing", "index templates", _no_template),
    WrongSetUp("a copy of a month behind the alias", "months and alias", _copy_behind_alias),
    WrongSetUp("a month that somebody made before a load did, so that searches see less", "months and alias",
               _month_made_otherwise),
    WrongSetUp("an audit log that is not switched on, asked as an administrator", "audit log", _no_audit_log),
    WrongSetUp("an index that takes no writes since a disk was full", "writes", _full),
    WrongSetUp("a disk over its watermark, asked as an administrator", "disks", _disk),
    WrongSetUp("a rule that cannot be used", "rules", _rule),
    WrongSetUp("a channel without a notifier", "channels", _no_notifier),
    WrongSetUp("another server at the address of Dashboards", "dashboards",
               _address("OKTALOGGER_DASHBOARDS_URL", b'{"hello":"world"}')),
]  # fmt: skip
