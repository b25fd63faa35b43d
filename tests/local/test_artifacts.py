"""Fetching, from a Maven repository on this machine."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from local.opensearch.artifacts import LockedArtifact, fetch, locked
from local.opensearch.errors import OpenSearchLocalError
from local.opensearch.releases import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("jgo")

CONTENT = b"a jar"
COORDINATE = "org.example:thing:1.0:jar"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path / "repository"
    jar = root / "org/example/thing/1.0/thing-1.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(CONTENT)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OKTALOGGER_MAVEN_REPOSITORY", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield root
    server.shutdown()
    server.server_close()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    cache = tmp_path / "cache"
    cache.mkdir()
    return cache


def thing(content: bytes = CONTENT) -> LockedArtifact:
    return LockedArtifact(COORDINATE, "modules/thing", len(content), hashlib.sha256(content).hexdigest())


def test_a_file_is_fetched_once(repository: Path, cache: Path) -> None:
    path = fetch(thing(), cache)
    assert path.read_bytes() == CONTENT
    (repository / "org/example/thing/1.0/thing-1.0.jar").unlink()
    assert fetch(thing(), cache) == path


@pytest.mark.usefixtures("repository")
def test_a_file_that_is_not_the_locked_one_is_refused_and_not_kept(cache: Path) -> None:
    with pytest.raises(OpenSearchLocalError, match="is not the file that the lock file names"):
        fetch(thing(b"another jar"), cache)
    assert list(cache.iterdir()) == []


def test_a_file_that_is_not_there_says_what_to_look_at(repository: Path, cache: Path) -> None:
    (repository / "org/example/thing/1.0/thing-1.0.jar").unlink()
    with pytest.raises(OpenSearchLocalError, match=r"could not be fetched from Maven(.|\n)*HTTPS_PROXY"):
        fetch(thing(), cache)
    assert list(cache.iterdir()) == []


def test_no_server_at_all_says_the_same(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTALOGGER_MAVEN_REPOSITORY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(OpenSearchLocalError, match="could not be fetched from Maven"):
        fetch(thing(), cache)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_release_has_its_server_its_modules_and_its_security_plugin(version: str) -> None:
    folders = {artifact.into for artifact in locked(version, security=True)}
    assert {"", "modules/lang-painless", "modules/percolator", "plugins/opensearch-security"} <= folders
    assert "plugins/opensearch-security" not in {artifact.into for artifact in locked(version, security=False)}


def test_a_release_without_a_lock_file_names_the_others() -> None:
    with pytest.raises(OpenSearchLocalError, match=r"9.9.9 is not known here. Known: 2.19.4, 3.4.0"):
        locked("9.9.9", security=False)
