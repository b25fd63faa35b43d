"""``make mwaa-package``: makes the package for Amazon MWAA in ``build/mwaa``, byte for byte the same on every machine.

``plugins.zip`` holds the wheel, with ``include/`` in it, and ``requirements.txt`` installs it from where MWAA unpacks
that zip. Only an installed distribution gives Airflow a connection form, and the newer
lines find a package unpacked in the plugins folder too late: they read entry points once, before that folder is on
``sys.path``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from deploy.mwaa.wheels import LINES, WheelsError, fetch
from local.console import progress
from local.paths import ROOT

OUT = ROOT / "build" / "mwaa"
# Where MWAA unpacks plugins.zip, before it installs the requirements.
PLUGINS_FOLDER = "/usr/local/airflow/plugins"
# No member of a zip can be older.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
# MWAA forces Airflow's constraints on a requirements file unless its text, comments included, matches this
# (https://github.com/aws/amazon-mwaa-docker-images, python/mwaa/utils/user_requirements.py).
CONSTRAINT = re.compile(r"-c |--constraint ")


class PackageError(Exception):
    """The package cannot be made; the message says what to do."""


def make_package(source: Path, target: Path, *, startup: Path | None = None, offline: str | None = None) -> list[Path]:
    """Make the package.

    :param source: a checkout
    :param target: a folder, which is emptied first
    :param startup: a startup script to include
    :param offline: an Airflow line such as ``3.3``, whose wheels are included, so that nothing has to be fetched from
        the internet where it is installed
    :return: the files made
    :raises WheelsError: if wheels cannot be fetched
    :raises PackageError: if the wheel cannot be built, or a file would break an environment
    """
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    (target / "dags").mkdir()
    for path in sorted((source / "dags").glob("*.py")):
        _copy(path, target / "dags" / path.name)
    with tempfile.TemporaryDirectory() as folder:
        wheel = _wheel(source, Path(folder))
        wheels = [wheel]
        if offline is not None:
            fetched = Path(folder) / "fetched"
            fetched.mkdir()
            wheels += fetch(offline, fetched)
        _write(target / "requirements.txt", _requirements(source, wheel, offline=offline is not None).encode())
        write_zip({one.name: one.read_bytes() for one in wheels}, target / "plugins.zip")
    if startup is not None:
        _copy(_startup(startup), target / "startup.sh")
    return sorted(path for path in target.rglob("*") if path.is_file())


def _requirements(source: Path, wheel: Path, *, offline: bool) -> str:
    path = source / "requirements.txt"
    text = path.read_text()
    if CONSTRAINT.search(text):
        raise PackageError(f"{path} names constraints, which switches off MWAA's own. A comment is enough for that.")
    where = f"--no-index\n--find-links {PLUGINS_FOLDER}\n" if offline else ""
    return f"{where}{text}{PLUGINS_FOLDER}/{wheel.name}\n"


def _startup(path: Path) -> Path:
    if not path.is_file():
        raise PackageError(f"There is no startup script {path}.")
    if b"\r" in path.read_bytes():
        raise PackageError(f"{path} has line ends of Windows, which bash on MWAA does not take.")
    return path


def _wheel(source: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "315532800"}
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise PackageError(f"The wheel could not be built:\n{done.stdout}{done.stderr}")
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as built:
        members = {name: built.read(name) for name in built.namelist()}
    write_zip(members, wheel)
    return wheel


def write_zip(members: dict[str, bytes], target: Path) -> None:
    """Write a zip that is byte for byte the same on every machine.

    :param members: the content of each file, by its name in the zip
    :param target: the zip
    """
    # Stored, not compressed: zlib's output differs between its versions.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            member = zipfile.ZipInfo(name, _LONG_AGO)
            member.create_system = 3  # Unix, on every machine
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(member, members[name])
    target.chmod(0o644)


def _copy(source: Path, target: Path) -> None:
    _write(target, source.read_bytes())


def _write(target: Path, content: bytes) -> None:
    target.write_bytes(content)
    target.chmod(0o644)


def main() -> int:
    """Make the package, and print its files."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.mwaa.package", description="Make the package for Amazon MWAA."
    )
    parser.add_argument("--out", type=Path, default=OUT, help="the folder (default: build/mwaa)")
    parser.add_argument("--startup", type=Path, help="a startup script to take along")
    parser.add_argument(
        "--offline", choices=LINES, metavar="LINE", help="include the wheels for this Airflow line, such as 3.3"
    )
    arguments = parser.parse_args()
    try:
        files = make_package(ROOT, arguments.out, startup=arguments.startup, offline=arguments.offline)
    except (PackageError, WheelsError, OSError) as error:
        progress(f"error: {error}")
        return 1
    for path in files:
        print(f"{path.stat().st_size:>10,}  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
