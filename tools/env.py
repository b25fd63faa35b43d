"""Makes the virtual environments of this project from their lock files, with nothing but Python.

``python3 tools/env.py airflow-3.3 local`` makes ``.venvs/airflow-3.3`` and ``.venvs/local`` match their lock files.
An environment that matches already costs a few milliseconds. The only tool downloaded is uv, in its own environment.
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
# Airflow's own limits. Newer Pythons install these lines without a warning, and fail later.
NEWEST_PYTHON = dict.fromkeys(("airflow-2.11", "airflow-3.0", "mwaa-2.11", "mwaa-3.0"), (3, 12))
# Airflow, what the demo runs in, and uv take 0.7 GiB, and the demo then wants 1 GiB for its first start.
NEEDED_BYTES = 2 * 1024**3
NEEDED_FOR_EACH_BYTES = 1024**3


# Amazon MWAA runs Python 3.12: one line, and what stands for its images, are tested on it wherever there is one.
PREFERRED_PYTHON = dict.fromkeys(("airflow-3.2", "mwaa-2.11", "mwaa-3.0", "mwaa-3.2", "mwaa-3.3"), "3.12")


class EnvError(Exception):
    """An environment cannot be made; the message says what to do."""


def check_python(name: str) -> None:
    """Refuse a Python that does not fit an environment.

    :param name: the environment's name
    """
    newest = NEWEST_PYTHON.get(name)
    if sys.version_info < OLDEST_PYTHON:
        needed, example = f"Python {_dotted(OLDEST_PYTHON)} or newer is needed", OLDEST_PYTHON
    elif newest and sys.version_info[:2] > newest:
        needed, example = f"{name} runs on Python {_dotted(OLDEST_PYTHON)} to {_dotted(newest)}", newest
    else:
        return
    raise EnvError(
        f"{needed}, this is {sys.version.split()[0]} ({sys.executable}). "
        f"Name another one: make PYTHON=python{_dotted(example)} ..."
    )


def check_disk(needed: int, purpose: str) -> None:
    """Refuse a disk that is too full, before anything is downloaded."""
    free = shutil.disk_usage(ROOT).free
    if free < needed:
        raise EnvError(
            f"The disk is too full: {free / 1024**3:.1f} GiB are free at {ROOT}; {purpose} {needed / 1024**3:.0f} GiB."
        )


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


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
        try:
            venv.create(home, with_pip=True, clear=True)
        except subprocess.CalledProcessError as error:
            raise EnvError(
                f"{sys.executable} cannot make a virtual environment: {error}. "
                "On Debian and Ubuntu the package python3-venv is missing: apt install python3-venv"
            ) from error
        _run([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", f"uv=={UV_VERSION}"])
        marker.touch()
    return uv


def python_for(name: str, python: str) -> str:
    """Return the interpreter that an environment is for, if this machine has it; otherwise the one given."""
    version = PREFERRED_PYTHON.get(name)
    if version is None:
        return python
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    on_path = shutil.which(f"python{version}")
    for candidate in (on_path, *map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}")))):
        # A shim of pyenv is there even if it leads nowhere.
        if candidate and subprocess.run([candidate, "--version"], capture_output=True).returncode == 0:  # noqa: S603
            return candidate
    return python


def make_all(names: list[str], python: str) -> None:
    """Make or refresh environments, after checking that each of them can be made.

    :param names: of lock files in ``requirements``, without ``.txt``
    :param python: the interpreter to base them on
    :raises EnvError: if there is no such lock file, an environment cannot be, or an install fails
    """
    for name in names:
        check_python(name)
        lock_of(name)
    pythons = {name: python_for(name, python) for name in names}
    missing = [name for name in names if not _is_made(name, pythons[name])]
    if missing:
        check_disk(NEEDED_BYTES, "the environments and what runs in them need")
    for name in missing:
        make(name, pythons[name])


def lock_of(name: str) -> Path:
    """Return the lock file of an environment.

    :raises EnvError: if there is none
    """
    lock = ROOT / "requirements" / f"{name}.txt"
    if not lock.exists():
        names = ", ".join(sorted(path.stem for path in lock.parent.glob("*.txt")))
        raise EnvError(f"There is no lock file {lock.relative_to(ROOT)}. There are: {names}.")
    return lock


def _stamp(name: str) -> Path:
    return VENVS / name / "oktalogger.stamp"


def _wanted(name: str, python: str) -> str:
    return hashlib.sha256(lock_of(name).read_bytes() + python.encode()).hexdigest()


def _is_made(name: str, python: str) -> bool:
    stamp = _stamp(name)
    return stamp.exists() and stamp.read_text() == _wanted(name, python)


def make(name: str, python: str) -> None:
    """Make or refresh one environment, even if it matches its lock file.

    :param python: the interpreter to base it on
    :raises EnvError: if the disk is too full, or an install fails
    """
    lock, home, stamp = lock_of(name), VENVS / name, _stamp(name)
    check_disk(NEEDED_FOR_EACH_BYTES, f"{name} needs")
    uv = _uv()
    print(f"  installing {lock.relative_to(ROOT)} into {home.relative_to(ROOT)}", flush=True)
    began = time.monotonic()
    stamp.unlink(missing_ok=True)
    _run([str(uv), "venv", "--quiet", "--allow-existing", "--python", python, str(home)])
    _run([str(uv), "pip", "sync", "--quiet", "--require-hashes", "--python", str(home), str(lock)])
    stamp.write_text(_wanted(name, python))
    print(f"  {name} is ready after {time.monotonic() - began:.0f} s", flush=True)


def main() -> int:
    """Make the environments that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a lock file of requirements/, without .txt")
    names = parser.parse_args().names
    try:
        if not names:
            check_python("uv")
            _uv()
        make_all(names, sys.executable)
    except (EnvError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
