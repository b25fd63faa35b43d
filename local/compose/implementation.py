"""Finds Docker Compose, or builds it from its sources with Go: reading a Compose file needs no Docker engine.

``python -m local.compose.implementation config --quiet`` runs it on this checkout.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from local import paths
from local.console import progress

TOOL = paths.ROOT / "local" / "compose" / "tool"
PACKAGE = "github.com/docker/compose/v5"
BUILD_BYTES = 2 * 1024**3
BUILD_TIMEOUT = 1800  # seconds; two minutes on an idle machine of two cores


class ComposeUnavailableError(Exception):
    """There is no Docker Compose here, and none can be built; the message says why."""


def compose() -> list[str]:
    """Return the command that runs Docker Compose: the installed one, else one built once and kept.

    :raises ComposeUnavailableError: if there is none and none can be built
    """
    if shutil.which("docker") and _works(["docker", "compose"]):
        return ["docker", "compose"]
    kept = paths.state() / "compose" / f"docker-compose-{version()}"
    if not (kept.exists() and _works([str(kept)])):
        _build(kept)
    return [str(kept)]


def version() -> str:
    """Return the release that ``tool/go.mod`` pins."""
    found = re.search(rf"^\s*(?:require )?{PACKAGE} v([\d.]+)(?: //.*)?$", (TOOL / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ComposeUnavailableError(f"{TOOL / 'go.mod'} pins no release of {PACKAGE}.")
    return found[1]


def _works(command: list[str]) -> bool:
    return subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0  # noqa: S603


def _build(target: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise ComposeUnavailableError("Neither Docker Compose nor Go, to build it with, is installed.")
    paths.need_free(target, BUILD_BYTES, "building Docker Compose")
    target.parent.mkdir(parents=True, exist_ok=True)
    progress(f"  building Docker Compose {version()} with Go, once; this takes minutes")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        # Caches of its own, because more than a gigabyte would stay in the user's.
        environment = os.environ | {
            "GOMODCACHE": f"{folder}/modules",
            "GOCACHE": f"{folder}/cache",
            "GOFLAGS": "-modcacherw -trimpath -buildvcs=false",
            "CGO_ENABLED": "0",
        }
        command = [go, "build", "-ldflags=-s -w", "-o", f"{folder}/docker-compose", f"{PACKAGE}/cmd"]
        done = subprocess.run(  # noqa: S603
            command, cwd=TOOL, env=environment, capture_output=True, text=True, check=False, timeout=BUILD_TIMEOUT
        )
        if done.returncode:
            raise ComposeUnavailableError(f"Docker Compose could not be built:\n{done.stderr[-4000:]}")
        Path(folder, "docker-compose").replace(target)


def main() -> int:
    """Run Docker Compose with this process's arguments, in the root of the checkout."""
    try:
        command = compose()
    except (ComposeUnavailableError, OSError) as error:
        progress(f"error: {error}")
        return 1
    return subprocess.run([*command, *sys.argv[1:]], cwd=paths.ROOT, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
