"""Makes the virtual environments of this project from their lock files, with nothing but Python.

``python3 local/env.py airflow-3.3 local`` leaves ``.venvs/airflow-3.3`` and ``.venvs/local`` as their lock files say.
An environment that is already so costs a few milliseconds. The only tool fetched is uv, in an environment of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venvs"
UV_VERSION = "0.13.9"
OLDEST_PYTHON = (3, 11)
NEEDED_BYTES = 2 * 1024**3


# Amazon MWAA runs Python 3.12: one line is tested on it wherever there is one.
PREFERRED_PYTHON = {"airflow-3.2": "3.12"}


class EnvError(Exception):
    """An environment cannot be made; the message says what to do."""


def check_machine() -> None:
    """Refuse a Python or a disk that cannot carry the environments, before anything is fetched."""
    if sys.version_info < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        raise EnvError(
            f"Python {wanted} or newer is needed, this is {sys.version.split()[0]} ({sys.executable}). "
            f"Name another one: make PYTHON=python{wanted} ..."
        )
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES:
        raise EnvError(
            f"{free / 1024**3:.1f} GiB are free at {ROOT}; the environments need {NEEDED_BYTES / 1024**3:.0f} GiB."
        )


def _run(command: list[str]) -> None:
    done = subprocess.run(command, text=True, capture_output=True)  # noqa: S603
    if done.returncode:
        raise EnvError(f"{' '.join(command)} failed with exit code {done.returncode}:\n{done.stdout}{done.stderr}")


def _uv() -> Path:
    home = VENVS / "uv"
    uv = home / "bin" / "uv"
    marker = home / f"uv-{UV_VERSION}"
    if not marker.exists():
        print(f"  fetching uv {UV_VERSION}", flush=True)
        venv.create(home, with_pip=True, clear=True)
        _run([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", f"uv=={UV_VERSION}"])
        marker.touch()
    return uv


def python_for(name: str, python: str) -> str:
    """Return the interpreter that an environment is for, if this machine has it, else the one given."""
    version = PREFERRED_PYTHON.get(name)
    if version is None:
        return python
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    on_path = shutil.which(f"python{version}")
    for candidate in (on_path, *map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}")))):
        # A shim of pyenv is there even where it leads nowhere.
        if candidate and subprocess.run([candidate, "--version"], capture_output=True).returncode == 0:  # noqa: S603
            return candidate
    return python


def make(name: str, python: str) -> Path:
    """Make or refresh one environment.

    :param name: the name of a lock file in ``requirements``, without ``.txt``
    :param python: the interpreter to base it on
    :return: the environment's folder
    :raises EnvError: where there is no such lock file, or an install fails
    """
    lock = ROOT / "requirements" / f"{name}.txt"
    if not lock.exists():
        names = ", ".join(sorted(path.stem for path in lock.parent.glob("*.txt")))
        raise EnvError(f"There is no lock file {lock.relative_to(ROOT)}. There are: {names}.")
    home = VENVS / name
    stamp = home / "oktalogger.stamp"
    wanted = hashlib.sha256(lock.read_bytes() + python.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return home
    uv = _uv()
    print(f"  installing {lock.relative_to(ROOT)} into {home.relative_to(ROOT)}", flush=True)
    began = time.monotonic()
    stamp.unlink(missing_ok=True)
    _run([str(uv), "venv", "--quiet", "--allow-existing", "--python", python, str(home)])
    _run([str(uv), "pip", "sync", "--quiet", "--require-hashes", "--python", str(home), str(lock)])
    stamp.write_text(wanted)
    print(f"  {name} is ready after {time.monotonic() - began:.0f} s", flush=True)
    return home


def main() -> int:
    """Make the environments that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", metavar="NAME", help="a lock file of requirements/, without .txt")
    parser.add_argument("--python", default=os.environ.get("PYTHON") or sys.executable)
    arguments = parser.parse_args()
    try:
        check_machine()
        for name in arguments.names:
            make(name, python_for(name, arguments.python))
    except EnvError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
