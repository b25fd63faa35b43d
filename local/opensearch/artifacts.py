"""The files that a distribution is made of: named and hashed in a lock file, fetched with jgo."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from local.console import progress
from local.opensearch.errors import OpenSearchLocalError
from local.opensearch.releases import MODULES, SECURITY, SECURITY_LIBRARIES, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jgo.maven import Artifact, MavenContext

LOCKS = Path(__file__).parent / "locks"
SERVER_GROUP = "org.opensearch.distribution.integ-test-zip"
PLUGIN_GROUP = "org.opensearch.plugin"
WORTH_A_LINE = 10_000_000  # bytes
TIMEOUT = 60  # seconds without an answer


@dataclass(frozen=True, slots=True)
class LockedArtifact:
    """One file to fetch.

    :param coordinate: ``group:name:version:packaging``
    :param into: the folder of the distribution that it belongs in, "" for the distribution itself
    :param size: bytes
    :param sha256: of the file, in hex
    """

    coordinate: str
    into: str
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        """The file's name in Maven."""
        _, name, version, packaging = self.coordinate.split(":")
        return f"{name}-{version}.{packaging}"


def locked(version: str, *, security: bool) -> list[LockedArtifact]:
    """What the lock file of one release names.

    :raises OpenSearchLocalError: if the release has no lock file
    """
    path = LOCKS / f"{version}.json"
    if not path.exists():
        raise OpenSearchLocalError(
            f"OpenSearch {version} is not known here. Known: {', '.join(VERSIONS)}. "
            f"Another release needs a lock file: python -m local.opensearch lock --version {version}"
        )
    artifacts = [LockedArtifact(**entry) for entry in json.loads(path.read_text())]
    return [artifact for artifact in artifacts if security or artifact.into != f"plugins/{SECURITY}"]


def fetch(artifact: LockedArtifact, cache: Path) -> Path:
    """One file in the cache, fetched if it is not there.

    It is fetched beside the cache and moved in when its hash is right, so that the cache never holds a part of it.

    :raises OpenSearchLocalError: if it cannot be fetched, or is not what the lock file says
    """
    wanted = cache / f"{artifact.sha256[:16]}-{artifact.filename}"
    if wanted.exists() and wanted.stat().st_size == artifact.size:
        return wanted
    if artifact.size >= WORTH_A_LINE:
        progress(f"  fetching {artifact.filename} ({artifact.size / 1e6:.0f} MB)")
    with _context(cache) as context:
        path = _resolve(_artifact(context, artifact.coordinate))
        found = _sha256(path)
        if found != artifact.sha256:
            raise OpenSearchLocalError(
                f"{artifact.coordinate} is not the file that the lock file names: its SHA-256 is {found}, "
                f"not {artifact.sha256}. Was the download changed on its way, or cut off? Nothing was kept of it."
            )
        path.replace(wanted)
    return wanted


def lock(version: str, cache: Path) -> Path:
    """Write the lock file of one release, from what Maven says today.

    :return: the lock file
    """
    LOCKS.mkdir(exist_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    with _context(cache) as context:
        server = _artifact(context, f"{SERVER_GROUP}:opensearch:{version}:zip")
        entries = [_lock_entry(server, "")]
        provided = _libraries(_resolve(server))
        for module in MODULES:
            root = context.create_dependency(f"{PLUGIN_GROUP}:{module.artifact}:{version}")
            _, needed = context.resolver.resolve([root])
            for dependency in (root, *needed):
                artifact = dependency.artifact
                if artifact.artifactId not in provided and dependency.scope in (None, "compile", "runtime"):
                    entries.append(_lock_entry(artifact, f"modules/{module.name}"))
        libraries = SECURITY_LIBRARIES.get(version.partition(".")[0], ())
        for coordinate in (f"{PLUGIN_GROUP}:{SECURITY}:{version}.0:zip", *libraries):
            entries.append(_lock_entry(_artifact(context, coordinate), f"plugins/{SECURITY}"))
    path = LOCKS / f"{version}.json"
    path.write_text(json.dumps([asdict(entry) for entry in entries], indent=1) + "\n")
    return path


@contextmanager
def _context(cache: Path) -> Iterator[MavenContext]:
    from jgo.maven import MavenContext

    # jgo warns of what we then raise as an error of our own.
    logging.getLogger("jgo").setLevel(logging.ERROR)
    mirror = os.environ.get("OKTALOGGER_MAVEN_REPOSITORY")
    remotes = {"mirror": mirror.rstrip("/")} if mirror else None
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=cache) as folder:
        yield MavenContext(repo_cache=Path(folder), remote_repos=remotes, timeout=TIMEOUT)


def _artifact(context: MavenContext, coordinate: str) -> Artifact:
    group, name, version, packaging = coordinate.split(":")
    return context.project(group, name).at_version(version).artifact(packaging=packaging)


def _resolve(artifact: Artifact) -> Path:
    try:
        return Path(artifact.resolve())
    except (requests.RequestException, RuntimeError) as error:
        raise OpenSearchLocalError(
            f"{artifact} could not be fetched from Maven: {error}\nIs there a way to the internet? Behind a proxy set "
            "HTTPS_PROXY; where Maven Central is mirrored, set OKTALOGGER_MAVEN_REPOSITORY to the mirror's address."
        ) from error


def _lock_entry(artifact: Artifact, into: str) -> LockedArtifact:
    path = _resolve(artifact)
    coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}:{artifact.packaging}"
    return LockedArtifact(coordinate, into, path.stat().st_size, _sha256(path))


def _libraries(server: Path) -> set[str]:
    """Names, without versions, of the jars in the ``lib`` folder of the server's archive."""
    folder = Path(tempfile.mkdtemp(prefix=".libraries-", dir=server.parent))
    shutil.unpack_archive(server, folder)
    return {re.split(r"-(?=\d)", jar.stem)[0] for jar in folder.glob("*/lib/*.jar")}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
