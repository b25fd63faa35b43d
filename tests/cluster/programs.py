"""Programs of the system that these tests need: found, or installed from the system's packages, or a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


class ProgramMissingError(Exception):
    """A program is not there and could not be installed; the message says what to do."""


def program(name: str, package: str) -> Path:
    """Return a program, installed if need be.

    :param name: such as ``redis-server``
    :param package: of Debian or Ubuntu, which holds it
    :raises ProgramMissingError: if the machine has none, and none can be installed
    """
    found = _find(name)
    if found is None:
        said = _install(package)
        found = _find(name)
        if found is None:
            raise ProgramMissingError(
                f"{name} is not on this machine, and the package {package} could not be installed: {said} "
                f"Install it and run this stage again."
            )
    return found


def _find(name: str) -> Path | None:
    # Debian keeps the programs of PostgreSQL's server out of the PATH.
    places = [on_path] if (on_path := shutil.which(name)) else []
    places += [str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)]
    return Path(places[0]) if places else None


def _install(package: str) -> str:
    if shutil.which("apt-get") is None:
        return "there is no apt-get."
    become = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if become and shutil.which("sudo") is None:
        return "only root may install, and there is no sudo."
    said = ""
    for arguments in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", package]):
        done = subprocess.run(
            [*become, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            said = f"apt-get {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()[-500:]}"
    return said or "apt-get said nothing."
