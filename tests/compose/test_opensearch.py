"""The Compose stack's OpenSearch on a real server: its settings, certificates, users and role are those of the file."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local import paths
from local.compose import env
from local.compose.certificates import hand_out
from local.compose.setup import LOADER, SetupError, set_up_opensearch
from local.opensearch import server
from local.opensearch.build import Distribution
from local.opensearch.instance import Instance
from local.process import LOCAL_PYTHON, end_group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.simulator.process import Simulator

pytestmark = [pytest.mark.opensearch, pytest.mark.timeout(900)]

COMPOSE = paths.ROOT / "local" / "compose"
START_TIMEOUT = 240
# Only what differs between a container and a process on this machine.
HERE = {"network.host": "127.0.0.1", "http.port": "0", "transport.port": "0", "node.portsfile": "true"}


@dataclass(frozen=True, slots=True)
class Stack:
    url: str
    folder: Path
    environ: dict[str, str]

    def status(self, path: str, user: str | None = None, password: str = "", *, method: str = "GET") -> int:
        headers = {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()} if user else {}
        request = urllib.request.Request(self.url + path, headers=headers, method=method)  # noqa: S310
        tls = ssl.create_default_context(cafile=self.folder / "ca" / "ca.pem")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
        try:
            with opener.open(request, timeout=30) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLError):
                raise
            return 0


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    folder = Path(tempfile.mkdtemp(prefix="oktalogger-compose-"))
    folder.chmod(0o755)
    instance = _instance(folder)
    options = HERE | {"path.data": str(folder / "data"), "path.logs": str(folder / "logs")}
    other = paths.SERVER_ID if paths.needs_other_user() else None
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*server._command(instance, "512m", brief=True), *(f"-E{name}={value}" for name, value in options.items())],
            cwd=instance.distribution.home,
            env=server._environment(instance),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=other,
            group=other,
            extra_groups=None if other is None else [],
        )
    try:
        yield _when_ready(process, instance, folder)
    finally:
        end_group(process)
        shutil.rmtree(folder, ignore_errors=True)


def _distribution() -> Distribution:
    """Built in the environment that has Java, whichever this test runs in."""
    code = (
        "import json; from local.opensearch.build import build; made = build('2.19.4', security=True); "
        "print(json.dumps([str(made.home), str(made.java)]))"
    )
    done = subprocess.run([str(LOCAL_PYTHON), "-c", code], cwd=paths.ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    home, java = (Path(path) for path in json.loads(done.stdout))
    return Distribution("2.19.4", True, home, java)


def _instance(folder: Path) -> Instance:
    """What the mounts of docker-compose.yaml put into the container, in a folder."""
    instance = Instance(folder, _distribution())
    home = instance.distribution.home
    shutil.copytree(home / "config", instance.config)
    security = instance.config / "opensearch-security"
    shutil.copytree(home / "plugins" / "opensearch-security" / "config", security)
    shutil.copy(COMPOSE / "opensearch.yml", instance.config)
    shutil.copy(COMPOSE / "internal_users.yml", security)
    for name in ("ca", "admin", "config/certificates", "data", "logs", "tmp"):
        (folder / name).mkdir()
    assert hand_out(folder / "ca", instance.certificates, folder / "admin")
    assert not hand_out(folder / "ca", instance.certificates, folder / "admin")
    if paths.needs_other_user():
        for path in (folder / "config", folder / "data", folder / "logs", folder / "tmp"):
            for parent, _, files in os.walk(path):
                for entry in (parent, *(os.path.join(parent, file) for file in files)):
                    os.chown(entry, paths.SERVER_ID, paths.SERVER_ID)
    return instance


def _when_ready(process: subprocess.Popen[bytes], instance: Instance, folder: Path) -> Stack:
    began = time.monotonic()
    while time.monotonic() - began < START_TIMEOUT:
        log = (folder / "server.log").read_text(errors="replace")
        assert process.poll() is None, log[-4000:]
        if instance.ports_file.exists() and instance.ports_file.read_text().strip():
            port = instance.ports_file.read_text().split()[0].rpartition(":")[2]
            environ = {
                "OPENSEARCH_URL": f"https://localhost:{port}",
                "CERTIFICATES": str(folder / "admin"),
                # As strong as the security plugin wants them, and unlike the users' names.
                "OPENSEARCH_ADMIN_PASSWORD": env.password(),
                "OPENSEARCH_LOADER_PASSWORD": env.password(),
                "DASHBOARDS_PASSWORD": env.password(),
            }
            stack = Stack(environ["OPENSEARCH_URL"], folder, environ)
            # What the health check of docker-compose.yaml waits for.
            if stack.status("/") == 401:
                return stack
        time.sleep(0.2)
    pytest.fail(f"OpenSearch does not answer: {log[-4000:]}")


@pytest.fixture(scope="module")
def users(stack: Stack) -> dict[str, str]:
    for _ in range(2):  # a second time changes nothing
        set_up_opensearch(stack.environ)
    return {
        "admin": stack.environ["OPENSEARCH_ADMIN_PASSWORD"],
        "kibanaserver": stack.environ["DASHBOARDS_PASSWORD"],
        LOADER: stack.environ["OPENSEARCH_LOADER_PASSWORD"],
    }


def test_the_users_of_the_stack_can_log_in_and_no_others(stack: Stack, users: dict[str, str]) -> None:
    for user, password in users.items():
        assert stack.status("/", user, password) == 200
        assert stack.status("/", user, "wrong") == 401
    for user in ("admin", "kibanaserver", "logstash", "readall", "snapshotrestore", "kibanaro"):
        assert stack.status("/", user, user) == 401, "a user of the distribution has its published password"


def test_dashboards_may_keep_its_own_index_and_read_no_events(stack: Stack, users: dict[str, str]) -> None:
    password = users["kibanaserver"]
    assert stack.status("/.kibana_1", "kibanaserver", password, method="PUT") == 200
    assert stack.status("/okta-system-log/_search", "kibanaserver", password) == 403


def test_the_loaders_roles_suffice_for_load_and_coverage_and_for_no_more(
    stack: Stack, users: dict[str, str], okta: Simulator
) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(paths.ROOT / "plugins"),
        "OKTALOGGER_OKTA_URL": okta.url,
        "OKTALOGGER_OKTA_TOKEN": okta.token,
        "OKTALOGGER_OPENSEARCH_URL": stack.url,
        "OKTALOGGER_OPENSEARCH_USERNAME": LOADER,
        "OKTALOGGER_OPENSEARCH_PASSWORD": users[LOADER],
        "OKTALOGGER_OPENSEARCH_CA_CERTS": str(stack.folder / "ca" / "ca.pem"),
    }
    end = datetime.fromisoformat(okta.control.get("/clock")["now"]).replace(minute=0, second=0, microsecond=0)
    window = ("--from", (end - timedelta(hours=1)).isoformat(), "--to", end.isoformat(), "--json")
    for _ in range(2):
        loaded = _oktalogger(environment, "load", *window)
    assert loaded["created"] == 0
    assert loaded["existing"] == loaded["read"] > 0
    found = _oktalogger(environment, "coverage", *window, "--verify")
    assert found["covered"]
    assert found["events"] == loaded["read"]
    for path, method in (("/okta-system-log-2*", "DELETE"), ("/somebody-elses", "PUT"), ("/_cluster/settings", "PUT")):
        assert stack.status(path, LOADER, users[LOADER], method=method) in (400, 403), (method, path)


def _oktalogger(environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "oktalogger", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_a_refusal_says_what_was_refused_and_why(stack: Stack) -> None:
    with pytest.raises(SetupError, match=r"PUT .*internalusers/admin: HTTP 400: .*[Pp]assword"):
        set_up_opensearch(stack.environ | {"OPENSEARCH_ADMIN_PASSWORD": "short"})
