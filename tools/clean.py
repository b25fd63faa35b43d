"""Removes the files that the Makefile's targets made. Needs only Python: ``python3 -m tools.clean``."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from local import paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MADE = (".venvs", ".local", "build", "dist", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis")


def made() -> Iterator[Path]:
    """List the files to remove.

    ``OKTALOGGER_LOCAL`` may name a folder that others share. Of such a folder this lists only what demos left.
    """
    for name in MADE:
        yield paths.ROOT / name
    for state in {paths.state(), paths.server_state()}:
        if state.is_relative_to(paths.ROOT) or state == paths.relocated(paths.state()):
            yield state
        else:
            for pattern in ("demo-*", "check-*"):
                yield from state.glob(pattern)


def main() -> int:
    """Remove the files, and print their names."""
    failed = False
    for path in made():
        if not path.exists():
            continue
        try:
            shutil.rmtree(path)
            print(f"removed {path}")
        except OSError as error:
            failed = True
            print(f"error: {path} could not be removed: {error}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
