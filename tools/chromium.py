"""Makes sure that there is a Chromium, for the stage ``browser``: ``python -m tools.chromium``.

It takes the package of the system. Where that cannot be installed, because this is not Debian or the user is not root,
it says so, and the tests that need a browser are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PACKAGES = ("chromium", "fonts-dejavu-core")
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """Return the path of a Chromium, None if there is none."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


def install() -> None:
    """Install the system's package.

    :raises subprocess.CalledProcessError: if apt cannot
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]):
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def main() -> int:
    """Install Chromium if it is missing and can be installed."""
    if find_chromium():
        return 0
    if not shutil.which("apt-get") or os.geteuid() != 0:
        print("There is no Chromium. Install it (on Debian: apt install chromium), or its tests are skipped.")
        return 0
    try:
        install()
    except subprocess.CalledProcessError as error:
        print(f"Chromium could not be installed, so its tests are skipped: {error}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
