"""The server that the other tests trust: it starts, makes indices, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from local import paths
from local.opensearch.errors import OpenSearchLocalError
from local.opensearch.instance import Member
from local.opensearch.releases import DEFAULT_VERSION
from local.opensearch.server import check_port
from local.process import LOCAL_PYTHON, ready_program
from tests.conftest import OPENSEARCH_VERSION

if TYPE_CHECKING:
    from tests.conftest import SecureOpenSearch

once = pytest.mark.skipif(OPENSEARCH_VERSION != DEFAULT_VERSION, reason="what is tested is the same on every release")


def test_a_member_of_a_cluster_knows_where_the_others_are() -> None:
    settings = Member.read("two", "one:9301,two:9302").settings()
    assert settings["transport.port"] == 9302
    assert settings["discovery.seed_hosts"] == ["127.0.0.1:9301", "127.0.0.1:9302"]
    assert settings["cluster.initial_cluster_manager_nodes"] == ["one", "two"]


@pytest.mark.parametrize("members", ["one:9301", "two", "two:x", ""])
def test_members_that_make_no_cluster_are_refused(members: str) -> None:
    with pytest.raises(OpenSearchLocalError, match="one:9301,two:9302,three:9303"):
        Member.read("two", members)


@pytest.mark.opensearch
def test_it_makes_an_index_with_every_module_that_we_need(opensearch_url: str) -> None:
    mapping = {
        "properties": {
            "message": {"type": "text"},
            "query": {"type": "percolator"},
            "score": {"type": "scaled_float", "scaling_factor": 10},
        }
    }
    index = f"{opensearch_url}/modules-{time.time_ns()}"
    made = requests.put(index, json={"mappings": mapping}, timeout=30)
    assert made.json().get("acknowledged") is True, made.text
    found = requests.post(
        f"{index}/_search", json={"query": {"script": {"script": "doc['score'].size() == 0"}}}, timeout=30
    )
    assert found.ok, found.text
    requests.delete(index, timeout=30)


@pytest.mark.opensearch
def test_the_security_plugin_verifies_who_asks(opensearch_secure: SecureOpenSearch) -> None:
    server = opensearch_secure
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(server.url, timeout=30)
    wrong = requests.get(server.url, verify=str(server.ca), auth=("admin", "wrong"), timeout=30)
    assert wrong.status_code == 401
    right = requests.get(server.url, verify=str(server.ca), auth=(server.username, server.password), timeout=30)
    assert right.ok
    key_pair = (str(server.certificates / "loader.pem"), str(server.certificates / "loader-key.pem"))
    info = requests.get(f"{server.url}/_plugins/_security/authinfo", verify=str(server.ca), cert=key_pair, timeout=30)
    assert info.json()["user_name"] == "loader"


@pytest.mark.opensearch
@once
def test_the_server_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    # The process between stands for a test run, or a terminal, that is killed.
    between = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.argv[1], '-m', 'local.opensearch', 'run', '--brief'], stderr=open(sys.argv[2], 'w'))\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", between, str(LOCAL_PYTHON), str(tmp_path / "run.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=paths.ROOT) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        process.kill()
    assert _ends(ready["server_pid"])
    assert _ends(ready["pid"])


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OpenSearchLocalError, match=f"Port {port} is taken"):
            check_port(port)


@pytest.mark.opensearch
@once
def test_data_survives_a_start_and_another_release_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = Path(tempfile.mkdtemp(prefix="oktalogger-test-"))
    data.chmod(0o755)
    log = tmp_path_factory.mktemp("data") / "run.log"
    command = [str(LOCAL_PYTHON), "-m", "local.opensearch", "run", "--brief", "--data", str(data / "server")]
    try:
        with ready_program("OpenSearch", command, log=log, timeout=300) as ready:
            requests.put(f"{ready['url']}/kept/_doc/1?refresh=true", json={"a": 1}, timeout=30).raise_for_status()
        with ready_program("OpenSearch", command, log=log, timeout=300) as ready:
            assert requests.get(f"{ready['url']}/kept/_doc/1", timeout=30).json()["_source"] == {"a": 1}
        done = subprocess.run([*command, "--version", "3.4.0"], text=True, capture_output=True, cwd=paths.ROOT)
        assert done.returncode == 1
        assert "holds the data of OpenSearch 2.19.4" in done.stderr
    finally:
        shutil.rmtree(data)


def _ends(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.2)
    return False
