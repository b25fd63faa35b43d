"""Fetches the wheels that an environment without internet access needs, at the versions of its image.

What an image has is in ``requirements/mwaa-LINE.txt``: the image's own pins, and what our requirements add to them. Of
that, an environment gets what our requirements ask for and what these need in turn, less Airflow and the providers that
every image has. pip leaves alone what is installed already.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from local.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

LINES: Final = ("3.3", "3.2", "3.0", "2.11")
# The images run this Python on Amazon Linux 2023, whose glibc is 2.34
# (https://github.com/aws/amazon-mwaa-docker-images).
_PYTHON: Final = "3.12"
_PLATFORMS: Final = ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_OURS: Final = "-r ../requirements.txt"
_IN_EVERY_IMAGE: Final = re.compile(r"apache-airflow(?!-providers-opensearch$)")


class WheelsError(Exception):
    """The wheels cannot be had; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A package of a lock file.

    :param text: its lines, with version and hashes
    :param via: what needs it
    """

    text: str
    via: frozenset[str]


def read_lock(text: str) -> dict[str, Locked]:
    """Read a lock file of ``uv pip compile``.

    :return: each package by its name
    """
    found: dict[str, Locked] = {}
    for block in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE):
        name = re.match(r"[a-z0-9._-]+(?===)", block)
        if name is None:
            continue
        comments = [line.strip().removeprefix("#").strip() for line in block.splitlines() if line.lstrip()[:1] == "#"]
        via = {comment.removeprefix("via").strip() for comment in comments} - {""}
        lines = [line for line in block.splitlines() if line.lstrip()[:1] != "#"]
        found[name[0]] = Locked("\n".join(lines), frozenset(via))
    return found


def needed(lock: Mapping[str, Locked]) -> list[str]:
    """Return what an image may lack, sorted: what our requirements ask for, and what that needs."""
    wanted: set[str] = set()
    below: Iterable[str] = {_OURS}
    while below:
        more = {name for name, locked in lock.items() if locked.via & set(below) and not _IN_EVERY_IMAGE.match(name)}
        below = more - wanted
        wanted |= more
    return sorted(wanted)


def fetch(line: str, target: Path) -> list[Path]:
    """Fetch the wheels for the image of an Airflow line; each is checked against the lock file's hashes.

    :param line: such as ``3.3``
    :param target: an empty folder
    :return: the wheels
    :raises WheelsError: if there is no such line, or a wheel cannot be fetched
    """
    if line not in LINES:
        raise WheelsError(f"There is no image for Airflow {line}. Choose one of {', '.join(LINES)}.")
    lock = read_lock((ROOT / "requirements" / f"mwaa-{line}.txt").read_text())
    names = needed(lock)
    if not names:
        raise WheelsError(f"The lock file of Airflow {line} does not say what our requirements need: make lock.")
    wanted = target / "wanted.txt"
    wanted.write_text("".join(lock[name].text + "\n" for name in names))
    command = [str(ROOT / ".venvs" / "uv" / "bin" / "pip"), "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--python-version", _PYTHON, "--dest", str(target), "-r", str(wanted)]
    for platform in _PLATFORMS:
        command += ["--platform", platform]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
    wanted.unlink()
    if done.returncode:
        raise WheelsError(f"The wheels for Airflow {line} could not be fetched:\n{done.stdout}{done.stderr}")
    wheels = sorted(target.glob("*.whl"))
    if len(wheels) != len(names):
        raise WheelsError(f"{len(wheels)} wheels came for {len(names)} packages: {', '.join(names)}.")
    return wheels
